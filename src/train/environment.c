#define _GNU_SOURCE
#include "train/environment.h"

#include <cjson/cJSON.h>
#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <time.h>

#ifndef SPN_GIT_HASH
#define SPN_GIT_HASH "unknown"
#endif
#ifndef SPN_VERSION
#define SPN_VERSION "0.1.0"
#endif

const char *spn_version(void) { return SPN_VERSION " (" SPN_GIT_HASH ")"; }

int spn_thread_count(const spn_settings *s) { return s->run_threads ? (int)s->run_threads : omp_get_num_procs(); }

enum { F32, BF16, AUTO };

void spn_precision_settle(spn_settings *s, const spn_settings *before) {
  if (s->run_precision == AUTO && before) s->run_precision = before->run_precision;
  if (s->run_precision == AUTO) s->run_precision = spn_conv_prefers_bf16() ? BF16 : F32;
}

static int bf16_chosen(const spn_settings *s) {
  return s->run_precision == BF16 || (s->run_precision == AUTO && spn_conv_prefers_bf16());
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

char *spn_environment_json(const spn_settings *s, const char *command) {
  char text[160];
  struct utsname uts = {0};
  uname(&uts);
  cJSON *o = cJSON_CreateObject();
  cJSON_AddStringToObject(o, "spnas", spn_version());
  cJSON_AddStringToObject(o, "command", command);
  cJSON_AddStringToObject(o, "cpu", spn_cpu_name());
  const spn_kernels *k = spn_kernels_get(s->run_isa);
  cJSON_AddStringToObject(o, "kernels", k ? k->name : "none");
  cJSON_AddStringToObject(o, "onednn", spn_backend_version());
  cJSON_AddStringToObject(o, "precision", bf16_chosen(s) ? "bf16" : "f32");
  cJSON_AddNumberToObject(o, "threads", spn_thread_count(s));
  cJSON_AddBoolToObject(o, "reproducible", s->run_reproducible);
  snprintf(text, sizeof text, "%lld", s->run_seed);
  cJSON_AddStringToObject(o, "seed", text);
  snprintf(text, sizeof text, "%.60s %.60s", uts.sysname, uts.release);
  cJSON_AddStringToObject(o, "system", text);
  cJSON_AddStringToObject(o, "compiler", __VERSION__);
  time_t t = time(NULL);
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime(&t));
  cJSON_AddStringToObject(o, "started", text);
  char *json = cJSON_Print(o);
  cJSON_Delete(o);
  return json;
}
