#include "model/space.h"

#include <stdio.h>
#include <string.h>

int spn_space_size_for(const spn_space *space, int side) {
  if (4 * side <= 5 * space->proxy_size) return space->proxy_size;
  return side < space->base.input_size ? side / 8 * 8 : space->base.input_size;
}

void spn_space_train_at(spn_space *space, int size, double width) {
  if ((long)size * size > (long)space->proxy_size * space->base.input_size) {
    for (int i = 0; i < space->layers; i++) space->layer[i].proxy_stride = space->layer[i].stride;
    space->proxy_stem_stride = space->base.stem_stride;
    space->proxy_head = space->base.head_channels;
    space->proxy_width = 1;
  }
  space->proxy_size = size;
  if (width > 0) space->proxy_width = width;
}

int spn_space_is_proxy(const spn_space *space) {
  int differs = space->proxy_size != space->base.input_size || space->proxy_width != 1 ||
                space->proxy_stem_stride != space->base.stem_stride || space->proxy_head != space->base.head_channels;
  for (int i = 0; i < space->layers; i++) differs |= space->layer[i].proxy_stride != space->layer[i].stride;
  return differs;
}

void spn_space_arch(const spn_space *space, const spn_choice *choice, int proxy, spn_arch *out) {
  *out = space->base;
  out->blocks = space->layers;
  for (int i = 0, channels = out->stem_channels; i < space->layers; i++) {
    const spn_layer *l = &space->layer[i];
    const spn_layer_choice *c = &choice->layer[i], *lead = &choice->layer[l->leader];
    spn_block *b = &out->block[i];
    b->in = channels;
    b->out = channels = l->channel[lead->channels];
    b->stride = proxy ? l->proxy_stride : l->stride;
    b->kernel = l->kernel[c->kernel];
    b->expand = l->expand[c->expand];
    b->se = b->expand ? l->se[c->se] : 0;
    b->residual = l->residual && (l->shortcuts < 2 || lead->shortcut);
    b->skipped = !c->keep;
    b->activation = l->activation;
  }
  if (!proxy) return;
  out->input_size = space->proxy_size;
  out->stem_stride = space->proxy_stem_stride;
  spn_arch_scale(out, space->proxy_width);
  out->head_channels = space->proxy_head;
}

int spn_choice_equal(const spn_choice *a, const spn_choice *b) {
  if (a->layers != b->layers) return 0;
  for (int i = 0; i < a->layers; i++)
    if (memcmp(a->layer[i].option, b->layer[i].option, sizeof a->layer[i].option)) return 0;
  return 1;
}

/* shortcuts: whether a layer is there that could have one. */
static void layer_text(const spn_layer *l, const spn_layer_choice *c, int shortcuts, char *text, size_t size) {
  char channels[24] = "", se[24] = "", expand[16] = "conv";
  if (!c->keep) {
    snprintf(text, size, "skip");
    return;
  }
  if (l->leads && l->channels > 1) snprintf(channels, sizeof channels, "c%d", l->channel[c->channels]);
  if (l->leads && l->shortcuts > 1 && shortcuts && !c->shortcut) strcat(channels, "noskip");
  if (l->expand[c->expand]) snprintf(expand, sizeof expand, "e%d", l->expand[c->expand]);
  if (l->se[c->se] > 0) snprintf(se, sizeof se, "se%.6g", l->se[c->se]);
  snprintf(text, size, "%s%sk%d%s%s", channels, *channels ? ":" : "", l->kernel[c->kernel], expand, se);
}

void spn_choice_text(const spn_space *space, const spn_choice *choice, char *text, size_t size) {
  size_t used = 0;
  if (size) *text = 0;
  for (int i = 0; i < space->layers; i++) {
    const spn_layer *l = &space->layer[i];
    int next = i + !l->residual, shortcuts = next < l->leader + l->stage_layers && choice->layer[next].keep;
    char word[96];
    layer_text(l, &choice->layer[i], shortcuts, word, sizeof word);
    size_t length = strlen(word) + (i > 0);
    if (used + length >= size) return;
    used += (size_t)snprintf(text + used, size - used, "%s%s", i ? " " : "", word);
  }
}
