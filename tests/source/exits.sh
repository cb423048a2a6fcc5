#!/bin/sh
# The library ends no program: no abort, no exit and no assert outside src/cli, and include/spnas.h tells every code of
# core/status.h that can come out: sh exits.sh
set -u
cd "$(dirname "$0")/../.." || exit 1

# check_exits FOLDER: prints every call that ends the program; fails when there is one.
check_exits() {
  (cd "$1" && find src kernels -name '*.[ch]' ! -path 'src/cli/*' -exec \
    grep -nHE '(^|[^A-Za-z0-9_.>])(abort|exit|_exit|_Exit|quick_exit|assert|raise)[ ]?\(' {} +) && return 1
  return 0
}

# check_codes STATUS HEADER: every code but that of a stop, which only a signal to the program makes.
check_codes() {
  codes=$(sed -n 's/^ *SPN_E[A-Z]* = \([0-9]*\).*/\1/p' "$1")
  [ "$(printf '%s\n' "$codes" | wc -l)" -ge 6 ] || return 1
  for code in $codes; do
    grep -q "SPN_ESTOPPED = $code" "$1" || grep -q "[ ;]$code: [a-z]" "$2" || { echo "$2 does not tell code $code"; return 1; }
  done
}

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
check_exits . || exit 1
check_codes src/core/status.h include/spnas.h || exit 1
mkdir -p "$WORK/src/core" "$WORK/kernels"
for call in 'abort()' 'exit(1)' '_exit (2)' 'assert(x)'; do
  echo "void f(void) { if (1) $call; }" >"$WORK/src/core/planted.c"
  ! check_exits "$WORK" >"$WORK/said" || { echo "planted and not found: $call"; exit 1; }
done
sed 's/5: a number/a number/' include/spnas.h >"$WORK/spnas.h"
! check_codes src/core/status.h "$WORK/spnas.h" >"$WORK/said" || { echo "a missing code was not found"; exit 1; }
