#!/bin/sh
# Signals end every command in time, and runs go on from their folder alone: sh stop.sh BUILD_DIR
# tests/test_stop.c stops at every look of every phase; here the program is started and signalled as by a user.
set -u

TESTS=$(cd "$(dirname "$0")" && pwd)
SPNAS=$(cd "$1" && pwd)/spnas
. "$TESTS/shell/harness.sh"
export SPNAS_DATA="$TESTS/../data"
LIMIT=4     # seconds from the signal to the end: one, and room for a busy machine
PATIENCE=60 # seconds until what is waited for must have come
LIMITED="timeout $PATIENCE"

make_data() {
  tiny_data data 400
  mkdir elsewhere many
  cp data/* many
  for i in $(seq 40); do cat data/test_batch.bin; done >many/test_batch.bin
  cat >space.json <<TEXT
{"name": "tiny", "input": {"size": 32, "channels": 3}, "classes": 10, "activation": "relu", "padding": "same",
 "bn": {"momentum": 0.9, "eps": 0.001}, "dropout": 0.2, "stem": {"channels": 8, "kernel": 3, "stride": 2},
 "stages": [{"layers": 1, "channels": 8, "stride": 1, "kernel": [3], "expand": [1]},
            {"layers": 2, "channels": 16, "stride": 2, "kernel": [3, 5], "expand": [3, 6], "skip": true}],
 "head": {"channels": 32}, "proxy": {"size": 16, "stem_stride": 1, "strides": [1, 2]}}
TEXT
  cat >search.json <<TEXT
{"data": {"path": "data"}, "optim": {"batch": 20},
 "search": {"space": "./space.json", "cost": "macs", "target_share": 0.6, "epochs": 3, "warmup_epochs": 1, "recalibrate": 60, "force": true}}
TEXT
}

# ---- Signals ----

# wait_for COMMAND...: until it succeeds
wait_for() {
  for i in $(seq $((10 * PATIENCE))); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.1
  done
  return 1
}

# interrupt SIGNAL CODE PATTERN READY COMMAND...: starts the command, signals when READY (a shell command) succeeds.
interrupt() {
  signal=$1
  want=$2
  pattern=$3
  ready=$4
  shift 4
  "$@" >log 2>&1 &
  pid=$!
  wait_for sh -c "$ready" || fail "$*: not ready: $ready"
  sleep 0.3
  start=$(date +%s.%N)
  kill -"$signal" $pid
  wait $pid
  code=$?
  took=$(echo "$start $(date +%s.%N)" | awk '{ print $2 - $1 }')
  if [ $code -ne "$want" ]; then fail "$*: code $code, expected $want"
  elif ! grep -q -e "$pattern" log; then fail "$*: does not say \"$pattern\""
  elif [ "$(echo "$took $LIMIT" | awk '{ print ($1 < $2) }')" != 1 ]; then fail "$*: ended $took s after SIG$signal"
  else pass
  fi
}

test_pipes() {
  mkfifo pipe silent
  interrupt TERM 143 'pipe: stopped while waiting' true "$SPNAS" search --config pipe --out refused
  interrupt INT 130 'pipe: stopped while waiting' true "$SPNAS" search --config pipe --out refused
  sleep 100 >silent &
  writer=$!
  interrupt TERM 143 'silent: stopped while waiting' true "$SPNAS" eval ./silent --data data
  kill $writer
  interrupt TERM 143 'pipe: stopped while waiting' true "$SPNAS" train --arch ./pipe --data data --out refused
  interrupt TERM 143 'pipe: stopped while waiting' true "$SPNAS" export pipe --out refused.onnx
  run 2 'pipe: found no data set' "$SPNAS" search --config search.json --data pipe --out refused
  cat search.json >pipe &
  run 0 'predicted' "$SPNAS" search --config pipe --out piped --quiet
  check "nothing is left of what was stopped" [ ! -e refused -a ! -e refused.onnx ]
}

# What takes long enough to be met in its midst.
test_phases() {
  run 0 'predicted' "$SPNAS" search --config search.json --out whole --quiet
  last=whole/checkpoints/$(ls whole/checkpoints | tail -n 1)
  interrupt TERM 143 'judging of gains.*; --resume goes on' "[ -e ${last#whole/} -o -e long/${last#whole/} ]" \
    "$SPNAS" search --config search.json --out long --quiet --set search.judge=100000
  interrupt INT 130 'stopped .*; --resume goes on' true "$SPNAS" search --resume --out long --quiet
  check "nothing was decided" [ ! -e long/arch.json ]
  interrupt TERM 143 'evaluation on test images' 'sleep 2' "$SPNAS" eval whole/inherited.safetensors --data many \
    --config slow.json
  interrupt TERM 143 'stopped .*; --resume goes on' "[ -s steps/metrics.jsonl ]" "$SPNAS" train --data data \
    --arch whole/arch.json --set train.epochs=5000 --set optim.batch=20 --set run.log_steps=1 --out steps --quiet
}

# ---- Going on ----

# same A B: what two searches found and wrote
same() {
  cmp "$1/metrics.jsonl" "$2/metrics.jsonl" && cmp "$1/inherited.safetensors" "$2/inherited.safetensors" &&
    [ "$(grep -v '"seconds"' "$1/arch.json")" = "$(grep -v '"seconds"' "$2/arch.json")" ]
}

test_folder_alone() {
  run 3 'stopped at step .*; --resume goes on' "$SPNAS" search --config search.json --out alone --set run.max_steps=7
  run 0 'going on from step 7' env -C elsewhere "$SPNAS" search --resume --out ../alone
  check "the folder alone is enough, from anywhere" same whole alone
  run 2 'begun by spnas search' "$SPNAS" train --resume --out alone
  run 2 'none holds no run' "$SPNAS" search --resume --out none --config search.json
  run 2 'holds no run' "$SPNAS" search --resume --out elsewhere
  check "nothing is made of what cannot be resumed" [ ! -e none -a -z "$(ls elsewhere)" ]
}

test_checkpoints() {
  run 3 'stopped' "$SPNAS" search --config search.json --out torn --set run.max_steps=20 --set run.checkpoint_steps=5
  cp -r torn none-left
  rm none-left/checkpoints/*
  for file in torn/checkpoints/*; do newest=$file; done
  cp "$newest" kept
  head -c 999 kept >"$newest"
  cp -r torn older
  run 0 'warning: passed over: older/.*' "$SPNAS" search --resume --out older --quiet
  check "the one before is as good" same whole older
  for file in torn/checkpoints/*; do head -c 999 kept >"$file"; done
  sums=$(cksum torn/checkpoints/* torn/metrics.jsonl)
  run 2 'none of the [0-9]* is whole; to start anew' "$SPNAS" search --resume --out torn --quiet
  check "nothing is lost by the attempt" [ "$(cksum torn/checkpoints/* torn/metrics.jsonl)" = "$sums" ]
  run 0 'no checkpoint yet: starting at step 0' "$SPNAS" search --resume --out none-left
  check "a run stopped before its first checkpoint begins again" same whole none-left
}

# Refused late, by the method: nothing may be left.
test_failed_starts() {
  printf 'network,speed\n1,2\n' >broken.csv
  run 2 'broken.csv:1.*accuracy' "$SPNAS" search --config search.json --set search.method=evolution \
    --set search.evaluator=tabular --set search.table=broken.csv --out a/b/refused
  check "no folder is left of a start that failed" [ ! -e a ]
  run 0 'predicted' "$SPNAS" search --config search.json --out a/b/refused --quiet
}

make_data
echo '{"run": {"isa": "ref", "threads": 1}, "data": {"mean": "0.5", "std": "0.5"}}' >slow.json
test_phases
test_pipes
test_folder_alone
test_checkpoints
test_failed_starts
finish stop
