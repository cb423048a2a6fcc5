#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>

spn_status spn_fail(spn_err *err, spn_status code, const char *format, ...) {
  if (err) {
    va_list args;
    va_start(args, format);
    err->code = code;
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
  }
  return code;
}
