/* run.isa holds oneDNN to the same instructions as our kernels: once a process, so each name has a process of its own.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "train/machine.h"

/* No convolution is multiplied with instructions whose names contain `wider`. */
static int run(const char *isa, const char *wider) {
  static const spn_conv_shape shapes[] = {
      {.n = 1, .h = 1, .w = 96, .ci = 96, .co = 576, .k = 1, .stride = 1},
      {.n = 2, .h = 9, .w = 9, .ci = 3, .co = 32, .k = 3, .stride = 2, .pad_bottom = 1, .pad_right = 1}};
  spn_settings s;
  spn_network_options options;
  spn_err err = {0};
  spn_settings_default(&s);
  snprintf(s.run_isa, sizeof s.run_isa, "%s", isa);
  CHECK_OK(spn_options_choose(&s, &options, &err), err);
  CHECK(!strcmp(options.kernels->name, isa), "%s", options.kernels->name);
  CHECK(!spn_conv_has_bf16(), "%s multiplies in bf16", isa);
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    for (spn_conv_kind kind = SPN_CONV_FORWARD; kind <= SPN_CONV_BACKWARD_WEIGHTS; kind++) {
      spn_conv *conv;
      CHECK_OK(spn_conv_create(kind, &shapes[i], 1, &conv, &err), err);
      if (conv) CHECK(!strstr(spn_conv_impl(conv), wider), "%s: %s", isa, spn_conv_impl(conv));
      spn_conv_destroy(conv);
    }
  return check_failed != 0;
}

int main(void) {
  static const char *const wider[][2] = {{"plain", "avx"}, {"avx2", "avx512"}};
  for (size_t i = 0; i < sizeof wider / sizeof *wider; i++) {
    if (!spn_kernels_get(wider[i][0])) continue;
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
      int failed = run(wider[i][0], wider[i][1]);
      fflush(stdout);
      _exit(failed);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "%s: status %d", wider[i][0], status);
  }
  return check_report("instruction sets");
}
