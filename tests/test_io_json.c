/* JSON: every message with its place, and a few thousand damaged texts for the sanitizers. */
#include <limits.h>
#include <locale.h>

#include "check.h"
#include "core/rng.h"
#include "fuzz_json.c"

static spn_json_doc *parse(const char *text) {
  spn_json_doc *doc;
  spn_err err = {0};
  CHECK_OK(spn_json_parse("t.json", text, strlen(text), &doc, &err), err);
  return doc;
}

static void says(const spn_err *err, spn_status status, const char *expected) {
  CHECK(status == SPN_EINPUT && err->code == status, "status %d for %s", status, expected);
  CHECK(!strcmp(err->text, expected), "\n  expected %s\n  got      %s", expected, err->text);
}

static void refused(const char *text, const char *expected) {
  spn_json_doc *doc = NULL;
  spn_err err = {0};
  says(&err, spn_json_parse("t.json", text, strlen(text), &doc, &err), expected);
  CHECK(!doc, "a document came back");
  spn_json_free(doc);
}

static void check_grammar(void) {
  refused("", "t.json:1:1: expected a value, got the end of the text");
  refused("{\"a\":1,}", "t.json:1:8: expected a key after the comma, got }");
  refused("[1,\n 2,\n]", "t.json:3:1: expected a value, got ]");
  refused("[1 2]", "t.json:1:4: expected ',' or ']', got 2]");
  refused("{\"a\" 1}", "t.json:1:6: expected ':' after the key, got 1}");
  refused("{a:1}", "t.json:1:2: expected a key in double quotes, got a:1}");
  refused("{\"a\":1} x", "t.json:1:9: expected nothing after the value, got x");
  refused("{} // why", "t.json:1:4: expected nothing after the value, got // why (JSON has no comments)");
  refused("[NaN]", "t.json:1:2: expected a value (NaN and Infinity are not JSON), got NaN]");
  refused("[-Infinity]", "t.json:1:3: expected a digit, got Infinity]");
  refused("[1e999]", "t.json:1:2: expected a number that fits a double, got one too large");
  refused("{\"b\":[0,\n-1e400]}", "t.json:2:1: expected a number that fits a double, got one too large");
  refused("[01]", "t.json:1:3: expected a number without leading zeros, got 1]");
  refused("[1.]", "t.json:1:4: expected a digit, got ]");
  refused("[+1]", "t.json:1:2: expected a value, got +1]");
  refused("['a']", "t.json:1:2: expected a value (strings take double quotes), got 'a']");
  refused("[\"a\nb\"]", "t.json:1:4: expected a closing \" before the end of the line, got the end of the line");
  refused("[\"\xc3\xa4\xc3\xb6\", x]", "t.json:1:8: expected a value, got x]");
  refused("[\"\\u0000\"]", "t.json:1:4: expected a character other than \\u0000, got u0000\"]");
  refused("[\"\\ud800x\"]", "t.json:1:9: expected a low surrogate after the high one, got x\"]");
  refused("[\"\\udc00\"]", "t.json:1:4: expected a high surrogate before a low one, got udc00\"]");
  refused("[\"\\q\"]", "t.json:1:4: expected one of \" \\ / b f n r t u after the backslash, got q\"]");
  refused("[0.12345678901234567890123456789012345678901234567890123456789012345]",
          "t.json:1:2: expected a number of at most 63 characters, got 0.1234567890123456789012");
  refused("{\"a\":1,\n \"b\":{\"c\":1,\"d\":2,\n\"c\":3}}", "t.json:3:1: the key \"c\" stands twice; first in line 2");
  refused("{\"a\":1,\"\\u0061\":2}", "t.json:1:8: the key \"a\" stands twice; first in line 1");
  spn_json_doc *doc = NULL;
  spn_err err = {0};
  says(&err, spn_json_parse("t.json", "[1]\0", 4, &doc, &err), "t.json:1:4: expected nothing after the value, got ?");
}

static void check_nesting(void) {
  char text[100000];
  spn_json_doc *doc;
  spn_err err = {0};
  memset(text, '[', sizeof text);
  says(&err, spn_json_parse("t", text, sizeof text, &doc, &err),
       "t:1:101: expected at most 100 levels of nesting, got "
       "[[[[[[[[[[[[[[[[[[[[[[[[");
  memset(text + 100, ']', 100);
  CHECK_OK(spn_json_parse("t", text, 200, &doc, &err), err);
  spn_json_free(doc);
}

static const char config[] =
    "\xef\xbb\xbf{\n"
    "  \"stages\": [{\"kernel\": 3}, {\"kernel\": 6, \"name\": \"d\xc3\xbc\", \"x\\n\": [true]}],\n"
    "  \"rate\": 1.5, \"latncy\": {\"target\": \"eighty milliseconds, more or less, as measured on a phone\"},\n"
    "\t\"steps\": 9007199254740993, \"seed\": -3, \"on\": false, \"none\": null, \"act\": \"relu7\"\n"
    "}\n";

static void check_values(void) {
  spn_json_doc *doc = parse(config);
  spn_json root = spn_json_root(doc), at;
  spn_err err = {0};
  long long integer = 0;
  double real = 0;
  int flag = 7;
  const char *string = "";
  at = spn_json_get(&root, "rate");
  CHECK_OK(spn_json_real(&at, 0, 2, &real, &err), err);
  CHECK(real == 1.5, "%g", real);
  at = spn_json_get(&root, "seed");
  CHECK_OK(spn_json_int(&at, -3, -3, &integer, &err), err);
  CHECK(integer == -3, "%lld", integer);
  at = spn_json_get(&root, "on");
  CHECK_OK(spn_json_bool(&at, &flag, &err), err);
  CHECK(flag == 0 && spn_json_is_bool(&at), "%d", flag);
  at = spn_json_get(&root, "none");
  CHECK(spn_json_is_null(&at) && at.item, "null");
  at = spn_json_get(&root, "stages");
  CHECK(spn_json_is_array(&at) && spn_json_size(&at) == 2 && spn_json_size(&root) == 8, "sizes");
  at = spn_json_at(&at, 1);
  spn_json name = spn_json_get(&at, "name"), last = spn_json_at(&at, 2), first = spn_json_at(&last, 0);
  CHECK_OK(spn_json_string(&name, &string, &err), err);
  CHECK(!strcmp(string, "d\xc3\xbc") && !strcmp(name.path, "stages[1].name"), "%s at %s", string, name.path);
  CHECK(!strcmp(spn_json_key(&last), "x\n") && !strcmp(first.path, "stages[1].x?[0]"), "%s", first.path);
  spn_json beyond = spn_json_at(&at, 3), inner = spn_json_get(&beyond, "a");
  CHECK(!beyond.item && !inner.item && spn_json_is_null(&inner) && !spn_json_size(&inner), "absent");
  char *text = spn_json_text(&at);
  CHECK(!strcmp(text, "{\"kernel\":6,\"name\":\"d\xc3\xbc\",\"x\\n\":[true]}"), "%s", text);
  free(text);
  spn_json_free(doc);
}

static void check_messages(void) {
  static const char *const known[] = {"stages", "rate", "latency", "steps", "seed", "on", "none", "act", NULL};
  static const char *const acts[] = {"relu", "relu6", "h-swish", NULL};
  spn_json_doc *doc = parse(config);
  spn_json root = spn_json_root(doc), at = spn_json_get(&root, "stages"), stage = spn_json_at(&at, 1);
  spn_err err = {0};
  long long integer;
  double real;
  int flag;
  const char *string;
  at = spn_json_get(&stage, "kernel");
  says(&err, spn_json_expected(&at, "3, 5 or 7", &err), "t.json:2:40 stages[1].kernel: expected 3, 5 or 7, got 6");
  says(&err, spn_json_int(&at, 0, 5, &integer, &err),
       "t.json:2:40 stages[1].kernel: expected an integer from 0 to 5, got 6");
  says(&err, spn_json_int(&at, 7, INT_MAX, &integer, &err),
       "t.json:2:40 stages[1].kernel: expected an integer of at least 7, got 6");
  says(&err, spn_json_bool(&at, &flag, &err), "t.json:2:40 stages[1].kernel: expected true or false, got 6");
  says(&err, spn_json_fail(&at, &err, "%d is even", 6), "t.json:2:40 stages[1].kernel: 6 is even");
  at = spn_json_get(&stage, "expand");
  says(&err, spn_json_int(&at, 1, 6, &integer, &err),
       "t.json:2:29 stages[1].expand: expected an integer from 1 to 6, got nothing");
  at = spn_json_get(&root, "rate");
  says(&err, spn_json_int(&at, 0, 5, &integer, &err), "t.json:3:11 rate: expected an integer from 0 to 5, got 1.5");
  says(&err, spn_json_real(&at, 2, INFINITY, &real, &err),
       "t.json:3:11 rate: expected a number of at least 2, got 1.5");
  says(&err, spn_json_real(&at, -INFINITY, 1, &real, &err),
       "t.json:3:11 rate: expected a number of at most 1, got 1.5");
  says(&err, spn_json_string(&at, &string, &err), "t.json:3:11 rate: expected a string, got 1.5");
  at = spn_json_get(&root, "steps");
  says(&err, spn_json_int(&at, LLONG_MIN, LLONG_MAX, &integer, &err),
       "t.json:4:11 steps: expected an integer (below 2^53 in size), got 9007199254740993");
  at = spn_json_get(&root, "act");
  says(&err, spn_json_choice(&at, acts, &flag, &err),
       "t.json:4:75 act: expected \"relu\", \"relu6\" or \"h-swish\" (did you mean \"relu6\"?), got \"relu7\"");
  says(&err, spn_json_real(&stage, 0, 1, &real, &err),
       "t.json:2:29 stages[1]: expected a number from 0 to 1, got an object");
  at = spn_json_get(&root, "latncy");
  says(&err, spn_json_only(&root, known, &err), "t.json:3:16 latncy: unknown key; did you mean \"latency\"?");
  says(&err, spn_json_only(&at, known, &err),
       "t.json:3:27 latncy.target: unknown key; expected stages, rate, latency, steps, seed, on, none or act");
  at = spn_json_get(&at, "target");
  says(&err, spn_json_real(&at, 0, 1, &real, &err),
       "t.json:3:37 latncy.target: expected a number from 0 to 1, got "
       "\"eighty milliseconds, more or less, as m...");
  says(&err, spn_json_expected(&root, "an array", &err), "t.json:1:1: expected an array, got an object");
  spn_json_free(doc);
}

/* Integers that a double cannot hold exactly, and ones written as reals. */
static void check_integers(void) {
  spn_json_doc *doc = parse("[3.0, 1e3, 9007199254740991, 1e300, -0]");
  spn_json root = spn_json_root(doc);
  const long long expected[] = {3, 1000, (1LL << 53) - 1, 0, 0};
  for (size_t i = 0; i < 5; i++) {
    long long value = -1;
    spn_json at = spn_json_at(&root, i);
    spn_status status = spn_json_int(&at, LLONG_MIN, LLONG_MAX, &value, NULL);
    CHECK(status == (i == 3 ? SPN_EINPUT : SPN_OK), "element %zu: status %d", i, status);
    CHECK(i == 3 || value == expected[i], "element %zu: %lld", i, value);
  }
  spn_json_free(doc);
}

static void check_long_paths(void) {
  char text[4096] = "", expected[1500];
  size_t n = 0;
  for (int i = 0; i < 30; i++) n += (size_t)sprintf(text + n, "{\"a_rather_long_key_%d\":", i);
  n += (size_t)sprintf(text + n, "x");
  snprintf(expected, sizeof expected, "t.json:1:%zu: expected a value, got x", n);
  refused(text, expected);
  n--;
  n += (size_t)sprintf(text + n, "1");
  for (int i = 0; i < 30; i++) n += (size_t)sprintf(text + n, "}");
  spn_json_doc *doc = parse(text);
  spn_json at = spn_json_root(doc), next;
  while (at = spn_json_at(&at, 0), next = spn_json_at(&at, 0), next.item) continue;
  spn_err err = {0};
  spn_json_expected(&at, "a string", &err);
  CHECK(strlen(at.path) == sizeof at.path - 1 && strstr(err.text, "expected a string, got 1"), "%s", err.text);
  spn_json_free(doc);
}

/* Damaged texts: bytes changed, cut, doubled. The getters run over whatever still parses. */
static void replay(void) {
  static const char spice[] = "{}[]\",:\\0-.eEtfnu/ \n\x80\xff";
  for (uint64_t i = 0; i < 6000; i++) {
    char text[2 * sizeof config];
    size_t n = sizeof config - 1;
    memcpy(text, config, sizeof config);
    uint64_t edits = 1 + spn_rng_below(1, SPN_RNG_TEST, i, 4);
    for (uint64_t e = 0; e < edits; e++) {
      uint64_t key = i << 20 | e << 4;
      size_t where = (size_t)spn_rng_below(2, SPN_RNG_TEST, key, n),
             length = (size_t)spn_rng_below(2, SPN_RNG_TEST, key + 1, 9);
      char c = spice[spn_rng_below(2, SPN_RNG_TEST, key + 2, sizeof spice)];
      if (length > n - where) length = n - where;
      uint64_t kind = spn_rng_below(2, SPN_RNG_TEST, key + 3, 3);
      if (kind == 0) text[where] = c;
      if (kind == 1 && n > length + 1) memmove(text + where, text + where + length, n - where - length), n -= length;
      if (kind == 2 && n + length < sizeof text) memmove(text + where + length, text + where, n - where), n += length;
    }
    LLVMFuzzerTestOneInput((const uint8_t *)text, n);
    check_count++;
  }
}

static void check_load(void) {
  spn_json_doc *doc;
  spn_err err = {0};
  CHECK(spn_json_load("no/such.json", &doc, &err) == SPN_EINPUT && !doc, "%s", err.text);
  CHECK(!strcmp(err.text, "no/such.json: cannot open: No such file or directory"), "%s", err.text);
}

int main(void) {
  setlocale(LC_ALL, "");
  check_grammar();
  check_nesting();
  check_values();
  check_messages();
  check_integers();
  check_long_paths();
  check_load();
  replay();
  return check_report("io_json");
}
