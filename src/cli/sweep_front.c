/* The Pareto front of a sweep: front.json, which its page is drawn from, and front.csv. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep.h"
#include "io/file.h"

static double member(const spn_json *root, const char *key) {
  spn_json at = spn_json_get(root, key);
  double value;
  return spn_json_real(&at, 0, 1e15, &value, NULL) ? NAN : value;
}

spn_status spn_sweep_read(const spn_series *s, const char *run, spn_sweep_point *p, spn_err *err) {
  char path[SPN_SERIES_PATH];
  spn_json_doc *doc;
  const char *text;
  SPN_TRY(spn_series_path(s, run, "arch.json", path, err));
  SPN_TRY(spn_json_load(path, &doc, err));
  spn_json root = spn_json_root(doc), blocks = spn_json_get(&root, "mnasnet");
  *p = (spn_sweep_point){.target = member(&root, "target"),
                         .predicted = member(&root, "predicted"),
                         .accuracy = member(&root, "inherited_holdout_top1"),
                         .params = member(&root, "params"),
                         .macs = member(&root, "macs")};
  snprintf(p->run, sizeof p->run, "%s", run);
  if (isnan(p->accuracy)) p->accuracy = member(&root, "accuracy");
  spn_status status = spn_json_string(&blocks, &text, err);
  if (!status && !(p->blocks = strdup(text))) status = spn_fail(err, SPN_ENOMEM, "sweep: out of memory");
  spn_json_free(doc);
  return status;
}

/* On the front: nothing is as cheap and as accurate, and better in one of the two. */
static void find_front(spn_sweep_point *p, int count) {
  for (int i = 0; i < count; i++) {
    p[i].front = !isnan(p[i].accuracy);
    for (int k = 0; k < count; k++) {
      int as_good = p[k].predicted <= p[i].predicted && p[k].accuracy >= p[i].accuracy;
      if (as_good && (p[k].predicted < p[i].predicted || p[k].accuracy > p[i].accuracy)) p[i].front = 0;
    }
  }
}

static void put_point(spn_json_writer *w, const spn_tune_space *tuned, const spn_sweep_point *p) {
  spn_json_object(w, NULL, SPN_JSON_INLINE);
  spn_json_put_text(w, "run", p->run);
  spn_json_put_number(w, "target", p->target);
  spn_json_put_number(w, "predicted", p->predicted);
  spn_json_put_number(w, "accuracy", p->accuracy);
  spn_json_put_flag(w, "front", p->front);
  spn_json_put_number(w, "params", p->params);
  spn_json_put_number(w, "macs", p->macs);
  if (tuned) {
    spn_json_put_number(w, "worth", p->worth);
    spn_json_array(w, "values", SPN_JSON_INLINE);
    for (int i = 0; i < tuned->count; i++) spn_json_put_number(w, NULL, p->value[i]);
    spn_json_end(w);
  }
  spn_json_put_text(w, "blocks", p->blocks);
  spn_json_end(w);
}

static spn_status write_json(const spn_series *s, const spn_tune_space *tuned, const spn_sweep_point *p, int count,
                             spn_err *err) {
  char path[SPN_SERIES_PATH];
  spn_json_writer w = {0};
  SPN_TRY(spn_series_path(s, "", "front.json", path, err));
  spn_json_object(&w, NULL, SPN_JSON_LINES);
  spn_json_put_text(&w, "accuracy", "of the search: inherited weights on held-out images, or the evaluator's answer");
  if (tuned) {
    spn_json_array(&w, "tuned", SPN_JSON_INLINE); /* what the networks' values are of */
    for (int i = 0; i < tuned->count; i++) spn_json_put_text(&w, NULL, tuned->range[i].path);
    spn_json_end(&w);
  }
  spn_json_array(&w, "networks", SPN_JSON_LINES);
  for (int t = 0; t < count; t++)
    if (p[t].blocks) put_point(&w, tuned, &p[t]);
  spn_json_end(&w);
  spn_json_end(&w);
  return spn_json_save(&w, path, err);
}

static void csv_point(FILE *csv, const spn_tune_space *tuned, const spn_sweep_point *p) {
  char target[40] = "", number[32];
  if (!isnan(p->target)) snprintf(target, sizeof target, "%.15g", p->target);
  fprintf(csv, "%s,%s,%.15g,%.6f,%d,%.0f,%.0f,", p->run, target, p->predicted, p->accuracy, p->front, p->params,
          p->macs);
  for (int i = 0; tuned && i < tuned->count; i++) fprintf(csv, "%s,", spn_shortest(p->value[i], number));
  fprintf(csv, "\"%s\"\n", p->blocks);
}

static spn_status write_csv(const spn_series *s, const spn_tune_space *tuned, const spn_sweep_point *p, int count,
                            spn_err *err) {
  char path[SPN_SERIES_PATH], *text = NULL;
  size_t size = 0;
  SPN_TRY(spn_series_path(s, "", "front.csv", path, err));
  FILE *csv = open_memstream(&text, &size);
  if (!csv) return spn_fail(err, SPN_ENOMEM, "sweep: out of memory");
  fprintf(csv, "run,target,predicted,accuracy,front,params,macs,");
  for (int i = 0; tuned && i < tuned->count; i++) fprintf(csv, "%s,", tuned->range[i].path);
  fprintf(csv, "blocks\n");
  for (int t = 0; t < count; t++)
    if (p[t].blocks) csv_point(csv, tuned, &p[t]);
  spn_status status = fclose(csv) ? spn_fail(err, SPN_ENOMEM, "sweep: out of memory") : SPN_OK;
  if (!status) status = spn_file_write(path, text, size, err);
  free(text);
  return status;
}

spn_status spn_sweep_write_front(const spn_series *s, const spn_tune_space *tuned, spn_sweep_point *p, int count,
                                 spn_err *err) {
  find_front(p, count);
  SPN_TRY(write_csv(s, tuned, p, count, err));
  return write_json(s, tuned, p, count, err);
}
