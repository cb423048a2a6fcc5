/* Pictures of the network: the field's strip diagram as SVG (height: expanded channels, width: work, colour: kernel),
 * and the layers as a graph for DOT. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/export.h"
#include "export/lower.h"
#include "io/file.h"

/* One layer as it is drawn. */
typedef struct {
  char title[64];         /* "MB6 5x5", "stem 3x3" */
  int kernel, wide, h, c; /* wide: channels of the widest tensor; h, c: of the output */
  int se, residual, stride;
  long long macs;
} layer;

enum { MAX_LAYERS = SPN_MAX_BLOCKS + 3 };

static int add_layers(const spn_arch *a, layer *out) {
  int n = 0, size = spn_pad_axis(a->padding, a->input_size, a->stem_kernel, a->stem_stride).out,
      channels = a->stem_channels;
  layer stem = {.kernel = a->stem_kernel, .wide = channels, .h = size, .c = channels, .stride = a->stem_stride};
  snprintf(stem.title, sizeof stem.title, "stem %dx%d", a->stem_kernel, a->stem_kernel);
  stem.macs = (long long)size * size * a->stem_kernel * a->stem_kernel * a->input_channels * channels;
  out[n++] = stem;
  for (int i = 0; i < a->blocks; i++) {
    const spn_block *b = &a->block[i];
    if (b->skipped) continue;
    layer l = {
        .kernel = b->kernel, .wide = spn_block_expanded(b), .c = b->out, .residual = b->residual, .stride = b->stride};
    l.macs = spn_block_counts(a, b, size, &size).macs;
    l.se = spn_block_squeeze(b);
    l.h = size;
    if (!b->expand) l.wide = b->out;
    if (!b->expand) snprintf(l.title, sizeof l.title, "Conv %dx%d", b->kernel, b->kernel);
    else if (b->expand > 1) snprintf(l.title, sizeof l.title, "MB%d %dx%d", b->expand, b->kernel, b->kernel);
    else snprintf(l.title, sizeof l.title, "Sep %dx%d", b->kernel, b->kernel);
    out[n++] = l;
    channels = b->out;
  }
  if (a->head_channels) {
    layer head = {
        .kernel = 1, .wide = a->head_channels, .h = size, .c = a->head_channels, .stride = 1, .title = "head 1x1"};
    head.macs = (long long)size * size * channels * a->head_channels;
    out[n++] = head;
    channels = a->head_channels;
  }
  layer dense = {.kernel = 1, .wide = channels, .h = 1, .c = a->classes, .stride = 1, .title = "pool, classifier"};
  dense.macs = (long long)channels * a->classes;
  out[n++] = dense;
  return n;
}

/* Text inside XML or between DOT's quotes: what would end it is left out. */
static void put_name(FILE *out, const char *text) {
  for (const char *p = text; *p; p++)
    if (!strchr("<>&\"\\", *p) && (unsigned char)*p >= 32) fputc(*p, out);
}

static const char *colour(int kernel) {
  return kernel == 7 ? "#c44e52" : kernel == 5 ? "#dd8452" : kernel == 3 ? "#4c72b0" : "#8c8c8c";
}

static void put_svg(FILE *out, const spn_arch *a, const layer *l, int n) {
  enum { LEFT = 20, TOP = 60, HIGH = 150, GAP = 4, LEAST = 16, MOST = 70, LABELS = 130 };
  long long most = 1;
  int widest = 1, x = LEFT, total = 2 * LEFT;
  for (int i = 0; i < n; i++) {
    most = l[i].macs > most ? l[i].macs : most;
    widest = l[i].wide > widest ? l[i].wide : widest;
  }
  for (int i = 0; i < n; i++) total += LEAST + (int)((MOST - LEAST) * l[i].macs / most) + GAP;
  const spn_counts counts = spn_arch_counts(a);
  fprintf(out,
          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
          "font-family=\"sans-serif\" "
          "font-size=\"11\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n<text x=\"%d\" y=\"22\" "
          "font-size=\"15\">",
          total, TOP + HIGH + LABELS, total, TOP + HIGH + LABELS, LEFT);
  put_name(out, a->name);
  fprintf(out, ": %dx%d, %.2f M parameters, %.1f M MACs</text>\n", a->input_size, a->input_size,
          (double)counts.params * 1e-6, (double)counts.macs * 1e-6);
  fprintf(out,
          "<text x=\"%d\" y=\"40\" fill=\"#666\">height: channels inside; width: MACs; blue 3x3, orange 5x5, red 7x7; "
          "line above: residual; dot: SE</text>\n",
          LEFT);
  for (int i = 0; i < n; i++) {
    const int w = LEAST + (int)((MOST - LEAST) * l[i].macs / most), h = 8 + (HIGH - 8) * l[i].wide / widest,
              y = TOP + HIGH - h;
    fprintf(out, "<g><title>%s, stride %d, %d channels inside, %d out, %dx%d, %.2f M MACs%s</title>\n", l[i].title,
            l[i].stride, l[i].wide, l[i].c, l[i].h, l[i].h, (double)l[i].macs * 1e-6,
            l[i].residual ? ", residual" : "");
    fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"2\" fill=\"%s\"/>\n", x, y, w, h,
            colour(l[i].kernel));
    if (l[i].residual) fprintf(out, "<path d=\"M%d %dH%d\" stroke=\"#333\" stroke-width=\"2\"/>\n", x, y - 4, x + w);
    if (l[i].se) fprintf(out, "<circle cx=\"%d\" cy=\"%d\" r=\"3\" fill=\"white\"/>\n", x + w / 2, TOP + HIGH - 6);
    fprintf(out, "<text transform=\"translate(%d %d) rotate(60)\">%s, %dx%dx%d</text></g>\n", x + w / 2 - 3,
            TOP + HIGH + 12, l[i].title, l[i].h, l[i].h, l[i].c);
    x += w + GAP;
  }
  fprintf(out, "</svg>\n");
}

static void put_dot(FILE *out, const spn_arch *a, const layer *l, int n) {
  fprintf(out, "digraph network {\n  rankdir=TB;\n  node [shape=box, style=filled, fontname=\"sans-serif\", "
               "fontcolor=white];\n  label=\"");
  put_name(out, a->name);
  fprintf(out, "\";\n  image [label=\"image %dx%dx%d\", fillcolor=\"#333333\"];\n", a->input_size, a->input_size,
          a->input_channels);
  for (int i = 0; i < n; i++) {
    fprintf(out, "  layer%d [label=\"%s%s%s\\n%dx%dx%d\\n%.2f M MACs\", fillcolor=\"%s\"];\n", i, l[i].title,
            l[i].stride == 2 ? " /2" : "", l[i].se ? " SE" : "", l[i].h, l[i].h, l[i].c, (double)l[i].macs * 1e-6,
            colour(l[i].kernel));
    if (i) fprintf(out, "  layer%d -> layer%d;\n", i - 1, i);
    else fprintf(out, "  image -> layer0;\n");
    if (l[i].residual) fprintf(out, "  layer%d -> layer%d [style=dashed, constraint=false];\n", i - 1, i);
  }
  fprintf(out, "}\n");
}

/* The picture, through memory into the file. */
static spn_status save(const spn_arch *a, void (*put)(FILE *, const spn_arch *, const layer *, int), const char *path,
                       spn_err *err) {
  char *text = NULL;
  size_t size = 0;
  layer *layers = malloc(MAX_LAYERS * sizeof *layers);
  FILE *out = layers ? open_memstream(&text, &size) : NULL;
  int bad = !out;
  if (out) {
    put(out, a, layers, add_layers(a, layers));
    bad = ferror(out);
    bad |= fclose(out) != 0;
  }
  free(layers);
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
  return save(arch, put_svg, path, err);
}

static spn_status write_dot(const spn_arch *arch, const spn_tensors *weights, const spn_export_options *options,
                            const char *path, spn_err *err) {
  SPN_TRY(check_weights(arch, weights, options, err));
  return save(arch, put_dot, path, err);
}

const spn_exporter spn_exporter_svg = {
    .suffix = ".svg", .about = "a picture: the layers as a strip, by channels, work and kernel", .write = write_svg};
const spn_exporter spn_exporter_dot = {
    .suffix = ".dot", .about = "the layers as a graph for Graphviz", .write = write_dot};
