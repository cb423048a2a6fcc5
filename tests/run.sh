#!/usr/bin/env bash
# Every test in one command: installs what is missing, builds, runs. See usage below.
set -euo pipefail

ROOT=$(cd "$(dirname "$0")/.." && pwd)
. "$ROOT/data/packages.sh"

usage() {
  cat <<END
usage: tests/run.sh [--quick]

Installs what is missing and runs, counting every test program and script:
  1. build/        a Release build with warnings as errors; its tests
  2. build-asan/   the same tests and the command-line script under the address and undefined-behaviour sanitizers
  3. build-onednn3/  the same tests against oneDNN $ONEDNN3, where the system's is 2.x
  4. build-venv/   the Python checks tests/check_*.py, on build/
  5. tests/*.sh    the scripts, on build/

  --quick   only step 1
  --help    this text

The last line is "N passed, N failed"; the exit code is 0 when something passed and nothing failed.
END
}

ONEDNN3=3.2                   # of the Python package below, with GNU OpenMP
ONEDNN3_WHEEL="onednn-devel-cpu-gomp==2023.2.0"
CHECK_TIMEOUT=1200            # seconds for one Python check or script
PASSED=0
FAILED=0
FAILURES=()

failed() {
  FAILED=$((FAILED + ${2:-1}))
  FAILURES+=("$1")
}

# run_one NAME COMMAND...: one test program, judged by its exit code.
run_one() {
  local name=$1 code=0
  shift
  say "$name"
  timeout -k 30 "$CHECK_TIMEOUT" "$@" || code=$?
  if [ "$code" -eq 0 ]; then
    PASSED=$((PASSED + 1))
  else
    echo "$name: failed with code $code"
    failed "$name"
  fi
}

# run_ctest NAME FOLDER: runs the tests of a build and adds up what ctest counted.
run_ctest() {
  local name=$1 folder=$2 summary bad all log
  log=$folder/ctest.log
  say "$name: tests"
  (cd "$folder" && ctest --output-on-failure) 2>&1 | tee "$log" || true
  summary=$(grep -E '^[0-9]+% tests passed, [0-9]+ tests failed out of [0-9]+' "$log" || true)
  if [ -z "$summary" ]; then
    failed "$name: ctest ran nothing"
    return
  fi
  read -r bad all < <(sed -E 's/.*passed, ([0-9]+) tests failed out of ([0-9]+).*/\1 \2/' <<<"$summary")
  PASSED=$((PASSED + all - bad))
  [ "$bad" -eq 0 ] || failed "$name: $(sed -n '/^The following tests FAILED/,$s/^[^0-9]*[0-9]* - \([^ ]*\).*/\1/p' "$log" | tr '\n' ' ')" "$bad"
}

# build_and_test NAME FOLDER CMAKE-OPTION...
build_and_test() {
  local name=$1 folder=$ROOT/$2
  shift 2
  say "$name: building into ${folder##*/}/"
  mkdir -p "$folder"
  if build "$folder" all "$@" >"$folder/build.log" 2>&1; then
    run_ctest "$name" "$folder"
  else
    grep -E -A5 'error|Error' "$folder/build.log" | head -n 100 || tail -n 40 "$folder/build.log"
    failed "$name: the build (whole log: ${folder##*/}/build.log)"
  fi
}

# make_venv FOLDER PIP-ARGUMENT...: a virtual environment with the packages, made once for the same arguments.
make_venv() {
  local folder=$1 want
  shift
  want=$(printf '%s\n' "$@"; cat "$ROOT/tests/requirements.txt")
  [ "$(cat "$folder/.made-of" 2>/dev/null)" != "$want" ] || return 0
  say "Python packages into ${folder##*/}/"
  rm -rf "$folder"
  python3 -m venv "$folder" && "$folder/bin/python" -m pip install -qq --disable-pip-version-check "$@" &&
    printf '%s\n' "$want" >"$folder/.made-of"
}

test_release() {
  build_and_test "Release" build -DCMAKE_BUILD_TYPE=Release -DSPN_WERROR=ON
}

# gcc before 13.3 misaligns 64-byte vectors on the fake stack of detect_stack_use_after_return, so that stays off.
test_sanitizers() {
  export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=0 UBSAN_OPTIONS=print_stacktrace=1
  build_and_test "sanitizers" build-asan -DCMAKE_BUILD_TYPE=Debug "-DCMAKE_C_FLAGS_DEBUG=-O1 -g" \
    -DSPN_SANITIZE=address,undefined
  run_one "tests/test_cli.sh with sanitizers" sh "$ROOT/tests/test_cli.sh" "$ROOT/build-asan"
  unset ASAN_OPTIONS UBSAN_OPTIONS
}

test_onednn3() {
  local own venv=$ROOT/build-onednn3/venv
  own=$(sed -n 's/^SPN_DNNL_VERSION:[A-Z]*=//p' "$ROOT/build/CMakeCache.txt" 2>/dev/null || true)
  if [ "${own%%.*}" != 2 ]; then
    say "oneDNN 3: the system's own is ${own:-not known}; no extra build"
    return
  fi
  mkdir -p "$ROOT/build-onednn3"
  if make_venv "$venv" "$ONEDNN3_WHEEL"; then
    LD_LIBRARY_PATH=$venv/lib build_and_test "oneDNN 3" build-onednn3 -DCMAKE_BUILD_TYPE=Release -DSPN_WERROR=ON \
      "-DCMAKE_PREFIX_PATH=$venv"
    grep -q "^SPN_DNNL_VERSION:INTERNAL=$ONEDNN3$" "$ROOT/build-onednn3/CMakeCache.txt" ||
      failed "oneDNN 3: the build did not find oneDNN $ONEDNN3"
  else
    failed "oneDNN 3: no $ONEDNN3_WHEEL"
  fi
}

test_python() {
  local check checks=("$ROOT"/tests/check_*.py)
  [ -e "${checks[0]}" ] || return 0
  if ! make_venv "$ROOT/build-venv" -r "$ROOT/tests/requirements.txt"; then
    failed "Python checks: no packages for them" ${#checks[@]}
    return
  fi
  for check in "${checks[@]}"; do
    run_one "tests/${check##*/}" "$ROOT/build-venv/bin/python" "$check" "$ROOT/build"
  done
}

# test_scripts FOLDER: every script on a build.
test_scripts() {
  local script
  for script in "$ROOT"/tests/*.sh; do
    [ "${script##*/}" = run.sh ] || run_one "tests/${script##*/} on $1/" sh "$script" "$ROOT/$1"
  done
}

# timed NAME FUNCTION ARGUMENT...
timed() {
  local name=$1 start=$SECONDS
  shift
  "$@"
  say "$name took $((SECONDS - start)) s"
}

report() {
  local f
  for f in ${FAILURES[@]+"${FAILURES[@]}"}; do echo "FAILED: $f"; done
  echo "$PASSED passed, $FAILED failed"
  [ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
}

main() {
  local quick=
  case ${1:-} in
    --quick) quick=1 ;;
    --help | -h) usage; exit 0 ;;
    ?*) die "unknown argument: $1 (see --help)" ;;
  esac
  # shellcheck disable=SC2086 # lists of names
  install_packages $BUILD_PACKAGES $DATA_PACKAGES
  timed "Release" test_release
  if [ -z "$quick" ]; then
    install_packages python3-venv
    timed "sanitizers" test_sanitizers
    timed "oneDNN 3" test_onednn3
    timed "Python checks" test_python
    timed "scripts" test_scripts build
  fi
  report
}

main "$@"
