/* All settings of a run. Fields are section_key, from settings.def. */
#ifndef SPN_TRAIN_SETTINGS_H
#define SPN_TRAIN_SETTINGS_H

#include <stdio.h>

#include "core/status.h"
#include "io/json_write.h"
#include "input/input.h"
#include "model/endpoints.h"
#include "train/choices.h"

typedef struct {
#define STRING(section, key, value, help) char section##_##key[1024];
#define CHOICE(section, key, type, list, help) type section##_##key;
#define NAMED(section, key, value, names, help) const char *section##_##key; /* one of names */
#define INT(section, key, value, min, max, unit, help) long long section##_##key;
#define REAL(section, key, value, min, max, unit, help) double section##_##key;
#define BOOL(section, key, value, help) int section##_##key;
#include "train/settings.def"
} spn_settings;

void spn_settings_default(spn_settings *s);
/* Overwrites what the file (or text of one --set a.b=c) names; everything is checked: "file:line:col path: expected,
 * got". */
spn_status spn_settings_load(spn_settings *s, const char *file, spn_err *err);
spn_status spn_settings_set(spn_settings *s, const char *assignment, spn_err *err);
/* The resolved config as a JSON document, and the list for --help (sections: comma-separated or NULL = all). */
void spn_settings_put(const spn_settings *s, spn_json_writer *w);
void spn_settings_help(FILE *out, const char *sections);
/* Whether a comma-separated list of sections (NULL: all) names one. */
int spn_settings_listed(const char *list, const char *section);

/* What there is to say of one setting, in the list's order. */
typedef struct {
  const char *section, *path, *help;
  const char *const *names; /* of a choice, NULL-terminated; or NULL */
  char value[1024];         /* the default, as it would be written after --set path= */
  char range[520];          /* "[integer 1..65536, images]", "[rmsprop|sgd|adam]" */
} spn_setting_about;
int spn_settings_at(int index, spn_setting_about *out); /* 0: there are fewer */
/* A numeric setting (INT, REAL) by its path. SPN_EINPUT: there is none such. */
typedef struct {
  double value, min, max;
  int integer;
} spn_number;
spn_status spn_settings_number(const spn_settings *s, const char *path, spn_number *out, spn_err *err);
/* Name of a CHOICE's value: spn_settings_name("optim.optimizer", s->optim_optimizer) = "rmsprop". */
const char *spn_settings_name(const char *path, int value);

#endif
