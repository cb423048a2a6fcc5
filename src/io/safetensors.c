/* The file of a tensor set. Wider elements come first in the data section, so that every tensor stays aligned to its
 * element; the header keeps the order of addition. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "io/file.h"
#include "io/foreign.h"
#include "io/json.h"
#include "io/json_write.h"
#include "io/tensors.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tensor files are written as they lie in memory: little-endian machines only"
#endif

#define CHECKSUM "spnas.crc32"
enum { ALIGN = 64, LENGTH_BYTES = 8, DIGITS = 8, MAX_HEADER = 100000000 /* the format's own limit */ };
static const size_t MAX_FILE_BYTES = (size_t)1 << 36;
static const char *const dtype_names[] = {"F32", "F64", "I64", "U8", NULL}; /* in the order of spn_dtype */

static size_t tensor_bytes(const spn_tensor *t) { return spn_tensor_elements(t) * spn_dtype_size(t->dtype); }

static uint32_t checksum(uint32_t crc, const void *data, size_t size) {
  const unsigned char *p = data;
  while (size) {
    uInt piece = size < 1u << 30 ? (uInt)size : 1u << 30;
    crc = (uint32_t)crc32(crc, p, piece);
    p += piece;
    size -= piece;
  }
  return crc;
}

/* ---- Saving ---- */

/* Offsets by falling element size; offset[i] belongs to tensor i. */
static void lay_out(const spn_tensors *set, size_t *offset) {
  static const size_t widths[] = {8, 4, 1};
  size_t end = 0;
  for (int w = 0; w < 3; w++)
    for (size_t i = 0; i < spn_tensors_count(set); i++) {
      const spn_tensor *t = spn_tensors_at(set, i);
      if (spn_dtype_size(t->dtype) != widths[w]) continue;
      offset[i] = end;
      end += tensor_bytes(t);
    }
}

/* The header, padded with spaces so that the data begins at a multiple of 64. Returns where the checksum goes. */
static size_t write_header(const spn_tensors *set, const size_t *offset, spn_json_writer *w) {
  const char *key, *value;
  spn_json_object(w, NULL, SPN_JSON_DENSE);
  spn_json_object(w, "__metadata__", SPN_JSON_DENSE);
  spn_json_put_text(w, CHECKSUM, "00000000");
  size_t digits = w->size - 1 - DIGITS;
  for (size_t i = 0; spn_tensors_meta_at(set, i, &key, &value); i++)
    if (strcmp(key, CHECKSUM)) spn_json_put_text(w, key, value);
  spn_json_end(w);
  for (size_t i = 0; i < spn_tensors_count(set); i++) {
    const spn_tensor *tensor = spn_tensors_at(set, i);
    spn_json_object(w, tensor->name, SPN_JSON_DENSE);
    spn_json_put_text(w, "dtype", dtype_names[tensor->dtype]);
    spn_json_array(w, "shape", SPN_JSON_DENSE);
    for (int d = 0; d < tensor->dims; d++) spn_json_put_integer(w, NULL, (long long)tensor->shape[d]);
    spn_json_end(w);
    spn_json_array(w, "data_offsets", SPN_JSON_DENSE);
    spn_json_put_integer(w, NULL, (long long)offset[i]);
    spn_json_put_integer(w, NULL, (long long)(offset[i] + tensor_bytes(tensor)));
    spn_json_end(w);
    spn_json_end(w);
  }
  spn_json_end(w);
  spn_json_pad(w, ALIGN, LENGTH_BYTES);
  return digits;
}

typedef spn_status (*visit)(void *context, const void *data, size_t size, spn_err *err);

static spn_status visit_append(void *context, const void *data, size_t size, spn_err *err) {
  return spn_file_append(context, data, size, err);
}
static spn_status visit_checksum(void *context, const void *data, size_t size, spn_err *err) {
  uint32_t *crc = context;
  *crc = checksum(*crc, data, size);
  return SPN_OK;
}

/* Visits the data in file order. */
static spn_status each_data(const spn_tensors *set, visit function, void *context, spn_err *err) {
  static const size_t widths[] = {8, 4, 1};
  for (int w = 0; w < 3; w++)
    for (size_t i = 0; i < spn_tensors_count(set); i++) {
      const spn_tensor *t = spn_tensors_at(set, i);
      if (spn_dtype_size(t->dtype) == widths[w]) SPN_TRY(function(context, t->data, tensor_bytes(t), err));
    }
  return SPN_OK;
}

static spn_status write_file(const spn_tensors *set, const spn_json_writer *header, const char *path, spn_err *err) {
  spn_file *f;
  uint64_t length = header->size;
  SPN_TRY(spn_file_create(path, &f, err));
  spn_status status = spn_file_append(f, &length, sizeof length, err);
  if (!status) status = spn_file_append(f, header->text, header->size, err);
  if (!status) status = each_data(set, visit_append, f, err);
  if (status) {
    spn_file_abort(f);
    return status;
  }
  return spn_file_commit(f, err);
}

spn_status spn_tensors_save(const spn_tensors *set, const char *path, spn_err *err) {
  spn_json_writer header = {0};
  size_t digits = 0, *offset = malloc((spn_tensors_count(set) + 1) * sizeof *offset);
  if (offset) {
    lay_out(set, offset);
    digits = write_header(set, offset, &header);
  }
  free(offset);
  spn_status status;
  if (!offset || header.failed) {
    status = spn_fail(err, SPN_ENOMEM, "%s: out of memory while writing the header", path);
  } else if (header.size > MAX_HEADER) {
    status = spn_fail(err, SPN_EINPUT, "%s: expected a header of at most %d bytes, got %zu", path, MAX_HEADER,
                      header.size);
  } else {
    char hex[DIGITS + 1];
    uint32_t crc = checksum(0, header.text, header.size);
    each_data(set, visit_checksum, &crc, NULL);
    snprintf(hex, sizeof hex, "%08x", crc);
    memcpy(header.text + digits, hex, DIGITS);
    status = write_file(set, &header, path, err);
  }
  spn_json_writer_free(&header);
  return status;
}

/* ---- Loading ---- */

typedef struct {
  size_t begin, end;
} range;

typedef struct {
  const char *path, *header, *data;
  size_t header_size, data_size;
} parts;

static int by_begin(const void *a, const void *b) {
  const range *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  return (x->end > y->end) - (x->end < y->end);
}

static spn_status split(const char *path, const char *file, size_t size, parts *out, spn_err *err) {
  uint64_t length;
  if (size < LENGTH_BYTES + 2)
    return spn_fail(err, SPN_EINPUT, "%s: expected a tensor file (safetensors), got only %zu bytes", path, size);
  memcpy(&length, file, sizeof length);
  const char *foreign = file[LENGTH_BYTES] == '{' && length <= MAX_HEADER ? NULL : spn_foreign(file, size);
  if (foreign)
    return spn_fail(err, SPN_EINPUT, "%s: expected a tensor file (safetensors) that spnas wrote, got %s", path,
                    foreign);
  if (length > MAX_HEADER || length > size - LENGTH_BYTES || file[LENGTH_BYTES] != '{')
    return spn_fail(err, SPN_EINPUT,
                    "%s: expected a tensor file (safetensors): a header of at most %zu bytes, got a length of %llu",
                    path, size - LENGTH_BYTES < MAX_HEADER ? size - LENGTH_BYTES : MAX_HEADER,
                    (unsigned long long)length);
  *out = (parts){.path = path, .header = file + LENGTH_BYTES, .header_size = (size_t)length};
  out->data = out->header + out->header_size;
  out->data_size = size - LENGTH_BYTES - out->header_size;
  return SPN_OK;
}

/* stored is the entry's value; it stands in the header as plain text once. */
static spn_status check_checksum(const parts *p, const char *stored, spn_err *err) {
  static const char mark[] = "\"" CHECKSUM "\":\"";
  const size_t n = sizeof mark - 1;
  size_t at = 0;
  while (at + n + DIGITS <= p->header_size && memcmp(p->header + at, mark, n)) at++;
  at += n;
  if (at + DIGITS > p->header_size || strlen(stored) != DIGITS || memcmp(p->header + at, stored, DIGITS))
    return spn_fail(err, SPN_EINPUT, "%s: expected " CHECKSUM " to hold eight digits, got \"%.40s\"", p->path, stored);
  uint32_t crc = checksum(0, p->header, at);
  crc = checksum(crc, "00000000", DIGITS);
  crc = checksum(crc, p->header + at + DIGITS, p->header_size - at - DIGITS + p->data_size); /* data follows */
  char hex[DIGITS + 1];
  snprintf(hex, sizeof hex, "%08x", crc);
  if (!memcmp(hex, stored, DIGITS)) return SPN_OK;
  return spn_fail(
      err, SPN_EINPUT,
      "%s: the file is damaged: expected checksum %s, got %s (or another program rewrote it and kept our " CHECKSUM ")",
      p->path, stored, hex);
}

static spn_status load_meta(const spn_json *meta, const parts *p, spn_tensors *set, spn_err *err) {
  spn_json entry;
  const char *value;
  if (meta->item && !spn_json_is_object(meta)) return spn_json_expected(meta, "an object of strings", err);
  for (spn_json_iter it = spn_json_iterate(meta); spn_json_next(&it, &entry);) {
    SPN_TRY(spn_json_string(&entry, &value, err));
    if (!strcmp(spn_json_key(&entry), CHECKSUM)) SPN_TRY(check_checksum(p, value, err));
    else SPN_TRY(spn_tensors_set_meta(set, spn_json_key(&entry), value, err));
  }
  return SPN_OK;
}

static spn_status load_shape(const spn_json *entry, spn_tensor *t, spn_err *err) {
  spn_json shape = spn_json_get(entry, "shape"), side;
  size_t dims = spn_json_size(&shape);
  if (!spn_json_is_array(&shape) || dims > 4) return spn_json_expected(&shape, "an array of at most 4 sizes", err);
  t->dims = 0;
  for (spn_json_iter it = spn_json_iterate(&shape); spn_json_next(&it, &side);) {
    long long value;
    SPN_TRY(spn_json_int(&side, 0, 1LL << 40, &value, err));
    t->shape[t->dims++] = (size_t)value;
  }
  return SPN_OK;
}

/* Bytes of a shape, or at least limit + 1 when they are more than limit. */
static size_t bounded_bytes(const spn_tensor *t, size_t limit) {
  size_t n = spn_dtype_size(t->dtype);
  for (int d = 0; d < t->dims; d++)
    if (!t->shape[d]) return 0;
  for (int d = 0; d < t->dims; d++) {
    if (n > limit / t->shape[d]) return limit + 1;
    n *= t->shape[d];
  }
  return n;
}

static spn_status load_range(const spn_json *entry, const spn_tensor *t, size_t data_size, range *out, spn_err *err) {
  spn_json offsets = spn_json_get(entry, "data_offsets");
  long long bound[2];
  if (spn_json_size(&offsets) != 2) return spn_json_expected(&offsets, "an array of two offsets", err);
  for (size_t i = 0; i < 2; i++) {
    spn_json offset = spn_json_at(&offsets, i);
    SPN_TRY(spn_json_int(&offset, i ? bound[0] : 0, (long long)data_size, &bound[i], err));
  }
  *out = (range){(size_t)bound[0], (size_t)bound[1]};
  if (bounded_bytes(t, data_size) != out->end - out->begin)
    return spn_json_fail(&offsets, err, "expected as many bytes as the shape has, got %zu", out->end - out->begin);
  return SPN_OK;
}

static spn_status load_tensor(const spn_json *entry, const parts *p, spn_tensors *set, range *out, spn_err *err) {
  static const char *const known[] = {"dtype", "shape", "data_offsets", NULL};
  spn_tensor t = {0};
  int dtype;
  if (!spn_json_is_object(entry)) return spn_json_expected(entry, "an object with dtype, shape and data_offsets", err);
  SPN_TRY(spn_json_only(entry, known, err));
  spn_json name = spn_json_get(entry, "dtype");
  SPN_TRY(spn_json_choice(&name, dtype_names, &dtype, err));
  t.dtype = (spn_dtype)dtype;
  SPN_TRY(load_shape(entry, &t, err));
  SPN_TRY(load_range(entry, &t, p->data_size, out, err));
  return spn_tensors_add(set, spn_json_key(entry), t.dtype, t.dims, t.shape, p->data + out->begin, err);
}

/* The ranges must tile the data section: no overlap, no hole. */
static spn_status check_ranges(const parts *p, range *ranges, size_t n, spn_err *err) {
  size_t end = 0;
  qsort(ranges, n, sizeof *ranges, by_begin);
  for (size_t i = 0; i < n; i++) {
    if (ranges[i].begin != end)
      return spn_fail(err, SPN_EINPUT, "%s: expected a tensor at data offset %zu, got %zu (%s)", p->path, end,
                      ranges[i].begin, ranges[i].begin < end ? "two tensors overlap" : "a hole");
    end = ranges[i].end;
  }
  if (end != p->data_size)
    return spn_fail(err, SPN_EINPUT, "%s: expected %zu bytes of data, got %zu", p->path, end, p->data_size);
  return SPN_OK;
}

static spn_status load_all(const spn_json_doc *doc, const parts *p, spn_tensors *set, spn_err *err) {
  spn_json root = spn_json_root(doc), meta = spn_json_get(&root, "__metadata__"), entry;
  range *ranges = malloc((spn_json_size(&root) + 1) * sizeof *ranges);
  size_t n = 0;
  if (!ranges) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", p->path);
  spn_status status = load_meta(&meta, p, set, err);
  for (spn_json_iter it = spn_json_iterate(&root); !status && spn_json_next(&it, &entry);) {
    if (strcmp(spn_json_key(&entry), "__metadata__")) status = load_tensor(&entry, p, set, &ranges[n++], err);
  }
  if (!status) status = check_ranges(p, ranges, n, err);
  free(ranges);
  return status;
}

spn_status spn_tensors_parse(const char *path, const char *file, size_t size, spn_tensors **out, spn_err *err) {
  *out = NULL;
  parts p = {0};
  spn_json_doc *doc;
  SPN_TRY(split(path, file, size, &p, err));
  SPN_TRY(spn_json_parse(path, p.header, p.header_size, &doc, err));
  spn_tensors *set = spn_tensors_new();
  spn_status status = set ? load_all(doc, &p, set, err) : spn_fail(err, SPN_ENOMEM, "%s: out of memory", path);
  spn_json_free(doc);
  if (status) {
    spn_tensors_free(set);
    return status;
  }
  *out = set;
  return SPN_OK;
}

spn_status spn_tensors_load(const char *path, spn_tensors **out, spn_err *err) {
  char *file;
  size_t size;
  *out = NULL;
  SPN_TRY(spn_file_read(path, MAX_FILE_BYTES, &file, &size, err));
  spn_status status = spn_tensors_parse(path, file, size, out, err);
  free(file);
  return status;
}
