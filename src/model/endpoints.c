#include "model/endpoints.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STRIDE = 1 << 16 }; /* far above what the largest image has room for */

static spn_status no_list(const char *text, spn_err *err) {
  return spn_fail(err, SPN_EINPUT,
                  "export.endpoints: expected up to %d different strides with commas between, as in 8,16,32, and "
                  "\"logits\" where they are wanted too, got \"%.60s\"",
                  SPN_MAX_ENDPOINTS, text);
}

/* Into its place in the rising list; 0 when it does not fit or is there already. */
static int insert(spn_endpoints *e, long stride) {
  int at = e->count;
  if (stride < 1 || stride > MAX_STRIDE || e->count == SPN_MAX_ENDPOINTS) return 0;
  while (at > 0 && e->stride[at - 1] >= stride) at--;
  if (at < e->count && e->stride[at] == stride) return 0;
  memmove(&e->stride[at + 1], &e->stride[at], (size_t)(e->count - at) * sizeof *e->stride);
  e->stride[at] = (int)stride;
  e->count++;
  return 1;
}

/* One word of the list; returns what follows it, or NULL. */
static const char *take(const char *p, spn_endpoints *e) {
  static const char logits[] = "logits";
  if (!strncmp(p, logits, sizeof logits - 1)) {
    if (e->logits) return NULL;
    e->logits = 1;
    return p + sizeof logits - 1;
  }
  char *end;
  if (!isdigit((unsigned char)*p) || !insert(e, strtol(p, &end, 10))) return NULL;
  return end;
}

spn_status spn_endpoints_parse(const char *text, spn_endpoints *out, spn_err *err) {
  const char *p = text + strspn(text, " ");
  spn_endpoints e = {.layer = out->layer};
  const int bracket = *p == '[';
  *out = e;
  if (!*p) return SPN_OK;
  for (p += bracket;;) {
    p = take(p + strspn(p, " "), &e);
    if (!p) return no_list(text, err);
    p += strspn(p, " ");
    if (*p != ',') break;
    p++;
  }
  if (bracket && *p++ != ']') return no_list(text, err);
  if (p[strspn(p, " ")] || !e.count) return no_list(text, err);
  *out = e;
  return SPN_OK;
}

/* ---- In a network ---- */

static int stride_after(const spn_arch *a, int block) { /* block -1: after the stem */
  long stride = a->stem_stride;
  for (int i = 0; i <= block && stride <= MAX_STRIDE; i++)
    if (!a->block[i].skipped) stride *= a->block[i].stride;
  return stride > MAX_STRIDE ? 2 * MAX_STRIDE : (int)stride;
}

static spn_status no_stride(const spn_arch *a, int stride, spn_err *err) {
  char list[128] = "";
  int last = 0;
  for (int i = -1; i < a->blocks; i++) {
    const int here = stride_after(a, i);
    const size_t used = strlen(list);
    if (here != last && here <= MAX_STRIDE) snprintf(list + used, sizeof list - used, last ? ", %d" : "%d", here);
    last = here;
  }
  return spn_fail(err, SPN_EINPUT, "export.endpoints: expected strides of the network (%s), got %d", list, stride);
}

/* The first block with another stride than the one before it has, from `from` on; -1: none. */
static int next_stride(const spn_arch *a, int from) {
  for (int i = from; i < a->blocks; i++)
    if (!a->block[i].skipped && a->block[i].stride > 1) return i;
  return -1;
}

spn_status spn_endpoint_find(const spn_arch *arch, int stride, spn_endpoint_layer layer, spn_endpoint *out,
                             spn_err *err) {
  int last = -2;
  for (int i = -1; i < arch->blocks; i++)
    if ((i < 0 || !arch->block[i].skipped) && stride_after(arch, i) == stride) last = i;
  if (last == -2) return no_stride(arch, stride, err);
  const int next = next_stride(arch, last + 1);
  *out = (spn_endpoint){.block = last};
  if (layer == SPN_ENDPOINT_EXPANSION) {
    if (next < 0 && arch->head_channels) out->block = arch->blocks;
    if (next >= 0 && arch->block[next].expand > 1) *out = (spn_endpoint){.block = next, .expansion = 1};
  }
  if (out->block < 0) snprintf(out->name, sizeof out->name, "stem");
  else if (out->block == arch->blocks) snprintf(out->name, sizeof out->name, "head");
  else snprintf(out->name, sizeof out->name, "block.%d%s", out->block, out->expansion ? ".expand" : "");
  return SPN_OK;
}

spn_status spn_endpoints_check(const spn_arch *arch, const spn_endpoints *endpoints, spn_err *err) {
  spn_endpoint at;
  for (int i = 0; i < endpoints->count; i++)
    SPN_TRY(spn_endpoint_find(arch, endpoints->stride[i], endpoints->layer, &at, err));
  return SPN_OK;
}
