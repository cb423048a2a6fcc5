/* Where a network comes from: what a search predicted, and whether it is this network that it predicted it for. Read
 * out of a search's arch.json, kept in every weight file, copied into every export. */
#ifndef SPN_TRAIN_ORIGIN_H
#define SPN_TRAIN_ORIGIN_H

#include "io/json.h"

enum { SPN_ORIGIN_NAME = 1024, SPN_ORIGIN_NOTE = 512, SPN_ORIGIN_FACTS = 2 * 8 };

/* Metadata key of the note in weight files and exports. */
#define SPN_ORIGIN_NOTE_KEY "spnas.note"

typedef struct {
  int searched; /* found by a search, or scaled: its cost was predicted. 0: all else but the note is empty */
  char space[SPN_ORIGIN_NAME], method[SPN_ORIGIN_NAME], cost[SPN_ORIGIN_NAME], unit[16]; /* cost: table, macs, ... */
  double target, predicted;                                                              /* target 0: none */
  char limits[SPN_ORIGIN_NOTE]; /* further costs and their limits, for people; "": none */
  int differs;                  /* `predicted` and `limits` are another network's */
  char note[SPN_ORIGIN_NOTE];   /* what is to be said wherever the network goes, or "" */
} spn_origin;

/* From an arch.json; one without "predicted" is of no search. Its "note" is taken along either way. SPN_EINPUT. */
spn_status spn_origin_read(const spn_json *root, spn_origin *out, spn_err *err);
/* Says that the network is not the predicted one, and what it is: "proxy", "train.width 0.5" give the note
 * "proxy, not the network of 79.5 ms". Nothing for a network of no search. */
void spn_origin_differ(spn_origin *origin, const char *what);
/* Adds to the limits: "params 4.31 of 4.5 Mparams", with a semicolon between. */
void spn_origin_limit(spn_origin *origin, const char *cost, double predicted, double limit, const char *unit);
/* Adds to the note, with a semicolon between. */
void spn_origin_remark(spn_origin *origin, const char *remark);

/* The facts as spn_model_save takes them, without a NULL at the end; returns how many pointers (at most
 * SPN_ORIGIN_FACTS). text is room for numbers; it and origin must live as long as the list. `spnas.predicted` and
 * `spnas.limits` are only there for the predicted network itself. */
typedef struct {
  char predicted[32], target[32];
} spn_origin_text;
int spn_origin_facts(const spn_origin *origin, spn_origin_text *text, const char **facts);

#endif
