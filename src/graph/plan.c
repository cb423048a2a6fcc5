/* Memory of a graph: every tensor gets a place in one arena from the time it is first written to the time it is last
 * read, along the line forward 0..n-1, backward n..2n-1. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/phase.h"
#include "graph/graph.h"

void spn_graph_out_of_memory(spn_graph *g); /* graph.c */

enum { ALIGN = 4096 + 64 }; /* not a power of two: equal rows of different tensors fall into different cache sets */

static size_t round_up(size_t n) { return (n + ALIGN - 1) / ALIGN * ALIGN; }

static void add_buffer(spn_graph *g, void **slot, size_t bytes, int from, int to) {
  if (!(g->buffer_count & (g->buffer_count - 1))) {
    size_t capacity = g->buffer_count ? 2 * (size_t)g->buffer_count : 1;
    spn_buffer *larger = realloc(g->buffers, capacity * sizeof *larger);
    if (!larger) {
      spn_graph_out_of_memory(g);
      return;
    }
    g->buffers = larger;
  }
  g->buffers[g->buffer_count++] = (spn_buffer){.slot = slot, .bytes = round_up(bytes), .from = from, .to = to};
}

void spn_graph_keep(spn_graph *g, void *slot, size_t bytes) { add_buffer(g, slot, bytes, 0, INT32_MAX); }

void spn_graph_need_scratch(spn_graph *g, size_t bytes) {
  if (bytes > g->need_scratch) g->need_scratch = bytes;
}

void spn_graph_need_part(spn_graph *g, size_t bytes) {
  if (bytes > g->need_part) g->need_part = bytes;
}

static void plan_values(spn_graph *g) {
  int last = 2 * g->node_count - 1;
  for (int i = 0; i < g->value_count; i++) {
    spn_value *v = g->values[i];
    if (v->base != v) continue;
    size_t bytes = (size_t)g->batch * v->h * v->w * v->ld * sizeof(real);
    int end = g->inference_only ? v->last_use : last - v->producer;
    if (v->producer > 0) add_buffer(g, (void **)&v->x, bytes, v->producer, end); /* the input's is the caller's */
    if (v->needs_grad && !g->inference_only)
      add_buffer(g, (void **)&v->dz, bytes, last - v->last_use, last - v->producer);
  }
}

static int larger_first(const void *a, const void *b) {
  const spn_buffer *x = *(const spn_buffer *const *)a, *y = *(const spn_buffer *const *)b;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
  return x < y ? -1 : x > y;
}

/* Lowest offset where b does not meet a placed buffer that lives at the same time. */
static size_t lowest_gap(spn_buffer **placed, int count, const spn_buffer *b) {
  size_t offset = 0;
  for (int again = 1; again;) {
    again = 0;
    for (int i = 0; i < count; i++) {
      const spn_buffer *p = placed[i];
      int alive = p->from <= b->to && b->from <= p->to;
      if (alive && p->offset < offset + b->bytes && offset < p->offset + p->bytes) {
        offset = p->offset + p->bytes;
        again = 1;
      }
    }
  }
  return offset;
}

static spn_status place_buffers(spn_graph *g, spn_err *err) {
  spn_buffer **order = malloc(((size_t)g->buffer_count + 1) * sizeof *order);
  if (!order) return spn_fail(err, SPN_ENOMEM, "memory plan: out of memory");
  for (int i = 0; i < g->buffer_count; i++) order[i] = &g->buffers[i];
  qsort(order, (size_t)g->buffer_count, sizeof *order, larger_first);
  for (int i = 0; i < g->buffer_count; i++) {
    order[i]->offset = lowest_gap(order, i, order[i]);
    size_t end = order[i]->offset + order[i]->bytes;
    if (end > g->arena_bytes) g->arena_bytes = end;
  }
  free(order);
  return SPN_OK;
}

/* Bytes of a mapping: whole pages, and one more that nobody may touch. */
static size_t with_guard(size_t bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  return (bytes + page - 1) / page * page + page;
}

/* Huge pages where the system has them. The guard page behind stops a kernel that runs past the end, before it changes
 * another's memory. */
static void *take(size_t bytes) {
  size_t mapped = with_guard(bytes), usable = mapped - (size_t)sysconf(_SC_PAGESIZE);
  char *p = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return NULL;
  madvise(p, usable, MADV_HUGEPAGE);
  mprotect(p + usable, mapped - usable, PROT_NONE);
  return p;
}

/* Touches every page now rather than in a step. Gigabytes take seconds: this is work that may be stopped. */
static spn_status touch(void *p, size_t bytes, spn_err *err) {
  enum { PIECE = 64 << 20, MIB = 20 };
  spn_phase work = {.what = "allocation of memory", .unit = "MiB", .total = (bytes >> MIB) + 1};
  spn_status status = SPN_OK;
  for (size_t at = 0; at < bytes && !status; at += PIECE) {
    status = spn_phase_at(&work, at >> MIB, err);
    if (!status) memset((char *)p + at, 0, bytes - at < PIECE ? bytes - at : PIECE);
  }
  spn_phase_end(&work);
  return status;
}

static size_t weights_bytes(const spn_graph *g) { return g->param_elements * sizeof(real) + 64; }

static spn_status take_memory(spn_graph *g, spn_err *err) {
  g->need_scratch = round_up(g->need_scratch + 64);
  g->need_part = round_up(g->need_part + 64);
  g->arena = take(g->arena_bytes + 64);
  g->scratch = take(g->need_scratch * (size_t)g->threads);
  g->part_scratch = take(g->need_part * (size_t)g->parts);
  g->weights = take(weights_bytes(g));
  g->grads = g->inference_only ? NULL : take(weights_bytes(g));
  if (!g->arena || !g->scratch || !g->part_scratch || !g->weights || (!g->grads && !g->inference_only))
    return spn_fail(err, SPN_ENOMEM,
                    "a step at batch %d needs %.1f GB of memory, more than the system gives; "
                    "lower optim.batch",
                    g->batch, (double)spn_graph_memory(g) * 1e-9);
  SPN_TRY(touch(g->scratch, g->need_scratch * (size_t)g->threads, err));
  SPN_TRY(touch(g->part_scratch, g->need_part * (size_t)g->parts, err));
  SPN_TRY(touch(g->weights, weights_bytes(g), err));
  if (g->grads) SPN_TRY(touch(g->grads, weights_bytes(g), err));
  return touch(g->arena, g->arena_bytes + 64, err);
}

static void release(void *p, size_t bytes) {
  if (p) munmap(p, with_guard(bytes));
}

void spn_graph_release_memory(spn_graph *g);
void spn_graph_release_memory(spn_graph *g) {
  release(g->arena, g->arena_bytes + 64);
  release(g->scratch, g->need_scratch * (size_t)g->threads);
  release(g->part_scratch, g->need_part * (size_t)g->parts);
  release(g->weights, weights_bytes(g));
  release(g->grads, weights_bytes(g));
}

size_t spn_graph_memory(const spn_graph *g) {
  return g->arena_bytes + g->need_scratch * (size_t)g->threads + g->need_part * (size_t)g->parts +
         weights_bytes(g) * (g->inference_only ? 1 : 2);
}

spn_status spn_graph_compile(spn_graph *g, int inference_only, spn_err *err) {
  SPN_TRY(spn_graph_status(g, err));
  SPN_TRY(spn_team_create(g->threads, &g->team, err));
  g->inference_only = inference_only;
  for (int i = 0; i < g->node_count; i++)
    if (g->nodes[i]->op->prepare) SPN_TRY(g->nodes[i]->op->prepare(g, g->nodes[i], err));
  plan_values(g);
  SPN_TRY(spn_graph_status(g, err));
  SPN_TRY(place_buffers(g, err));
  SPN_TRY(take_memory(g, err));
  for (int i = 0; i < g->buffer_count; i++) *g->buffers[i].slot = (char *)g->arena + g->buffers[i].offset;
  for (int i = 0; i < g->value_count; i++) { /* values were made before their base had memory */
    spn_value *v = g->values[i];
    v->x = v->base->x;
    v->dz = v->base->dz;
  }
  for (int i = 0; i < g->node_count; i++)
    if (g->nodes[i]->op->bind) g->nodes[i]->op->bind(g, g->nodes[i]);
  spn_graph_init_weights(g, g->seed);
  return SPN_OK;
}
