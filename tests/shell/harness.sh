# shellcheck shell=sh disable=SC2034
# Sourced by test scripts, after TESTS (the folder tests/): a folder of their own, counting, and the program's answers.

WORK=$(mktemp -d)
PASSED=0
FAILED=0
LIMITED= # in front of what `run` runs; `timeout 60`, say, where that is always a program
export OMP_WAIT_POLICY=passive # waiting threads sleep: tests share their machine
trap 'rm -rf "$WORK"' EXIT
cd "$WORK" || exit 1

pass() { PASSED=$((PASSED + 1)); }
fail() {
  FAILED=$((FAILED + 1))
  echo "FAILED: $1"
  [ ! -f log ] || head -n 8 log
}

# check NAME COMMAND...: the command may look into `log`, what the last `run` said.
check() {
  name=$1
  shift
  if "$@" >check.log 2>&1; then
    pass
  else
    mv check.log log
    fail "$name"
  fi
}

# run CODE PATTERN COMMAND...: the exit code, and a basic regular expression in what it says.
run() {
  want=$1
  pattern=$2
  shift 2
  $LIMITED "$@" >log 2>&1
  code=$?
  if [ $code -ne "$want" ]; then fail "$*: code $code, expected $want"
  elif ! grep -q -e "$pattern" log; then fail "$*: does not say \"$pattern\""
  else pass
  fi
}

# tiny_data FOLDER [TEST-IMAGES]: 300 training images of CIFAR-10's size whose stripes tell the class.
tiny_data() {
  mkdir -p "$1"
  for i in 1 2 3 4 5; do LC_ALL=C awk -v n=60 -v seed=$i -f "$TESTS/tiny_data.awk" >"$1/data_batch_$i.bin"; done
  LC_ALL=C awk -v n="${2:-80}" -v seed=9 -f "$TESTS/tiny_data.awk" >"$1/test_batch.bin"
}

# jpeg NAME: the picture of that name in data_input/vectors.h.
jpeg() {
  LC_ALL=C awk -v name="$1" 'on { n = split($0, v, ","); for (i = 1; i <= n; i++) if (v[i] ~ /[0-9]/) printf "%c", v[i] + 0 }
    on && /}/ { exit }
    index($0, " " name "[]") { on = 1 }' "$TESTS/data_input/vectors.h"
}

# put KIND FOLDER...: eight pictures of a kind in each folder.
put() {
  kind=$1
  shift
  for folder in "$@"; do
    mkdir -p "$folder"
    for i in 1 2 3 4 5 6 7 8; do jpeg "$kind" >"$folder/$i"; done
  done
}

# finish NAME: the script's last line.
finish() {
  echo "$1: $PASSED passed, $FAILED failed"
  [ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
}
