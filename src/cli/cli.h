/* What the commands share: arguments, and ending with the right code. Only this folder prints to stdout and exits. */
#ifndef SPN_CLI_CLI_H
#define SPN_CLI_CLI_H

#include <stdio.h>

#include "core/status.h"
#include "io/tensors.h"
#include "latency/latency.h"
#include "model/arch.h"
#include "train/origin.h"
#include "train/settings.h"

enum { SPN_MAX_WORDS = 256 };

typedef struct {
  const char *positional;          /* the one argument without a dash, or NULL */
  const char *word[SPN_MAX_WORDS]; /* all of them, where a command takes several */
  int words;
  const char *out, *dump;
  const char *serve; /* where the page is served, "" for anywhere; NULL: nowhere (cli/serve.h) */
  int resume, quiet, json;
  spn_settings settings;
} spn_arguments;

/* argv[0] is the command. With --resume the settings of the run in --out come first, and with --out alone a folder that
 * holds a run is refused. takes: the letters of the options the command has besides --config, --set, --seed, --threads
 * and --help, which all have; the letters stand in the tables of arguments.c, p is the positional argument, w several
 * of them. Returns SPN_OK, or SPN_EINPUT with the argument named; *help is set by --help. */
spn_status spn_arguments_parse(int argc, char **argv, const char *takes, spn_arguments *out, int *help, spn_err *err);

/* A network as a user names one. */
typedef struct {
  spn_arch arch;
  spn_origin origin; /* of a searched one */
  char note[256];    /* a remark on an accepted oddity of a block string, or "" */
} spn_named_arch;
/* The network behind --arch: of a search the member that train.variant asks for; at train.width and train.size. */
spn_status spn_cli_load_arch(const spn_settings *s, const char *arch, spn_named_arch *out, spn_err *err);

/* Where a command's run goes, and what it says. silent: nothing on stdout. */
typedef struct {
  const char *out;
  int resume, quiet, silent;
  int warmup; /* of a search: ends with its warm-up */
} spn_cli_run;
/* What `spnas search` and `spnas train` do, for commands that do it many times. */
spn_status spn_cli_search(const spn_cli_run *where, spn_settings *s, spn_err *err);
spn_status spn_cli_train(const spn_cli_run *where, spn_settings *s, spn_err *err);

/* Prints what a weight file says about where its network is from: predicted cost and note, a line each. */
void spn_cli_print_origin(const spn_tensors *weights);

/* The page of the run (report/report.h), RUNDIR/report.html: what every search and training ends with. */
spn_status spn_cli_report(const char *folder, spn_err *err);

/* A command. Adding one: a file cmd_<name>.c that defines `const spn_command spn_cmd_<name>`, and a line in
 * commands.def, whose word is what users type. run returns a status, by which the program ends. */
typedef struct {
  const char *about, *usage;
  const char *sections;    /* of the settings it obeys, with commas, for --help; NULL: none */
  const char *takes;       /* letters, as in spn_arguments_parse */
  void (*help)(FILE *out); /* what follows usage, where that is no constant; or NULL */
  spn_status (*run)(const spn_arguments *args, spn_err *err);
} spn_command;

#define SPN_COMMAND(name) extern const spn_command spn_cmd_##name;
#include "cli/commands.def"
#undef SPN_COMMAND

typedef struct {
  const char *name;
  const spn_command *command;
} spn_command_entry;
extern const spn_command_entry spn_commands[]; /* what commands.def lists; ends with a NULL name */

extern const char spn_program_about[];  /* a line */
extern const char spn_common_options[]; /* of every command with settings, as its usage would tell them */
/* Exit codes and what they mean, for people; ends with NULL. */
extern const char *const spn_exit_codes[][2];

#endif
