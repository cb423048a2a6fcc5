#!/bin/sh
# Every .c and .h file as .clang-format wants it: sh format.sh CLANG_FORMAT. To mend a file: CLANG_FORMAT -i FILE.
set -u
cd "$(dirname "$0")/../.." || exit 1
if printf 'int  planted ;\n' | "$1" --assume-filename=planted.c --dry-run --Werror 2>/dev/null; then
  echo "$1 accepts anything"
  exit 1
fi
find src kernels include tests bench -name '*.[ch]' -exec "$1" --dry-run --Werror {} +
