#!/bin/sh
# Runs a kit's models on a phone over adb with TFLite's benchmark_model and keeps the logs. Run it again after an
# interruption: what has a log is not run again. sh run.sh --help
set -u

KIT=$(cd "$(dirname "$0")" && pwd)
ADB=${ADB:-adb}
BINARY=benchmark_model
SERIAL=
MASK=f0
THREADS=1
ROUNDS=3
RUNS=50
WARMUP=10
COOL=5
LONG_COOL=60
REMOTE=/data/local/tmp/spnas-kit
EXTRA=

usage() {
  cat <<END
usage: run.sh --binary FILE [options]

  --binary FILE    benchmark_model for the phone (from TensorFlow's or LiteRT's page on benchmarks); it is pushed to the phone
  --serial ID      the phone, where several are connected
  --mask HEX       cores to run on, as taskset takes them (default $MASK: the big four of most phones with eight; "none": any)
  --threads N      threads of an inference (default $THREADS)
  --rounds N       rounds; each runs every model once, in another order (default $ROUNDS)
  --runs N         inferences a model and round, at least (default $RUNS)
  --cool SECONDS   pause after each model (default $COOL)
  --long-cool SECONDS  pause when the phone has become slow (default $LONG_COOL)
  --extra "..."    further arguments of benchmark_model, such as --use_xnnpack=false

Results: results/round-N/NAME.log, results/device.txt. Then: spnas latency import this-folder --out phone.json
Exit codes: 0 all done, 1 a model fails, 2 wrong arguments, 3 the connection is lost, 4 the phone stays slow (throttled).
END
}

while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --binary | --serial | --mask | --threads | --rounds | --runs | --cool | --long-cool | --extra) ;;
    *) echo "run.sh: unknown argument $1; see --help" >&2; exit 2 ;;
  esac
  if [ $# -lt 2 ]; then
    echo "run.sh: $1: expected a value after it" >&2
    exit 2
  fi
  case $1 in
    --binary) BINARY=$2 ;;
    --serial) SERIAL=$2 ;;
    --mask) MASK=$2 ;;
    --threads) THREADS=$2 ;;
    --rounds) ROUNDS=$2 ;;
    --runs) RUNS=$2 ;;
    --cool) COOL=$2 ;;
    --long-cool) LONG_COOL=$2 ;;
    --extra) EXTRA=$2 ;;
  esac
  shift 2
done

adb_do() {
  if [ -n "$SERIAL" ]; then "$ADB" -s "$SERIAL" "$@" </dev/null; else "$ADB" "$@" </dev/null; fi
}

connected() { [ "$(adb_do get-state 2>/dev/null | tr -d '\r')" = device ]; }

lost() {
  echo "run.sh: the connection to the phone is lost; connect it and run this again, it goes on from here" >&2
  exit 3
}

# log TEXT: to the screen and into results/run.log
log() {
  printf '%s %s\n' "$(date +%H:%M:%S)" "$*" | tee -a "$KIT/results/run.log"
}

# What the phone says of its heat and clock, as comment lines for a log.
condition() {
  printf '# battery: %s\n' "$(adb_do shell dumpsys battery 2>/dev/null | tr -d '\r' | grep -i temperature | tr -s ' ' | head -n 1)"
  printf '# thermal: %s\n' "$(adb_do shell 'cat /sys/class/thermal/thermal_zone*/temp 2>/dev/null' 2>/dev/null | tr -d '\r' | head -n 20 | tr '\n' ' ')"
  printf '# frequency: %s\n' "$(adb_do shell 'cat /sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq 2>/dev/null' 2>/dev/null | tr -d '\r' | tr '\n' ' ')"
}

# measure NAME FILE: one model into FILE, which appears when it is whole.
measure() {
  bind=
  [ "$MASK" = none ] || bind="taskset $MASK"
  {
    condition
    adb_do shell "cd $REMOTE && $bind ./benchmark_model --graph=models/$1.tflite --num_threads=$THREADS --num_runs=$RUNS --warmup_runs=$WARMUP $EXTRA 2>&1"
    condition
  } >"$2.part" 2>&1
  if grep -q 'avg=' "$2.part" && grep -q 'Inference' "$2.part"; then
    mv "$2.part" "$2"
    return 0
  fi
  connected || lost
  log "$1 failed; what benchmark_model said is in $2.part"
  return 1
}

# Mean of the last count= line, microseconds, without decimals.
mean_of() { sed -n 's/.* avg=\([0-9]*\).*/\1/p' "$1" | tail -n 1; }

# push_file LOCAL REMOTE: unless the phone has it already.
push_file() {
  here=$(sha256sum "$1" | cut -d ' ' -f 1)
  there=$(adb_do shell "sha256sum $2 2>/dev/null" 2>/dev/null | tr -d '\r' | cut -d ' ' -f 1)
  [ "$here" = "$there" ] && return 0
  adb_do push "$1" "$2" >/dev/null 2>&1 || { connected || lost; echo "run.sh: cannot push $1" >&2; exit 1; }
}

# The manifest's sums, so that no broken file is measured.
verify() {
  sed -n 's/.*"file": "\([^"]*\)", "sha256": "\([0-9a-f]*\)".*/\2  \1/p' "$KIT/manifest.json" >"$KIT/results/sums.txt"
  [ -s "$KIT/results/sums.txt" ] || { echo "run.sh: manifest.json lists no files" >&2; exit 1; }
  (cd "$KIT" && sha256sum --quiet -c results/sums.txt) || { echo "run.sh: files of the kit are damaged" >&2; exit 1; }
}

# The first model of a round must be as fast as in round 1, or the phone is hot.
cool_enough() {
  first=$(mean_of "$KIT/results/round-1/$1.log" 2>/dev/null)
  [ -n "$first" ] || return 0
  for attempt in 1 2 3 4 5; do
    rm -f "$KIT/results/reference.log"
    measure "$1" "$KIT/results/reference.log" || return 1
    now=$(mean_of "$KIT/results/reference.log")
    [ "$((now * 100))" -le "$((first * 108))" ] && return 0
    log "slow: $1 takes $now us, in round 1 $first us; cooling for $LONG_COOL s ($attempt of 5)"
    sleep "$LONG_COOL"
  done
  echo "run.sh: the phone stays slow (throttled, or busy with something else): let it cool, close other programs, run this again" >&2
  exit 4
}

mkdir -p "$KIT/results"
verify
if ! connected; then
  echo "run.sh: no phone: connect one, switch USB debugging on, and accept this computer on its screen" >&2
  exit 3
fi
[ -f "$BINARY" ] || { echo "run.sh: --binary: there is no file $BINARY" >&2; exit 2; }
{
  for property in ro.product.manufacturer ro.product.model ro.board.platform ro.build.version.release ro.build.fingerprint; do
    printf '%s: %s\n' "$property" "$(adb_do shell getprop $property 2>/dev/null | tr -d '\r')"
  done
  printf 'mask: %s\nthreads: %s\nextra: %s\n' "$MASK" "$THREADS" "$EXTRA"
} >"$KIT/results/device.txt"

adb_do shell "mkdir -p $REMOTE/models" >/dev/null 2>&1 || lost
push_file "$BINARY" "$REMOTE/benchmark_model"
adb_do shell "chmod 755 $REMOTE/benchmark_model" >/dev/null 2>&1
NAMES=$(sed -n 's/.*"file": "models\/\([^"]*\)[.]tflite".*/\1/p' "$KIT/manifest.json")
for name in $NAMES; do push_file "$KIT/models/$name.tflite" "$REMOTE/models/$name.tflite"; done
REFERENCE=$(echo "$NAMES" | tail -n 1)

failed=0
round=1
while [ "$round" -le "$ROUNDS" ]; do
  folder=$KIT/results/round-$round
  mkdir -p "$folder"
  [ "$round" -eq 1 ] || cool_enough "$REFERENCE" || failed=1
  for name in $(echo "$NAMES" | awk -v seed="$round" 'BEGIN { srand(seed) } { print rand() "\t" $1 }' | sort -n | cut -f 2); do
    [ -f "$folder/$name.log" ] && continue
    log "round $round: $name"
    measure "$name" "$folder/$name.log" || failed=1
    sleep "$COOL"
  done
  round=$((round + 1))
done
if [ "$failed" -ne 0 ]; then
  echo "run.sh: some models failed; see results/run.log" >&2
  exit 1
fi
log "done: spnas latency import $KIT --out phone.json"
