/* Block strings, both grammars, in and out. Writing folds equal consecutive blocks of a stage into repeats. */
#ifndef SPN_MODEL_BLOCKSTRING_H
#define SPN_MODEL_BLOCKSTRING_H

#include "core/status.h"
#include "model/arch.h"

/* MnasNet (tensorflow/tpu mnasnet_models.py): "r3_k3_s22_e3_i16_o24_se0.25_noskip ...", separated by spaces.
 * timm (_decode_block_str): "ir_r3_k3_s2_e3_c24 | ir_r1_k5_s2_e6_c40, ir_r3_k3_s1_e3_c40": stages by |, blocks by
 * comma. Both return malloc'd text. Skipped blocks are left out. Activations other than the network's are written as
 * timm writes them, nre nr6 nhs, and plain convolutions as its cn (with skip, where they have a shortcut); MnasNet's
 * grammar has neither: there nre, nr6, nhs and e0 are spnas's own. */
char *spn_blockstring_mnasnet(const spn_arch *arch);
char *spn_blockstring_timm(const spn_arch *arch);
/* Reads either grammar (found by its first word) into arch->block; stem_channels of arch is the first block's input.
 * MnasNet-small's first i16 after a stem of 8 is accepted; *note (NULL or 256 chars) then says so. Errors name the
 * word. */
spn_status spn_blockstring_parse(const char *text, spn_arch *arch, char *note, spn_err *err);

/* Whether a text can only be meant as a block string: it begins like one and names no file. */
int spn_blockstring_is(const char *text);
/* The network of a block string, which leaves head, batch norm and, in timm's grammar, the stem open: MnasNet's. */
spn_status spn_blockstring_network(const char *text, spn_arch *out, char *note, spn_err *err);

#endif
