/* A one-layer LSTM (Hochreiter and Schmidhuber 1997, with forget gates) that emits a sequence of decisions: its input
 * is the option taken last, as one of `tokens` (so the input weights are a row for each token), its output a linear
 * layer of its own for each decision. Forward and backward in double; no state besides the weights.
 *
 *   a = input[token] + sum over j of h[j] * recurrent[j]        (4H: input, forget, cell and output gate)
 *   c' = sigmoid(a_f) c + sigmoid(a_i) tanh(a_g);   h' = sigmoid(a_o) tanh(c')
 *   logits = bias[head] + sum over j of h'[j] * output[head][j] */
#ifndef SPN_SEARCH_LSTM_H
#define SPN_SEARCH_LSTM_H

#include <stdint.h>

#include "model/decisions.h"

typedef struct {
  int hidden, tokens, heads, outputs; /* outputs of a head: SPN_MAX_OPTIONS */
  size_t count;                       /* weights */
  double *weight, *gradient;          /* count each; input (tokens,4H), recurrent (H,4H), output (heads,H,outputs), bias
                                         (heads,outputs) */
} spn_lstm;

/* Weights are uniform within +-0.1, a function of the seed. NULL: out of memory. */
spn_lstm *spn_lstm_new(int hidden, int tokens, int heads, uint64_t seed);
void spn_lstm_free(spn_lstm *l); /* NULL is allowed */

/* What the backward pass needs of a sequence of up to SPN_MAX_DECISIONS steps. */
typedef struct {
  int steps;
  int token[SPN_MAX_DECISIONS], head[SPN_MAX_DECISIONS];
  double *gates;        /* (steps,4H) after their sigmoids and tanh */
  double *cell, *state; /* (steps+1,H); the first are zeros */
} spn_lstm_trace;

/* NULL: out of memory. Usable again and again: a sequence starts with steps = 0. */
spn_lstm_trace *spn_lstm_trace_new(const spn_lstm *l, int steps);
void spn_lstm_trace_free(spn_lstm_trace *t); /* NULL is allowed */

/* One step more: reads a token, gives the head's logits (outputs). */
void spn_lstm_step(const spn_lstm *l, spn_lstm_trace *t, int token, int head, double *logits);
/* Adds the gradients of the whole sequence for d(loss)/d(logits), (steps,outputs). scratch: 6H numbers. */
void spn_lstm_backward(spn_lstm *l, const spn_lstm_trace *t, const double *dlogits, double *scratch);

#endif
