#!/bin/sh
# The README's table "to add X write Y", counted: sh extend.sh BUILD_DIR
# A copy of the tree gets a toy of every kind of extension that is a file, a line, or both; it is built once, and every toy
# is used as a user would. Where there is a page about an extension, the toy is the page's own example, and the page's
# commands are run. One more toy: its name in TOYS, add_<toy> with `follow`, or `new_file` and `new_line`, and use_<toy>.
set -u

TESTS=$(cd "$(dirname "$0")" && pwd)
ROOT=$(dirname "$TESTS")
CACHE=$(cd "$1" && pwd)/CMakeCache.txt
. "$TESTS/shell/harness.sh"
TREE=$WORK/tree
SPNAS=$TREE/build/spnas
TOYS="dataset exporter command setting space method op"
FILES=0
LINES=0
export SPNAS_DATA="$TREE/data"

# new_file FILE <TEXT
new_file() {
  check "$1 is new" [ ! -e "$TREE/$1" ]
  cat >"$TREE/$1"
  FILES=$((FILES + 1))
}

# new_lines FILE PATTERN <LINES: lines before the first line of an existing file that matches.
new_lines() {
  cat >"$WORK/lines"
  awk -v entry="$2" -v lines="$WORK/lines" '$0 ~ entry && !done { while ((getline line < lines) > 0) print line; done = 1 } { print }' \
    "$ROOT/$1" >"$TREE/$1"
  check "README names $1" grep -F "$1" "$ROOT/README.md"
  LINES=$((LINES + $(wc -l <"$WORK/lines")))
}

# new_line LIST LINE [PATTERN]: a line before the first entry of an existing list (that matches PATTERN).
new_line() {
  echo "$2" >"$WORK/line" # no pipe: it would count in another shell
  new_lines "$1" "${3:-^SPN_}" <"$WORK/line"
}

# follow PAGE: does what the page says. A block below "`FILE`:" becomes that file; where there is such a file its lines go before
# the first entry of that list, or below "`FILE`, before `TEXT`:" before the line that begins so. Blocks of commands are kept for `try`.
follow() {
  check "README links $1" grep -F "($1)" "$ROOT/README.md"
  rm -rf "$WORK/blocks"
  mkdir -p "$WORK/blocks" "$WORK/try"
  awk -v to="$WORK/blocks/" -v commands="$WORK/try/$(echo "$1" | tr / -)" '
    /^```/ { if (open) { open = 0; if (kind == "c") file = before = ""; next }
             open = 1; kind = substr($0, 4)
             if (kind == "c") { name = to sprintf("%02d", ++n); print file >name ".file"; print before >name ".before"; printf "" >name ".text" }
             next }
    open && kind == "c" { print >name ".text" }
    open && kind == "sh" { print >commands }
    !open && /^`[^`]+`(, before `[^`]+`)?:$/ { split($0, part, "`"); file = part[2]; before = part[4] }' "$ROOT/$1"
  for block in "$WORK/blocks"/*.file; do
    file=$(cat "$block")
    before=$(sed 's/[*/.()]/[&]/g; s/^/^/' "${block%.file}.before")
    [ "$before" != "^" ] || before="^SPN_"
    if [ -e "$ROOT/$file" ]; then new_lines "$file" "$before" <"${block%.file}.text"
    else new_file "$file" <"${block%.file}.text"
    fi
  done
}

# try_page PAGE: runs the page's commands, in $WORK with the built program.
try_page() {
  # shellcheck disable=SC2016 # the inner shell expands
  check "the commands of $1" env PATH="$TREE/build:$PATH" sh -c 'cd "$1" && set -e && . "$2"' - "$WORK" "$WORK/try/$(echo "$1" | tr / -)"
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
  mkdir -p "$WORK/any"
  run 2 'a name that ends with .toy' train --data "$WORK/any" --out "$WORK/refused"
  run 2 'data.kind: expected one of .*toy.*, got "tyo"' train --set data.kind=tyo --out "$WORK/refused"
  run 0 '|toy|' "$SPNAS" train --help
}

add_exporter() { follow src/export/README.md; }

use_exporter() {
  mkdir -p "$WORK/runs"
  cp -r "$WORK/found" "$WORK/runs/t"
  try_page src/export/README.md
  check "the toy's text" grep 'takes 16 pixels' "$WORK/net.toy"
  check "by its name, the same" cmp "$WORK/net.toy" "$WORK/other.toy"
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

# A method and the evaluator that it asks.
add_method() { follow src/search/ADDING.md; }

use_method() {
  try_page src/search/ADDING.md
  check "arch.json names it" grep '"method": "toy"' "$WORK/runs/toy/arch.json"
  check "the archive has its answers" grep '"evaluation": 10' "$WORK/runs/toy/archive.jsonl"
  check "it is within the target" awk '/"target":/ { target = $2 + 0 } /"predicted":/ { exit !($2 + 0 <= target && $2 + 0 > 0.9 * target) }' "$WORK/runs/toy/arch.json"
  run 0 'toy  *climbs' "$SPNAS" search --help
  run 0 'price  *the price of a network' "$SPNAS" search --help
  run 2 'search.method: expected one of .*toy.*, got "tyo"' "$SPNAS" search --set search.method=tyo --out "$WORK/refused"
}

# No network has it, so its gradient case is all its use; without the case the tests do not link.
add_op() { follow src/graph/ops/README.md; }

use_op() {
  check "the gradient case is built" cmake --build "$TREE/build" -j2 --target grad_ops
  run 0 'grad_ops: .* 0 failed' "$TREE/build/grad_ops"
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
  cmake -S "$TREE" -B "$TREE/build" -DSPN_WERROR=ON -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE=-O1 \
    "-DCMAKE_C_COMPILER=$(cached CMAKE_C_COMPILER)" "-DCMAKE_PREFIX_PATH=$(cached CMAKE_PREFIX_PATH)" &&
    cmake --build "$TREE/build" -j2 --target spnas >build.log 2>&1 || { grep -A3 -i error build.log; false; }
}

copy_tree
for toy in $TOYS; do add_$toy; done
count_touched
check "the tree with its toys is built" build_tree
for toy in $TOYS; do use_$toy; done
finish extend
