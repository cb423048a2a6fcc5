#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "kernels.h"
#include "core/version.h"
#include "core/phase.h"
#include "core/screen.h"
#include "train/resume.h"
#include "train/terminal.h"

static void overview(FILE *out) {
  fprintf(out, "spnas %s: %s\n\nusage: spnas COMMAND ...\n\n", spn_version(), spn_program_about);
  for (const spn_command_entry *c = spn_commands; c->name; c++) fprintf(out, "  %-8s %s\n", c->name, c->command->about);
  fprintf(out, "\nspnas COMMAND --help tells a command's arguments and settings with their units.\n");
}

static void help_for(const spn_command *c) {
  printf("%s\n\nusage: %s\n", c->about, c->usage);
  if (c->sections) printf("\n%s", spn_common_options);
  if (c->help) c->help(stdout);
  if (c->sections) {
    printf("\nSettings:\n\n");
    spn_settings_help(stdout, c->sections);
  }
}

/* The first SIGINT or SIGTERM asks for a stop after what is under way, the second leaves at once. */
static void on_stop(int number) {
  if (spn_stop_request(number)) _exit(128 + number);
}

static void on_checkpoint(int number) { spn_checkpoint_request(); }

static void install_signals(void) {
  struct sigaction action = {.sa_handler = on_stop}; /* no SA_RESTART: a write that waits for its reader ends too */
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  action.sa_handler = on_checkpoint;
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, NULL);
  action.sa_handler = SIG_IGN; /* a full disk quota answers with an error, not with a dead process */
  sigaction(SIGXFSZ, &action, NULL);
  sigaction(SIGPIPE, &action, NULL);
}

static spn_status cannot_print(spn_err *err) {
  if (spn_stop_requested()) return spn_fail(err, SPN_ESTOPPED, "stopped while writing to standard output");
  return spn_fail(err, SPN_EIO, "standard output: cannot be written");
}

static const char *how_to_go_on(const spn_command *command, const spn_arguments *a, spn_status status) {
  int has_run = status == SPN_ESTOPPED && strchr(command->takes, 'r') && a->out && spn_run_exists(a->out);
  return has_run ? "; --resume goes on from here" : "";
}

/* 0; 2 wrong input; 130 or 143 stopped by a signal; 3 stopped by run.max_steps; 1 everything else. */
static int exit_code(spn_status status) {
  if (status == SPN_ESTOPPED) return spn_stop_requested() ? 128 + spn_stop_requested() : 3;
  return status == SPN_OK ? 0 : status == SPN_EINPUT ? 2 : 1;
}

int main(int argc, char **argv) {
  if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
    overview(argc < 2 ? stderr : stdout);
    return argc < 2 ? 2 : 0;
  }
  if (!strcmp(argv[1], "--version")) return printf("spnas %s, %s\n", spn_version(), spn_backend_version()) < 0;
  for (const spn_command_entry *entry = spn_commands; entry->name; entry++) {
    if (strcmp(argv[1], entry->name)) continue;
    const spn_command *command = entry->command;
    static spn_arguments args;
    spn_err err = {0};
    int help;
    install_signals();
    spn_status status = spn_arguments_parse(argc - 1, argv + 1, command->takes, &args, &help, &err);
    if (!status && help) return help_for(command), 0;
    spn_terminal_begin(args.quiet);
    if (!status) status = command->run(&args, &err);
    spn_terminal_end_line();
    if (!status && fflush(stdout)) status = cannot_print(&err);
    if (status)
      fprintf(stderr, "%sspnas %s:%s %s%s\n", spn_screen_style(stderr, SPN_BAD), argv[1],
              spn_screen_style(stderr, SPN_PLAIN), err.text, how_to_go_on(command, &args, status));
    return exit_code(status);
  }
  fprintf(stderr, "spnas: unknown command %s; see spnas --help\n", argv[1]);
  return 2;
}
