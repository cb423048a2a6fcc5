#include "search/choices.h"

#include <stdlib.h>
#include <string.h>

/* ---- Codes ---- */

void spn_code_of(const spn_decisions *decisions, const spn_choice *choice, spn_code *out) {
  for (int i = 0; i < decisions->count; i++) {
    const spn_decision *d = &decisions->list[i];
    out->text[i] = (char)('0' + (spn_decision_matters(d, choice) ? spn_decision_get(d, choice) : 0));
  }
  out->text[decisions->count] = 0;
}

int spn_code_read(const spn_space *space, const spn_decisions *decisions, const char *text, spn_choice *out) {
  spn_code again;
  spn_choice_max(space, out);
  if (strlen(text) != (size_t)decisions->count) return 0;
  for (int i = 0; i < decisions->count; i++) {
    int option = text[i] - '0';
    if (option < 0 || option >= decisions->list[i].options) return 0;
    spn_decision_set(space, &decisions->list[i], option, out);
  }
  spn_code_of(decisions, out, &again);
  return !strcmp(again.text, text);
}

/* ---- Map: open addressing, at most half full ---- */

typedef struct {
  spn_choice choice;
  size_t number;
} entry;

struct spn_choice_map {
  size_t count, room;  /* entries */
  entry *list;         /* in the order of arrival */
  size_t slots, *slot; /* a power of two; place in the list + 1, or 0 */
};

spn_choice_map *spn_choice_map_new(void) { return calloc(1, sizeof(spn_choice_map)); }

void spn_choice_map_free(spn_choice_map *map) {
  if (!map) return;
  free(map->list);
  free(map->slot);
  free(map);
}

/* FNV-1a (Fowler, Noll, Vo) over the options. */
static uint64_t hash(const spn_choice *c) {
  uint64_t h = 14695981039346656037u;
  for (int i = 0; i < c->layers; i++)
    for (int kind = 0; kind < SPN_DECISION_KINDS; kind++)
      h = (h ^ (unsigned char)c->layer[i].option[kind]) * 1099511628211u;
  return h ^ h >> 29;
}

/* The network's slot, or the free one where it belongs. */
static size_t place(const spn_choice_map *map, const spn_choice *choice) {
  size_t at = (size_t)hash(choice) & (map->slots - 1);
  while (map->slot[at] && !spn_choice_equal(&map->list[map->slot[at] - 1].choice, choice))
    at = (at + 1) & (map->slots - 1);
  return at;
}

static spn_status grow(spn_choice_map *map, spn_err *err) {
  size_t room = map->room ? 2 * map->room : 64;
  entry *list = realloc(map->list, room * sizeof *list);
  if (list) map->list = list;
  size_t *slot = list ? calloc(2 * room, sizeof *slot) : NULL;
  if (!slot) return spn_fail(err, SPN_ENOMEM, "networks: out of memory");
  free(map->slot);
  map->slot = slot;
  map->room = room;
  map->slots = 2 * room;
  for (size_t i = 0; i < map->count; i++) map->slot[place(map, &map->list[i].choice)] = i + 1;
  return SPN_OK;
}

spn_status spn_choice_map_put(spn_choice_map *map, const spn_choice *choice, size_t number, spn_err *err) {
  if (map->count == map->room) SPN_TRY(grow(map, err));
  size_t at = place(map, choice);
  if (!map->slot[at]) {
    map->list[map->count].choice = *choice;
    map->slot[at] = ++map->count;
  }
  map->list[map->slot[at] - 1].number = number;
  return SPN_OK;
}

int spn_choice_map_find(const spn_choice_map *map, const spn_choice *choice, size_t *number) {
  if (!map->count) return 0;
  size_t at = place(map, choice);
  if (!map->slot[at]) return 0;
  *number = map->list[map->slot[at] - 1].number;
  return 1;
}
