/* Pictures of the network. SVG: the field's strip diagram, each layer a column; above the line the channels inside it
 * (colour: kernel), below it what it costs, where that is known, else its multiply-accumulates. DOT: the layers as a
 * graph. Both say what the network takes and gives. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/export.h"
#include "export/lower.h"
#include "io/file.h"

/* One layer as it is drawn. */
typedef struct {
  char title[32];           /* "MB6 5x5", "stem 3x3" */
  int kernel, inside, h, c; /* inside: channels of the widest tensor; h, c: of the output */
  int stride, se, residual; /* se: squeeze channels */
  double macs, cost;        /* macs in millions; cost NaN: not known */
} column;

enum { CAPTION = 320 };
typedef struct {
  const spn_arch *arch;
  const spn_export_options *options;
  spn_profile profile;
  column column[SPN_MAX_BLOCKS + 3];
  int columns;
  char counts[CAPTION], input[CAPTION], note[2 * CAPTION]; /* what is said below the name; note may be "" */
} picture;

/* ---- What is drawn and said ---- */

static void set_block(const spn_block *b, column *c) {
  c->kernel = b->kernel;
  c->stride = b->stride;
  c->se = spn_block_squeeze(b);
  c->residual = b->residual;
  c->inside = b->expand ? spn_block_expanded(b) : b->out;
  if (!b->expand) snprintf(c->title, sizeof c->title, "Conv %dx%d", b->kernel, b->kernel);
  else if (b->expand > 1) snprintf(c->title, sizeof c->title, "MB%d %dx%d", b->expand, b->kernel, b->kernel);
  else snprintf(c->title, sizeof c->title, "Sep %dx%d", b->kernel, b->kernel);
}

static column column_of(const spn_arch *a, const spn_layer_profile *l) {
  column c = {.kernel = 1, .inside = l->out, .h = l->out_size, .c = l->out, .stride = 1, .cost = l->cost};
  c.macs = (double)l->counts.macs * 1e-6;
  switch (l->kind) {
    case SPN_LAYER_STEM:
      c.kernel = a->stem_kernel;
      c.stride = a->stem_stride;
      snprintf(c.title, sizeof c.title, "stem %dx%d", a->stem_kernel, a->stem_kernel);
      break;
    case SPN_LAYER_BLOCK: set_block(&a->block[l->block], &c); break;
    case SPN_LAYER_HEAD: snprintf(c.title, sizeof c.title, "head 1x1"); break;
    case SPN_LAYER_CLASSIFIER:
      c.inside = l->in;
      snprintf(c.title, sizeof c.title, "pool, classifier");
      break;
  }
  return c;
}

/* " 0.485 0.456 0.406", one number a channel. */
static void add_numbers(char *text, size_t size, const double *value, int n) {
  for (int i = 0; i < n && i < 3; i++) {
    const size_t used = strlen(text);
    snprintf(text + used, size - used, " %.4g", value[i]);
  }
}

static void say_input(picture *p) {
  const spn_export_options *o = p->options;
  const int size = p->arch->input_size, channels = p->arch->input_channels;
  char mean[64] = "", std[64] = "", resize[96] = "";
  add_numbers(mean, sizeof mean, o->mean, channels);
  add_numbers(std, sizeof std, o->std, channels);
  if (o->resize)
    snprintf(resize, sizeof resize, "short side to %d%s%.20s%s, centre crop %d, ", o->resize,
             o->resize_filter ? " (" : "", o->resize_filter ? o->resize_filter : "", o->resize_filter ? ")" : "", size);
  snprintf(p->input, sizeof p->input, "input %dx%dx%d: %s(pixel / 255 - mean) / std, mean%s, std%s; %d classes", size,
           size, channels, resize, mean, std, p->arch->classes);
}

static void say_counts(picture *p) {
  const spn_profile *f = &p->profile;
  int used = snprintf(p->counts, sizeof p->counts, "%d layers, %.3f M parameters, %.1f M multiply-accumulates",
                      p->columns, (double)f->counts.params * 1e-6, (double)f->counts.macs * 1e-6);
  if (isnan(f->cost)) return;
  used += snprintf(p->counts + used, sizeof p->counts - (size_t)used, "; %.4g %s by %.63s", f->cost, f->unit, f->by);
  if (f->rest > 0 && f->rest < f->cost)
    snprintf(p->counts + used, sizeof p->counts - (size_t)used, ", %.3g of them stem, head and what is fixed", f->rest);
}

/* What the network's file remarks, and what of the cost was not measured. */
static void say_note(picture *p) {
  const char *note = "";
  for (size_t i = 0; i < p->options->fact_count; i++)
    if (!strcmp(p->options->facts[i].key, "spnas.note")) note = p->options->facts[i].value;
  const char *caveat = isnan(p->profile.cost) || strstr(note, p->profile.caveat) ? "" : p->profile.caveat;
  snprintf(p->note, sizeof p->note, "%.500s%s%s", note, *note && *caveat ? "; " : "", caveat);
}

static void compose(const spn_arch *a, const spn_export_options *o, picture *p) {
  p->arch = a;
  p->options = o;
  p->columns = 0;
  if (o->profile) p->profile = *o->profile;
  else spn_profile_of(a, &p->profile);
  for (int i = 0; i < p->profile.layers; i++) {
    const spn_layer_profile *l = &p->profile.layer[i];
    if (l->kind != SPN_LAYER_BLOCK || !a->block[l->block].skipped) p->column[p->columns++] = column_of(a, l);
  }
  say_input(p);
  say_counts(p);
  say_note(p);
}

/* Text for XML, or between DOT's quotes. */
static void put_text(FILE *out, const char *text, int xml) {
  for (const char *c = text; *c; c++) {
    if ((unsigned char)*c < 32) continue;
    if (xml && strchr("<>&\"", *c)) fprintf(out, "&#%d;", *c);
    else if (!xml && strchr("\"\\", *c)) fprintf(out, "\\%c", *c);
    else fputc(*c, out);
  }
}

static const char *colour(int kernel) {
  return kernel == 7 ? "#a83a5b" : kernel == 5 ? "#d9822b" : kernel == 3 ? "#2a6fb0" : "#77756d";
}

/* ---- SVG ---- */

enum {
  LEFT = 70, /* room for what the rows are called */
  WIDE = 34, /* a column */
  GAP = 4,
  TOP = 128, /* under the captions */
  HIGH = 150,
  LOW = 80,
  LABELS = 118,
  LEAST_WIDTH = 980 /* of the captions */
};

static void put_line(FILE *out, int x, int y, int size, const char *fill, const char *text) {
  fprintf(out, "<text x=\"%d\" y=\"%d\" font-size=\"%d\" fill=\"%s\">", x, y, size, fill);
  put_text(out, text, 1);
  fprintf(out, "</text>\n");
}

static void put_legend(FILE *out, const picture *p, int y) {
  static const char *const names[] = {"1x1", "3x3", "5x5", "7x7"};
  int x = 20;
  for (int k = 1; k <= 7; k += 2) {
    int seen = 0;
    for (int i = 0; i < p->columns; i++) seen |= p->column[i].kernel == k;
    if (!seen) continue;
    fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"10\" height=\"10\" rx=\"2\" fill=\"%s\"/>\n", x, y - 9, colour(k));
    put_line(out, x + 14, y, 11, "#55544e", names[k / 2]);
    x += 50;
  }
  fprintf(out,
          "<circle cx=\"%d\" cy=\"%d\" r=\"3.5\" fill=\"white\" stroke=\"#55544e\"/>\n<path d=\"M%d %dh16\" "
          "stroke=\"#14140f\" stroke-width=\"2\"/>\n",
          x + 4, y - 4, x + 170, y - 4);
  put_line(out, x + 12, y, 11, "#55544e", "squeeze-and-excitation");
  put_line(out, x + 192, y, 11, "#55544e", "shortcut; MB6: expansion 6; /2: stride 2");
}

/* Bands of equal output size, and what the rows are. */
static void put_rows(FILE *out, const picture *p, const char *unit) {
  const int base = TOP + HIGH;
  for (int first = 0, end, band = 0; first < p->columns; first = end, band++) {
    const int x = LEFT + first * (WIDE + GAP) - GAP / 2;
    for (end = first + 1; end < p->columns && p->column[end].h == p->column[first].h;) end++;
    const int width = (end - first) * (WIDE + GAP);
    if (band % 2 == 0)
      fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"#f3f2ec\"/>\n", x, TOP - 30, width,
              30 + HIGH + LOW + 24);
    fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" fill=\"#55544e\">%d</text>\n", x + width / 2, TOP - 18,
            p->column[first].h);
  }
  fprintf(out, "<path d=\"M%d %dh%d\" stroke=\"#14140f\"/>\n", LEFT - GAP / 2, base, p->columns * (WIDE + GAP));
  put_line(out, 20, TOP - 18, 10, "#55544e", "side");
  put_line(out, 20, base - 4, 10, "#55544e", "channels");
  put_line(out, 20, base + 14, 10, "#55544e", unit);
}

static void put_column(FILE *out, const column *c, const char *unit, int x, int high, int low) {
  const int base = TOP + HIGH, middle = x + WIDE / 2;
  const double value = isnan(c->cost) ? c->macs : c->cost;
  char cost[48] = "", shown[24] = "&lt;0.01";
  if (value >= 0.01) snprintf(shown, sizeof shown, "%.3g", value);
  if (!isnan(c->cost)) snprintf(cost, sizeof cost, ", %.4g %s", c->cost, unit);
  fprintf(out, "<g><title>%s, stride %d, %d channels inside, %dx%dx%d out%s%s, %.3g M MACs%s</title>\n", c->title,
          c->stride, c->inside, c->h, c->h, c->c, c->se ? ", SE" : "", c->residual ? ", shortcut" : "", c->macs, cost);
  fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"2\" fill=\"%s\"/>\n", x, base - high, WIDE,
          high, colour(c->kernel));
  if (c->residual)
    fprintf(out, "<path d=\"M%d %dh%d\" stroke=\"#14140f\" stroke-width=\"2\"/>\n", x, base - high - 3, WIDE);
  if (c->se)
    fprintf(out, "<circle cx=\"%d\" cy=\"%d\" r=\"3.5\" fill=\"white\" stroke=\"#55544e\"/>\n", middle, base - 7);
  fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" font-size=\"9\">%d</text>\n", middle, base - high - 7,
          c->inside);
  if (low >= 0)
    fprintf(out,
            "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"2\" fill=\"#b4b3aa\"/>\n<text x=\"%d\" y=\"%d\" "
            "text-anchor=\"middle\" font-size=\"9\">%s</text>\n",
            x, base + 4, WIDE, low, middle, base + low + 15, shown);
  fprintf(out, "<text transform=\"translate(%d %d) rotate(60)\">%s%s, %d</text></g>\n", middle - 4, base + LOW + 34,
          c->title, c->stride == 2 ? " /2" : "", c->c);
}

static void put_columns(FILE *out, const picture *p) {
  int widest = 1, priced = 0;
  double most = 0;
  for (int i = 0; i < p->columns; i++) priced |= !isnan(p->column[i].cost);
  for (int i = 0; i < p->columns; i++) {
    const double value = priced ? p->column[i].cost : p->column[i].macs;
    widest = p->column[i].inside > widest ? p->column[i].inside : widest;
    most = fmax(most, value); /* NaN: the other */
  }
  put_rows(out, p, priced ? p->profile.unit : "M MACs");
  for (int i = 0; i < p->columns; i++) {
    const column *c = &p->column[i];
    const double value = priced ? c->cost : c->macs;
    const int high = 4 + (HIGH - 24) * c->inside / widest; /* room for a line and the number */
    const int low = isnan(value) ? -1 : 1 + (int)((LOW - 1) * value / fmax(most, 1e-9));
    put_column(out, c, p->profile.unit, LEFT + i * (WIDE + GAP), high, low);
  }
}

static void put_svg(FILE *out, const picture *p) {
  int width = LEFT + p->columns * (WIDE + GAP) + 60, height = TOP + HIGH + LOW + LABELS + 30;
  if (width < LEAST_WIDTH) width = LEAST_WIDTH;
  fprintf(out,
          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
          "font-family=\"sans-serif\" font-size=\"11\" fill=\"#14140f\">\n<rect width=\"100%%\" height=\"100%%\" "
          "fill=\"white\"/>\n",
          width, height, width, height);
  put_line(out, 20, 26, 17, "#14140f", p->arch->name);
  put_line(out, 20, 44, 12, "#14140f", p->counts);
  put_line(out, 20, 60, 11, "#55544e", p->input);
  if (p->note[0]) put_line(out, 20, 76, 11, "#b3261e", p->note);
  put_legend(out, p, p->note[0] ? 92 : 78);
  put_columns(out, p);
  fprintf(out, "</svg>\n");
}

/* ---- DOT ---- */

static void put_dot(FILE *out, const picture *p) {
  const char *const captions[] = {p->arch->name, p->counts, p->input, p->note, NULL};
  fprintf(out, "digraph network {\n  rankdir=TB;\n  node [shape=box, style=filled, fontname=\"sans-serif\", "
               "fontcolor=white];\n  labelloc=t;\n  fontname=\"sans-serif\";\n  label=\"");
  for (int i = 0; captions[i]; i++) {
    put_text(out, captions[i], 0);
    if (captions[i][0]) fputs("\\n", out);
  }
  fprintf(out, "\";\n  image [label=\"image %dx%dx%d\", fillcolor=\"#333333\"];\n", p->arch->input_size,
          p->arch->input_size, p->arch->input_channels);
  for (int i = 0; i < p->columns; i++) {
    const column *c = &p->column[i];
    char cost[48] = "";
    if (!isnan(c->cost)) snprintf(cost, sizeof cost, ", %.4g %s", c->cost, p->profile.unit);
    fprintf(out, "  layer%d [label=\"%s%s%s\\n%dx%dx%d\\n%.3g M MACs%s\", fillcolor=\"%s\"];\n", i, c->title,
            c->stride == 2 ? " /2" : "", c->se ? " SE" : "", c->h, c->h, c->c, c->macs, cost, colour(c->kernel));
    if (i) fprintf(out, "  layer%d -> layer%d;\n", i - 1, i);
    else fprintf(out, "  image -> layer0;\n");
    if (c->residual) fprintf(out, "  layer%d -> layer%d [style=dashed, constraint=false];\n", i - 1, i);
  }
  fprintf(out, "}\n");
}

/* ---- The file ---- */

/* The picture, through memory into the file. */
static spn_status save(const spn_arch *a, const spn_export_options *o, void (*put)(FILE *, const picture *),
                       const char *path, spn_err *err) {
  char *text = NULL;
  size_t size = 0;
  picture *p = malloc(sizeof *p);
  FILE *out = p ? open_memstream(&text, &size) : NULL;
  int bad = !out;
  if (out) {
    compose(a, o, p);
    put(out, p);
    bad = ferror(out);
    bad |= fclose(out) != 0;
  }
  free(p);
  spn_status status = bad ? spn_fail(err, SPN_ENOMEM, "%s: out of memory while exporting", path)
                          : spn_file_write(path, text, size, err);
  free(text);
  return status;
}

/* A picture needs no weights, but one of a network whose weights are wrong would be a lie. */
static spn_status check_weights(const spn_arch *arch, const spn_tensors *weights, const spn_export_options *options,
                                spn_err *err) {
  spn_lowered *net;
  SPN_TRY(spn_lower(arch, weights, options, NULL, &net, err));
  spn_lowered_free(net);
  return SPN_OK;
}

static spn_status write_svg(const spn_arch *arch, const spn_tensors *weights, const spn_export_options *options,
                            const char *path, spn_err *err) {
  SPN_TRY(check_weights(arch, weights, options, err));
  return save(arch, options, put_svg, path, err);
}

static spn_status write_dot(const spn_arch *arch, const spn_tensors *weights, const spn_export_options *options,
                            const char *path, spn_err *err) {
  SPN_TRY(check_weights(arch, weights, options, err));
  return save(arch, options, put_dot, path, err);
}

const spn_exporter spn_exporter_svg = {
    .suffix = ".svg", .about = "a picture: the layers as a strip, by channels, kernel and cost", .write = write_svg};
const spn_exporter spn_exporter_dot = {
    .suffix = ".dot", .about = "the layers as a graph for Graphviz", .write = write_dot};
