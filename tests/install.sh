#!/bin/sh
# What cmake --install and cpack give: sh install.sh BUILD_DIR
# The program run from elsewhere, manuals that tell what --help tells, completion, and the library in a foreign project.
set -u

TESTS=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "$1" && pwd)
. "$TESTS/shell/harness.sh"
PREFIX=$WORK/prefix
unset SPNAS_DATA

# The settings of --help, and of a man page: a line each.
settings_of_help() {
  sed -n '/^Settings:/,$p' | awk '/^  [a-z]+\.[a-z_0-9]+ / { if (line) print line; line = $0; next } /^ / { line = line " " $0; next }
                                 { if (line) print line; line = "" } END { if (line) print line }' | tr -s ' ' | sed 's/^ //'
}
settings_of_man() {
  awk '/^\.SH/ { on = $2 == "SETTINGS" } on && /^\.B / { path = $2; getline; print path " " $0 }' "$1" | sed 's/\\-/-/g; s/\\&//g; s/\\e/\\/g'
}

# pages_tell_help COMMAND: the page has every setting that --help has, with the same words.
pages_tell_help() {
  "$PREFIX/bin/spnas" "$1" --help | settings_of_help | awk '{ print $1 }' >help.paths
  settings_of_man "$PREFIX/share/man/man1/spnas-$1.1" >man.lines
  awk '{ print $1 }' man.lines >man.paths
  diff help.paths man.paths || return 1
  while read -r path rest; do
    default=${rest##*(default } # help text (default VALUE) [range]
    text=${rest%%(default*}
    "$PREFIX/bin/spnas" "$1" --help | settings_of_help | grep -F -- "$path " | grep -F -- "${text% }" | grep -qF -- "${default%%)*}" || {
      echo "--help and the page differ on $path"
      return 1
    }
    grep -qF -- "| \`$path\` | \`${default%%)*}\` |" "$PREFIX/share/doc/spnas/settings.md" || {
      echo "the reference differs on $path"
      return 1
    }
  done <man.lines
}

# completes EXPECTED WORD...: what bash offers after these words.
completes() {
  expected=$1
  shift
  got=$(bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }; _spnas; echo "${COMPREPLY[*]}"' - \
    "$PREFIX/share/bash-completion/completions/spnas" "$@")
  [ "$got" = "$expected" ] || { echo "after '$*': expected $expected, got $got"; return 1; }
}

make_network() {
  tiny_data .
  "$PREFIX/bin/spnas" train --arch r1_k3_s22_e1_i32_o16 --set train.size=16 --data . --out net --set train.epochs=1 --set optim.batch=20 --quiet
}

foreign_cmake() {
  cmake -S "$TESTS/foreign" -B foreign -DCMAKE_PREFIX_PATH="$PREFIX" && cmake --build foreign &&
    foreign/classify net/best.safetensors
}

foreign_pkg_config() {
  PKG_CONFIG_PATH=$PREFIX/lib/pkgconfig pkg-config --validate spnas &&
    # shellcheck disable=SC2046 # a list of flags
    cc -o classify "$TESTS/foreign/classify.c" $(PKG_CONFIG_PATH=$PREFIX/lib/pkgconfig pkg-config --cflags --libs spnas) &&
    ./classify net/best.safetensors
}

refuses() {
  foreign/classify "$WORK/nothing.safetensors"
  [ $? -eq 2 ] || { echo "a missing file: expected code 2"; return 1; }
}

deb() {
  (cd "$BUILD" && cpack -G DEB -B "$WORK/deb") && dpkg-deb -x "$WORK"/deb/spnas_*.deb unpacked &&
    dpkg-deb -f "$WORK"/deb/spnas_*.deb Depends | grep -q libdnnl && (cd / && env -i "$WORK/unpacked/usr/bin/spnas" info singlepath)
}

cmake --install "$BUILD" --prefix "$PREFIX" >log 2>&1 || { cat log; exit 1; }
check "the program finds its data from anywhere" env -i "$PREFIX/bin/spnas" info singlepath
for command in $("$PREFIX/bin/spnas" --help | awk '/^  [a-z]/ { print $1 }'); do
  check "$command: --help, man page and reference agree" pages_tell_help "$command"
  if command -v man >/dev/null; then
    check "$command: the page is good roff" sh -c 'MANROFFSEQ= man --warnings -l "$1" 2>&1 >/dev/null | grep . && exit 1; exit 0' - \
      "$PREFIX/share/man/man1/spnas-$command.1"
  fi
done
if command -v bash >/dev/null; then
  check "completion of a command" completes "search" spnas sear
  check "completion of an option" completes "--target" spnas search --ta
  check "completion of a choice" completes "cosine constant" spnas train --set optim.schedule = co
  check "completion of a format" completes "onnx" spnas export --format onn
  check "completion of a command that lists" completes "runs" spnas ru
  check "completion of an option that goes without its value" completes "--serve" spnas report --se
fi
if command -v zsh >/dev/null; then
  check "zsh reads its completion" zsh -n "$PREFIX/share/zsh/vendor-completions/_spnas"
  check "zsh knows what may go without its value" grep -q "'--serve::PORT: '" "$PREFIX/share/zsh/vendor-completions/_spnas"
fi
check "a network for the foreign project" make_network
check "the library in a foreign CMake project" foreign_cmake
check "its errors there" refuses
if command -v pkg-config >/dev/null; then check "the library by pkg-config" foreign_pkg_config; else echo "skipped: no pkg-config"; fi
if command -v dpkg-shlibdeps >/dev/null; then check "the Debian package, unpacked" deb; else echo "skipped: no dpkg-shlibdeps"; fi

finish install.sh
