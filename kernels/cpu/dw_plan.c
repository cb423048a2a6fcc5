#include "cpu/dw_plan.h"

enum {
  BUDGET = (SPN_VL == 16 ? 384 : 192) *
           1024,  /* bytes of planes; CPUs without AVX-512 have second-level caches of 256 or 512 KB */
  GOOD_ROWS = 16, /* a band this high makes its halo cheap; beyond it, wider groups are worth more */
  GOOD_LINES = 4  /* 256 bytes a pixel: enough for the memory system */
};

static int least(int a, int b) { return a < b ? a : b; }
static int most(int a, int b) { return a > b ? a : b; }
static int floor_div(int a, int b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

dw_window SPN_SYM(dw_x_window)(const spn_dw_shape *s, int r0, int r1) {
  return (dw_window){r0 * s->stride - s->pad_top, (r1 - r0 - 1) * s->stride + s->k, -s->pad_left,
                     (s->wo - 1) * s->stride + s->k};
}

void SPN_SYM(dw_in_rows)(const spn_dw_shape *s, int r0, int r1, int *i0, int *i1) {
  *i0 = least(s->h, r0 * s->stride);
  *i1 = r1 == s->ho ? s->h : least(s->h, r1 * s->stride);
}

dw_window SPN_SYM(dw_g_window)(const spn_dw_shape *s, int r0, int r1) {
  int i0, i1;
  SPN_SYM(dw_in_rows)(s, r0, r1, &i0, &i1);
  int row0 = least(r0, floor_div(i0 + s->pad_top - s->k + 1, s->stride));
  int row1 = most(r1, floor_div(i1 - 1 + s->pad_top, s->stride) + 1);
  int col0 = least(0, floor_div(s->pad_left - s->k + 1, s->stride));
  int col1 = most(s->wo, floor_div(s->w - 1 + s->pad_left, s->stride) + 1);
  return (dw_window){row0, row1 - row0, col0, col1 - col0};
}

/* Bytes of the planes of one line of vectors of one image in the largest band of `rows` output rows. */
static size_t band_bytes(const spn_dw_shape *s, int backward, int rows) {
  size_t bytes = 0;
  for (int r0 = 0; r0 < s->ho; r0 += rows) {
    dw_window x = SPN_SYM(dw_x_window)(s, r0, least(r0 + rows, s->ho));
    dw_window g = SPN_SYM(dw_g_window)(s, r0, least(r0 + rows, s->ho));
    size_t now = (window_floats(&x) + (backward ? window_floats(&g) : 0)) * DW_LINE * sizeof(float);
    if (now > bytes) bytes = now;
  }
  return bytes;
}

/* count cut into equal parts of at most `limit`. */
static int even_part(int count, int limit) {
  int parts = (count + limit - 1) / limit;
  return (count + parts - 1) / parts;
}

dw_plan SPN_SYM(dw_make_plan)(const spn_dw_shape *s, int backward, int images, int c_used) {
  int lines = (c_used + DW_LINE * SPN_VL - 1) / (DW_LINE * SPN_VL), group;
  size_t whole = band_bytes(s, backward, s->ho);
  if (whole <= BUDGET) {
    group = even_part(lines, least(DW_MAX_GROUP / DW_LINE, (int)(BUDGET / whole)));
    int together = even_part(images, most(1, least(images, (int)(BUDGET / (whole * group)))));
    return (dw_plan){group * DW_LINE, together, s->ho};
  }
  int rows = s->ho;
  size_t good = band_bytes(s, backward, least(GOOD_ROWS, s->ho));
  group = even_part(lines, most(1, least(GOOD_LINES, (int)(BUDGET / good))));
  while (rows > 1 && group * band_bytes(s, backward, rows) > BUDGET)
    rows = rows > 2 * GOOD_ROWS ? rows * 3 / 4 : rows - 1;
  rows = even_part(s->ho, rows);
  while (rows > 1 && group * band_bytes(s, backward, rows) > BUDGET) rows--;
  return (dw_plan){group * DW_LINE, 1, rows};
}

size_t SPN_SYM(dw_scratch)(const spn_dw_shape *s) {
  size_t one_row = band_bytes(s, 1, 1); /* what a plan falls back to, with one line of one image */
  return (one_row > BUDGET ? one_row : BUDGET) + DW_SLACK * SPN_VL * sizeof(float);
}

int SPN_SYM(dw_streams)(const spn_dw_shape *s, const float *tensor) {
  return s->streams && s->ld % (DW_LINE * SPN_VL) == 0 && (size_t)tensor % (DW_LINE * sizeof(vf)) == 0;
}

/* ---- Planes ---- */

INLINE void zero_columns(float *row, int from, int to) {
  for (int i = from; i < to; i++) v_store(row + i * SPN_VL, (vf){0});
}

/* Writes one row of a plane: BODY(column of the image, place in the plane) inside, zeros outside unless they are there.
 */
#define FILL_ROW(part, window, borders, row_at, BODY)                                                     \
  do {                                                                                                    \
    int first_ = most(0, (window)->col0), end_ = least((part)->w, (window)->col0 + (window)->cols);       \
    if (end_ < first_) end_ = first_;                                                                     \
    if (!(borders)) zero_columns(row_at, 0, first_ - (window)->col0);                                     \
    for (int col_ = first_; col_ < end_; col_++) BODY(col_, (row_at) + (col_ - (window)->col0) * SPN_VL); \
    if (!(borders)) zero_columns(row_at, end_ - (window)->col0, (window)->cols);                          \
  } while (0)

INLINE void view_row(act_form form, const dw_part *part, const dw_window *window, const view_lanes *v, int n,
                     const float *x, int borders, float *to) {
  const view_lanes lanes = *v;
#define BODY(col, at) v_store(at, view_value(form, &lanes, v_get(x + (size_t)(col) * part->ld, n)))
  FILL_ROW(part, window, borders, to, BODY);
#undef BODY
}

INLINE void load_view_form(act_form form, const dw_part *part, const dw_window *window, const spn_view *view,
                           const float *x, int borders, float *planes) {
  size_t row_floats = (size_t)window->cols * SPN_VL, plane = window_floats(window);
  for (int i = 0; i < part->images; i++) {
    size_t image = part->image0 + i;
    const float *gate = view->gate ? view->gate + image * view->gate_ld : NULL;
    view_lanes lanes[DW_MAX_GROUP];
    for (int v = 0; v < part->vectors; v++) lanes[v] = view_at(view, gate, part->c0 + v * SPN_VL, part_lanes(part, v));
    for (int r = 0; r < window->rows; r++) {
      int row = window->row0 + r;
      int inside = row >= 0 && row < part->h;
      const float *from = inside ? x + ((image * part->h + row) * part->w) * part->ld + part->c0 : NULL;
      for (int v = 0; v < part->vectors; v++) {
        float *to = planes + ((size_t)v * part->images + i) * plane + r * row_floats;
        int n = part_lanes(part, v);
        if (!inside && !borders) zero_columns(to, 0, window->cols);
        if (!inside) continue;
        if (n == SPN_VL) view_row(form, part, window, &lanes[v], SPN_VL, from + v * SPN_VL, borders, to);
        else view_row(form, part, window, &lanes[v], n, from + v * SPN_VL, borders, to);
      }
    }
  }
}

void SPN_SYM(dw_load_view)(const dw_part *part, const dw_window *window, const spn_view *view, const float *x,
                           int borders, float *planes) {
  if (view_form(view) == ACT_CLAMP) load_view_form(ACT_CLAMP, part, window, view, x, borders, planes);
  else load_view_form(ACT_HSWISH, part, window, view, x, borders, planes);
}

INLINE void grad_row(const dw_part *part, const dw_window *window, const norm_lanes *v, int n, const float *dz,
                     const float *y, int borders, float *to) {
  if (!v) {
#define BODY(col, at) v_store(at, v_get(dz + (size_t)(col) * part->ld, n))
    FILL_ROW(part, window, borders, to, BODY);
#undef BODY
    return;
  }
  const norm_lanes lanes = *v;
#define BODY(col, at) \
  v_store(at, norm_value(&lanes, v_get(dz + (size_t)(col) * part->ld, n), v_get(y + (size_t)(col) * part->ld, n)))
  FILL_ROW(part, window, borders, to, BODY);
#undef BODY
}

void SPN_SYM(dw_load_grad)(const dw_part *part, const dw_window *window, const spn_norm_grad *grad, const float *dz,
                           const float *y, int borders, float *planes) {
  size_t row_floats = (size_t)window->cols * SPN_VL, plane = window_floats(window);
  norm_lanes lanes[DW_MAX_GROUP];
  for (int v = 0; grad->a && v < part->vectors; v++)
    lanes[v] = norm_at(grad, part->c0 + v * SPN_VL, part_lanes(part, v));
  for (int i = 0; i < part->images; i++)
    for (int r = 0; r < window->rows; r++) {
      int row = window->row0 + r;
      int inside = row >= 0 && row < part->h;
      size_t from = inside ? (((size_t)part->image0 + i) * part->h + row) * part->w * part->ld + part->c0 : 0;
      for (int v = 0; v < part->vectors; v++, from += SPN_VL) {
        float *to = planes + ((size_t)v * part->images + i) * plane + r * row_floats;
        const norm_lanes *norm = grad->a ? &lanes[v] : NULL;
        int n = part_lanes(part, v);
        const float *y_row = grad->a ? y + from : NULL;
        if (!inside && !borders) zero_columns(to, 0, window->cols);
        if (!inside) continue;
        if (n == SPN_VL) grad_row(part, window, norm, SPN_VL, dz + from, y_row, borders, to);
        else grad_row(part, window, norm, n, dz + from, y_row, borders, to);
      }
    }
}
