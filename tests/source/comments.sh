#!/bin/sh
# No comment and no README names a source file or a folder of the repository that is not there: sh comments.sh
set -u
ROOT=$(cd "$(dirname "$0")/../.." && pwd)

# Files of others, or that an export writes, that comments may name.
FOREIGN="stb_image.h mnasnet_models.py net.c net.h"

# check_comments FOLDER: prints FILE:LINE and the name; fails when there is one, or when hardly any was compared.
# A name may leave out folders in front; * and <...> in it stand for any text without a slash.
check_comments() {
  cd "$1" || return 1
  find .ci CMakeLists.txt README.md bench data include kernels src tests -type f | LC_ALL=C sort >"$WORK/files"
  # shellcheck disable=SC2046 # a list of names
  awk -v list="$WORK/files" -v foreign="$FOREIGN" '
    function found(name,  pattern, i) {
      sub(/\/$/, "", name)
      if (name in known) return 1
      if (name !~ /[*<]/) return 0
      pattern = name
      gsub(/\./, "[.]", pattern)
      gsub(/\*|<[^>]*>/, "[^/]*", pattern)
      for (i in known) if (i ~ "^" pattern "$") return 1
      return 0
    }
    # Every name in a piece of a comment.
    function look(text,  name) {
      while (match(text, /[A-Za-z0-9_.*<>\/-]+/)) {
        name = substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
        sub(/[.]+$/, "", name)
        sub(/^[.\/]+/, "", name)
        if (name !~ /[.](c|h|cpp|def|awk|py|sh)$/ && name !~ /^(src|kernels|include|tests|bench)\/./) continue
        compared++
        if (found(name)) continue
        print FILENAME ":" FNR ": there is no " name
        errors++
      }
    }
    # What of a line of C is comment; a line that ends within one leaves `inside` at 1.
    function comments_of_c(line,  at, out) {
      for (out = ""; line != "";) {
        if (inside) {
          at = index(line, "*/")
          out = out " " (at ? substr(line, 1, at - 1) : line)
          line = at ? substr(line, at + 2) : ""
          inside = !at
        } else if (match(line, /"([^"\\]|\\.)*"|\/\*|\/\//)) {
          at = substr(line, RSTART, 2)
          line = substr(line, RSTART + (at ~ /^"/ ? RLENGTH : 2))
          if (at == "//") return out " " line
          inside = at == "/*"
        } else line = ""
      }
      return out
    }
    BEGIN { for (n = split(foreign, part, " "); n; n--) known[part[n]] = 1 }
    FILENAME == list { # the file, its folders, and both without folders in front
      for (name = $0; name != ""; sub(/\/?[^\/]*$/, "", name))
        for (tail = name; ; sub(/^[^\/]*\//, "", tail)) {
          known[tail] = 1
          if (tail !~ /\//) break
        }
      next
    }
    FNR == 1 { inside = 0 }
    FILENAME ~ /[.]md$/ && /^`[^`]+`:$/ { next } # a file that the reader is about to write; tests/extend.sh does
    FILENAME ~ /[.]md$/ { look($0); next }
    FILENAME ~ /[.](c|h|cpp|def)$/ { look(comments_of_c($0)); next }
    match($0, /(^|[ \t])#.*/) { look(substr($0, RSTART)) }
    END {
      print compared + 0 " names of files in comments"
      exit errors > 0 || compared < 50
    }' "$WORK/files" $(grep -E '\.(c|h|cpp|def|awk|py|sh|md|txt)$' "$WORK/files")
}

# plant NAME FILE TEXT: on a copy with the text at the end of the file, the check must name what is not there.
plant() {
  cp "$WORK/copy/$2" "$WORK/kept"
  printf '%s\n' "$3" >>"$WORK/copy/$2"
  if (check_comments "$WORK/copy") >"$WORK/said" || ! grep -q "^$2:[0-9]*: there is no $1$" "$WORK/said"; then
    echo "planted in $2 and not found: $1"
    FAILED=1
  fi
  cp "$WORK/kept" "$WORK/copy/$2"
}

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
FAILED=0
(check_comments "$ROOT") || FAILED=1
if [ $FAILED -eq 0 ]; then
  mkdir "$WORK/copy"
  (cd "$ROOT" && tar cf - .ci CMakeLists.txt README.md $(find bench data include kernels src tests -type f -size -200k)) |
    (cd "$WORK/copy" && tar xf -)
  plant "train/gone.c" src/core/rng.c 'int planted; /* as
 * train/gone.c does */'
  plant "gone.h" src/core/rng.h 'int planted = "/*"; // gone.h'
  plant "tests/gone" tests/run.sh 'true # see tests/''gone'
  plant "src/gone/<name>.c" README.md 'write `src/gone/<name>.c`'
fi
exit $FAILED
