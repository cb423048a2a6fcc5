#!/bin/sh
# How cifar10-tiny.safetensors came about: sh make_cifar10_tiny.sh SPNAS IMAGES (CIFAR-10 as a folder of JPEGs by class)
# Ten minutes on one core, for the first 5 of 15 epochs: 60,000 parameters, small enough to lie beside the tests, and trained
# enough (77 % top-1) for int8 to be judged on it.
set -eu

HERE=$(cd "$(dirname "$0")" && pwd)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
cat >"$WORK/tiny.json" <<END
{"name": "cifar10-tiny", "input": {"size": 32, "channels": 3}, "classes": 10, "activation": "relu", "padding": "same",
 "bn": {"momentum": 0.99, "eps": 0.001}, "dropout": 0, "stem": {"channels": 16, "kernel": 3, "stride": 1},
 "blocks": "ds_r1_k3_s1_c16_noskip | ir_r2_k3_s2_e3_c24 | ir_r2_k5_s2_e3_c40_se0.25 | ir_r1_k3_s2_e4_c64",
 "head": {"channels": 128}}
END
code=0
"$1" train --arch "$WORK/tiny.json" --data "$2" --out "$WORK/run" --threads 1 --set train.epochs=15 --set optim.schedule=cosine \
  --set optim.lr=0.03 --set optim.label_smoothing=0 --set run.max_steps=1755 || code=$?
[ "$code" -eq 3 ] # stopped at the step that was asked for
cp "$WORK/run/best.safetensors" "$HERE/cifar10-tiny.safetensors"
