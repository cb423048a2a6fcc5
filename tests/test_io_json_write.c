/* What is written is JSON, whatever the values are, and reads back as it was. */
#include "check.h"
#include "core/rng.h"
#include "io/json.h"
#include "io/json_write.h"

static spn_json_doc *read_back(spn_json_writer *w, const char **text) {
  spn_json_doc *doc = NULL;
  spn_err err;
  CHECK_OK(spn_json_finish(w, "document", text, NULL, &err), err);
  CHECK(!spn_json_parse("document", *text, strlen(*text), &doc, &err), "%s in %s", err.text, *text);
  return doc;
}

static const char in_lines[] =
    "{\n  \"a\": 1,\n  \"b\": [\n    true,\n    null,\n    {}\n  ],\n  \"c\": {\n    \"d\": \"x\"\n  }\n}";

static void test_layouts(void) {
  static const char *const want[] = {"{\"a\":1,\"b\":[true,null,{}],\"c\":{\"d\":\"x\"}}",
                                     "{\"a\": 1, \"b\": [true, null, {}], \"c\": {\"d\": \"x\"}}", in_lines};
  spn_json_writer w = {0};
  for (int layout = SPN_JSON_DENSE; layout <= SPN_JSON_LINES; layout++) {
    const char *text;
    spn_json_begin(&w);
    spn_json_object(&w, NULL, (spn_json_layout)layout);
    spn_json_put_integer(&w, "a", 1);
    spn_json_array(&w, "b", SPN_JSON_LINES);
    spn_json_put_flag(&w, NULL, 7);
    spn_json_put_text(&w, NULL, NULL);
    spn_json_object(&w, NULL, SPN_JSON_LINES);
    spn_json_end(&w);
    spn_json_end(&w);
    spn_json_object(&w, "c", SPN_JSON_LINES);
    spn_json_put_text(&w, "d", "x");
    spn_json_end(&w);
    spn_json_end(&w);
    spn_json_free(read_back(&w, &text));
    CHECK(!strcmp(text, want[layout]), "layout %d: %s", layout, text);
  }
  spn_json_writer_free(&w);
}

/* Every byte, alone and among others; what is not UTF-8 is replaced, what is stays. */
static void test_text(void) {
  static const char *const kept[] = {"", "plain", "\"\\/\b\f\n\r\t\x01\x1f\x7f",
                                     "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"};
  static const char *const broken[] = {"\xff",         "\xc3",
                                       "\xc3(",        "\xe2\x82",
                                       "\xed\xa0\x80", "\xc0\xaf",
                                       "\xf5\x80\x80", "\xf0\x80\x80\x80",
                                       "\xe0\x80\x80", "\xf4\x90\x80\x80",
                                       "a\x80 b"};
  spn_json_writer w = {0};
  const char *text, *back;
  spn_err err;
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
    spn_json_begin(&w);
    spn_json_array(&w, NULL, SPN_JSON_INLINE);
    spn_json_put_text(&w, NULL, kept[i]);
    spn_json_end(&w);
    spn_json_doc *doc = read_back(&w, &text);
    spn_json root = spn_json_root(doc), at = spn_json_at(&root, 0);
    CHECK(!spn_json_string(&at, &back, &err) && !strcmp(back, kept[i]), "%s", text);
    spn_json_free(doc);
  }
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
    spn_json_begin(&w);
    spn_json_object(&w, NULL, SPN_JSON_INLINE);
    spn_json_put_text(&w, broken[i], broken[i]);
    spn_json_end(&w);
    spn_json_doc *doc = read_back(&w, &text);
    CHECK(strstr(text, "\xef\xbf\xbd") != NULL, "replaced in %s", text);
    spn_json_free(doc);
  }
  spn_json_writer_free(&w);
}

static void check_number(spn_json_writer *w, double value) {
  const char *text;
  double back;
  spn_err err;
  spn_json_begin(w);
  spn_json_array(w, NULL, SPN_JSON_DENSE);
  spn_json_put_number(w, NULL, value);
  spn_json_end(w);
  spn_json_doc *doc = read_back(w, &text);
  spn_json root = spn_json_root(doc), at = spn_json_at(&root, 0);
  if (isfinite(value))
    CHECK(!spn_json_real(&at, -INFINITY, INFINITY, &back, &err) && back == value, "%.17g: %s", value, text);
  else CHECK(!strcmp(text, "[null]"), "%g: %s", value, text);
  spn_json_free(doc);
}

static void test_numbers(void) {
  static const double some[] = {
      0, -0.0, 1, -1, 0.1, 1e9, 1e15, 1e300, 5e-324, 1.7976931348623157e308, 123456789.125, NAN, INFINITY, -INFINITY};
  spn_json_writer w = {0};
  const char *text;
  char shortest[32];
  for (size_t i = 0; i < sizeof some / sizeof *some; i++) check_number(&w, some[i]);
  for (uint64_t i = 0; i < 20000; i++) {
    double value;
    uint64_t bits = spn_rng_bits(1, SPN_RNG_TEST, i);
    memcpy(&value, &bits, sizeof value);
    check_number(&w, value);
  }
  CHECK(!strcmp(spn_shortest(0.1, shortest), "0.1"), "%s", shortest);
  CHECK(!strcmp(spn_shortest(1000, shortest), "1000"), "%s", shortest);
  CHECK(!strcmp(spn_shortest(1e-5, shortest), "1e-05"), "%s", shortest);
  spn_json_begin(&w);
  spn_json_array(&w, NULL, SPN_JSON_DENSE);
  spn_json_put_rounded(&w, NULL, 1.0 / 3, 3);
  spn_json_put_rounded(&w, NULL, NAN, 3);
  spn_json_put_integer(&w, NULL, -9223372036854775807LL);
  spn_json_put_raw(&w, NULL, "{}", 2);
  spn_json_end(&w);
  spn_json_free(read_back(&w, &text));
  CHECK(!strcmp(text, "[0.333,null,-9223372036854775807,{}]"), "%s", text);
  spn_json_writer_free(&w);
}

/* Deeper than any document of ours is refused and not written past the end of the list of levels. */
static void test_depth(void) {
  spn_json_writer w = {0};
  const char *text;
  spn_err err;
  for (int i = 0; i < SPN_JSON_DEPTH; i++) spn_json_array(&w, NULL, SPN_JSON_LINES);
  for (int i = 0; i < SPN_JSON_DEPTH; i++) spn_json_end(&w);
  spn_json_free(read_back(&w, &text));
  spn_json_begin(&w);
  for (int i = 0; i <= SPN_JSON_DEPTH; i++) spn_json_array(&w, NULL, SPN_JSON_LINES);
  CHECK(spn_json_finish(&w, "deep", &text, NULL, &err) == SPN_ENOMEM, "too deep");
  CHECK(!spn_json_take(&w) && !w.text, "nothing to take");
}

int main(void) {
  test_layouts();
  test_text();
  test_numbers();
  test_depth();
  return check_report("test_io_json_write");
}
