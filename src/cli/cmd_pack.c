#include <stdio.h>

#include "cli/cli.h"
#include "input/pack.h"
#include "train/machine.h"

static spn_status command(const spn_arguments *a, spn_err *err) {
  const spn_settings *s = &a->settings;
  spn_dataset *set;
  size_t bad;
  char list[2048];
  if (!a->out) return spn_fail(err, SPN_EINPUT, "--out: expected the file to write, got nothing");
  if (!s->data_path[0])
    return spn_fail(err, SPN_EINPUT, "data.path: expected the folder of the images (--data DIR), got nothing");
  spn_dataset_options o = {.kind = s->data_kind,
                           .path = s->data_path,
                           .max_bad = s->data_max_bad,
                           .allow_empty = s->data_allow_empty_classes};
  SPN_TRY(spn_dataset_open(&o, &set, err));
  spn_status status = spn_pack_write(set, a->out, (int)s->pack_side, s->data_resize, spn_thread_count(s), &bad, err);
  if (!status && bad) {
    spn_dataset_bad(set, list, sizeof list);
    printf("left out %zu images that cannot be read:\n%s\n", bad, list);
  }
  if (!status) printf("wrote %s\n", a->out);
  spn_dataset_close(set);
  return status;
}

const spn_command spn_cmd_pack = {
    .about = "Packs a folder of images, decoded and reduced, into one file that is read many times faster.",
    .usage = "spnas pack --data DIR --out FILE [--set pack.side=256] [--quiet]\n\n"
             "  --data DIR         data.path: the folder of images; give the pack as --data from then on\n"
             "  --out FILE         the pack to write\n  --quiet            no progress",
    .sections = "pack,data",
    .takes = "odq",
    .run = command};
