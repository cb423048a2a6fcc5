#!/usr/bin/env bash
# Every test in one command: installs what is missing, builds, runs. See usage below.
set -euo pipefail

ROOT=$(cd "$(dirname "$0")/.." && pwd)
. "$ROOT/data/packages.sh"

usage() {
  cat <<END
usage: tests/run.sh [--quick | STEP...]

Installs what is missing and runs, counting every test program and script:
  format       every .c and .h file against .clang-format, with the version in tests/requirements.txt
  release      build/          a Release build with warnings as errors; its tests
  clang        build-clang/    the same with clang
  sanitizers   build-asan/     the tests and the commands with the address and undefined-behaviour sanitizers
  threads      build-tsan/     the tests of the threads and of the loader with the thread sanitizer
  onednn3      build-onednn3/  the tests against oneDNN $ONEDNN3, where the system's is 2.x
  python       build-venv/     the Python checks tests/check_*.py, on build/
  scripts      tests/*.sh      on build/

  STEP...   only these, in this order; the last three need build/ from release
  --quick   only release
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
  (cd "$folder" && OMP_WAIT_POLICY=passive ctest --output-on-failure -j "$(nproc)") 2>&1 | tee "$log" || true
  summary=$(grep -E '^[0-9]+% tests passed, [0-9]+ tests failed out of [0-9]+' "$log" || true)
  if [ -z "$summary" ]; then
    failed "$name: ctest ran nothing"
    return
  fi
  read -r bad all < <(sed -E 's/.*passed, ([0-9]+) tests failed out of ([0-9]+).*/\1 \2/' <<<"$summary")
  PASSED=$((PASSED + all - bad))
  [ "$bad" -eq 0 ] || failed "$name: $(sed -n '/^The following tests FAILED/,$s/^[^0-9]*[0-9]* - \([^ ]*\).*/\1/p' "$log" | tr '\n' ' ')" "$bad"
}

# built NAME FOLDER TARGETS CMAKE-OPTION...: builds, and shows what failed.
built() {
  local name=$1 folder=$ROOT/$2 targets=$3
  shift 3
  say "$name: building into ${folder##*/}/"
  mkdir -p "$folder"
  build "$folder" "$targets" "$@" >"$folder/build.log" 2>&1 && return
  grep -E -A5 'error|Error' "$folder/build.log" | head -n 100 || tail -n 40 "$folder/build.log"
  failed "$name: the build (whole log: ${folder##*/}/build.log)"
  return 1
}

# build_and_test NAME FOLDER CMAKE-OPTION...
build_and_test() {
  local name=$1 folder=$2
  shift 2
  if built "$name" "$folder" all "$@"; then run_ctest "$name" "$ROOT/$folder"; fi
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

test_format() {
  local pin venv=$ROOT/build-format
  pin=$(grep '^clang-format==' "$ROOT/tests/requirements.txt")
  if make_venv "$venv" "$pin"; then
    run_one "$pin" sh "$ROOT/tests/source/format.sh" "$venv/bin/clang-format"
  else
    failed "format: no $pin"
  fi
}

test_release() {
  build_and_test "Release" build -DCMAKE_BUILD_TYPE=Release -DSPN_WERROR=ON
}

test_clang() {
  build_and_test "clang" build-clang -DCMAKE_BUILD_TYPE=Release -DSPN_WERROR=ON -DCMAKE_C_COMPILER=clang
}

# gcc before 13.3 misaligns 64-byte vectors on the fake stack of detect_stack_use_after_return, so that stays off.
test_sanitizers() {
  export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=0 UBSAN_OPTIONS=print_stacktrace=1
  build_and_test "sanitizers" build-asan -DCMAKE_BUILD_TYPE=Debug "-DCMAKE_C_FLAGS_DEBUG=-O1 -g" \
    -DSPN_SANITIZE=address,undefined
  run_one "tests/test_cli.sh with sanitizers" sh "$ROOT/tests/test_cli.sh" "$ROOT/build-asan"
  run_one "tests/deploy.sh with sanitizers" sh "$ROOT/tests/deploy.sh" "$ROOT/build-asan"
  unset ASAN_OPTIONS UBSAN_OPTIONS
}

# OpenMP keeps to one thread, for this sanitizer does not understand its others. gcc's dies before 14 where the kernel
# spreads addresses widely (vm.mmap_rnd_bits above 28), so they are kept from being spread where that is allowed.
test_threads() {
  local name fixed=() names=(test_team test_input test_input_loader test_input_pack)
  built "thread sanitizer" build-tsan "${names[*]}" -DCMAKE_BUILD_TYPE=Debug "-DCMAKE_C_FLAGS_DEBUG=-O1 -g" \
    -DSPN_SANITIZE=thread || return 0
  if setarch -R true 2>/dev/null; then fixed=(setarch -R); fi
  for name in "${names[@]}"; do
    run_one "$name with the thread sanitizer" env -C "$ROOT" OMP_THREAD_LIMIT=1 "${fixed[@]}" "$ROOT/build-tsan/$name"
  done
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

test_scripts() {
  local script
  for script in "$ROOT"/tests/*.sh; do
    [ "${script##*/}" = run.sh ] || run_one "tests/${script##*/} on build/" sh "$script" "$ROOT/build"
  done
}

report() {
  local f
  for f in ${FAILURES[@]+"${FAILURES[@]}"}; do echo "FAILED: $f"; done
  echo "$PASSED passed, $FAILED failed"
  [ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
}

STEPS="format release clang sanitizers threads onednn3 python scripts"

main() {
  local step start steps=$STEPS
  case ${1:-} in
    --quick) steps=release ;;
    --help | -h) usage; exit 0 ;;
    ?*) steps=$* ;;
  esac
  for step in $steps; do
    case " $STEPS " in *" $step "*) ;; *) die "unknown argument: $step (see --help)" ;; esac
  done
  # shellcheck disable=SC2086 # lists of names
  install_packages $BUILD_PACKAGES $DATA_PACKAGES $TEST_PACKAGES
  # Ubuntu has it as a snap only, under another name.
  case " $steps " in
    *" python "*) (install_packages chromium) || say "no chromium here: pages are not opened in a browser" ;;
  esac
  for step in $steps; do
    start=$SECONDS
    "test_$step"
    say "$step took $((SECONDS - start)) s"
  done
  report
}

main "$@"
