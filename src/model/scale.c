#include "model/scale.h"

#include <math.h>

/* ---- Depth ---- */

static int begins_stage(const spn_block *b) { return b->stride != 1 || b->in != b->out; }

/* What stands at `at` of `now` layers behind a stage's first, of which there were `before`. */
static int stretched(int at, int now, int before) {
  return now > 1 ? (int)lround((double)at * (before - 1) / (now - 1)) : 0;
}

/* One more layer behind a block that is alone in its stage. */
static spn_block repeat(const spn_block *first) {
  spn_block b = *first;
  b.in = b.out;
  if (begins_stage(first)) b.residual = 1;
  b.stride = 1;
  return b;
}

/* 1.1 * 10 is a little more than 11 in binary. */
static const double ROUNDING = 1e-9;

spn_status spn_arch_deepen(spn_arch *arch, double depth, spn_err *err) {
  spn_block kept[SPN_MAX_BLOCKS];
  int count = 0;
  if (depth == 1) return SPN_OK;
  for (int i = 0; i < arch->blocks; i++)
    if (!arch->block[i].skipped) kept[count++] = arch->block[i];
  arch->blocks = 0;
  for (int first = 0, end; first < count; first = end) {
    for (end = first + 1; end < count && !begins_stage(&kept[end]);) end++;
    const double layers = ceil(depth * (end - first) - ROUNDING);
    if (!(arch->blocks + layers <= SPN_MAX_BLOCKS))
      return spn_fail(err, SPN_EINPUT, "depth %g: expected at most %d blocks, got more", depth, SPN_MAX_BLOCKS);
    const int now = layers > 1 ? (int)layers - 1 : 0, before = end - first - 1;
    arch->block[arch->blocks++] = kept[first];
    for (int i = 0; i < now; i++)
      arch->block[arch->blocks++] = before ? kept[first + 1 + stretched(i, now, before)] : repeat(&kept[first]);
  }
  return SPN_OK;
}

spn_status spn_arch_rescale(spn_arch *arch, const spn_scaling *s, spn_err *err) {
  SPN_TRY(spn_arch_deepen(arch, s->depth, err));
  spn_arch_scale(arch, s->width);
  if (s->size) arch->input_size = s->size;
  return spn_arch_check(arch, err);
}

/* ---- Compound scaling ---- */

enum { SIZE_STEP = 8, LEAST_SIZE = 8 };

spn_scaling spn_compound_at(const spn_compound *c, double x) {
  const int from = c->start.size;
  const double side = from + SIZE_STEP * rint((pow(c->size, x) - 1) * from / SIZE_STEP);
  return (spn_scaling){c->start.depth * pow(c->depth, x), c->start.width * pow(c->width, x),
                       (int)fmin(fmax(side, LEAST_SIZE), SPN_MAX_SIZE)};
}

/* Coefficients are tried on a grid outwards from 0; at EfficientNet's steps two neighbours differ by 0.5 % in cost.
 * Where a network costs more than twice the target, or less than half of it, those beyond are not the ones looked for.
 */
enum { GRID = 128, FARTHEST = 64 * GRID };
static const double BEYOND = 2;

typedef struct {
  const spn_arch *arch;
  const spn_compound *compound;
  double target;
  spn_scale_cost cost;
  const void *context;
  int found;
  double least; /* cost that was seen */
  spn_scaled best;
} quest;

/* Keeps the network if it is the best so far; returns its cost, NaN where there is none. */
static double try_at(quest *q, double depth_x, double size_x, double width_x) {
  spn_arch arch = *q->arch;
  const spn_scaling scaling = {spn_compound_at(q->compound, depth_x).depth, spn_compound_at(q->compound, width_x).width,
                               spn_compound_at(q->compound, size_x).size};
  if (spn_arch_rescale(&arch, &scaling, NULL)) return NAN;
  const double cost = q->cost(q->context, &arch);
  if (isnan(q->least) || cost < q->least) q->least = cost;
  if (cost <= q->target && (!q->found || cost > q->best.cost)) {
    q->found = 1;
    q->best = (spn_scaled){scaling, depth_x, size_x, width_x, cost};
  }
  return cost;
}

/* From the best on upwards, with the depth held and, where `size` is 0, the size too. */
static void go_on(quest *q, int size) {
  const spn_scaled from = q->best;
  for (int i = (int)lround(from.width_x * GRID); i < FARTHEST; i++) {
    const double x = (double)i / GRID;
    if (!(try_at(q, from.depth_x, size ? x : from.size_x, x) <= BEYOND * q->target)) return;
  }
}

spn_status spn_scale_to(const spn_arch *arch, const spn_compound *compound, double target, spn_scale_cost cost,
                        const void *context, spn_scaled *out, spn_err *err) {
  quest q = {.arch = arch, .compound = compound, .target = target, .cost = cost, .context = context, .least = NAN};
  for (int sign = 1; sign >= -1; sign -= 2)
    for (int i = 0; i < FARTHEST; i++) {
      const double x = sign * (double)i / GRID, found = try_at(&q, x, x, x);
      if (!(sign > 0 ? found <= BEYOND * target : found >= target / BEYOND)) break;
    }
  if (isnan(q.least)) return spn_fail(err, SPN_EINPUT, "target %g: what the network costs is not known", target);
  if (!q.found)
    return spn_fail(err, SPN_EINPUT, "target %g: the cheapest network on the way down costs %.4g", target, q.least);
  go_on(&q, 1);
  go_on(&q, 0);
  *out = q.best;
  return SPN_OK;
}
