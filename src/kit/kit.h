/* What a phone has to run so that a search can use its latency: TFLite files of every part and option of a space and of
 * whole networks, a manifest, a script for adb, and instructions. The manifest: data/latency/README.md. */
#ifndef SPN_KIT_KIT_H
#define SPN_KIT_KIT_H

#include "io/tensors.h"
#include "latency/work.h"

typedef struct {
  const spn_space *space;
  const char *folder; /* is made; must not hold a kit */
  int networks;       /* whole networks that calibrate, drawn at random from the space */
  int holdout;        /* further ones that judge */
  uint64_t seed;
  void (*progress)(int done, int count); /* NULL: none */
} spn_kit_options;

/* Writes the kit; *files: how many models. Weights are random: they do not change the time. */
spn_status spn_kit_write(const spn_kit_options *options, int *files, spn_err *err);

/* Weights of a network as exporters take them (export.h): normal, of the size that keeps activations ordinary. With
 * block >= 0 only that block's, with SPN_KIT_STEM or SPN_KIT_TAIL only those, with SPN_KIT_ALL all. */
enum { SPN_KIT_ALL = -1, SPN_KIT_STEM = -2, SPN_KIT_TAIL = -3 };
spn_status spn_kit_weights(const spn_arch *arch, int block, uint64_t seed, spn_tensors **out, spn_err *err);

#endif
