#!/bin/sh
# Every search method from the command line, on images and on a table: sh methods.sh BUILD_DIR
# Each ends within its budget; a run that is killed in the middle and resumed leaves the same files.
set -u

TESTS=$(cd "$(dirname "$0")" && pwd)
SPNAS=$(cd "$1" && pwd)/spnas
export SPNAS_DATA="$TESTS/../data"
. "$TESTS/shell/harness.sh"
LIMITED="timeout 120"
IMAGES=3200     # budget of a search on images: so many that LayerNAS comes to every layer
EVALUATIONS=40  # of one on the table
TIED=1600       # of one on images where a stage is decided as a whole
TRAINED_ALONE=3 # of one whose networks are trained by themselves

make_inputs() {
  tiny_data data 40
  # Every network of nas-bench-macro with an accuracy that is made up.
  awk 'function walk(d, code, sum, o) {
         if (d == 9) { printf "%s,%.4f\n", code, sum; return }
         for (o = (d == 1 || d == 3 || d == 6); o <= 2; o++) walk(d + 1, code o, sum + o * d * 0.002 + (o * d * 7 % 5) * 0.003)
       }
       BEGIN { print "network,accuracy"; walk(1, "", 0.6) }' >table.csv
  cat >images.json <<END
{"data": {"path": "data", "max_train": 160, "max_test": 20, "holdout": 0.2}, "run": {"threads": 1, "log_steps": 2, "checkpoint_steps": 2},
 "optim": {"batch": 16},
 "search": {"space": "singlepath", "target": 80, "proxy_size": 8, "proxy_width": 0.05, "budget": $IMAGES, "force": true,
            "recalibrate": 32, "samples": 4, "score_images": 16, "norm_images": 16}}
END
  cat >table.json <<END
{"run": {"checkpoint_steps": 5},
 "search": {"space": "nas-bench-macro", "cost": "flops", "target_share": 0.5, "evaluator": "tabular", "table": "table.csv",
            "evaluations": $EVALUATIONS, "samples": 4}}
END
  # A stage's options that no mask nests, networks trained one by one.
  sed -e 's/"singlepath", "target": 80/"mnasnet", "cost": "macs", "target_share": 0.5, "tolerance": 0.5/' -e 's/"max_train": 160/"max_train": 60/' \
    -e "s/\"budget\": $IMAGES/\"evaluator\": \"scratch\", \"scratch_epochs\": 1, \"top\": 0, \"evaluations\": $TRAINED_ALONE/" images.json >alone.json
}

# The same space with shared weights.
make_tied() {
  sed -e 's/"singlepath", "target": 80/"mnasnet", "cost": "macs", "target_share": 0.5, "tolerance": 0.5/' -e "s/\"budget\": $IMAGES/\"budget\": $TIED/" \
    images.json >tied.json
}

# member FILE NAME: a number of a JSON file that stands on a line of its own
member() { sed -n "s/^ *\"$2\": \\([0-9.e+-]*\\),*$/\\1/p" "$1"; }

# used FILE: images of the archive's last line
used() { sed -n '$s/.*"images_trained": \([0-9]*\), "images_evaluated": \([0-9]*\).*/\1 \2/p' "$1" | awk '{ print $1 + $2 }'; }

# within LEAST NUMBER MOST
within() { echo "$1 $2 $3" | awk '{ exit !(NF == 3 && $1 <= $2 && $2 <= $3) }'; }

# without_time FILE
without_time() { sed -e '/^ *"seconds"/d' -e 's/, "seconds".*//' "$1"; }

# same A B: what two searches left
same() {
  for file in arch.json archive.jsonl metrics.jsonl; do
    [ -e "$1/$file" ] || [ -e "$2/$file" ] || continue
    without_time "$1/$file" >a.txt && without_time "$2/$file" >b.txt && cmp a.txt b.txt || return 1
  done
  [ ! -e "$1/inherited.safetensors" ] || cmp "$1/inherited.safetensors" "$2/inherited.safetensors"
}

# killed FILE LINES COMMAND...: kills the command once the file has so many lines; 1: it ended before.
killed() {
  file=$1
  lines=$2
  shift 2
  "$@" >killed.log 2>&1 &
  pid=$!
  while kill -0 $pid 2>/dev/null && [ "$(cat "$file" 2>/dev/null | wc -l)" -lt "$lines" ]; do sleep 0.01; done
  kill -9 $pid 2>/dev/null
  wait $pid 2>/dev/null
  [ $? -eq 137 ]
}

# test_method CONFIG METHOD FILE LINES: to the end; then killed when FILE has so many lines, and resumed.
test_method() {
  name=${1%.json}-$2
  run 0 'found  *[ck]' "$SPNAS" search --config "$1" --set search.method="$2" --out "$name" --quiet
  if killed "part/$3" "$4" "$SPNAS" search --config "$1" --set search.method="$2" --out part --quiet; then KILLED=$((KILLED + 1)); fi
  [ -e part ] || fail "$name: $(cat killed.log)"
  run 0 'found  *[ck]' "$SPNAS" search --resume --out part --quiet
  check "$name: killed and resumed, the same files" same "$name" part
  rm -rf part
}

test_images() {
  for method in gradient ppo reinforce layernas evolution random; do
    file=archive.jsonl
    [ $method != gradient ] || file=metrics.jsonl
    test_method images.json $method $file 12
    check "$method: no more images than it may process, and hardly fewer" within $((IMAGES * 9 / 10)) "$(member images-$method/arch.json images)" $IMAGES
    [ $method != gradient ] || continue
    check "$method: so the archive says" within 1 "$(used images-$method/archive.jsonl)" $IMAGES
    check "$method: the last answers are those of the final weights" grep -q '"rescored": true' images-$method/archive.jsonl
    check "$method: its training is on record" grep -q '"ce"' images-$method/metrics.jsonl
  done
}

test_table() {
  for method in ppo reinforce layernas evolution random; do
    test_method table.json $method archive.jsonl 20
    check "$method: no more evaluations than it may ask for" within 10 "$(member table-$method/arch.json evaluations)" $EVALUATIONS
    check "$method: each network once" [ -z "$(sed -n 's/.*"network": "\([0-9]*\)".*/\1/p' table-$method/archive.jsonl | sort | uniq -d)" ]
  done
  run 2 'search.table: expected a method that asks' "$SPNAS" search --config table.json --set search.method=gradient --out refused
  check "nothing is left of it" [ ! -e refused ]
}

test_alone() {
  for method in ppo evolution; do
    test_method alone.json $method archive.jsonl 2
    check "$method: so many networks were trained" within $TRAINED_ALONE "$(member alone-$method/arch.json evaluations)" $TRAINED_ALONE
  done
}

test_tied() {
  for method in gradient ppo reinforce layernas evolution random; do
    file=archive.jsonl
    [ $method != gradient ] || file=metrics.jsonl
    test_method tied.json $method $file 6
    check "$method: no more images than it may process" within $((TIED / 2)) "$(member tied-$method/arch.json images)" $TIED
    check "$method: its weights are inherited" [ -s tied-$method/inherited.safetensors ]
    check "$method: it meets the target" within 1 "$(member tied-$method/arch.json predicted)" "$(member tied-$method/arch.json target)"
  done
}

make_inputs
make_tied
KILLED=0
test_images
test_tied
test_table
test_alone
check "$KILLED runs were killed in their midst" [ $KILLED -ge 6 ]
finish methods
