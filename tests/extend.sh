#!/bin/sh
# The README's table "to add X write Y", counted: sh extend.sh BUILD_DIR
# A copy of the tree gets a toy of every kind of extension that is a file, a line, or both; it is built once, and every toy
# is used as a user would. One more toy: its name in TOYS, add_<toy> with `new_file` and `new_line`, and use_<toy>.
set -u

TESTS=$(cd "$(dirname "$0")" && pwd)
ROOT=$(dirname "$TESTS")
CACHE=$(cd "$1" && pwd)/CMakeCache.txt
. "$TESTS/shell/harness.sh"
TREE=$WORK/tree
SPNAS=$TREE/build/spnas
TOYS="dataset exporter command setting space method evaluator"
FILES=0
LINES=0
export SPNAS_DATA="$TREE/data"

# new_file FILE <TEXT
new_file() {
  check "$1 is new" [ ! -e "$TREE/$1" ]
  cat >"$TREE/$1"
  FILES=$((FILES + 1))
}

# new_line LIST LINE [PATTERN]: a line before the first entry of an existing list (that matches PATTERN).
new_line() {
  awk -v line="$2" -v entry="${3:-^SPN_}" '$0 ~ entry && !done { print line; done = 1 } { print }' "$ROOT/$1" >"$TREE/$1"
  check "README names $1" grep -F "$1" "$ROOT/README.md"
  LINES=$((LINES + 1))
}

# ---- Toys ----

# Forty images of 16x16 for every file whose name ends with .toy: dark ones and bright ones.
add_dataset() {
  new_line src/input/datasets.def 'SPN_DATASET(toy)'
  new_file src/input/dataset_toy.c <<'END'
#include <stdlib.h>
#include <string.h>

#include "input/dataset.h"

enum { TRAIN = 40, TEST = 8, SIDE = 16, BYTES = SIDE * SIDE * 3 };

static int found(const char *path) {
  size_t n = strlen(path);
  return n > 4 && !strcmp(path + n - 4, ".toy");
}

static spn_status read_toy(spn_dataset *set, spn_err *err) {
  spn_names names = {0};
  set->train_count = TRAIN;
  set->count = TRAIN + TEST;
  set->labels = calloc(set->count, sizeof *set->labels);
  set->name_at = calloc(set->count, sizeof *set->name_at);
  if (!set->labels || !set->name_at) return spn_fail(err, SPN_ENOMEM, "out of memory");
  for (size_t i = 0; i < set->count; i++) {
    set->labels[i] = (int32_t)(i % 2);
    if (spn_names_add(&names, "toy", &set->name_at[i])) return spn_fail(err, SPN_ENOMEM, "out of memory");
    set->names = names.text;
  }
  return spn_classes_number(set, 2, err);
}

static spn_status image(spn_dataset *set, uint32_t item, int max_side, spn_image *out, spn_err *err) {
  *out = (spn_image){.owned = malloc(BYTES), .h = SIDE, .w = SIDE, .channels = 3};
  if (!out->owned) return spn_fail(err, SPN_ENOMEM, "out of memory");
  for (int i = 0; i < BYTES; i++) out->owned[i] = (unsigned char)(set->labels[item] * 180 + (i + (int)item) % 50);
  out->pixels = out->owned;
  return SPN_OK;
}

const spn_dataset_reader spn_reader_toy = {
    .expects = "a name that ends with .toy", .found = found, .read = read_toy, .image = image, .decodes = 1};
END
}

train() {
  "$SPNAS" train --arch "ds_r1_k3_s1_c16_noskip | ir_r1_k3_s2_e3_c24" --set train.size=16 --set train.width=0.25 \
    --set train.epochs=2 --set optim.batch=8 --set optim.lr_warmup_epochs=0 --threads 1 "$@"
}

use_dataset() {
  : >"$WORK/images.toy"
  run 0 'toy data, 36 training, 4 held-out, 8 test images' train --data "$WORK/images.toy" --out "$WORK/found"
  run 0 'test  *top-1' train --data "$WORK/any" --set data.kind=toy --out "$WORK/named"
  check "recognised or named, the same images" cmp "$WORK/found/metrics.jsonl" "$WORK/named/metrics.jsonl"
  run 0 'wrote' "$SPNAS" pack --data "$WORK/images.toy" --out "$WORK/toy.pack"
  run 0 'pack data, 36 training' train --data "$WORK/toy.pack" --out "$WORK/packed"
  check "packed, the same images" cmp "$WORK/found/metrics.jsonl" "$WORK/packed/metrics.jsonl"
  run 2 'a name that ends with .toy' train --data "$WORK/any" --out "$WORK/refused"
  run 2 'data.kind: expected one of .*toy.*, got "tyo"' train --set data.kind=tyo --out "$WORK/refused"
  run 0 '|toy|' "$SPNAS" train --help
}

# The network's name and input size in one line.
add_exporter() {
  new_line src/export/exporters.def 'SPN_EXPORTER(toy)'
  new_file src/export/toy.c <<'END'
#include <stdio.h>
#include <string.h>

#include "export/export.h"
#include "io/file.h"

static spn_status write_toy(const spn_arch *arch, const spn_tensors *weights, const spn_export_options *options,
                            const char *path, spn_err *err) {
  char text[128];
  snprintf(text, sizeof text, "%.64s takes %d pixels\n", arch->name, arch->input_size);
  return spn_file_write(path, text, strlen(text), err);
}

const spn_exporter spn_exporter_toy = {.suffix = ".toy", .about = "One line of text", .write = write_toy};
END
}

use_exporter() {
  run 0 'wrote .*net.toy (toy)' "$SPNAS" export "$WORK/found/best.safetensors" --format toy --out "$WORK/net.toy"
  check "the toy's text" grep 'takes 16 pixels' "$WORK/net.toy"
  run 0 '(toy)' "$SPNAS" export "$WORK/found/best.safetensors" --set export.format=toy --out "$WORK/net.toy"
  run 0 'toy  *.toy  *One line of text' "$SPNAS" export --help
  run 2 'export.format: expected one of .*toy.*, got "tyo"' "$SPNAS" export x --format tyo --out y
}

add_command() {
  new_line src/cli/commands.def 'SPN_COMMAND(toy)'
  new_file src/cli/cmd_toy.c <<'END'
#include <stdio.h>

#include "cli/cli.h"

static spn_status command(const spn_arguments *a, spn_err *err) {
  printf("batches of %lld\n", a->settings.optim_batch);
  return SPN_OK;
}

const spn_command spn_cmd_toy = {
    .about = "Tells a batch's size.", .usage = "spnas toy\n", .sections = "optim", .takes = "", .run = command};
END
}

use_command() {
  run 0 'toy .*Tells a batch' "$SPNAS" --help
  run 0 'usage: spnas toy' "$SPNAS" toy --help
  run 0 'batches of 7' "$SPNAS" toy --set optim.batch=7
}

add_setting() {
  new_line src/train/settings.def 'INT   (optim, toy, 3, 0, 9, "toys", "a toy")' '^[A-Z]+ *\\(optim,'
}

use_setting() {
  run 0 'optim.toy  *3  *a toy \[integer 0..9, toys\]' "$SPNAS" train --help
  run 2 'optim.toy: expected an integer from 0 to 9, got "10"' train --set optim.toy=10 --out "$WORK/refused"
  run 0 'test  *top-1' train --data "$WORK/images.toy" --set optim.toy=7 --out "$WORK/set"
  check "the run keeps it" grep '"toy": 7' "$WORK/set/config.resolved.json"
}

# The demo's space under another name.
add_space() {
  sed 's/"name": *"demo"/"name": "toy"/' "$ROOT/data/spaces/demo.json" >"$WORK/space.json"
  new_file data/spaces/toy.json <"$WORK/space.json"
}

use_space() {
  run 0 '10^' "$SPNAS" info toy --set search.cost=macs
}

# The dearest network that may be skipped nowhere, whatever the budget.
add_method() {
  new_line src/search/methods.def 'SPN_METHOD(toy)'
  new_file src/search/toy.c <<'END'
#include "search/outcome.h"

static spn_status run(const spn_problem *p, spn_search_result *out, spn_err *err) {
  spn_choice_max(p->space, &out->choice);
  out->cost = spn_cost_of(p->cost, &out->choice);
  out->within = out->cost >= p->low && out->cost <= p->target;
  return spn_outcome_write(p, out, NULL, NULL, err);
}

const spn_method spn_method_toy = {.about = "the dearest network", .run = run};
END
}

search() { "$SPNAS" search --data "$WORK/images.toy" --set search.space=demo --set search.cost=macs --set search.target_share=1 --set optim.batch=8 "$@"; }

use_method() {
  run 0 'found  *k3e1 k5e6' search --set search.method=toy --out "$WORK/method"
  check "arch.json names it" grep '"method": "toy"' "$WORK/method/arch.json"
  run 0 'toy  *the dearest network' "$SPNAS" search --help
  run 2 'search.method: expected one of .*toy.*, got "tyo"' search --set search.method=tyo --out "$WORK/refused"
}

# Dear networks are accurate.
add_evaluator() {
  new_line src/search/evaluators.def 'SPN_EVALUATOR(price)'
  new_file src/search/price.c <<'END'
#include "search/evaluator.h"

static spn_status open_price(const spn_problem *problem, void **out, spn_err *err) {
  *out = (void *)problem->cost;
  return SPN_OK;
}

static void close_price(void *own) {}

static spn_status answer(void *own, const spn_choice *choice, spn_answer *out, spn_images *images, spn_err *err) {
  out->accuracy = spn_cost_of(own, choice) / 1e6;
  return SPN_OK;
}

const spn_evaluator spn_evaluator_price = {
    .about = "the price of a network", .settled = 1, .open = open_price, .close = close_price, .answer = answer};
END
}

use_evaluator() {
  run 0 'target .*, met' "$SPNAS" search --set search.space=demo --set search.cost=macs --set search.target_share=0.5 \
    --set search.method=evolution --set search.evaluator=price --out "$WORK/priced"
  check "the archive has its answers" grep '"evaluation": 200' "$WORK/priced/archive.jsonl"
  run 0 'price  *the price of a network' "$SPNAS" search --help
}

# ---- The copy ----

copy_tree() {
  mkdir "$TREE"
  tar -C "$ROOT" -cf - --exclude=.git --exclude='./build*' --exclude=./runs . | tar -C "$TREE" -xf -
  cp -r "$TREE" "$WORK/before"
}

# The new files and the added lines, and nothing else.
count_touched() {
  (cd "$WORK" && diff -r before tree) >"$WORK/diff"
  check "$LINES lines added" [ "$(grep -c '^>' "$WORK/diff")" -eq $LINES ]
  check "no line taken away" [ "$(grep -c '^<' "$WORK/diff")" -eq 0 ]
  check "$FILES new files" [ "$(grep -c '^Only in tree' "$WORK/diff")" -eq $FILES ]
}

# cached NAME: what the given build was configured with.
cached() { sed -n "s/^$1:[A-Z]*=//p" "$CACHE"; }

build_tree() {
  cmake -S "$TREE" -B "$TREE/build" -DSPN_TESTS=OFF -DSPN_WERROR=ON -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE=-O1 \
    "-DCMAKE_C_COMPILER=$(cached CMAKE_C_COMPILER)" "-DCMAKE_PREFIX_PATH=$(cached CMAKE_PREFIX_PATH)" &&
    cmake --build "$TREE/build" -j2 --target spnas >build.log 2>&1 || { grep -A3 -i error build.log; false; }
}

copy_tree
for toy in $TOYS; do add_$toy; done
count_touched
check "the tree with its toys is built" build_tree
for toy in $TOYS; do use_$toy; done
finish extend
