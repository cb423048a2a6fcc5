/* The text side of JSON: a strict check of the grammar with places, and finding a parsed item in the text again.
 * Internal to src/io. */
#ifndef SPN_IO_JSON_SCAN_H
#define SPN_IO_JSON_SCAN_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "core/status.h"

/* Checks text (size bytes, and a zero behind them) against the JSON grammar, more strictly than cJSON: no control
 * characters, NULs, bytes that are no UTF-8, lone surrogates, leading zeros or numbers beyond 63 characters, at most
 * 100 levels. Errors are SPN_EINPUT and say
 * "<name>:<line>:<column>: expected ..., got <what is near>". */
spn_status spn_json_scan(const char *name, const char *text, size_t size, spn_err *err);

/* Where an item stands: offsets of its value (first and past the last byte) and of its key (the value's when none). */
typedef struct {
  size_t begin, end, key;
} spn_json_span;
/* Finds target, a descendant of root (or root), in the text root was parsed from; the text has passed spn_json_scan. */
spn_json_span spn_json_locate(const char *text, size_t size, const cJSON *root, const cJSON *target);

/* 1-based line and column (in characters) of an offset. */
typedef struct {
  size_t line, column;
} spn_text_place;
spn_text_place spn_place_of(const char *text, size_t offset);

#endif
