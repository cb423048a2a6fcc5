#include "train/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double ADAM_BETA2 = 0.999;

static real root(real x) { return sizeof x == sizeof(float) ? (real)sqrtf((float)x) : (real)sqrt((double)x); }

static real *zeros(size_t n) { return calloc(n + 16, sizeof(real)); }

spn_status spn_optimizer_create(const spn_graph *g, const spn_settings *s, spn_optimizer **out, spn_err *err) {
  spn_optimizer *o = calloc(1, sizeof *o);
  if (!o) return spn_fail(err, SPN_ENOMEM, "optimiser: out of memory");
  *o = (spn_optimizer){.kind = s->optim_optimizer,
                       .momentum = s->optim_momentum,
                       .rms_decay = s->optim_rms_decay,
                       .epsilon = s->optim_epsilon,
                       .weight_decay = s->optim_weight_decay,
                       .ema_decay = s->optim_ema,
                       .elements = g->param_elements};
  int slots = o->kind == SPN_SGD ? 1 : 2, failed = 0;
  for (int i = 0; i < slots; i++) failed |= !(o->slot[i] = zeros(o->elements));
  if (o->ema_decay > 0) failed |= !(o->ema = zeros(o->elements));
  failed |= !(o->penalty = calloc((size_t)g->param_count + 1, sizeof *o->penalty));
  if (failed) {
    spn_optimizer_free(o);
    return spn_fail(err, SPN_ENOMEM, "optimiser: out of memory for %zu parameters", g->param_elements);
  }
  if (o->kind == SPN_RMSPROP)
    for (size_t i = 0; i < o->elements; i++) o->slot[0][i] = 1;
  if (o->ema) memcpy(o->ema, g->weights, o->elements * sizeof(real));
  *out = o;
  return SPN_OK;
}

void spn_optimizer_free(spn_optimizer *o) {
  if (!o) return;
  free(o->slot[0]);
  free(o->slot[1]);
  free(o->ema);
  free(o->penalty);
  free(o->rate);
  free(o);
}

typedef struct {
  real lr, mu, keep, add, eps, decay, bias1, bias2, ema_keep;
} coefficients;

/* One run of elements with the same weight decay. The loops are plain so that the compiler vectorises them. */
static void update_run(const spn_optimizer *o, coefficients c, const real *grad, real *w, real *m, real *v, size_t n) {
  switch (o->kind) {
    case SPN_RMSPROP:
      for (size_t i = 0; i < n; i++) {
        real d = grad[i] + c.decay * w[i];
        m[i] = c.keep * m[i] + c.add * d * d;
        v[i] = c.mu * v[i] + c.lr * d / root(m[i] + c.eps);
        w[i] -= v[i];
      }
      break;
    case SPN_SGD:
      for (size_t i = 0; i < n; i++) {
        m[i] = c.mu * m[i] + grad[i] + c.decay * w[i];
        w[i] -= c.lr * m[i];
      }
      break;
    case SPN_ADAM:
      for (size_t i = 0; i < n; i++) {
        real d = grad[i] + c.decay * w[i];
        m[i] = c.mu * m[i] + (1 - c.mu) * d;
        v[i] = c.keep * v[i] + c.add * d * d;
        w[i] -= c.lr * (m[i] / c.bias1) / (root(v[i] / c.bias2) + c.eps);
      }
      break;
  }
}

static coefficients coefficients_of(const spn_optimizer *o, double lr) {
  double keep = o->kind == SPN_ADAM ? ADAM_BETA2 : o->rms_decay, t = (double)o->steps;
  return (coefficients){.lr = (real)lr,
                        .mu = (real)o->momentum,
                        .keep = (real)keep,
                        .add = (real)(1 - keep),
                        .eps = (real)o->epsilon,
                        .bias1 = (real)(1 - pow(o->momentum, t)),
                        .bias2 = (real)(1 - pow(ADAM_BETA2, t)),
                        .ema_keep = (real)fmin(o->ema_decay, (1 + t) / (10 + t))};
}

typedef struct {
  spn_optimizer *o;
  spn_graph *g;
  coefficients c;
} update_job;

static void update_param(void *context, int i, int thread) {
  const update_job *j = context;
  spn_optimizer *o = j->o;
  spn_graph *g = j->g;
  const spn_param *p = &g->params[i];
  size_t at = p->offset;
  if (p->kind != SPN_PARAM_STATE && i >= o->first) {
    coefficients own = j->c;
    if (o->rate) own.lr *= (real)o->rate[i];
    own.decay = p->kind == SPN_PARAM_WEIGHT ? (real)o->weight_decay : 0;
    if (p->kind == SPN_PARAM_WEIGHT && o->weight_decay > 0)
      o->penalty[i] = 0.5 * o->weight_decay * g->kernels->dot(p->size, g->weights + at, g->weights + at);
    update_run(o, own, g->grads + at, g->weights + at, o->slot[0] + at, o->slot[1] ? o->slot[1] + at : NULL, p->size);
  }
  for (size_t k = 0; o->ema && k < p->size; k++)
    o->ema[at + k] = j->c.ema_keep * o->ema[at + k] + (1 - j->c.ema_keep) * g->weights[at + k];
}

double spn_optimizer_step(spn_optimizer *o, spn_graph *g, double lr) {
  o->steps++;
  for (int i = 0; i < o->first; i++) o->penalty[i] = 0;
  update_job job = {.o = o, .g = g, .c = coefficients_of(o, lr)};
  double sum = 0;
  spn_team_run(g->team, g->param_count, update_param, &job);
  for (int i = 0; i < g->param_count; i++) sum += o->penalty[i]; /* in order, whatever thread took which */
  return sum;
}

double spn_learning_rate(const spn_settings *s, double epoch, double epochs) {
  double base = s->optim_lr * (double)s->optim_batch / 256, warm = s->optim_lr_warmup_epochs;
  if (epoch < warm) return base * epoch / warm;
  switch (s->optim_schedule) {
    case SPN_SCHEDULE_EXPONENTIAL:
      return base * pow(s->optim_lr_decay, floor((epoch - warm) / s->optim_lr_decay_epochs));
    case SPN_SCHEDULE_COSINE:
      return base * 0.5 * (1 + cos(3.141592653589793 * fmin(1, (epoch - warm) / fmax(epochs - warm, 1e-9))));
    case SPN_SCHEDULE_CONSTANT: break;
  }
  return base;
}

void spn_optimizer_state(spn_optimizer *o, spn_state *s) {
  static const char *const names[][2] = {[SPN_RMSPROP] = {"optimizer.mean_square", "optimizer.velocity"},
                                         [SPN_SGD] = {"optimizer.velocity"},
                                         [SPN_ADAM] = {"optimizer.moment1", "optimizer.moment2"}};
  for (int i = 0; i < 2; i++)
    if (o->slot[i]) spn_state_floats(s, names[o->kind][i], o->slot[i], o->elements);
  if (o->ema) spn_state_floats(s, "optimizer.ema", o->ema, o->elements);
  spn_state_counter(s, "optimizer.steps", &o->steps);
}
