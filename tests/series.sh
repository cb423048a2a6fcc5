#!/bin/sh
# Commands that do many runs: sh series.sh BUILD_DIR
# A comparison of methods, done by two processes, stopped and resumed; a sweep over targets or lambdas from one warm-up; a tuning.
set -u

TESTS=$(cd "$(dirname "$0")" && pwd)
SPNAS=$(cd "$1" && pwd)/spnas
export SPNAS_DATA="$TESTS/../data"
. "$TESTS/shell/harness.sh"

make_data() {
  tiny_data data 40
  cat >space.json <<END
{"name": "tiny", "input": {"size": 16, "channels": 3}, "classes": 10, "activation": "relu", "padding": "same",
 "bn": {"momentum": 0.9, "eps": 0.001}, "dropout": 0.2, "stem": {"channels": 8, "kernel": 3, "stride": 2},
 "stages": [{"layers": 3, "channels": 8, "stride": 1, "kernel": [3, 5], "expand": [2, 3], "skip": true}],
 "head": {"channels": 16}}
END
  # Every network of nas-bench-macro with an accuracy that is made up.
  awk 'function walk(d, code, sum, o) {
         if (d == 9) { printf "%s,%.4f,%.4f\n", code, sum, sum + 0.001; return }
         for (o = (d == 1 || d == 3 || d == 6); o <= 2; o++) walk(d + 1, code o, sum + o * d * 0.002 + (o * d * 7 % 5) * 0.003)
       }
       BEGIN { print "network,accuracy_1,accuracy_2"; walk(1, "", 0.6) }' >table.csv
}

# member FILE PATH: what stands in a JSON file, by Python.
member() { "${PYTHON:-python3}" -c 'import json, sys; print(eval("d" + sys.argv[2], {"d": json.load(open(sys.argv[1]))}))' "$1" "$2"; }

# same A B: two text files without what tells how long something took.
same() {
  sed 's/"seconds": [0-9.e+-]*//; s/,[0-9.]*,\("[^"]*"\)$/,\1/' "$1" >a.txt && sed 's/"seconds": [0-9.e+-]*//; s/,[0-9.]*,\("[^"]*"\)$/,\1/' "$2" >b.txt && cmp a.txt b.txt
}

# ---- Comparing methods ----

table() {
  "$SPNAS" compare --set search.space=nas-bench-macro --set search.cost=flops --set search.evaluator=tabular --set search.table=table.csv \
    --set search.evaluations=30 --set compare.population=10 --set search.limits='params <= 70%' --target 40%,60% --quiet "$@"
}

images() {
  "$SPNAS" compare --data data --set search.space=space.json --set search.cost=macs --target 70% --set search.tolerance=0.3 --set optim.batch=20 \
    --set search.epochs=2 --set search.warmup_epochs=1 --set search.recalibrate=20 --set search.judge=0 --set train.epochs=1 \
    --set compare.methods=gradient,gradient:search.explore=0 --set compare.seeds=2 --set compare.population=3 --reproducible --threads 1 "$@"
}

test_compare_table() {
  run 0 "Welch" table --out compared
  cp log said
  for row in ppo reinforce layernas evolution random "random networks of equal cost"; do check "a row $row" grep -q "$row" said; done
  check "every network is a line" [ "$(wc -l <compared/compare.csv)" -eq $((1 + 2 * (5 * 3 + 10))) ]
  check "a page" [ -s compared/report.html ]
  for arch in compared/search/*/arch.json compared/random/*/arch.json; do
    check "$arch keeps the limit" [ "$(member "$arch" '["limits"][0]["predicted"] <= d["limits"][0]["limit"]')" = True ]
  done
  check "15 tests" [ "$(member compared/compare.json '["tests"].__len__()')" -eq 15 ]
  run 2 "holds a run already" table --out compared
  run 0 "Welch" table --out compared --resume
  run 2 "compare.population is not what" table --out compared --resume --set compare.population=11
  table --out shared --set run.seed=1 >first 2>&1 &
  while [ ! -f shared/config.resolved.json ]; do sleep 0.02; done
  run 0 "Welch" table --out shared --resume
  check "the first process ends too" wait $!
  check "two processes give what one gives" same compared/compare.csv shared/compare.csv
}

test_compare_refused() {
  run 2 'compare.methods: expected each row once' table --out refused --set compare.methods=random,random
  run 2 'compare.methods: expected a row of 1 to' table --out refused --set compare.methods=random,
  run 2 'expected one of "gradient"\|expected "gradient"\|gradient' table --out refused --set compare.methods=randon
  run 2 'learns from images' table --out refused --set compare.methods=gradient
  run 2 'search.targets: expected budgets' table --out refused --target 40,x
  run 2 'search.target: expected' table --out refused --target 40%,1e-9
  run 2 'each budget once' table --out refused --target 40%,40%
  check "nothing is left" [ ! -e refused ]
}

test_compare_images() {
  run 0 "projected\|time still unknown\|by those that are done" images --out trained
  check "four searches" [ "$(find trained/search -name arch.json | wc -l)" -eq 4 ]
  check "three random networks" [ "$(find trained/random -name arch.json | wc -l)" -eq 3 ]
  for run in trained/search/* trained/random/*; do
    [ -d "$run" ] || continue
    check "$run is trained" [ -f "trained/train/$(member "$run/arch.json" '["network"]')/result.json" ]
  done
  check "the row's own setting" [ "$(member trained/search/2-gradient-70%-1/config.resolved.json '["search"]["explore"]')" = 0 ]
  check "and the other's" [ "$(member trained/search/1-gradient-70%-1/config.resolved.json '["search"]["explore"]')" = 0.5 ]
  run 3 "resume goes on" images --out stopped --quiet --set run.max_steps=3
  tries=0
  while [ $tries -lt 60 ] && ! images --out stopped --quiet --set run.max_steps=4 --resume >log 2>&1; do tries=$((tries + 1)); done
  check "stopped again and again: $tries" [ $tries -gt 3 ]
  check "a comparison that was stopped ends alike" same trained/compare.csv stopped/compare.csv
}

# ---- Sweeping targets ----

tiny() {
  "$SPNAS" "$@" --data data --set search.space=space.json --set search.cost=macs --set search.tolerance=0.3 --set optim.batch=20 \
    --set search.epochs=4 --set search.warmup_epochs=1.6 --set search.recalibrate=20 --set search.judge=0 --set search.force=1 \
    --set run.log_steps=1 --reproducible --threads 1
}

limited() { tiny "$@" --set search.limits='params <= 75%'; }

# Each target's search is the one that `spnas search` does by itself, with a warm-up of its own.
test_sweep() {
  run 0 "on the front" limited sweep --target 50%,80% --out swept
  check "one warm-up" [ -f swept/warmup/warmup.json ]
  check "without a network" [ ! -e swept/warmup/arch.json ]
  for share in 50 80; do
    run 0 "found" limited search --set search.target_share=0.$share --out alone$share
    for file in arch.json metrics.jsonl; do check "$share %: the same $file" same swept/$share%/$file alone$share/$file; done
    check "$share %: the same weights" cmp swept/$share%/inherited.safetensors alone$share/inherited.safetensors
  done
  check "a page" [ -s swept/report.html ]
  check "two points" [ "$(wc -l <swept/front.csv)" -eq 3 ]
  check "the cheapest is on the front or as good as the other" \
    [ "$(member swept/front.json '["networks"][0]["front"] or d["networks"][0]["accuracy"] <= d["networks"][1]["accuracy"]')" = True ]
  run 3 "resume goes on" limited sweep --target 50%,80% --out cut --set run.max_steps=3
  check "stopped in the warm-up" [ ! -e cut/warmup/warmup.json ]
  tries=0
  while [ $tries -lt 40 ] && ! tiny sweep --out cut --quiet --set run.max_steps=3 --resume >log 2>&1; do tries=$((tries + 1)); done
  check "stopped again and again: $tries" [ $tries -gt 3 ]
  check "a sweep that was stopped ends alike" cmp swept/front.csv cut/front.csv
  check "with the same weights" cmp swept/80%/inherited.safetensors cut/80%/inherited.safetensors
  run 2 "spnas sweep" tiny search --target 50,80 --out list
  run 2 'search.target: expected' tiny sweep --target 50%,1e-9 --out refused
  check "nothing is left" [ ! -e refused ]
}

# Methods that ask have no warm-up to share.
test_sweep_table() {
  run 0 "on the front" "$SPNAS" sweep --set search.space=nas-bench-macro --set search.cost=flops --set search.evaluator=tabular \
    --set search.table=table.csv --set search.method=evolution --set search.evaluations=50 --target 40%,50%,60% --out fronts --quiet
  check "three points" [ "$(wc -l <fronts/front.csv)" -eq 4 ]
  check "no warm-up" [ ! -e fronts/warmup ]
  check "all on the front: dearer networks are better in this table" [ "$(grep -c ',1,[0-9]*,[0-9]*,"' fronts/front.csv)" -ge 2 ]
}

# Fixed lambdas: no budget; the searches are those that `spnas search` does without one.
test_sweep_lambdas() {
  run 0 "lambda-2 .*\n\|on the front" tiny sweep --lambdas 0,2 --set search.threshold_lr=0.05 --out priced
  check "one warm-up" [ -f priced/warmup/warmup.json ]
  run 0 "no target: by lambda 2 alone" tiny search --set search.lambda=2 --set search.target=0 --set search.threshold_lr=0.05 --out alone-lambda
  for file in arch.json metrics.jsonl; do check "lambda 2: the same $file" same priced/lambda-2/$file alone-lambda/$file; done
  check "a high price buys a cheaper network" \
    [ "$(member priced/front.json '["networks"][1]["predicted"] < d["networks"][0]["predicted"]')" = True ]
  check "no target" [ "$(member priced/lambda-2/arch.json '["target"]')" = None ]
  check "a page" grep -q '"lambda-2"' priced/report.html
  run 0 "predicted .*macs)" "$SPNAS" train --arch priced/lambda-2/arch.json --data data --set train.variant=proxy --set train.epochs=1 --out priced/t --quiet
  run 0 "lambda-2 " tiny sweep --target 60% --lambdas 2 --out both --quiet
  check "targets and lambdas together" [ "$(wc -l <both/front.csv)" -eq 3 ]
  run 2 "search.lambdas: expected values of search.lambda" tiny sweep --lambdas 0.1,x --out refused
  run 2 "expected each value once" tiny sweep --lambdas 0.1,0.10 --out refused
  run 2 "has no cost term" tiny sweep --lambdas 0.1 --set search.method=random --out refused
  run 2 "search.cost_form: expected log or ratio" tiny sweep --lambdas 0.1 --set search.cost_form=hinge --out refused
  run 2 "search.target: expected" tiny search --set search.target=0 --out refused
  check "nothing is left" [ ! -e refused ]
}

# ---- Tuning ----

tune_table() {
  "$SPNAS" sweep --set search.space=nas-bench-macro --set search.cost=flops --set search.evaluator=tabular --set search.table=table.csv \
    --set search.method=evolution --set search.evaluations=40 --target 40% --tune search.population=2..40,search.tournament=1..20 --quiet "$@"
}

# Trials follow from the seed and the trials before, whoever does them and however often they are stopped.
test_tune_table() {
  run 0 "best  *trial-0.*as given" tune_table --trials 9 --out tuned
  check "nine trials" [ "$(wc -l <tuned/front.csv)" -eq 10 ]
  check "the first is as given" grep -q "^trial-001,.*,10,3," tuned/front.csv
  best=$(sed -n 's/^best  *\(trial-[0-9]*\):.*/\1/p' log)
  check "no trial is better" [ "$(member tuned/front.json '["networks"].__len__() == 9 and max(d["networks"], key=lambda n: n["worth"])["accuracy"]')" = \
    "$(member "tuned/$best/trial.json" '["worth"]')" ]
  run 0 "found" "$SPNAS" search --config tuned/best.json --set search.space=nas-bench-macro --set search.cost=flops --set search.evaluator=tabular \
    --set search.table=table.csv --set search.method=evolution --set search.evaluations=40 --set search.target_share=0.4 --out by-best
  check "best.json repeats the best trial" same by-best/arch.json "tuned/$best/arch.json"
  run 0 "best" tune_table --trials 6 --out longer
  rm -r longer/trial-005 longer/trial-006/trial.json
  run 0 "best" tune_table --trials 9 --out longer --resume
  check "more trials, and lost ones, are those of a tuning in one go" same tuned/front.csv longer/front.csv
  tune_table --trials 9 --out joined >first 2>&1 &
  while [ ! -f joined/config.resolved.json ]; do sleep 0.02; done
  run 0 "best" tune_table --trials 9 --out joined --resume
  check "the first process ends too" wait $!
  check "two processes give what one gives" same tuned/front.csv joined/front.csv
  run 2 "one target" tune_table --out refused --target 40%,50%
  run 2 "did you mean search.population" tune_table --out refused --tune search.populatio=2..3
  run 2 "learns from images" "$SPNAS" sweep --set search.space=nas-bench-macro --set search.table=table.csv --target 40% --tune search.explore=0..1 --out refused
  check "nothing is left" [ ! -e refused ]
}

# Of a gradient search: from one warm-up where the settings come after it, each trial what `spnas search` finds with them; stopped and resumed.
test_tune_images() {
  run 0 "as given" tiny sweep --target 70% --tune search.threshold_lr=0.003..0.3,search.explore=0.1..0.9 --trials 4 --out learnt --quiet
  check "one warm-up" [ -f learnt/warmup/warmup.json ]
  run 0 "found" tiny search --set search.target_share=0.7 --out alone-tuned \
    --set search.explore="$(member learnt/trial-003/trial.json '["settings"]["search.explore"]')" \
    --set search.threshold_lr="$(member learnt/trial-003/trial.json '["settings"]["search.threshold_lr"]')"
  for file in arch.json metrics.jsonl; do check "a trial is a search: $file" same learnt/trial-003/$file alone-tuned/$file; done
  tries=0
  run 3 "resume goes on" tiny sweep --target 70% --tune search.threshold_lr=0.003..0.3,search.explore=0.1..0.9 --trials 4 --out halted --set run.max_steps=20
  while [ $tries -lt 40 ] && ! tiny sweep --out halted --quiet --set run.max_steps=20 --resume >log 2>&1; do tries=$((tries + 1)); done
  check "stopped again and again: $tries" [ $tries -gt 1 ]
  check "a tuning that was stopped ends alike" cmp learnt/front.csv halted/front.csv
  run 0 "reward" tiny sweep --target 70% --tune search.lambda=0..4 --set search.reward=soft --trials 3 --out by-reward --quiet
  check "the reward, not the accuracy" [ "$(member by-reward/front.json '["networks"][0]["worth"] != d["networks"][0]["accuracy"]')" = True ]
  run 0 "failed" tiny sweep --target 70% --tune optim.lr=100..1000 --set optim.lr_warmup_epochs=0 --set optim.optimizer=sgd --trials 4 --out diverged --quiet
  check "each with a warm-up of its own" [ ! -e diverged/warmup ]
  run 2 "from 0 on" tiny sweep --target 70% --tune search.lambda=-1..4 --out refused
}

make_data
test_sweep
test_sweep_lambdas
test_tune_table
test_tune_images
test_sweep_table
test_compare_table
test_compare_refused
test_compare_images
finish series.sh
