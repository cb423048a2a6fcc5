#include "cli/cli.h"

#include <stddef.h>

const spn_command_entry spn_commands[] = {
#define SPN_COMMAND(name) {#name, &spn_cmd_##name},
#include "cli/commands.def"
#undef SPN_COMMAND
    {NULL, NULL}};

const char spn_program_about[] =
    "finds, trains and exports a convolutional network that meets a phone's latency budget";

const char spn_common_options[] =
    "  --config FILE      settings as JSON\n  --set a.b=c        one setting; overrides the config\n"
    "  --seed N           run.seed\n  --threads N        run.threads\n";

const char *const spn_exit_codes[][2] = {
    {"0", "done"},
    {"1", "the system refused (disk, memory), or a step gave NaN"},
    {"2", "wrong input"},
    {"3", "run.max_steps reached"},
    {"130, 143", "stopped by Ctrl-C or SIGTERM; what was begun with --out RUNDIR goes on with --resume"},
    {NULL, NULL}};
