/* What a file is that is not what was expected, by its first bytes: for messages. */
#ifndef SPN_IO_FOREIGN_H
#define SPN_IO_FOREIGN_H

#include <stddef.h>

/* "a zip archive, as PyTorch writes .pt and .pth": a constant; NULL when nothing is recognised. */
const char *spn_foreign(const void *data, size_t size);

#endif
