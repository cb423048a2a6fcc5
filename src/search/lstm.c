#include "search/lstm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"

static const double INITIAL = 0.1;

/* ---- Where the weights lie ---- */

static size_t input_at(const spn_lstm *l, int token) { return (size_t)token * 4 * (size_t)l->hidden; }
static size_t recurrent_at(const spn_lstm *l, int unit) { return input_at(l, l->tokens + unit); }
static size_t output_at(const spn_lstm *l, int head, int unit) {
  return input_at(l, l->tokens + l->hidden) + (size_t)(head * l->hidden + unit) * (size_t)l->outputs;
}
static size_t bias_at(const spn_lstm *l, int head) { return output_at(l, l->heads, 0) + (size_t)(head * l->outputs); }

spn_lstm *spn_lstm_new(int hidden, int tokens, int heads, uint64_t seed) {
  spn_lstm *l = calloc(1, sizeof *l);
  if (!l) return NULL;
  l->hidden = hidden;
  l->tokens = tokens;
  l->heads = heads;
  l->outputs = SPN_MAX_OPTIONS;
  l->count = bias_at(l, heads);
  l->weight = calloc(2 * l->count, sizeof *l->weight);
  if (!l->weight) {
    free(l);
    return NULL;
  }
  l->gradient = l->weight + l->count;
  uint64_t own = spn_rng_split(seed, SPN_RNG_METHOD, UINT64_MAX);
  for (size_t i = 0; i < l->count; i++) l->weight[i] = INITIAL * (2 * spn_rng_uniform(own, SPN_RNG_METHOD, i) - 1);
  return l;
}

void spn_lstm_free(spn_lstm *l) {
  if (!l) return;
  free(l->weight);
  free(l);
}

spn_lstm_trace *spn_lstm_trace_new(const spn_lstm *l, int steps) {
  size_t h = (size_t)l->hidden, n = (size_t)steps;
  spn_lstm_trace *t = calloc(1, sizeof *t);
  if (!t) return NULL;
  t->gates = calloc(4 * h * n + 2 * h * (n + 1), sizeof *t->gates);
  if (!t->gates) {
    free(t);
    return NULL;
  }
  t->cell = t->gates + 4 * h * n;
  t->state = t->cell + h * (n + 1);
  return t;
}

void spn_lstm_trace_free(spn_lstm_trace *t) {
  if (!t) return;
  free(t->gates);
  free(t);
}

/* ---- Forward ---- */

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

/* out (n) += factor * in (n) */
static void add_scaled(double *restrict out, const double *restrict in, double factor, int n) {
  for (int i = 0; i < n; i++) out[i] += factor * in[i];
}

/* n is a multiple of 2. Two sums, for two lanes. */
static double dot(const double *restrict a, const double *restrict b, int n) {
  double even = 0, odd = 0;
  for (int i = 0; i < n; i += 2) {
    even += a[i] * b[i];
    odd += a[i + 1] * b[i + 1];
  }
  return even + odd;
}

void spn_lstm_step(const spn_lstm *l, spn_lstm_trace *t, int token, int head, double *logits) {
  int h = l->hidden, step = t->steps++;
  double *gates = t->gates + (size_t)(4 * h * step);
  const double *state = t->state + (size_t)(h * step), *cell = t->cell + (size_t)(h * step);
  double *next_state = t->state + (size_t)(h * (step + 1)), *next_cell = t->cell + (size_t)(h * (step + 1));
  t->token[step] = token;
  t->head[step] = head;
  memcpy(gates, l->weight + input_at(l, token), 4 * (size_t)h * sizeof *gates);
  for (int j = 0; step && j < h; j++) add_scaled(gates, l->weight + recurrent_at(l, j), state[j], 4 * h);
  for (int i = 0; i < 4 * h; i++) gates[i] = i / h == 2 ? tanh(gates[i]) : sigmoid(gates[i]);
  for (int i = 0; i < h; i++) {
    next_cell[i] = gates[h + i] * cell[i] + gates[i] * gates[2 * h + i];
    next_state[i] = gates[3 * h + i] * tanh(next_cell[i]);
  }
  memcpy(logits, l->weight + bias_at(l, head), (size_t)l->outputs * sizeof *logits);
  for (int j = 0; j < h; j++) add_scaled(logits, l->weight + output_at(l, head, j), next_state[j], l->outputs);
}

/* ---- Backward ---- */

/* From the gradients of a step's new state and cell to those of its gates, before their sigmoids (4H); dcell becomes
 * that of the old cell. */
static void gate_gradients(const spn_lstm *l, const spn_lstm_trace *t, int step, const double *dstate, double *dcell,
                           double *dgates) {
  int h = l->hidden;
  const double *g = t->gates + (size_t)(4 * h * step), *cell = t->cell + (size_t)(h * step);
  for (int i = 0; i < h; i++) {
    double in = g[i], forget = g[h + i], value = g[2 * h + i], out = g[3 * h + i], squashed = tanh(cell[h + i]);
    double d = dcell[i] + dstate[i] * out * (1 - squashed * squashed);
    dgates[i] = d * value * in * (1 - in);
    dgates[h + i] = d * cell[i] * forget * (1 - forget);
    dgates[2 * h + i] = d * in * (1 - value * value);
    dgates[3 * h + i] = dstate[i] * squashed * out * (1 - out);
    dcell[i] = d * forget;
  }
}

void spn_lstm_backward(spn_lstm *l, const spn_lstm_trace *t, const double *dlogits, double *scratch) {
  int h = l->hidden;
  double *dgates = scratch, *dstate = scratch + 4 * h, *dcell = scratch + 5 * h;
  memset(dstate, 0, 2 * (size_t)h * sizeof *dstate);
  for (int step = t->steps - 1; step >= 0; step--) {
    const double *d = dlogits + (size_t)(step * l->outputs), *state = t->state + (size_t)(h * step);
    int head = t->head[step];
    add_scaled(l->gradient + bias_at(l, head), d, 1, l->outputs);
    for (int j = 0; j < h; j++) {
      add_scaled(l->gradient + output_at(l, head, j), d, state[h + j], l->outputs);
      dstate[j] += dot(l->weight + output_at(l, head, j), d, l->outputs);
    }
    gate_gradients(l, t, step, dstate, dcell, dgates);
    add_scaled(l->gradient + input_at(l, t->token[step]), dgates, 1, 4 * h);
    for (int j = 0; step && j < h; j++) {
      add_scaled(l->gradient + recurrent_at(l, j), dgates, state[j], 4 * h);
      dstate[j] = dot(l->weight + recurrent_at(l, j), dgates, 4 * h);
    }
  }
}
