/* CRC-32C (Castagnoli), as TFRecord files frame their records with it; zlib's crc32 is another polynomial. */
#ifndef SPN_IO_CRC32C_H
#define SPN_IO_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t spn_crc32c(const void *data, size_t size);

#endif
