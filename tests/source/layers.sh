#!/bin/sh
# Every #include of include, kernels and src against the table of folders in README.md: sh layers.sh
# The table's rows go from the bottom up, and a row names only rows above it, so a circle cannot be written down.
set -u
ROOT=$(cd "$(dirname "$0")/../.." && pwd)

# Includes that break the table and are to go, one a line: FILE INCLUDE. One that is no longer needed is an error.
EXCEPTIONS=""

# check_layers FOLDER: prints what is wrong there; fails when something is, or when nothing was compared.
check_layers() {
  cd "$1" && files=$(find include kernels src -name '*.[ch]' -o -name '*.def' | LC_ALL=C sort) &&
    printf '%s\n' "$files" >"$WORK/files" && printf '%s\n' "$EXCEPTIONS" >"$WORK/exceptions" || return 1
  # shellcheck disable=SC2086 # a list of names
  awk -v list="$WORK/files" -v exceptions="$WORK/exceptions" '
    function wrong(text) { print text; errors++ }
    function folder_of(path,  part, n) {
      n = split(path, part, "/")
      return part[1] != "src" ? part[1] : n > 2 ? part[2] : "src"
    }
    # A row: | `folder` | `folder` `folder` ... or "all above" | text |
    function read_row(  cell, name, names, n, i, above) {
      split($0, cell, "|")
      name = cell[2]
      gsub(/[` ]/, "", name)
      if (name ~ /^-+$/) return
      if (cell[3] ~ /all above/)
        for (above in row) may[name, above] = 1
      n = split(cell[3], names, "`")
      for (i = 2; i <= n; i += 2) {
        if (!(names[i] in row)) wrong("README.md:" FNR ": " name " names " names[i] ", which is no row above it")
        may[name, names[i]] = 1
      }
      row[name] = FNR
    }
    FILENAME == "README.md" {
      if ($0 ~ /^\| *folder *\| *may include *\|/) table = 1
      else if (table && $0 ~ /^\|/) read_row()
      else table = 0
      next
    }
    FILENAME == list { # how the file is named in an #include
      name = $0
      sub(/^(include|kernels|src)\//, "", name)
      path[name] = $0
      has[folder_of($0)] = 1
      next
    }
    FILENAME == exceptions { if (NF) excepted[$1, $2] = $0; next }
    FNR == 1 {
      from = folder_of(FILENAME)
      if (!(from in row)) wrong(FILENAME ": no row for " from " in the table of README.md")
    }
    /^[ \t]*#[ \t]*include[ \t]*["<]/ {
      name = $0
      sub(/^[^"<]*/, "", name)
      quoted = name ~ /^"/
      name = substr(name, 2)
      sub(/[">].*/, "", name)
      if (!(name in path)) {
        if (quoted) wrong(FILENAME ":" FNR ": no " name " in include, kernels or src")
        next
      }
      compared++
      to = folder_of(path[name])
      if (to == from || (from, to) in may) next
      if ((FILENAME, name) in excepted) delete excepted[FILENAME, name]
      else wrong(FILENAME ":" FNR ": includes " name ": README.md does not let " from " include " to)
    }
    END {
      for (name in row) if (!(name in has)) wrong("README.md:" row[name] ": no folder " name)
      for (name in excepted) wrong("layers.sh: the exception \"" excepted[name] "\" is not needed any more")
      if (compared < 50) wrong("only " compared + 0 " includes found")
      if (!errors) print compared " includes, " length(row) " folders"
      exit errors > 0
    }' README.md "$WORK/files" "$WORK/exceptions" $files
}

# plant NAME PATTERN COMMAND: on a copy where the command has planted a violation, the check must say the pattern.
plant() {
  rm -rf "$WORK/copy" && mkdir "$WORK/copy" &&
    cp -r "$ROOT/README.md" "$ROOT/include" "$ROOT/kernels" "$ROOT/src" "$WORK/copy" && (cd "$WORK/copy" && eval "$3")
  if (check_layers "$WORK/copy") >"$WORK/said"; then
    echo "planted and not found: $1"
    FAILED=1
  elif ! grep -q -e "$2" "$WORK/said"; then
    echo "planted: $1: expected \"$2\", got:"
    cat "$WORK/said"
    FAILED=1
  fi
}

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
FAILED=0
(check_layers "$ROOT") || FAILED=1
if [ $FAILED -eq 0 ]; then
  plant "an arrow up" "src/core/rng.c:.*does not let core include io" \
    'echo "#include \"io/json.h\"" >>src/core/rng.c'
  plant "an arrow up in brackets" "does not let graph include train" \
    'echo "#  include <train/steps.h>" >>src/graph/ops/op_se.c'
  plant "a header by its place" "src/io/json.c:.*no ../core/rng.h" 'echo "#include \"../core/rng.h\"" >>src/io/json.c'
  plant "a folder without a row" "no row for planted" 'mkdir src/planted && echo >src/planted/a.c'
  plant "a row without a folder" "no folder planted" \
    "sed 's/^| .cli. |/| \`planted\` | | |\\n&/' README.md >r && mv r README.md"
  plant "a circle in the table" "io names cli, which is no row above it" \
    "sed 's/^| .io. | /&\`cli\` /' README.md >r && mv r README.md"
fi
exit $FAILED
