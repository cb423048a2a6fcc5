#define _GNU_SOURCE
#include "train/environment.h"

#include <stdio.h>
#include <sys/utsname.h>
#include <time.h>

#include "core/version.h"
#include "io/json_write.h"
#include "kernels.h"
#include "train/machine.h"

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
  spn_json_put_text(&w, "precision", s->run_precision == SPN_PRECISION_BF16 ? "bf16" : "f32");
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
