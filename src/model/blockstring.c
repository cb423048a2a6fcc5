#include "model/blockstring.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/json_write.h"
#include "model/frame_json.h"

/* ---- Writing ------------------------------------------------------------------------------------------------------
 */

static int shortcut(const spn_block *b) { return b->stride == 1 && b->in == b->out; }

/* b can be one more repeat of a word whose first block is a and whose residual blocks, if any yet, agree on `flag`. */
static int repeats(const spn_block *a, const spn_block *b, int flag) {
  return shortcut(b) && b->in == a->out && b->kernel == a->kernel && b->expand == a->expand && b->se == a->se &&
         b->activation == a->activation && (flag < 0 || flag == b->residual);
}

typedef struct {
  spn_block first;
  int count, skip, noskip, new_stage; /* skip: some of its blocks have a shortcut */
} word;

/* Folds the network into words; returns how many. */
static int fold(const spn_arch *arch, word *words) {
  int count = 0, flag = -1; /* flag: residual of the word's blocks that could have one; -1: none seen */
  for (int i = 0; i < arch->blocks; i++) {
    const spn_block *b = &arch->block[i];
    if (b->skipped) continue;
    if (count && repeats(&words[count - 1].first, b, flag)) {
      words[count - 1].count++;
    } else {
      words[count] = (word){*b, 1, 0, 0, !shortcut(b)};
      count++;
      flag = -1;
    }
    if (shortcut(b)) {
      flag = b->residual;
      words[count - 1].skip = flag;
      words[count - 1].noskip = !flag;
    }
  }
  return count;
}

/* timm's names, by spn_act. */
static const char *const activation_words[] = {"", "re", "r6", "hs", NULL};

static void write_end(FILE *out, const word *w) {
  char se[32];
  if (w->first.se > 0) fprintf(out, "_se%s", spn_shortest(w->first.se, se));
  if (w->first.activation != SPN_ACT_NONE) fprintf(out, "_n%s", activation_words[w->first.activation]);
}

static void write_mnasnet(FILE *out, const word *w, int first) {
  const spn_block *b = &w->first;
  fprintf(out, "%sr%d_k%d_s%d%d_e%d_i%d_o%d", first ? "" : " ", w->count, b->kernel, b->stride, b->stride, b->expand,
          b->in, b->out);
  write_end(out, w);
  if (w->noskip) fprintf(out, "_noskip");
}

static void write_timm(FILE *out, const word *w, int first) {
  static const char *const types[] = {"cn", "ds", "ir"};
  const spn_block *b = &w->first;
  fprintf(out, "%s%s_r%d_k%d_s%d",
          first          ? ""
          : w->new_stage ? " | "
                         : ", ",
          types[b->expand < 2 ? b->expand : 2], w->count, b->kernel, b->stride);
  if (b->expand > 1) fprintf(out, "_e%d", b->expand);
  fprintf(out, "_c%d", b->out);
  write_end(out, w);
  if (b->expand ? w->noskip : w->skip) fprintf(out, b->expand ? "_noskip" : "_skip"); /* timm's defaults differ */
}

static char *write_words(const spn_arch *arch, void (*write)(FILE *, const word *, int)) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out) return NULL;
  word words[SPN_MAX_BLOCKS];
  int count = fold(arch, words);
  for (int i = 0; i < count; i++) write(out, &words[i], i == 0);
  int bad = ferror(out);
  if (fclose(out) || bad) {
    free(text);
    return NULL;
  }
  return text;
}

char *spn_blockstring_mnasnet(const spn_arch *arch) { return write_words(arch, write_mnasnet); }
char *spn_blockstring_timm(const spn_arch *arch) { return write_words(arch, write_timm); }

/* ---- Reading ------------------------------------------------------------------------------------------------------
 */

enum { MAX_WORD = 96 };

/* One word taken apart; -1: not given. */
typedef struct {
  int timm, separable, plain; /* timm's "ds" and "cn" */
  int repeats, kernel, stride, expand, in, out, noskip, skip, activation;
  double se;
} parts;

static spn_status bad_word(const char *text, const char *problem, spn_err *err) {
  return spn_fail(err, SPN_EINPUT, "block string: \"%s\": %s", text, problem);
}

/* Whole number of at most 5 digits that fills [text, end); -1 otherwise. */
static int whole(const char *text, const char *end) {
  int value = 0;
  if (text == end || end - text > 5) return -1;
  for (; text < end; text++) {
    if (!isdigit((unsigned char)*text)) return -1;
    value = value * 10 + (*text - '0');
  }
  return value;
}

/* Number in [0,1] that fills [text, end); -1 otherwise. */
static double ratio(const char *text, const char *end) {
  char *stop = NULL;
  if (text == end || !(isdigit((unsigned char)*text) || *text == '.')) return -1;
  for (const char *c = text; c < end; c++)
    if (!isdigit((unsigned char)*c) && !strchr(".e-+", *c)) return -1;
  double value = strtod(text, &stop);
  return stop == end && value >= 0 && value <= 1 ? value : -1;
}

static spn_status set_once(int *slot, int value, const char *text, const char *what, spn_err *err) {
  char problem[96];
  if (*slot >= 0) snprintf(problem, sizeof problem, "%s is given twice", what);
  else if (value < 0) snprintf(problem, sizeof problem, "%s needs a whole number", what);
  else {
    *slot = value;
    return SPN_OK;
  }
  return bad_word(text, problem, err);
}

/* MnasNet writes the stride of both axes: "s22". */
static int stride_value(const char *text, const char *end, int timm) {
  int value = whole(text, end);
  if (timm) return value;
  return value == 11 ? 1 : value == 22 ? 2 : -1;
}

static spn_status read_part(const char *text, const char *part, const char *end, parts *p, spn_err *err) {
  char problem[160];
  size_t length = (size_t)(end - part);
  if (length == 6 && !strncmp(part, "noskip", 6)) return set_once(&p->noskip, 1, text, "noskip", err);
  if (length == 4 && !strncmp(part, "skip", 4) && p->plain) return set_once(&p->skip, 1, text, "skip", err);
  if (length == 3 && part[0] == 'n') {
    int act = SPN_ACT_RELU;
    while (activation_words[act] && strncmp(part + 1, activation_words[act], 2)) act++;
    return set_once(&p->activation, activation_words[act] ? act : -1, text, "n (activation: nre, nr6 or nhs)", err);
  }
  if (length > 2 && part[0] == 's' && part[1] == 'e') {
    if (p->se >= 0) return bad_word(text, "se is given twice", err);
    p->se = ratio(part + 2, end);
    return p->se < 0 ? bad_word(text, "se needs a ratio between 0 and 1", err) : SPN_OK;
  }
  int value = length ? whole(part + 1, end) : -1;
  switch (length ? part[0] : 0) {
    case 'r': return set_once(&p->repeats, value, text, "r (repeats)", err);
    case 'k': return set_once(&p->kernel, value, text, "k (kernel)", err);
    case 'e': return set_once(&p->expand, value, text, "e (expansion)", err);
    case 's':
      value = stride_value(part + 1, end, p->timm);
      if (value < 0 && !p->timm) return bad_word(text, "the stride of both axes is expected: s11 or s22", err);
      return set_once(&p->stride, value, text, "s (stride)", err);
    case 'i':
      if (!p->timm) return set_once(&p->in, value, text, "i (input channels)", err);
      break;
    case 'o':
      if (!p->timm) return set_once(&p->out, value, text, "o (output channels)", err);
      break;
    case 'c':
      if (p->timm) return set_once(&p->out, value, text, "c (channels)", err);
      break;
    default: break;
  }
  snprintf(problem, sizeof problem, "\"%.*s\" is not supported; known are r k s e %s se n noskip", (int)length, part,
           p->timm ? "c" : "i o");
  return bad_word(text, problem, err);
}

/* timm's block type in front. */
static spn_status read_type(const char *text, const char **rest, parts *p, spn_err *err) {
  char problem[128];
  size_t length = strcspn(text, "_");
  p->separable = length == 2 && !strncmp(text, "ds", 2);
  p->plain = length == 2 && !strncmp(text, "cn", 2);
  if (!p->separable && !p->plain && !(length == 2 && !strncmp(text, "ir", 2))) {
    snprintf(problem, sizeof problem, "block type \"%.*s\" is not supported; expected ir, ds or cn", (int)length, text);
    return bad_word(text, problem, err);
  }
  *rest = text[length] ? text + length + 1 : text + length;
  return SPN_OK;
}

static spn_status check_parts(const char *text, parts *p, spn_err *err) {
  if (p->repeats < 1 || p->repeats > SPN_MAX_BLOCKS) return bad_word(text, "r (repeats): expected 1 to 128", err);
  if (p->kernel != 3 && p->kernel != 5 && p->kernel != 7) return bad_word(text, "k (kernel): expected 3, 5 or 7", err);
  if (p->stride != 1 && p->stride != 2) return bad_word(text, "s (stride): expected 1 or 2", err);
  if (p->out < 1 || p->out > SPN_MAX_CHANNELS)
    return bad_word(text, p->timm ? "c (channels): expected 1 to 8192" : "o (output channels): expected 1 to 8192",
                    err);
  if (!p->timm && (p->in < 1 || p->in > SPN_MAX_CHANNELS))
    return bad_word(text, "i (input channels): expected 1 to 8192", err);
  if (p->separable && p->expand > 1) return bad_word(text, "ds has no expansion", err);
  if (p->plain && p->expand > 0) return bad_word(text, "cn has no expansion", err);
  if (p->separable) p->expand = 1;
  if (p->plain) p->expand = 0;
  if (p->timm && !p->separable && p->expand == 1)
    return bad_word(
        text, "ir with e1 has a 1:1 expansion convolution, which spnas does not build; ds is the block without", err);
  if (p->expand < (p->timm && !p->plain) || p->expand > SPN_MAX_EXPAND)
    return bad_word(text, "e (expansion): expected 1 to 64", err);
  if (!p->expand && p->se > 0) return bad_word(text, "a plain convolution has no se", err);
  return SPN_OK;
}

static spn_status read_word(const char *text, int timm, parts *p, spn_err *err) {
  *p = (parts){timm, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
  const char *part = text;
  if (timm) SPN_TRY(read_type(text, &part, p, err));
  for (int more = 1; more;) {
    const char *end = part + strcspn(part, "_");
    more = *end == '_';
    SPN_TRY(read_part(text, part, end, p, err));
    part = end + 1;
  }
  if (p->se < 0) p->se = 0;
  return check_parts(text, p, err);
}

/* Channels that arrive at a MnasNet word must be what it says, but for MnasNet-small's first word. */
static spn_status check_input(const char *text, const parts *p, spn_arch *arch, int channels, char *note,
                              spn_err *err) {
  char problem[96];
  if (p->timm || p->in == channels) return SPN_OK;
  if (!arch->blocks && channels == 8 && p->in == 16) {
    if (note)
      snprintf(note, 256,
               "block string: \"%s\" says 16 input channels, the stem gives 8; 8 is used, as MnasNet-small means it",
               text);
    return SPN_OK;
  }
  snprintf(problem, sizeof problem, "i%d, but the %s gives %d channels", p->in, arch->blocks ? "block before" : "stem",
           channels);
  return bad_word(text, problem, err);
}

static spn_status add_word(const char *text, int timm, spn_arch *arch, char *note, spn_err *err) {
  parts p;
  SPN_TRY(read_word(text, timm, &p, err));
  if (!arch->blocks && !arch->stem_channels) arch->stem_channels = timm ? 32 : p.in;
  int channels = arch->blocks ? arch->block[arch->blocks - 1].out : arch->stem_channels;
  SPN_TRY(check_input(text, &p, arch, channels, note, err));
  if (arch->blocks + p.repeats > SPN_MAX_BLOCKS) return bad_word(text, "more than 128 blocks in all", err);
  for (int i = 0; i < p.repeats; i++) {
    spn_block b = {.in = channels,
                   .out = p.out,
                   .kernel = p.kernel,
                   .stride = i ? 1 : p.stride,
                   .expand = p.expand,
                   .se = p.se,
                   .activation = p.activation > 0 ? (spn_act)p.activation : SPN_ACT_NONE};
    b.residual = shortcut(&b) && (p.plain ? p.skip > 0 : p.noskip < 0);
    arch->block[arch->blocks++] = b;
    channels = p.out;
  }
  return SPN_OK;
}

spn_status spn_blockstring_parse(const char *text, spn_arch *arch, char *note, spn_err *err) {
  static const char *const between = " \t\r\n,|";
  int timm = -1;
  if (note) *note = 0;
  arch->blocks = 0;
  for (const char *at = text + strspn(text, between); *at; at += strspn(at, between)) {
    char one[MAX_WORD];
    size_t length = strcspn(at, between);
    if (length >= sizeof one) return spn_fail(err, SPN_EINPUT, "block string: word too long: \"%.40s...\"", at);
    memcpy(one, at, length);
    one[length] = 0;
    if (timm < 0) timm = !(one[0] == 'r' && isdigit((unsigned char)one[1]));
    SPN_TRY(add_word(one, timm, arch, note, err));
    at += length;
  }
  return arch->blocks ? SPN_OK : spn_fail(err, SPN_EINPUT, "block string: expected blocks, got nothing");
}

/* ---- Names ---- */

int spn_blockstring_is(const char *text) {
  return (text[0] == 'r' || !strncmp(text, "ds_", 3) || !strncmp(text, "ir_", 3) || !strncmp(text, "cn_", 3)) &&
         strstr(text, "_k") && !strchr(text, '/') && !strstr(text, ".json");
}

spn_status spn_blockstring_network(const char *text, spn_arch *out, char *note, spn_err *err) {
  SPN_TRY(spn_arch_load("mnasnet-b1", out, err));
  snprintf(out->name, sizeof out->name, "block-string");
  out->stem_channels = 0; /* MnasNet's first word tells them */
  return spn_blockstring_parse(text, out, note, err);
}
