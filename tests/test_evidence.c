/* What a search must know before it names a network, and what a network's file says about where it is from. */
#include "search/evidence.h"

#include "check.h"
#include "train/origin.h"

static const spn_evidence enough = {
    .stated = 1, .steps = 300, .gains = 55, .significant = 20, .ce = 1.2, .chance = 2.303};

static void test_floors(void) {
  char text[SPN_EVIDENCE_TEXT];
  static const spn_evidence none;
  spn_evidence_lacks(&enough, text);
  CHECK(!text[0], "%s", text);
  spn_evidence_lacks(&none, text);
  CHECK(!text[0], "a method that values no options needs none: %s", text);
  const struct {
    spn_evidence e;
    const char *says;
  } rows[] = {{enough, "99 steps after the warm-up"},
              {enough, "5 of 55 gains significant"},
              {enough, "CE 2.67, no better than guessing (2.303)"},
              {enough, "no better than guessing"}};
  for (int i = 0; i < 4; i++) {
    spn_evidence e = rows[i].e;
    if (i == 0) e.steps = 99;
    if (i == 1) e.significant = 5;
    if (i == 2) e.ce = 2.67;
    if (i == 3) e.ce = NAN;
    spn_evidence_lacks(&e, text);
    CHECK(strstr(text, rows[i].says), "row %d: %s", i, text);
  }
}

static spn_status read(const char *text, spn_origin *out, spn_err *err) {
  spn_json_doc *doc;
  SPN_TRY(spn_json_parse("arch.json", text, strlen(text), &doc, err));
  spn_json root = spn_json_root(doc);
  spn_status status = spn_origin_read(&root, out, err);
  spn_json_free(doc);
  return status;
}

static const char *value_of(const char **facts, int count, const char *key) {
  for (int i = 0; i < count; i += 2)
    if (!strcmp(facts[i], key)) return facts[i + 1];
  return NULL;
}

static void test_origin(void) {
  const char *facts[SPN_ORIGIN_FACTS];
  spn_origin o, other;
  spn_origin_text text;
  spn_err err = {0};
  CHECK_OK(read("{\"arch\": {}}", &o, &err), err);
  CHECK(!o.searched && !spn_origin_facts(&o, &text, facts), "of no search");
  spn_origin_differ(&o, "proxy");
  CHECK(!o.note[0], "then nothing was predicted that it could differ from");
  CHECK(read("{\"predicted\": \"fast\"}", &o, &err) == SPN_EINPUT && strstr(err.text, "predicted: expected"), "%s",
        err.text);
  CHECK_OK(
      read("{\"predicted\": 79.488, \"unit\": \"ms\", \"target\": 80, \"space\": \"singlepath\", \"cost\": \"pixel1\", "
           "\"method\": \"gradient\", \"note\": \"too little evidence\", "
           "\"limits\": [{\"cost\": \"params\", \"unit\": \"Mparams\", \"limit\": 4.5, \"predicted\": 4.25},"
           "{\"cost\": \"tablet\", \"unit\": \"ms\", \"limit\": 70, \"predicted\": 61.5}]}",
           &o, &err),
      err);
  int n = spn_origin_facts(&o, &text, facts);
  CHECK(n == SPN_ORIGIN_FACTS, "%d", n);
  CHECK(!strcmp(value_of(facts, n, "spnas.predicted"), "79.488000") &&
            !strcmp(value_of(facts, n, "spnas.target"), "80"),
        "figures");
  CHECK(!strcmp(value_of(facts, n, "spnas.limits"), "params 4.25 of 4.5 Mparams; tablet 61.5 of 70 ms"), "%s",
        o.limits);
  CHECK(read("{\"predicted\": 1, \"target\": 2, \"limits\": 3}", &other, &err) == SPN_EINPUT, "limits that are none");
  spn_origin_differ(&o, "proxy");
  CHECK(!strcmp(o.note, "too little evidence; proxy, not the network of 79.49 ms"), "%s", o.note);
  n = spn_origin_facts(&o, &text, facts);
  CHECK(!value_of(facts, n, "spnas.predicted") && value_of(facts, n, "spnas.note"),
        "another network's prediction is not its own");
}

int main(void) {
  test_floors();
  test_origin();
  return check_report("test_evidence");
}
