#include "model/frame_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const spn_activation_names[] = {"none", "relu", "relu6", "hswish", NULL};
const char *const spn_padding_names[] = {"same", "symmetric", NULL};

spn_status spn_json_small(const spn_json *at, int min, int max, int *out, spn_err *err) {
  long long value = 0;
  SPN_TRY(spn_json_int(at, min, max, &value, err));
  *out = (int)value;
  return SPN_OK;
}

spn_status spn_json_member(const spn_json *object, const char *key, int min, int max, int *out, spn_err *err) {
  spn_json at = spn_json_get(object, key);
  return spn_json_small(&at, min, max, out, err);
}

static spn_status read_name(const spn_json *root, spn_arch *out, spn_err *err) {
  spn_json at = spn_json_get(root, "name");
  const char *name = "";
  SPN_TRY(spn_json_string(&at, &name, err));
  if (!*name || strlen(name) >= sizeof out->name) return spn_json_expected(&at, "a name of 1 to 63 characters", err);
  strcpy(out->name, name);
  return SPN_OK;
}

static spn_status read_input(const spn_json *root, spn_arch *out, spn_err *err) {
  static const char *const known[] = {"size", "channels", NULL};
  spn_json at = spn_json_get(root, "input");
  SPN_TRY(spn_json_only(&at, known, err));
  SPN_TRY(spn_json_member(&at, "size", 1, SPN_MAX_SIZE, &out->input_size, err));
  return spn_json_member(&at, "channels", 1, SPN_MAX_CHANNELS, &out->input_channels, err);
}

static spn_status read_bn(const spn_json *root, spn_arch *out, spn_err *err) {
  static const char *const known[] = {"momentum", "eps", NULL};
  spn_json at = spn_json_get(root, "bn");
  SPN_TRY(spn_json_only(&at, known, err));
  spn_json momentum = spn_json_get(&at, "momentum"), eps = spn_json_get(&at, "eps");
  SPN_TRY(spn_json_real(&momentum, 0, 0.999999, &out->bn_momentum, err));
  return spn_json_real(&eps, 1e-12, 1, &out->bn_eps, err);
}

static spn_status read_stem(const spn_json *root, spn_arch *out, spn_err *err) {
  static const char *const known[] = {"channels", "kernel", "stride", NULL};
  spn_json at = spn_json_get(root, "stem"), kernel;
  SPN_TRY(spn_json_only(&at, known, err));
  SPN_TRY(spn_json_member(&at, "channels", 1, SPN_MAX_CHANNELS, &out->stem_channels, err));
  kernel = spn_json_get(&at, "kernel");
  SPN_TRY(spn_json_small(&kernel, 1, 7, &out->stem_kernel, err));
  if (out->stem_kernel % 2 == 0) return spn_json_expected(&kernel, "1, 3, 5 or 7", err);
  return spn_json_member(&at, "stride", 1, 2, &out->stem_stride, err);
}

static spn_status read_head(const spn_json *root, spn_arch *out, spn_err *err) {
  static const char *const known[] = {"channels", "widens", NULL};
  spn_json at = spn_json_get(root, "head"), widens = spn_json_get(&at, "widens");
  SPN_TRY(spn_json_only(&at, known, err));
  out->head_widens = 0;
  if (!spn_json_is_null(&widens)) SPN_TRY(spn_json_bool(&widens, &out->head_widens, err));
  return spn_json_member(&at, "channels", 0, SPN_MAX_CHANNELS, &out->head_channels, err);
}

spn_status spn_frame_read(const spn_json *root, spn_arch *out, spn_err *err) {
  int choice = 0;
  SPN_TRY(read_name(root, out, err));
  SPN_TRY(read_input(root, out, err));
  SPN_TRY(spn_json_member(root, "classes", 1, SPN_MAX_CLASSES, &out->classes, err));
  spn_json at = spn_json_get(root, "activation");
  SPN_TRY(spn_json_choice(&at, spn_activation_names, &choice, err));
  out->activation = (spn_act)choice;
  at = spn_json_get(root, "padding");
  SPN_TRY(spn_json_choice(&at, spn_padding_names, &choice, err));
  out->padding = (spn_padding)choice;
  SPN_TRY(read_bn(root, out, err));
  at = spn_json_get(root, "dropout");
  SPN_TRY(spn_json_real(&at, 0, 0.999, &out->dropout, err));
  SPN_TRY(read_stem(root, out, err));
  return read_head(root, out, err);
}
