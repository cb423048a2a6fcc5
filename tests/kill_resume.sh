#!/bin/sh
# Killed and stopped runs end as if nothing had happened: sh kill_resume.sh BUILD_DIR
# A search and a training are killed (SIGKILL) at 20 random moments each and resumed; every file they leave must be, byte for
# byte, that of a run never stopped. Ctrl-C stops after the step; a second one at once.
set -u

TESTS=$(cd "$(dirname "$0")" && pwd)
SPNAS=$(cd "$1" && pwd)/spnas
. "$TESTS/shell/harness.sh"
export SPNAS_DATA="$TESTS/../data"
KILLS=20
RUN= # exec: the program takes the place of its subshell, so that a kill meets the program and nothing else

make_inputs() {
  tiny_data data
  cat >space.json <<END
{"name": "tiny", "input": {"size": 32, "channels": 3}, "classes": 10, "activation": "relu", "padding": "same",
 "bn": {"momentum": 0.9, "eps": 0.001}, "dropout": 0.2, "stem": {"channels": 8, "kernel": 3, "stride": 2},
 "stages": [{"layers": 1, "channels": 8, "stride": 1, "kernel": [3], "expand": [1]},
            {"layers": 2, "channels": 16, "stride": 2, "kernel": [3, 5], "expand": [3, 6], "se": [0, 0.25, 0.5], "skip": true},
            {"layers": 2, "channels": 24, "stride": 2, "kernel": [3, 5], "expand": [3, 6], "skip": true}],
 "head": {"channels": 32}, "proxy": {"size": 16, "stem_stride": 1, "strides": [1, 2, 2]}}
END
}

search() {
  $RUN "$SPNAS" search --data data --set search.space=space.json --set search.cost=macs --set search.target_share=0.6 \
    --set search.epochs=24 --set search.warmup_epochs=6 --set optim.batch=24 --set optim.lr_warmup_epochs=1 \
    --set search.recalibrate=5 --set search.threshold_lr=0.05 --set run.log_steps=3 --reproducible --quiet "$@"
}

train() {
  $RUN "$SPNAS" train --data data --arch search/arch.json --set train.epochs=24 --set optim.batch=24 \
    --set optim.lr_warmup_epochs=1 --set optim.ema=0.9 --set run.log_steps=3 --reproducible --quiet "$@"
}

# What may differ between runs: how long they took.
without_time() { grep -v '"seconds"' "$1"; }

# same WHAT: the files of a killed run against those of the whole one.
same() {
  for file in metrics.jsonl arch.json inherited.safetensors best.safetensors last.safetensors result.json; do
    [ -f "$1/$file" ] || continue
    case $file in
      *.json) without_time "$1/$file" >a && without_time "killed-$1/$file" >b && cmp a b ;;
      *) cmp "$1/$file" "killed-$1/$file" ;;
    esac || return 1
  done
}

seconds() { date +%s.%N; }

# delays SEED LONGEST: endless waits in seconds, the same for the same seed.
delays() { awk -v seed="$1" -v longest="$2" 'BEGIN { srand(seed); for (i = 0; i < 200; i++) printf "%.3f\n", longest * rand() }'; }

# kill_one WHAT WAIT NUMBER: begins or resumes, kills after WAIT. The settings that a resume may change do change.
kill_one() {
  resume=
  [ ! -e "killed-$1/config.resolved.json" ] || resume=--resume
  RUN=exec
  "$1" --out "killed-$1" $resume --set run.checkpoint_steps=$((7 - 2 * ($3 % 2))) --set run.threads=$((1 + $3 % 2)) \
    --set run.keep=$((1 + $3 % 3)) >killed.log 2>&1 &
  pid=$!
  RUN=
  sleep "$2"
  kill -9 $pid 2>/dev/null
  wait $pid
}

# kill_often WHAT LONGEST: KILLS kills; a run that ended between two of them is compared, and a new one begun.
kill_often() {
  killed=0
  for wait in $(delays 3 "$2"); do
    [ $killed -lt $KILLS ] || break
    kill_one "$1" "$wait" $killed 2>/dev/null
    code=$?
    case $code in
      137) killed=$((killed + 1)) ;;
      0) check "$1: ended after $killed kills like the run never stopped" same "$1"; rm -rf "killed-$1" ;;
      *) cat killed.log; check "$1: resumed after $killed kills, code $code" false; return ;;
    esac
  done
  check "$1: $KILLS kills" [ $killed -eq $KILLS ]
  check "$1: the last resume" "$1" --out "killed-$1" --resume
  check "$1: like the run never stopped" same "$1"
}

# finish_again WHAT: the last checkpoint is there, what follows it is not.
finish_again() {
  rm -f "killed-$1"/arch.json "killed-$1"/result.json "killed-$1"/inherited.safetensors
  "$1" --out "killed-$1" --resume && same "$1"
}

test_kills() {
  start=$(seconds)
  check "$1: the whole run" "$1" --out "$1"
  longest=$(echo "$start $(seconds)" | awk '{ print ($2 - $1) / 5 }')
  check "$1: left its files" [ -s "$1/metrics.jsonl" ]
  kill_often "$1" "$longest"
  check "$1: killed after the last checkpoint" finish_again "$1"
}

# wait_for FILE: up to a minute; gigabytes of memory are touched before the slow search begins
wait_for() {
  for i in $(seq 600); do
    [ -s "$1" ] && return 0
    sleep 0.1
  done
  return 1
}

test_first_interrupt() {
  $RUN "$SPNAS" search --data data --set search.space=space.json --set search.cost=macs --set search.target_share=0.6 \
    --set search.epochs=500 --set search.watch=0 --set optim.batch=24 --set run.log_steps=1 --out stopped >stopped.log 2>&1 &
  pid=$!
  check "a search is under way" wait_for stopped/metrics.jsonl
  kill -INT $pid
  wait $pid
  code=$?
  check "SIGINT: code 130, not $code" [ $code -eq 130 ]
  check "SIGINT: says how to go on" grep -q "stopped at step .*--resume" stopped.log
  step=$(sed -n 's/.*stopped at step \([0-9]*\) of.*/\1/p' stopped.log)
  check "SIGINT: checkpoint of step $step" [ -s "stopped/checkpoints/$(printf 'step-%09d.safetensors' "${step:-0}")" ]
}

# A step of seconds, so that both signals fall into it: the reference kernels on a large batch.
test_second_interrupt() {
  $RUN "$SPNAS" search --data data --set run.isa=ref --set run.threads=1 --set optim.batch=256 --set search.target=80 \
    --set data.std=0.25 --set data.mean=0.5 --out left >left.log 2>&1 &
  pid=$!
  check "a slow search is under way" wait_for left/config.resolved.json
  sleep 2
  kill -INT $pid
  sleep 0.3
  start=$(seconds)
  kill -INT $pid
  wait $pid
  code=$?
  check "second SIGINT: code 130, not $code" [ $code -eq 130 ]
  check "second SIGINT: at once" [ "$(echo "$start $(seconds)" | awk '{ print ($2 - $1 < 1) }')" = 1 ]
  check "second SIGINT: the step was not finished" [ -z "$(ls left/checkpoints)" ]
}

make_inputs
test_kills search
test_kills train
test_first_interrupt
test_second_interrupt
finish kill_resume
