#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/serve.h"
#include "core/phase.h"
#include "report/report.h"

enum { MAX_PATH = 4096 };

/* In the folder of a run; beside the file of a latency model. */
static spn_status page_path(const char *folder, char path[MAX_PATH], spn_err *err) {
  size_t length = strlen(folder);
  int model = length > 5 && !strcmp(folder + length - 5, ".json");
  int size = model ? snprintf(path, MAX_PATH, "%.*s.html", (int)length - 5, folder)
                   : snprintf(path, MAX_PATH, "%s/report.html", folder);
  return size < MAX_PATH ? SPN_OK : spn_fail(err, SPN_EINPUT, "%s: the path is too long", folder);
}

spn_status spn_cli_report(const char *folder, spn_err *err) {
  char path[MAX_PATH];
  SPN_TRY(page_path(folder, path, err));
  return spn_report_write(folder, path, err);
}

/* Until a signal ends it. */
static spn_status serve(const spn_arguments *a, spn_err *err) {
  const struct timespec moment = {.tv_nsec = 100000000};
  spn_server *server;
  if (a->out) return spn_fail(err, SPN_EINPUT, "--serve: expected no --out with it, got %s", a->out);
  SPN_TRY(spn_report_check(a->positional, err));
  SPN_TRY(spn_serve_open(a->positional, a->serve, &server, err));
  while (!spn_stop_requested()) nanosleep(&moment, NULL);
  spn_serve_close(server);
  return spn_fail(err, SPN_ESTOPPED, "the page is no longer served");
}

static spn_status command(const spn_arguments *a, spn_err *err) {
  char path[MAX_PATH];
  if (!a->positional) return spn_fail(err, SPN_EINPUT, "expected the folder of a run, got nothing; see --help");
  if (a->serve) return serve(a, err);
  SPN_TRY(page_path(a->positional, path, err));
  SPN_TRY(spn_report_write(a->positional, a->out ? a->out : path, err));
  printf("report      %s\n", a->out ? a->out : path);
  return SPN_OK;
}

const spn_command spn_cmd_report = {
    .about = "Writes the page of a run: what was decided and why, as plots and tables in one HTML file.",
    .usage =
        "spnas report RUNDIR|MODEL.json [--out FILE.html]\n       spnas report RUNDIR --serve [PORT]\n\n"
        "  RUNDIR             folder of a search or a training, finished or under way, or of a comparison or sweep\n"
        "  MODEL.json         what `spnas latency fit` wrote: predicted against measured\n"
        "  --out FILE.html    where the page goes instead of RUNDIR/report.html or MODEL.html\n"
        "  --serve [PORT]     the page for a browser, always the newest, at 127.0.0.1 (or ADDRESS:PORT) until Ctrl-C",
    .takes = "vpo",
    .run = command};
