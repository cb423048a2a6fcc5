#!/bin/sh
# The whole way on a small task: installs what is missing, builds, searches a network for Fashion-MNIST, trains it, exports it.
set -eu

ROOT=$(cd "$(dirname "$0")/.." && pwd)
. "$ROOT/data/packages.sh"

usage() {
  cat <<END
usage: data/demo.sh [--out DIR] [--data DIR] [--fresh] [--build-only]

Searches a network for Fashion-MNIST under a latency target, trains it and exports it as ONNX. What is trained is the proxy of the
search (28x28, a quarter of the width), not the 224x224 network of the predicted ms: that would take hours.
Takes at most 8 minutes on 2 cores once everything is installed. Run it again after an interruption: it goes on where it was.

  --out DIR      where the results go (default: runs/demo in this repository)
  --data DIR     folder with the four idx files (default: $FASHION_MNIST,
                 from the package $DATA_PACKAGES)
  --fresh        delete the results of an earlier demo first
  --build-only   install and build, then stop
  --help         this text
END
}

OUT=$ROOT/runs/demo
DATA=$FASHION_MNIST
FRESH=
BUILD_ONLY=
START=$(date +%s)

# absolute PATH: PATH as seen from any folder
absolute() {
  case $1 in
    /*) printf '%s\n' "$1" ;;
    *) printf '%s\n' "$PWD/$1" ;;
  esac
}

parse_arguments() {
  while [ $# -gt 0 ]; do
    case $1 in
      --out | --data)
        [ $# -ge 2 ] || die "$1 needs a folder"
        if [ "$1" = --out ]; then OUT=$(absolute "$2"); else DATA=$(absolute "$2"); fi
        shift
        ;;
      --fresh) FRESH=1 ;;
      --build-only) BUILD_ONLY=1 ;;
      --help | -h)
        usage
        exit 0
        ;;
      *) die "unknown argument: $1 (see --help)" ;;
    esac
    shift
  done
}

install() {
  packages=$BUILD_PACKAGES
  [ "$DATA" != "$FASHION_MNIST" ] || packages="$packages $DATA_PACKAGES"
  # shellcheck disable=SC2086 # a list of names
  install_packages $packages
}

build_release() {
  say "building into build/ (about a minute; log in build/build.log)"
  mkdir -p "$ROOT/build"
  build "$ROOT/build" spnas -DCMAKE_BUILD_TYPE=Release >"$ROOT/build/build.log" 2>&1 || {
    tail -n 40 "$ROOT/build/build.log" >&2
    die "the build failed; the whole log is build/build.log"
  }
}

check_data() {
  for name in train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte; do
    [ -f "$DATA/$name" ] || [ -f "$DATA/$name.gz" ] ||
      die "$DATA has no $name or $name.gz; install the package $DATA_PACKAGES or name another folder with --data"
  done
}

# step NAME FOLDER COMMAND...: runs the command once; done, it is not run again. An interrupted one is resumed.
step() {
  name=$1
  folder=$2
  shift 2
  if [ -f "$folder/.done-$name" ]; then
    say "$name: done earlier, see $folder"
    return 0
  fi
  if [ "$name" != export ] && [ -f "$folder/config.resolved.json" ]; then
    say "$name: going on where it stopped in $folder"
    set -- "$@" --resume
  else
    say "$name"
  fi
  "$@" || die "$name stopped (code $?); what there is lies in $folder; run this again to go on, or with --fresh to start over"
  : >"$folder/.done-$name"
}

main() {
  parse_arguments "$@"
  install
  [ -n "$BUILD_ONLY" ] || check_data
  build_release
  [ -z "$BUILD_ONLY" ] || { say "built: $ROOT/build/spnas"; exit 0; }
  [ -z "$FRESH" ] || rm -rf "$OUT/search" "$OUT/train" "$OUT/demo.onnx"
  mkdir -p "$OUT" || die "cannot write to $OUT"

  spnas=$ROOT/build/spnas
  config=$ROOT/data/demo.json
  step search "$OUT/search" "$spnas" search --config "$config" --data "$DATA" --out "$OUT/search"
  step train "$OUT/train" "$spnas" train --config "$config" --set "data.path=$DATA" --arch "$OUT/search/arch.json" \
    --init "$OUT/search/inherited.safetensors" --out "$OUT/train"
  step export "$OUT/train" "$spnas" export "$OUT/train/best.safetensors" --format onnx --out "$OUT/demo.onnx"

  say "what was found"
  "$spnas" info "$OUT/search/arch.json"
  say "its accuracy on the test images"
  "$spnas" eval "$OUT/train/best.safetensors" --data "$DATA"
  say "done after $(($(date +%s) - START)) s"
  cat <<END
  found network     $OUT/search/arch.json
  search log        $OUT/search/metrics.jsonl
  trained weights   $OUT/train/best.safetensors
  training log      $OUT/train/metrics.jsonl
  ONNX              $OUT/demo.onnx
END
}

main "$@"
