#include <stdio.h>
#include <unistd.h>

#include "cli/latency_command.h"
#include "kit/kit.h"

static void progress(int done, int count) {
  if (isatty(2)) fprintf(stderr, "\r%d of at most %d models ", done, count);
}

spn_status spn_cli_latency_kit(const spn_arguments *a, spn_err *err) {
  const spn_settings *s = &a->settings;
  static spn_space space;
  int files = 0;
  if (a->words != 2) return spn_fail(err, SPN_EINPUT, "latency kit: expected a space, got %d arguments", a->words - 1);
  if (!a->out) return spn_fail(err, SPN_EINPUT, "--out: expected the folder to make, got nothing");
  SPN_TRY(spn_space_load(a->word[1], &space, err));
  const spn_kit_options options = {.space = &space,
                                   .folder = a->out,
                                   .networks = (int)s->latency_kit_networks,
                                   .holdout = (int)s->latency_kit_holdout,
                                   .seed = (uint64_t)s->run_seed,
                                   .progress = a->quiet ? NULL : progress};
  SPN_TRY(spn_kit_write(&options, &files, err));
  if (isatty(2) && !a->quiet) fprintf(stderr, "\n");
  printf("wrote %s: %d models; %s/README.md tells how a phone runs them\n", a->out, files, a->out);
  return SPN_OK;
}
