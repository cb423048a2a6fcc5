/* A pair of C files without dependencies: <name>.h and <name>.c, weights as data, layers as a table, and the loops of
 * templates/network.c.in. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/c_read.h"
#include "export/export.h"
#include "export/facts.h"
#include "export/lower.h"
#include "export/templates.h"
#include "io/file.h"

enum { NAME = 64 };

typedef struct {
  const spn_arch *arch;
  const spn_export_options *options;
  const spn_lowered *net;
  char name[NAME], macro[NAME]; /* prefixes: of functions, of constants */
  long *place, scratch;         /* of a node's output, in floats; and all of it */
  FILE *out;
} writer;

/* ---- Memory ---- */

static int last_reader(const spn_lowered *net, int node) {
  int last = node;
  for (int i = node + 1; i < net->count; i++)
    if (net->node[i].in[0] == node || net->node[i].in[1] == node) last = i;
  return last;
}

/* The lowest place for node i that no output overlaps which is still needed. */
static long lowest_place(const writer *w, const int *last, int i) {
  const long size = (long)spn_lowered_elements(&w->net->node[i]);
  long at = 0;
  for (int moved = 1; moved;) {
    moved = 0;
    for (int j = 1; j < i; j++) {
      const long begin = w->place[j], end = begin + (long)spn_lowered_elements(&w->net->node[j]);
      if (last[j] < i || begin >= at + size || end <= at) continue;
      at = end;
      moved = 1;
    }
  }
  return at;
}

/* Node 0 is the caller's image and the last one the caller's logits. */
static int plan(writer *w) {
  const int count = w->net->count;
  int *last = malloc((size_t)count * sizeof *last);
  w->place = malloc((size_t)count * sizeof *w->place);
  for (int i = 0; last && w->place && i < count; i++) {
    last[i] = last_reader(w->net, i);
    w->place[i] = i && i < count - 1 ? lowest_place(w, last, i) : -1;
    const long end = w->place[i] + (long)spn_lowered_elements(&w->net->node[i]);
    if (w->place[i] >= 0 && end > w->scratch) w->scratch = end;
  }
  free(last);
  return last && w->place;
}

/* ---- Text ---- */

/* The file's name without folder and suffix as a C identifier. */
static void names_from(const char *path, writer *w) {
  const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
  const size_t length = dot && dot > base ? (size_t)(dot - base) : strlen(base);
  size_t n = 0;
  if (isdigit((unsigned char)*base)) w->name[n++] = '_';
  for (size_t i = 0; i < length && n + 1 < NAME; i++) w->name[n++] = isalnum((unsigned char)base[i]) ? base[i] : '_';
  for (size_t i = 0; i < n; i++) w->macro[i] = (char)toupper((unsigned char)w->name[i]);
}

/* A string literal; what is not plain ASCII as octal numbers. */
static void put_literal(FILE *out, const char *text) {
  fputc('"', out);
  for (const unsigned char *p = (const unsigned char *)text; *p; p++)
    if (*p < 32 || *p > 126 || strchr("\"\\?", *p)) fprintf(out, "\\%03o", *p);
    else fputc(*p, out);
  fputc('"', out);
}

/* Within a comment: nothing that ends it. */
static void put_fact(void *context, const char *key, const char *value) {
  FILE *out = context;
  fprintf(out, " *   %s: ", key);
  for (const char *p = value; *p; p++) fputc((*p == '*' && p[1] == '/') || (unsigned char)*p < 32 ? ' ' : *p, out);
  fputc('\n', out);
}

static void put_floats(const writer *w, const float *v, size_t n) {
  for (size_t i = 0; i < n; i++) {
    char text[32];
    snprintf(text, sizeof text, "%.9g", (double)v[i]);
    fprintf(w->out, "%s%sf,%s", text, strpbrk(text, ".e") ? "" : ".0", i % 8 == 7 || i + 1 == n ? "\n" : " ");
  }
}

/* Nine digits: enough to read back the same float. */
static void put_three(const writer *w, const char *what, const double *v) {
  fprintf(w->out, "const float %s_%s[%s_CHANNELS] = {", w->name, what, w->macro);
  for (int c = 0; c < w->arch->input_channels; c++) fprintf(w->out, "%s%.9g", c ? ", " : "", v[c]);
  fprintf(w->out, "};\n");
}

/* (O,I,K,K) -> (K,K,I,O) */
static int put_conv_weight(const writer *w, const spn_lowered_node *n, int in) {
  const size_t taps = (size_t)n->kernel * (size_t)n->kernel, row = taps * (size_t)in, out = (size_t)n->c;
  float *packed = malloc(row * out * sizeof *packed);
  for (size_t o = 0; packed && o < out; o++)
    for (size_t i = 0; i < row; i++) packed[(i % taps * (size_t)in + i / taps) * out + o] = n->weight[o * row + i];
  if (packed) put_floats(w, packed, row * out);
  free(packed);
  return packed != NULL;
}

static int put_weights(const writer *w) {
  fprintf(w->out, "static const float weights[] = {\n");
  for (int i = 1; i < w->net->count; i++) {
    const spn_lowered_node *n = &w->net->node[i];
    const int in = w->net->node[n->in[0]].c;
    if (n->weight || n->bias) fprintf(w->out, "/* %s */\n", n->name);
    if (n->kind == SPN_LOWERED_CONV) {
      if (!put_conv_weight(w, n, in)) return 0;
    } else if (n->weight) {
      put_floats(w, n->weight, spn_lowered_weights(n, in));
    }
    if (n->bias) put_floats(w, n->bias, (size_t)n->c);
  }
  fprintf(w->out, "};\n\n");
  return 1;
}

static void put_layers(const writer *w) {
  long at = 0;
  fprintf(w->out, "static const layer layers[] = {\n");
  for (int i = 1; i < w->net->count; i++) {
    const spn_lowered_node *n = &w->net->node[i], *x = &w->net->node[n->in[0]];
    const long weight = n->weight ? at : -1;
    at += n->weight ? (long)spn_lowered_weights(n, x->c) : 0;
    const long bias = n->bias ? at : -1;
    at += n->bias ? n->c : 0;
    fprintf(w->out, "  {%d, %d, %ld, %ld, %ld, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d, %ld, %ld}, /* %s */\n", n->kind,
            n->act, w->place[n->in[0]], n->in[1] < 0 ? -1 : w->place[n->in[1]], w->place[i], x->h, x->w, x->c, n->h,
            n->w, n->c, n->kernel, n->stride, n->y.before, n->x.before, weight, bias, n->name);
  }
  fprintf(w->out, "};\n");
}

static int put_data(const writer *w) {
  put_three(w, "mean", w->options->mean);
  put_three(w, "std", w->options->std);
  if (w->options->class_names) {
    fprintf(w->out, "const char *const %s_class_names[%s_CLASSES] = {\n", w->name, w->macro);
    for (int i = 0; i < w->arch->classes; i++) {
      fprintf(w->out, "  ");
      put_literal(w->out, w->options->class_names[i]);
      fprintf(w->out, ",\n");
    }
    fprintf(w->out, "};\n");
  }
  if (!put_weights(w)) return 0;
  put_layers(w);
  return 1;
}

/* The template with its marks replaced. */
static int put_source(const writer *w) {
  fprintf(w->out, "/* A convolutional network, generated; %s.h tells how to use it. */\n#include \"%s.h\"\n\n", w->name,
          w->name);
  for (const char *p = spn_template_network; *p;) {
    if (!strncmp(p, "@DATA@", 6)) {
      if (!put_data(w)) return 0;
      p += 6;
    } else if (!strncmp(p, "@NAME@", 6)) {
      fputs(w->name, w->out);
      p += 6;
    } else if (!strncmp(p, "@MACRO@", 7)) {
      fputs(w->macro, w->out);
      p += 7;
    } else {
      fputc(*p++, w->out);
    }
  }
  return 1;
}

static spn_status put_header(const writer *w, spn_err *err) {
  const spn_lowered_node *in = &w->net->node[0];
  FILE *out = w->out;
  fprintf(out,
          "/* A convolutional network for image classification, generated by spnas. No memory is allocated and nothing"
          " is kept\n * between calls; several threads may run it, each with its own scratch memory. Compile %s.c with"
          " -O3, and with\n * -fopenmp for threads within a call.\n *\n",
          w->name);
  const spn_facts facts = {w->arch, w->options, "HWC", NULL};
  SPN_TRY(spn_facts_each(&facts, put_fact, out, err));
  fprintf(out, " */\n#ifndef SPNAS_%s_H\n#define SPNAS_%s_H\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n",
          w->macro, w->macro);
  fprintf(out, "enum {\n  %s_HEIGHT = %d,\n  %s_WIDTH = %d,\n  %s_CHANNELS = %d,\n  %s_CLASSES = %d,\n", w->macro,
          in->h, w->macro, in->w, w->macro, in->c, w->macro, w->arch->classes);
  fprintf(out, "  %s_SCRATCH = %ld /* floats */\n};\n\n", w->macro, w->scratch > 0 ? w->scratch : 1);
  fprintf(out,
          "/* Of pixels scaled to 0..1, for each channel. */\nextern const float %s_mean[%s_CHANNELS], "
          "%s_std[%s_CHANNELS];\n",
          w->name, w->macro, w->name, w->macro);
  if (w->options->class_names)
    fprintf(out, "extern const char *const %s_class_names[%s_CLASSES];\n", w->name, w->macro);
  fprintf(out,
          "\n/* pixels (HEIGHT,WIDTH,CHANNELS), resized and cropped already, into the normalised image. */\n"
          "void %s_normalise(const unsigned char *pixels, float *image);\n",
          w->name);
  fprintf(out,
          "/* image (HEIGHT,WIDTH,CHANNELS), normalised; scratch (SCRATCH); logits (CLASSES). */\n"
          "void %s_run(const float *image, float *scratch, float *logits);\n\n",
          w->name);
  fprintf(out, "#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
  return SPN_OK;
}

/* ---- The files ---- */

/* One of the two, through memory, so that it appears whole or not at all. */
static spn_status save(writer *w, int header, const char *path, spn_err *err) {
  char *text = NULL;
  size_t size = 0;
  spn_status status = SPN_OK;
  w->out = open_memstream(&text, &size);
  if (!w->out) return spn_fail(err, SPN_ENOMEM, "%s: out of memory while exporting", path);
  if (header) status = put_header(w, err);
  else if (!put_source(w)) status = spn_fail(err, SPN_ENOMEM, "%s: out of memory while exporting", path);
  const int bad = ferror(w->out);
  if ((fclose(w->out) || bad) && !status) status = spn_fail(err, SPN_ENOMEM, "%s: out of memory while exporting", path);
  if (!status) status = spn_file_write(path, text, size, err);
  free(text);
  return status;
}

static spn_status save_both(writer *w, const char *path, spn_err *err) {
  const size_t n = strlen(path), stem = n > 2 && !strcmp(path + n - 2, ".c") ? n - 2 : n;
  char *header = malloc(stem + 3);
  if (!header) return spn_fail(err, SPN_ENOMEM, "%s: out of memory while exporting", path);
  snprintf(header, stem + 3, "%.*s.h", (int)stem, path);
  spn_status status = save(w, 0, path, err);
  if (!status) status = save(w, 1, header, err);
  free(header);
  return status;
}

static spn_status write_c(const spn_arch *arch, const spn_tensors *weights, const spn_export_options *options,
                          const char *path, spn_err *err) {
  spn_export_options own = *options;
  own.fold_bn = 1;
  own.input = SPN_INPUT_NORMALISED; /* <name>_normalise does it */
  spn_lowered *net;
  SPN_TRY(spn_lower(arch, weights, &own, NULL, &net, err));
  writer w = {.arch = arch, .options = &own, .net = net};
  names_from(path, &w);
  spn_status status = plan(&w) ? save_both(&w, path, err)
                               : spn_fail(err, SPN_ENOMEM, "%s: out of memory while exporting", path);
  free(w.place);
  spn_lowered_free(net);
  return status;
}

const spn_exporter spn_exporter_c = {.suffix = ".c",
                                     .about = "self-contained C, a .c and a .h file: no library, weights as data",
                                     .write = write_c,
                                     .read = spn_c_read};
