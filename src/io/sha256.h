/* SHA-256 (FIPS 180-4), as sha256sum prints it. */
#ifndef SPN_IO_SHA256_H
#define SPN_IO_SHA256_H

#include <stddef.h>

#include "core/status.h"

enum { SPN_SHA256_TEXT = 65 };
void spn_sha256(const void *data, size_t size, char text[SPN_SHA256_TEXT]);
/* Of a whole file. */
spn_status spn_sha256_file(const char *path, char text[SPN_SHA256_TEXT], spn_err *err);

#endif
