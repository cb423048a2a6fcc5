#!/bin/sh
# From a trained network to its use: sh deploy.sh BUILD_DIR
# predict on files and folders, import and fine-tuning of what another program trained, export to every format and its
# table; and what each says of broken images, wrong networks, damaged and hostile files.
set -u

TESTS=$(cd "$(dirname "$0")" && pwd)
SPNAS=$(cd "$1" && pwd)/spnas
. "$TESTS/shell/harness.sh"
export SPNAS_DATA="$TESTS/../data"
TIMM="ds_r1_k3_s1_c16_noskip | ir_r1_k3_s2_e3_c24"
TPU="r1_k3_s11_e1_i32_o16_noskip r1_k3_s22_e3_i16_o24"
SIZE="--set train.size=16 --set train.width=0.25"

# shellcheck disable=SC2086 # a list of options
train() {
  "$SPNAS" train --arch "$TIMM" $SIZE --data photos --set optim.batch=8 --set optim.ema=0 --set optim.lr_warmup_epochs=1 --set data.holdout=0 \
    --set data.augment=none --set optim.lr=0.2 "$@"
}

lines() { [ "$(wc -l <log)" -eq "$1" ]; }
says() { grep -q -e "$1" log; }
python() { command -v python3 >/dev/null || return 0; python3 -c "$@"; }

make_network() {
  put jpeg_rgb photos/train/colour photos/test/colour
  put jpeg_grey photos/train/grey photos/test/grey
  run 0 'trained' train --out trained --set train.epochs=30
  net=trained/best.safetensors
}

test_predict() {
  run 0 '^photos/test/colour/1: colour [0-9.]* %, grey [0-9.]* %$' "$SPNAS" predict $net --data photos/test/colour/1
  check "one line an image" lines 1
  run 0 '^photos/test/grey/8: grey' "$SPNAS" predict $net --data photos/test --set predict.top=1
  check "a line an image of a folder" lines 16
  check "the best class alone" sh -c '! grep -q , log'
  check "in order of their names" sort -c log
  run 0 '"file": "photos/test/colour/1", "top": \[{"class": 0, "name": "colour", "probability": [01]' "$SPNAS" predict $net --data photos/test --json
  check "every line is JSON" python '
import json
rows = [json.loads(line) for line in open("log")]
assert len(rows) == 16 and all(len(r["top"]) == 2 and abs(sum(t["probability"] for t in r["top"]) - 1) < 1e-4 for r in rows)
assert all(r["top"][0]["probability"] >= r["top"][1]["probability"] for r in rows)'
  mkdir -p mixed/inner empty/.hidden
  cp photos/test/colour/1 mixed/a.jpg
  cp photos/test/grey/1 mixed/inner/c.png # the content decides
  head -c 60 photos/test/colour/1 >mixed/b.jpg
  echo "no image" >mixed/inner/notes.txt
  run 2 '2 of 4 files are no readable images' "$SPNAS" predict $net --data mixed
  check "which" says 'mixed/b.jpg: '
  check "and the others all the same" says '^mixed/inner/c.png: grey'
  run 2 '"file": "mixed/b.jpg", "error": "' "$SPNAS" predict $net --data mixed --json
  run 2 'mixed/b.jpg: ' "$SPNAS" predict $net --data mixed/b.jpg
  run 2 'empty: expected images, got an empty folder' "$SPNAS" predict $net --data empty
  run 2 'absent: no such file or folder' "$SPNAS" predict $net --data absent
  run 2 '--data: expected an image or a folder' "$SPNAS" predict $net
  run 2 'predict.top: expected an integer from 1' "$SPNAS" predict $net --data mixed/a.jpg --set predict.top=0
  run 2 'notes.txt: expected a tensor file' "$SPNAS" predict mixed/inner/notes.txt --data mixed/a.jpg
}

# predicts NETWORK: what it says of the test images, into NETWORK.txt; names or numbers of classes.
predicts() { "$SPNAS" predict "$1" --data photos/test 2>&1 | sed 's/class 0/colour/; s/class 1/grey/' >"$1.txt"; }

# bytes LENGTH JSON [FILLER]: a tensor file's beginning, with a header of a length that may be a lie.
header() {
  LC_ALL=C awk -v n="$1" 'BEGIN { for (i = 0; i < 8; i++) { printf "%c", n % 256; n = int(n / 256) } }'
  printf '%s' "$2"
  head -c "${3:-0}" /dev/zero
}

# refused FILE SAYS: as a network of its own, as timm's, and to start from.
refused() {
  run 2 "$2" "$SPNAS" import "$1" --out refused.safetensors
  run 2 "$2" "$SPNAS" import "$1" --arch "$TPU" --out refused.safetensors
  run 2 "$1" "$SPNAS" export "$1" --out refused.onnx
  run 2 "$1" train --init "$1" --out refused
}

test_import() {
  predicts $net
  run 0 'wrote x.timm.safetensors (timm)' "$SPNAS" export $net --out x.timm.safetensors
  run 0 '^wrote own.safetensors' "$SPNAS" import x.timm.safetensors --out own.safetensors
  # shellcheck disable=SC2086 # a list of options
  for arch in "$TPU" "$TIMM"; do
    run 0 '0.016 M parameters, .* 2 classes' "$SPNAS" import x.timm.safetensors --arch "$arch" $SIZE --out back.safetensors
    predicts back.safetensors
    check "the same predictions by $arch" cmp $net.txt back.safetensors.txt
  done
  predicts own.safetensors
  check "the same predictions by the file's own network" cmp $net.txt own.safetensors.txt
  run 2 'block.0.dw.weight: expected' "$SPNAS" import x.timm.safetensors --arch "r1_k5_s11_e1_i32_o16_noskip r1_k3_s22_e3_i16_o24" $SIZE --out refused.safetensors
  run 2 'no such tensor' "$SPNAS" import x.timm.safetensors --arch "r1_k3_s11_e1_i32_o16_noskip" $SIZE --out refused.safetensors
  run 2 'stem.conv.weight: expected F32 (32,3,3,3), got F32 (8,3,3,3)' "$SPNAS" import x.timm.safetensors --arch "$TPU" --out refused.safetensors
  run 2 "timm's names" "$SPNAS" import $net --arch "$TPU" --out refused.safetensors
  run 2 'expected the file to write' "$SPNAS" import x.timm.safetensors
  run 2 'absent.safetensors.*No such file' "$SPNAS" import absent.safetensors --out refused.safetensors
  run 2 'absent.json.*No such file' "$SPNAS" import absent.json --out refused.safetensors
  echo '{"first_conv": 3}' >proxyless.json
  run 2 'proxyless.json:1:' "$SPNAS" import proxyless.json --out refused.safetensors
}

# A header that lies, a file that ends early, numbers that are none.
test_hostile() {
  one='{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
  header 54 "$one" 8 >good.safetensors
  run 2 "expected the network that these weights belong to\|timm's names" "$SPNAS" import good.safetensors --out refused.safetensors
  header 9999999999 "$one" 8 >long.safetensors
  refused long.safetensors 'long.safetensors: '
  header 54 "$one" 3 >short.safetensors
  refused short.safetensors 'short.safetensors:1:51 w.data_offsets'
  header 58 '{"w":{"dtype":"F32","shape":[2],"data_offsets":[4,8000]}} ' 8 >outside.safetensors
  refused outside.safetensors 'outside.safetensors:1:51 w.data_offsets'
  header 74 '{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}' 8 >huge.safetensors
  refused huge.safetensors 'huge.safetensors:1:68 w.data_offsets'
  header 56 '{"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}} ' 8 >negative.safetensors
  refused negative.safetensors 'negative.safetensors:1:30 w.shape'
  header 16 '{"w":{"dtype":"F' >cut.safetensors
  refused cut.safetensors 'cut.safetensors:1:17: expected'
  head -c 2000 x.timm.safetensors >half.safetensors
  refused half.safetensors 'half.safetensors: '
  LC_ALL=C sed 's/conv_stem.weight/conv_stem.waste_/' x.timm.safetensors >damaged.safetensors
  refused damaged.safetensors 'damaged.safetensors: the file is damaged: expected checksum'
  # The same by a program that keeps no checksum.
  for edit in 's/conv_stem.weight/conv_stem.waste_/' 's/"blocks.0.0.bn1.bias"/"blocks.0.0.bn1.bits"/' 's/classifier.bias/classifier.base/' \
    's/"F32"/"F16"/' 's/"shape":\[2\]/"shape":[ ]/'; do
    LC_ALL=C sed "s/spnas.crc32/other.crc32/; $edit" x.timm.safetensors >renamed.safetensors
    check "$edit changes something" sh -c '! cmp -s x.timm.safetensors renamed.safetensors'
    run 2 'waste_\|bits\|base\|conv_stem\|classifier\|bn1\|renamed.safetensors' "$SPNAS" import renamed.safetensors --out refused.safetensors
  done
  LC_ALL=C sed 's/spnas.crc32/other.crc32/; s/\\"kernel\\": *3/\\"kernel\\": 4/' x.timm.safetensors >arch.safetensors
  check "the network's text is damaged" sh -c '! cmp -s x.timm.safetensors arch.safetensors'
  run 2 'arch.safetensors' "$SPNAS" import arch.safetensors --out refused.safetensors
  for command in eval predict; do
    run 2 "x.timm.safetensors: expected a network of spnas, got tensors of timm's names.*spnas import" "$SPNAS" $command x.timm.safetensors --data photos
  done
  run 2 "x.timm.safetensors: expected a network of spnas, got tensors of timm's names" train --init x.timm.safetensors --out refused
  check "nothing is left of what was refused" [ ! -e refused.safetensors -a ! -e refused.onnx -a ! -e refused ]
}

test_finetune() {
  put jpeg_progressive photos/train/azure photos/test/azure
  run 0 'test  *top-1' train --init $net --out tuned --set train.epochs=4 --set train.frozen_epochs=2 --set train.layer_decay=0.7 --set optim.batch=4
  check "the classifier starts anew for the new class" says 'starts anew for 1 of 3 classes, "azure"'
  run 0 'azure' "$SPNAS" predict tuned/best.safetensors --data photos/test/azure/1
  run 0 'test  *top-1' train --init own.safetensors --out probed --set train.epochs=2 --set train.frozen_epochs=2 --set optim.batch=4
  run 2 'train.frozen_epochs: expected 0 without weights' train --out refused --set train.frozen_epochs=1 --set train.epochs=2
  check "and leaves no folder" [ ! -e refused ]
  rm -r photos/train/azure photos/test/azure
}

test_export() {
  run 0 '^format  *kB  *output  *worst  *typical  *same class  *file' "$SPNAS" export $net --format all --out all --data photos
  for row in 'onnx  *[0-9.]*  logits  *[0-9.e-]* *[0-9.e-]*  16 of 16  *all/best.onnx' 'tflite_int8  *[0-9.]*  logits .* of 16 ' \
    'timm .* 16 of 16 ' 'c .* 16 of 16  *all/best.c' 'svg  *[0-9.]*  picture'; do
    check "the table's row: $row" says "^$row"
  done
  check "what was compared" says 'checked on 16 training images of photos'
  check "export.json and every file" python '
import json, os
said = json.load(open("all/export.json"))
rows = {r["format"]: r for r in said["formats"]}
assert set(rows) == {"onnx", "tflite", "tflite_int8", "timm", "c", "svg", "dot"}, rows
assert all(os.path.getsize(r["file"]) == r["bytes"] > 100 for r in rows.values())
assert all(rows[k]["difference"] < 1e-4 and rows[k]["same"] == 16 for k in ("onnx", "tflite", "timm", "c"))
assert os.path.exists("all/load_timm.py") and os.path.exists("all/best.h")'
  run 0 '^tflite_int8  *-  left out: its ranges need images' "$SPNAS" export $net --format all --out plain
  check "no int8 file" [ ! -e plain/best.int8.tflite ]
  check "noise is said" says 'checked on 8 images of noise'
  run 0 '^c  *-  left out: it gives no endpoints' "$SPNAS" export $net --format all --out maps --data photos --endpoints 2,4,logits
  check "a row an output" [ "$(grep -c 'stride[24] ' log)" -eq 6 ]
  run 0 'wrote maps.onnx (onnx): worst differences stride2 [0-9.e-]*, stride4 [0-9.e-]*$' "$SPNAS" export $net --out maps.onnx --endpoints 4,2
  run 0 'worst difference [0-9.e-]*$' "$SPNAS" export $net --out maps.tflite --endpoints '[4]' --set export.endpoint_layer=expansion
  check "the layer stands in the file" grep -aq 'output.stride4.*head' maps.tflite
  run 2 'export.endpoints: expected strides of the network (2, 4), got 8' "$SPNAS" export $net --out refused.onnx --endpoints 4,8
  run 2 'export.endpoints: expected up to 8 different strides' "$SPNAS" export $net --out refused.onnx --endpoints 4:2
  run 2 'format c gives the logits alone; expected onnx, tflite or tflite_int8' "$SPNAS" export $net --out refused.c --endpoints 4
  run 2 'format timm gives the logits alone' "$SPNAS" export $net --out refused.timm.safetensors --endpoints 4
  run 2 'int8 needs images' "$SPNAS" export $net --out refused.int8.tflite
  run 2 'absent' "$SPNAS" export $net --out refused.int8.tflite --data absent
  mkdir -p bad/train/colour bad/train/grey
  for i in 1 2 3; do head -c 50 photos/train/colour/$i >bad/train/colour/$i; cp photos/train/grey/$i bad/train/grey/$i; done
  run 2 'bad' "$SPNAS" export $net --out refused.int8.tflite --data bad
  run 1 'in-the-way' sh -c ': >in-the-way; exec "$@"' - "$SPNAS" export $net --format all --out in-the-way
  run 2 'expected the file to write, or the folder' "$SPNAS" export $net --format all
  check "nothing is left of what was refused" [ ! -e refused.onnx -a ! -e refused.c -a ! -e refused.int8.tflite -a ! -e refused.timm.safetensors ]
}

make_network
test_predict
test_import
test_hostile
test_finetune
test_export
[ -z "${KEEP:-}" ] || cp -r . "$KEEP"
finish deploy.sh
