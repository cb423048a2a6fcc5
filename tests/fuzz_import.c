/* Fuzz target: any bytes given as a file of measurements are either refused with a message that names the file, or
 * become a table that a model can be fitted to or not. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "latency/fit.h"
#include "latency/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char path[] = "/tmp/fuzz_import.XXXXXX";
  static spn_fit fit;
  spn_import in = {.network = "single-path-nas", .max_spread = 0.1};
  spn_err err = {0};
  int fd = mkstemp(path);
  if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
  close(fd);
  if (spn_import_file(&in, path, &err)) {
    if (!err.code || !strstr(err.text, path)) abort();
  } else if (in.table.entries) {
    fit = (spn_fit){.tables = 1, .table[0] = in.table};
    if (!spn_fit_tables(&fit, &err) && !(fit.weight[0][0] >= 0)) abort();
  }
  spn_table_free(&in.table);
  unlink(path);
  return 0;
}
