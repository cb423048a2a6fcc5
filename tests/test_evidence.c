/* What a search must know before it names a network, and what a network's file says about where it is from. */
#include "search/evidence.h"

#include <math.h>
#include <string.h>

#include "check.h"
#include "search/scores.h"
#include "train/origin.h"

static const spn_evidence enough = {
    .of = SPN_EVIDENCE_GAINS, .steps = 300, .gains = 55, .significant = 20, .ce = 1.2, .chance = 2.303};

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

/* Of whole networks that shared weights were asked about. */
static void test_scores(void) {
  char text[SPN_EVIDENCE_TEXT];
  const spn_evidence good = {.of = SPN_EVIDENCE_SCORES,
                             .steps = 481,
                             .networks = 61,
                             .again = 10,
                             .mean = 0.266,
                             .spread = 0.019,
                             .error = 0.0195,
                             .agreement = 0.48,
                             .ce = 2.01,
                             .chance = 2.303,
                             .held_out = 1};
  spn_evidence e = good;
  spn_evidence_text(&e, text);
  CHECK(!strcmp(text,
                "481 training steps, 61 networks scored 26.6 % and differ by 1.9 (standard error 1.9), ranks of 10 "
                "scored again agree by 0.48, held-out CE 2.01 (chance 2.303)"),
        "%s", text);
  spn_evidence_lacks(&e, text);
  CHECK(!text[0], "%s", text);
  e.agreement = NAN;
  spn_evidence_text(&e, text);
  CHECK(!strstr(text, "again"), "%s", text);
  e.steps = 99;
  e.networks = 19;
  e.ce = 2.4;
  spn_evidence_lacks(&e, text);
  CHECK(!strcmp(text,
                "99 training steps, at least 100 are needed, 19 networks scored, at least 20 are needed, CE 2.4, no "
                "better than guessing (2.303)"),
        "%s", text);
}

static const char space_text[] =
    "{\"name\": \"tiny\", \"input\": {\"size\": 8, \"channels\": 1}, \"classes\": 2, \"activation\": \"relu\","
    " \"padding\": \"same\", \"bn\": {\"momentum\": 0.9, \"eps\": 0.001}, \"dropout\": 0.2,"
    " \"stem\": {\"channels\": 8, \"kernel\": 3, \"stride\": 2},"
    " \"stages\": [{\"layers\": 2, \"channels\": 8, \"stride\": 1, \"kernel\": [3, 5], \"expand\": [2, 3]}],"
    " \"head\": {\"channels\": 16}}";

/* Accuracies of an archive, one network asked twice, four of them scored again. */
static void test_archive(void) {
  static const double first[] = {0.5, 0.2, 0.3, 0.4, 0.1, 0.6}, again[] = {0.2, 0.4, 0.3, 0.5};
  spn_space space;
  spn_decisions decisions;
  spn_archive *a;
  spn_evidence e;
  spn_evaluation row = {.answer.loss = NAN};
  spn_err err;
  CHECK_OK(spn_space_parse("tiny", space_text, strlen(space_text), &space, &err), err);
  spn_decisions_of(&space, &decisions);
  CHECK_OK(spn_archive_open(NULL, &space, "ms", &a, NULL, &err), err);
  for (int i = 0; i < 10; i++) {
    /* networks 0, 1, 2, 3, 4 and 0 again, whose last score counts; then 1 to 4 again */
    int network = i < 6 ? i % 5 : i - 5;
    row.rescored = i >= 6;
    row.answer.accuracy = i < 6 ? first[i] : again[i - 6];
    spn_choice_max(&space, &row.choice);
    for (int d = 0; d < 3; d++) spn_decision_set(&space, &decisions.list[d], network >> d & 1, &row.choice);
    CHECK_OK(spn_archive_add(a, &row, &err), err);
  }
  CHECK_OK(spn_scores_evidence(a, &e, &err), err);
  CHECK(e.of == SPN_EVIDENCE_SCORES && e.networks == 5 && e.again == 4, "%d networks, %d again", e.networks, e.again);
  CHECK_NEAR(e.mean, 0.32, 1e-12, "mean of 0.6 0.2 0.3 0.4 0.1");
  CHECK_NEAR(e.spread, sqrt(0.037), 1e-12, "their standard deviation");
  CHECK_NEAR(e.agreement, -0.4, 1e-12, "0.2 0.3 0.4 0.1 against 0.2 0.4 0.3 0.5");
  spn_archive_free(a);
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
  test_scores();
  test_archive();
  test_origin();
  return check_report("test_evidence");
}
