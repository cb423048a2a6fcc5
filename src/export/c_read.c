/* Reads the table and the weights of a C file of our kind back into a list of nodes, for the self-check. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/c_read.h"
#include "io/file.h"

enum { FIELDS = 17, MAX_LAYERS = 1 << 12, MAX_SIDE = 1 << 14 };
/* A row of the table, in the order of the layer type of templates/network.c.in. */
enum { KIND, ACTIVATION, A, B, Y, H, W, C, OH, OW, OC, KERNEL, STRIDE, TOP, LEFT, WEIGHT, BIAS };

typedef struct {
  const char *path;
  float *weights;
  size_t count;
  long row[MAX_LAYERS][FIELDS];
  int layers;
  spn_err *err;
} reader;

static spn_status broken(const reader *r, const char *what) {
  return spn_fail(r->err, SPN_EINPUT, "%s: expected a C file as spnas writes it: %s", r->path, what);
}

/* Past spaces, commas, braces, float suffixes and comments. */
static const char *next_number(const char *p) {
  for (;;) {
    p += strspn(p, " \n,{f");
    if (p[0] == '}' && p[1] == ',') p += 2;
    else if (p[0] == '/' && p[1] == '*' && strstr(p, "*/")) p = strstr(p, "*/") + 2;
    else return p;
  }
}

static spn_status read_weights(reader *r, const char *text, size_t size) {
  const char *p = strstr(text, "static const float weights[] = {");
  r->weights = malloc((size / 2 + 1) * sizeof *r->weights); /* a number and what is behind it take two characters */
  if (!r->weights) return spn_fail(r->err, SPN_ENOMEM, "%s: out of memory", r->path);
  if (!p) return broken(r, "no weights");
  for (p = next_number(strchr(p, '{')); *p != '}'; p = next_number(p)) {
    char *end;
    const float v = strtof(p, &end);
    if (end == p || !isfinite(v)) return broken(r, "a weight is no number");
    r->weights[r->count++] = v;
    p = end;
  }
  return SPN_OK;
}

static spn_status read_layers(reader *r, const char *text) {
  const char *p = strstr(text, "static const layer layers[] = {");
  if (!p) return broken(r, "no layers");
  for (p = next_number(strchr(p, '{')); *p != '}'; p = next_number(p)) {
    if (r->layers == MAX_LAYERS) return broken(r, "too many layers");
    for (int k = 0; k < FIELDS; k++, p = k < FIELDS ? next_number(p) : p) {
      char *end;
      r->row[r->layers][k] = strtol(p, &end, 10);
      if (end == p) return broken(r, "a layer is damaged");
      p = end;
    }
    r->layers++;
    p += *p == '}';
  }
  return r->layers ? SPN_OK : broken(r, "no layers");
}

/* So many weights at `at`. */
static spn_status take(const reader *r, long at, size_t count, float **out) {
  if (at < 0) return SPN_OK;
  if ((size_t)at > r->count || count > r->count - (size_t)at) return broken(r, "weights beyond the end");
  *out = malloc(count * sizeof **out + 1);
  if (!*out) return spn_fail(r->err, SPN_ENOMEM, "%s: out of memory", r->path);
  memcpy(*out, r->weights + at, count * sizeof **out);
  return SPN_OK;
}

/* (K,K,I,O) -> (O,I,K,K) */
static spn_status unpack(const reader *r, spn_lowered_node *n, int in) {
  const size_t taps = (size_t)n->kernel * (size_t)n->kernel, row = taps * (size_t)in, out = (size_t)n->c;
  float *turned = malloc(row * out * sizeof *turned + 1);
  if (!turned) return spn_fail(r->err, SPN_ENOMEM, "%s: out of memory", r->path);
  for (size_t o = 0; o < out; o++)
    for (size_t i = 0; i < row; i++) turned[o * row + i] = n->weight[(i % taps * (size_t)in + i / taps) * out + o];
  free(n->weight);
  n->weight = turned;
  return SPN_OK;
}

/* The node whose output lies at a place; the image is node 0. */
static int node_at(const long *place, int count, long at) {
  for (int i = count - 1; i > 0; i--)
    if (place[i] == at) return i;
  return at == -1 ? 0 : -1;
}

static spn_status add_layer(const reader *r, const long *l, const long *place, spn_lowered *net) {
  const int a = node_at(place, net->count, l[A]), b = node_at(place, net->count, l[B]);
  spn_lowered_node *n = spn_lowered_add(net, (spn_lowered_kind)l[KIND]);
  if (!n) return spn_fail(r->err, SPN_ENOMEM, "%s: out of memory", r->path);
  for (int k = H; k <= OC; k++)
    if (l[k] < 1 || l[k] > (k == OC ? SPN_MAX_CLASSES : SPN_MAX_CHANNELS * SPN_MAX_EXPAND))
      return broken(r, "a size is out of range");
  if (l[KIND] < SPN_LOWERED_CONV || l[KIND] > SPN_LOWERED_DENSE || l[KIND] == SPN_LOWERED_NORM || l[ACTIVATION] < 0 ||
      l[ACTIVATION] > SPN_FUSED_SIGMOID || a < 0 || b < 0 || l[H] > MAX_SIDE || l[W] > MAX_SIDE || l[KERNEL] < 0 ||
      l[KERNEL] > 7)
    return broken(r, "a layer is out of range");
  const spn_lowered_node *from = &net->node[a], *other = &net->node[b];
  const int convolves = l[KIND] == SPN_LOWERED_CONV || l[KIND] == SPN_LOWERED_DEPTHWISE;
  const int same = l[OH] == from->h && l[OW] == from->w && l[OC] == from->c;
  if (from->h != l[H] || from->w != l[W] || from->c != l[C] || a == net->count - 1 || b == net->count - 1 ||
      (convolves && (l[KERNEL] < 1 || l[STRIDE] < 1 || l[STRIDE] > 2 || l[TOP] < 0 || l[LEFT] < 0 || l[WEIGHT] < 0)) ||
      (l[KIND] == SPN_LOWERED_DEPTHWISE && l[OC] != l[C]) || (l[KIND] == SPN_LOWERED_POOL && l[OC] != l[C]) ||
      (l[KIND] == SPN_LOWERED_DENSE && (l[WEIGHT] < 0 || l[OH] * l[OW] * l[H] * l[W] != 1)) ||
      (l[KIND] == SPN_LOWERED_SCALE && !same) ||
      (l[KIND] == SPN_LOWERED_MUL && (!same || other->c != l[OC] || other->h != 1 || other->w != 1)) ||
      (l[KIND] == SPN_LOWERED_ADD && (!same || other->c != l[OC] || other->h != l[OH] || other->w != l[OW])))
    return broken(r, "layers do not fit together");
  *n = (spn_lowered_node){.kind = (spn_lowered_kind)l[KIND],
                          .in = {a, l[KIND] == SPN_LOWERED_MUL || l[KIND] == SPN_LOWERED_ADD ? b : -1},
                          .h = (int)l[OH],
                          .w = (int)l[OW],
                          .c = (int)l[OC],
                          .kernel = (int)l[KERNEL],
                          .stride = (int)l[STRIDE],
                          .y = {(int)l[TOP], 0, (int)l[OH]},
                          .x = {(int)l[LEFT], 0, (int)l[OW]},
                          .act = (spn_fused)l[ACTIVATION]};
  SPN_TRY(take(r, l[WEIGHT], spn_lowered_weights(n, (int)l[C]), &n->weight));
  SPN_TRY(take(r, l[BIAS], (size_t)n->c, &n->bias));
  return n->kind == SPN_LOWERED_CONV && n->weight ? unpack(r, n, (int)l[C]) : SPN_OK;
}

static spn_status build(const reader *r, spn_lowered *net) {
  long *place = malloc(((size_t)r->layers + 1) * sizeof *place);
  spn_lowered_node *image = spn_lowered_add(net, SPN_LOWERED_INPUT);
  spn_status status = place && image ? SPN_OK : spn_fail(r->err, SPN_ENOMEM, "%s: out of memory", r->path);
  if (!status) {
    const long *first = r->row[0];
    if (first[H] < 1 || first[H] > MAX_SIDE || first[W] < 1 || first[W] > MAX_SIDE || first[C] < 1 ||
        first[C] > SPN_MAX_CHANNELS)
      status = broken(r, "the image is out of range");
    image->h = (int)r->row[0][H], image->w = (int)r->row[0][W], image->c = (int)r->row[0][C];
    place[0] = -1;
  }
  for (int i = 0; !status && i < r->layers; i++) {
    status = add_layer(r, r->row[i], place, net);
    place[i + 1] = r->row[i][Y];
  }
  free(place);
  if (!status) spn_lowered_give(net, net->count - 1, "logits", sizeof "logits" - 1);
  return status;
}

spn_status spn_c_parse(const char *name, const char *text, spn_lowered **out, spn_err *err) {
  reader *r = calloc(1, sizeof *r);
  spn_lowered *net = spn_lowered_new();
  spn_status status = r && net ? SPN_OK : spn_fail(err, SPN_ENOMEM, "%s: out of memory", name);
  if (!status) {
    r->path = name;
    r->err = err;
    status = read_weights(r, text, strlen(text));
    if (!status) status = read_layers(r, text);
    if (!status) status = build(r, net);
    free(r->weights);
  }
  free(r);
  if (status) spn_lowered_free(net);
  else *out = net;
  return status;
}

spn_status spn_c_read(const char *path, spn_lowered **out, spn_err *err) {
  enum { MAX_BYTES = 1 << 30 };
  char *text;
  size_t size;
  SPN_TRY(spn_file_read(path, MAX_BYTES, &text, &size, err));
  spn_status status = spn_c_parse(path, text, out, err);
  free(text);
  return status;
}
