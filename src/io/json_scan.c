#include "io/json_scan.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/utf8.h"

enum { MAX_DEPTH = 100, MAX_NUMBER = 63 /* cJSON's own buffer */, NEAR = 24 };

typedef struct {
  const char *name, *start, *p, *end;
  int depth;
  spn_err *err;
} scan;

/* Bytes of a byte-order mark, which is skipped. */
static size_t bom(const char *text, size_t size) { return size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0; }

spn_text_place spn_place_of(const char *text, size_t offset) {
  spn_text_place place = {1, 1};
  for (size_t i = bom(text, offset); i < offset; i++) {
    if (text[i] == '\n') {
      place.line++;
      place.column = 1;
    } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
      place.column++; /* continuation bytes of UTF-8 belong to the character before */
    }
  }
  return place;
}

static int is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
static int at(const scan *s, char c) { return s->p < s->end && *s->p == c; }
static void skip_space(scan *s) {
  while (s->p < s->end && is_space(*s->p)) s->p++;
}

static spn_status bad(scan *s, const char *expected) {
  spn_text_place place = spn_place_of(s->start, (size_t)(s->p - s->start));
  char near[NEAR + 1];
  size_t n = 0;
  for (const char *q = s->p; q < s->end && n < NEAR && *q != '\n' && *q != '\r'; q++)
    near[n++] = iscntrl((unsigned char)*q) ? '?' : *q;
  near[n] = 0;
  if (s->p >= s->end)
    return spn_fail(s->err, SPN_EINPUT, "%s:%zu:%zu: expected %s, got the end of the text", s->name, place.line,
                    place.column, expected);
  return spn_fail(s->err, SPN_EINPUT, "%s:%zu:%zu: expected %s, got %s%s", s->name, place.line, place.column, expected,
                  n ? near : "the end of the line", *near == '/' || *near == '#' ? " (JSON has no comments)" : "");
}

/* Four hex digits at p; -1 when they are not there. */
static long hex4(const scan *s, const char *p) {
  long value = 0;
  if (s->end - p < 4) return -1;
  for (int i = 0; i < 4; i++) {
    if (!isxdigit((unsigned char)p[i])) return -1;
    value = value * 16 + (p[i] <= '9' ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
  }
  return value;
}

static spn_status scan_unicode(scan *s) { /* at the u of \uXXXX */
  long code = hex4(s, s->p + 1);
  if (code < 0) return bad(s, "four hexadecimal digits after \\u");
  if (code == 0) return bad(s, "a character other than \\u0000");
  if (code >= 0xdc00 && code < 0xe000) return bad(s, "a high surrogate before a low one");
  s->p += 5;
  if (code >= 0xd800 && code < 0xdc00) {
    long low = s->end - s->p >= 6 && s->p[0] == '\\' && s->p[1] == 'u' ? hex4(s, s->p + 2) : -1;
    if (low < 0xdc00 || low > 0xdfff) return bad(s, "a low surrogate after the high one");
    s->p += 6;
  }
  return SPN_OK;
}

/* A character beyond ASCII. */
static spn_status scan_utf8(scan *s) {
  int bytes = spn_utf8_length(s->p);
  if (bytes && s->end - s->p >= bytes) {
    s->p += bytes;
    return SPN_OK;
  }
  spn_text_place place = spn_place_of(s->start, (size_t)(s->p - s->start));
  return spn_fail(s->err, SPN_EINPUT, "%s:%zu:%zu: expected text in UTF-8, got byte 0x%02x", s->name, place.line,
                  place.column, (unsigned char)*s->p);
}

static spn_status scan_string(scan *s) {
  s->p++;
  for (;;) {
    if (s->p >= s->end) return bad(s, "a closing \"");
    unsigned char c = (unsigned char)*s->p;
    if (c < 0x20)
      return bad(s, c == '\n' || c == '\r' ? "a closing \" before the end of the line"
                                           : "an escape such as \\t for a control character");
    if (c >= 0x80) {
      SPN_TRY(scan_utf8(s));
      continue;
    }
    s->p++;
    if (c == '"') return SPN_OK;
    if (c != '\\') continue;
    if (at(s, 'u')) {
      SPN_TRY(scan_unicode(s));
    } else if (s->p < s->end && *s->p && strchr("\"\\/bfnrt", *s->p)) {
      s->p++;
    } else {
      return bad(s, "one of \" \\ / b f n r t u after the backslash");
    }
  }
}

static spn_status scan_digits(scan *s) {
  if (s->p >= s->end || !isdigit((unsigned char)*s->p)) return bad(s, "a digit");
  while (s->p < s->end && isdigit((unsigned char)*s->p)) s->p++;
  return SPN_OK;
}

static spn_status scan_number(scan *s) {
  const char *start = s->p;
  if (at(s, '-')) s->p++;
  if (at(s, '0')) {
    s->p++;
    if (s->p < s->end && isdigit((unsigned char)*s->p)) return bad(s, "a number without leading zeros");
  } else {
    SPN_TRY(scan_digits(s));
  }
  if (at(s, '.')) {
    s->p++;
    SPN_TRY(scan_digits(s));
  }
  if (at(s, 'e') || at(s, 'E')) {
    s->p++;
    if (at(s, '+') || at(s, '-')) s->p++;
    SPN_TRY(scan_digits(s));
  }
  if (s->p - start > MAX_NUMBER) {
    s->p = start;
    return bad(s, "a number of at most 63 characters");
  }
  return SPN_OK;
}

static spn_status scan_word(scan *s) {
  static const char *const words[] = {"true", "false", "null"};
  for (int i = 0; i < 3; i++) {
    size_t n = strlen(words[i]);
    if ((size_t)(s->end - s->p) >= n && !memcmp(s->p, words[i], n)) {
      s->p += n;
      return SPN_OK;
    }
  }
  if (s->p < s->end && strchr("NnIi", *s->p) && *s->p) return bad(s, "a value (NaN and Infinity are not JSON)");
  if (at(s, '\'')) return bad(s, "a value (strings take double quotes)");
  return bad(s, "a value");
}

static spn_status scan_value(scan *s);

/* Members of an object or elements of an array, from the opening bracket to the closing one. */
static spn_status scan_members(scan *s, char close) {
  int object = close == '}';
  s->p++;
  skip_space(s);
  if (at(s, close)) {
    s->p++;
    return SPN_OK;
  }
  for (;;) {
    if (object) {
      skip_space(s);
      if (!at(s, '"')) return bad(s, at(s, '}') ? "a key after the comma" : "a key in double quotes");
      SPN_TRY(scan_string(s));
      skip_space(s);
      if (!at(s, ':')) return bad(s, "':' after the key");
      s->p++;
    }
    SPN_TRY(scan_value(s));
    skip_space(s);
    if (at(s, close)) {
      s->p++;
      return SPN_OK;
    }
    if (!at(s, ',')) return bad(s, object ? "',' or '}'" : "',' or ']'");
    s->p++;
  }
}

static spn_status scan_value(scan *s) {
  skip_space(s);
  if (s->p >= s->end) return bad(s, "a value");
  char c = *s->p;
  if (c == '"') return scan_string(s);
  if (c == '-' || isdigit((unsigned char)c)) return scan_number(s);
  if (c != '{' && c != '[') return scan_word(s);
  if (++s->depth > MAX_DEPTH) return bad(s, "at most 100 levels of nesting");
  spn_status status = scan_members(s, c == '{' ? '}' : ']');
  s->depth--;
  return status;
}

spn_status spn_json_scan(const char *name, const char *text, size_t size, spn_err *err) {
  scan s = {.name = name, .start = text, .p = text + bom(text, size), .end = text + size, .err = err};
  SPN_TRY(scan_value(&s));
  skip_space(&s);
  if (s.p < s.end) return bad(&s, "nothing after the value");
  return SPN_OK;
}

/* ---- Finding an item again: the text is walked in step with the tree, children in the same order ---- */

typedef struct {
  scan s;
  const cJSON *target;
  size_t key, begin;
} walk;

static void skip_string(scan *s) {
  for (s->p++; *s->p != '"'; s->p++)
    if (*s->p == '\\') s->p++;
  s->p++;
}

static void skip_scalar(scan *s) {
  if (at(s, '"')) {
    skip_string(s);
    return;
  }
  while (s->p < s->end && !is_space(*s->p) && !strchr(",]}", *s->p)) s->p++;
}

/* Moves past node's text; 1 when the target was found in it (then p is just past the target). */
static int walk_value(walk *w, const cJSON *node, size_t key) {
  scan *s = &w->s;
  skip_space(s);
  size_t begin = (size_t)(s->p - s->start);
  if (node == w->target) {
    w->begin = begin;
    w->key = key == (size_t)-1 ? begin : key;
  }
  if (!at(s, '{') && !at(s, '[')) {
    skip_scalar(s);
    return node == w->target;
  }
  int object = at(s, '{');
  s->p++;
  for (const cJSON *child = node->child; child; child = child->next) {
    size_t child_key = (size_t)-1;
    while (is_space(*s->p) || *s->p == ',') s->p++;
    if (object) {
      child_key = (size_t)(s->p - s->start);
      skip_string(s);
      while (*s->p != ':') s->p++;
      s->p++;
    }
    if (walk_value(w, child, child_key)) return 1;
  }
  while (!strchr("]}", *s->p)) s->p++;
  s->p++;
  return node == w->target;
}

spn_json_span spn_json_locate(const char *text, size_t size, const cJSON *root, const cJSON *target) {
  walk w = {.s = {.start = text, .p = text + bom(text, size), .end = text + size}, .target = target};
  if (!walk_value(&w, root, (size_t)-1)) return (spn_json_span){0, 0, 0};
  return (spn_json_span){w.begin, (size_t)(w.s.p - text), w.key};
}
