#include <stdio.h>

#include "cli/cli.h"
#include "report/report.h"

enum { MAX_PATH = 4096 };

static spn_status page_path(const char *folder, char path[MAX_PATH], spn_err *err) {
  if ((size_t)snprintf(path, MAX_PATH, "%s/report.html", folder) < MAX_PATH) return SPN_OK;
  return spn_fail(err, SPN_EINPUT, "%s: the path is too long", folder);
}

spn_status spn_cli_report(const char *folder, spn_err *err) {
  char path[MAX_PATH];
  SPN_TRY(page_path(folder, path, err));
  return spn_report_write(folder, path, err);
}

static spn_status command(const spn_arguments *a, spn_err *err) {
  char path[MAX_PATH];
  if (!a->positional) return spn_fail(err, SPN_EINPUT, "expected the folder of a run, got nothing; see --help");
  SPN_TRY(page_path(a->positional, path, err));
  SPN_TRY(spn_report_write(a->positional, a->out ? a->out : path, err));
  printf("report      %s\n", a->out ? a->out : path);
  return SPN_OK;
}

const spn_command spn_cmd_report = {
    .about = "Writes the page of a run: what was decided and why, as plots and tables in one HTML file.",
    .usage =
        "spnas report RUNDIR [--out FILE.html]\n\n"
        "  RUNDIR             folder of a search or a training, finished or under way, or of a comparison or sweep\n"
        "  --out FILE.html    where the page goes instead of RUNDIR/report.html",
    .takes = "po",
    .run = command};
