/* The parts of `spnas latency`, each in a file of its own. */
#ifndef SPN_CLI_LATENCY_COMMAND_H
#define SPN_CLI_LATENCY_COMMAND_H

#include "cli/cli.h"
#include "latency/fit.h"

spn_status spn_cli_latency_fit(const spn_arguments *a, spn_err *err);
spn_status spn_cli_latency_import(const spn_arguments *a, spn_err *err);
spn_status spn_cli_latency_kit(const spn_arguments *a, spn_err *err);
spn_status spn_cli_latency_measure(const spn_arguments *a, spn_err *err);
spn_status spn_cli_latency_predict(const spn_arguments *a, spn_err *err);

/* "MAPE 2.1 %, worst 5.6 %, ..." */
void spn_cli_print_agreement(const char *what, const spn_agreement *a, const char *unit);
/* Name, device, framework and threads of a table that is written to `path`, from the settings. */
void spn_cli_describe_table(const spn_settings *s, const char *path, const char *source, spn_table *t);

#endif
