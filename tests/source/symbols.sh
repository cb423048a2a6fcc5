#!/bin/sh
# Every external symbol of the library has the prefix spn_ or spnas_: sh symbols.sh NM CC LIBRARY
set -u
NM=$1
CC=$2

# check_symbols FILE: prints those without; names that begin with two underscores are the compiler's.
check_symbols() {
  "$NM" -g --defined-only "$1" 2>/dev/null | awk '
    NF == 3 { all++ }
    NF == 3 && $3 !~ /^(spn|spnas|_)_/ { print "without prefix: " $3; bad++ }
    END { print all + 0 " symbols"; exit bad > 0 || !all }'
}

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
check_symbols "$3" || exit 1
echo 'int spn_right; int planted;' >"$WORK/planted.c"
"$CC" -c -o "$WORK/planted.o" "$WORK/planted.c" || exit 1
if check_symbols "$WORK/planted.o" >"$WORK/said" || ! grep -q 'without prefix: planted' "$WORK/said"; then
  echo "a planted symbol was not found"
  exit 1
fi
