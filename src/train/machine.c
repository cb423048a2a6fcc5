#include "train/machine.h"

#include <stdio.h>

#include "core/team.h"
#include "kernels.h"

int spn_thread_count(const spn_settings *s) { return s->run_threads ? (int)s->run_threads : spn_core_count(); }

void spn_precision_settle(spn_settings *s, const spn_settings *before, char *note) {
  *note = 0;
  if (s->run_precision == SPN_PRECISION_AUTO && before) s->run_precision = before->run_precision;
  if (s->run_precision != SPN_PRECISION_AUTO) return;
  int prefers = spn_conv_prefers_bf16();
  s->run_precision = prefers ? SPN_PRECISION_BF16 : SPN_PRECISION_F32;
  if (!spn_conv_has_bf16())
    snprintf(note, SPN_PRECISION_NOTE, "run.precision=auto: f32, because %s does not multiply in bf16 on this CPU",
             spn_backend_version());
  else
    snprintf(note, SPN_PRECISION_NOTE, "run.precision=auto: %s, as measured on this machine", prefers ? "bf16" : "f32");
}

static int bf16_chosen(const spn_settings *s) {
  return s->run_precision == SPN_PRECISION_BF16 || (s->run_precision == SPN_PRECISION_AUTO && spn_conv_prefers_bf16());
}

/* More threads than these wait for each other's time slices: they are a slip of the finger. */
enum { THREADS_A_CORE = 8, THREADS_ANYWHERE = 32 };

static spn_status check_threads(const spn_settings *s, spn_err *err) {
  int cores = spn_core_count(), most = THREADS_A_CORE * cores;
  if (most < THREADS_ANYWHERE) most = THREADS_ANYWHERE;
  if (s->run_threads <= most) return SPN_OK;
  return spn_fail(err, SPN_EINPUT, "run.threads: expected at most %d on the %d cores there are, got %lld", most, cores,
                  s->run_threads);
}

spn_status spn_options_choose(const spn_settings *s, spn_network_options *out, spn_err *err) {
  SPN_TRY(check_threads(s, err));
  spn_backend_cap(s->run_isa);
  *out = (spn_network_options){.batch = (int)s->optim_batch,
                               .threads = spn_thread_count(s),
                               .reproducible = s->run_reproducible,
                               .kernels = spn_kernels_get(s->run_isa),
                               .bf16 = bf16_chosen(s),
                               .seed = (uint64_t)s->run_seed,
                               .smoothing = s->optim_label_smoothing};
  if (out->bf16 && !spn_conv_has_bf16())
    return spn_fail(err, SPN_EINPUT,
                    "run.precision: expected f32 or auto, because %s does not multiply in bf16 on this CPU, got bf16",
                    spn_backend_version());
  if (out->kernels) return SPN_OK;
  return spn_fail(err, SPN_EINPUT,
                  "run.isa: expected auto, avx512, avx2, plain or ref that this CPU can run, got \"%.100s\"",
                  s->run_isa);
}
