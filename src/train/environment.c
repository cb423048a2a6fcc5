#define _GNU_SOURCE
#include "train/environment.h"

#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <time.h>

#include "io/json_write.h"

#ifndef SPN_GIT_HASH
#define SPN_GIT_HASH "unknown"
#endif
#ifndef SPN_VERSION
#define SPN_VERSION "0.1.0"
#endif

const char *spn_version(void) { return SPN_VERSION " (" SPN_GIT_HASH ")"; }

int spn_thread_count(const spn_settings *s) { return s->run_threads ? (int)s->run_threads : omp_get_num_procs(); }

void spn_precision_settle(spn_settings *s, const spn_settings *before) {
  if (s->run_precision == SPN_PRECISION_AUTO && before) s->run_precision = before->run_precision;
  if (s->run_precision == SPN_PRECISION_AUTO)
    s->run_precision = spn_conv_prefers_bf16() ? SPN_PRECISION_BF16 : SPN_PRECISION_F32;
}

static int bf16_chosen(const spn_settings *s) {
  return s->run_precision == SPN_PRECISION_BF16 || (s->run_precision == SPN_PRECISION_AUTO && spn_conv_prefers_bf16());
}

spn_status spn_options_choose(const spn_settings *s, spn_network_options *out, spn_err *err) {
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

spn_status spn_environment_write(const spn_settings *s, const char *command, const char *path, spn_err *err) {
  char text[160];
  struct utsname uts = {0};
  uname(&uts);
  const spn_kernels *k = spn_kernels_get(s->run_isa);
  spn_json_writer w = {0};
  spn_json_object(&w, NULL, SPN_JSON_LINES);
  spn_json_put_text(&w, "spnas", spn_version());
  spn_json_put_text(&w, "command", command);
  spn_json_put_text(&w, "cpu", spn_cpu_name());
  spn_json_put_text(&w, "kernels", k ? k->name : "none");
  spn_json_put_text(&w, "onednn", spn_backend_version());
  spn_json_put_text(&w, "precision", bf16_chosen(s) ? "bf16" : "f32");
  spn_json_put_integer(&w, "threads", spn_thread_count(s));
  spn_json_put_flag(&w, "reproducible", s->run_reproducible);
  snprintf(text, sizeof text, "%lld", s->run_seed);
  spn_json_put_text(&w, "seed", text);
  snprintf(text, sizeof text, "%.60s %.60s", uts.sysname, uts.release);
  spn_json_put_text(&w, "system", text);
  spn_json_put_text(&w, "compiler", __VERSION__);
  time_t t = time(NULL);
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime(&t));
  spn_json_put_text(&w, "started", text);
  spn_json_end(&w);
  return spn_json_save(&w, path, err);
}
