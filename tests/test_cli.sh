#!/bin/sh
# The commands as a user meets them: sh test_cli.sh BUILD_DIR
# Help, wrong input and its exit codes, a full disk, NaN, resuming, and the way from images to an exported network.
set -u

TESTS=$(cd "$(dirname "$0")" && pwd)
SPNAS=$(cd "$1" && pwd)/spnas
. "$TESTS/shell/harness.sh"
export SPNAS_DATA="$TESTS/../data"
DISK=

clean() {
  [ -z "$DISK" ] || umount "$DISK"
  rm -rf "$WORK"
}
trap clean EXIT

make_data() {
  tiny_data data
  cat >space.json <<END
{"name": "tiny", "input": {"size": 32, "channels": 3}, "classes": 10, "activation": "relu", "padding": "same",
 "bn": {"momentum": 0.9, "eps": 0.001}, "dropout": 0.2, "stem": {"channels": 8, "kernel": 3, "stride": 2},
 "stages": [{"layers": 1, "channels": 8, "stride": 1, "kernel": [3], "expand": [1]},
            {"layers": 2, "channels": 16, "stride": 2, "kernel": [3, 5], "expand": [3, 6], "se": [0, 0.25], "skip": true}],
 "head": {"channels": 32}, "proxy": {"size": 16, "stem_stride": 1, "strides": [1, 2]}}
END
}

search() {
  "$SPNAS" search --data data --set search.space=space.json --set search.cost=macs --set search.target_share=0.6 --set search.epochs=3 \
    --set search.warmup_epochs=1 --set optim.batch=20 --set search.recalibrate=3 --set run.log_steps=2 --set search.force=1 "$@"
}

train() {
  "$SPNAS" train --data data --arch searched/arch.json --set train.epochs=6 --set optim.batch=20 --set optim.lr_warmup_epochs=1 \
    --set optim.ema=0.9 --set run.log_steps=2 "$@"
}

# ---- Arguments and settings ----

test_help() {
  run 0 "usage: spnas COMMAND" "$SPNAS" --help
  run 2 "usage: spnas COMMAND" "$SPNAS"
  run 0 "oneDNN" "$SPNAS" --version
  commands=$("$SPNAS" --help | sed -n 's/^  \([a-z]*\) .*/\1/p')
  check "--help lists the commands" [ "$(echo $commands | wc -w)" -ge 6 ]
  for command in $commands; do
    run 0 "usage: spnas $command" "$SPNAS" $command --help
    [ $command = runs ] || run 2 "expected" "$SPNAS" $command
    run 2 "unknown argument --frob" "$SPNAS" $command --frob
    run 2 "expected a value" "$SPNAS" $command --set
  done
  run 0 "per 256 images" "$SPNAS" search --help
  run 2 "unknown command frobnicate" "$SPNAS" frobnicate
}

# config TEXT PATTERN: a config file with one mistake.
config() {
  printf "$1" >wrong.json
  run 2 "$2" "$SPNAS" search --config wrong.json --data data --out refused
}

test_settings() {
  config '{\n  "optim": {\n    "lr": "fast"\n  }\n}\n' 'wrong.json:3:11 optim.lr: expected a number .*got "fast"'
  config '{"optim": {"speed": 1}}' 'wrong.json:1:12 optim.speed: unknown key'
  config '{"warp": {}}' 'wrong.json:1:2 warp: unknown key'
  config '{"optim": {"lr": 0.1,}}' 'wrong.json:1:22: expected'
  config '{"optim": {"batch": 1.5}}' 'wrong.json:1:21 optim.batch: expected an integer'
  config '{"optim": {"optimizer": "lamb"}}' 'wrong.json:1:25 optim.optimizer: expected.*rmsprop.*got "lamb"'
  config '{"run": {"reproducible": 1}}' 'wrong.json:1:26 run.reproducible: expected'
  config '{"optim"' 'wrong.json:1:'
  config '[1]' 'wrong.json:1:1'
  run 2 'optim.lr: expected a number from 0 to 1000, got "1e30"' search --set optim.lr=1e30 --out refused
  run 2 'optim.batch: expected an integer' search --set optim.batch=many --out refused
  run 2 'optim.foo: no such setting' search --set optim.foo=1 --out refused
  run 2 'expected section.key=value' search --set optim.lr --out refused
  run 2 'search.target: expected .* below: no network meets it' search --set search.target_share=0.0001 --out refused
  run 2 'search.target: expected .* which is .* MMACs above: every network' "$SPNAS" search --data data --set search.space=space.json \
    --set search.cost=macs --target 1000 --out refused
  run 2 'search.warmup_epochs: expected less than search.epochs = 3, got 3' search --set search.warmup_epochs=3 --out refused
  run 2 'search.proxy_size: expected 0 or at least 8 pixels, got 1' search --set search.proxy_size=1 --out refused
  run 2 'search.proxy_width: expected 0 or at least 0.05, got 1e-09' search --set search.proxy_width=1e-9 --out refused
  run 2 'run.threads: expected at most' search --threads 1024 --out refused
  run 2 'run.threads: expected at most' train --arch mnasnet-a1 --threads 1024 --out refused
  run 2 'absent.json.*No such file' search --config absent.json --out refused
  run 2 'absent: expected a data set, got: No such file' "$SPNAS" search --data absent --target 80 --out refused
  mkdir flat && : >flat/photo.jpg
  run 2 'flat: found no data set: expected .*a folder of images for each class' "$SPNAS" search --data flat --target 80 --out refused
  check "nothing is written for wrong settings" [ ! -e refused ]
  run 2 'run.isa' search --set run.isa=abacus --out refused
  rm -rf refused
}

# ---- Files ----

test_data() {
  mkdir empty cut
  run 2 'data.path: expected' "$SPNAS" search --set search.space=space.json --set search.cost=macs --set search.target=0.5 --out refused
  run 2 'absent' search --data absent --out refused
  run 2 'empty' search --data empty --out refused
  cp data/* cut
  head -c 100000 data/data_batch_3.bin >cut/data_batch_3.bin
  run 2 'cut/data_batch_3.bin: truncated' search --data cut --out refused
  rm -rf refused
}

test_networks() {
  run 2 '--arch: expected' "$SPNAS" train --data data --out refused
  run 2 'nope' "$SPNAS" train --data data --out refused --arch nope
  run 2 'absent/arch.json.*No such file' "$SPNAS" train --data data --out refused --arch absent/arch.json
  printf '{"name": 3}' >wrong.json
  run 2 'wrong.json:1:10 name: expected a string, got 3' "$SPNAS" train --data data --out refused --arch ./wrong.json
  printf '{"arch": ' >wrong.json
  run 2 'wrong.json:1:' "$SPNAS" train --data data --out refused --arch ./wrong.json
  run 2 's' "$SPNAS" train --data data --out refused --arch r1_k3_sXX_e1_i32_o16
  printf '{"name": "x",\n "stages": 5}' >wrong.json
  run 2 'wrong.json:' "$SPNAS" search --data data --out refused --set search.space=wrong.json
  sed 's/"stride": 2, "kernel": \[3, 5\]/"stride": 3, "kernel": [3, 5]/' space.json >wrong.json
  run 2 'wrong.json:4:[0-9]* .*stride: expected' "$SPNAS" search --data data --out refused --set search.space=wrong.json
}

test_weights() {
  head -c 1000 trained/best.safetensors >cut.safetensors
  size=$(($(wc -c <trained/best.safetensors) - 7))
  head -c $size trained/best.safetensors >short.safetensors
  { head -c $size trained/best.safetensors; printf 'garbage'; } >damaged.safetensors
  LC_ALL=C awk -v n=1 -v seed=1 -f "$TESTS/tiny_data.awk" >noise.safetensors
  for name in cut short damaged noise; do
    run 2 "$name.safetensors" "$SPNAS" eval $name.safetensors --data data
    run 2 "$name.safetensors" "$SPNAS" info $name.safetensors
    run 2 "$name.safetensors" "$SPNAS" export $name.safetensors --out refused.onnx
    run 2 "$name.safetensors" train --out refused --init $name.safetensors
  done
  check "no export of a damaged network" [ ! -e refused.onnx ]
  run 2 'absent.safetensors.*No such file' "$SPNAS" eval absent.safetensors --data data
  run 2 'abacus' "$SPNAS" export trained/best.safetensors --format abacus --out refused.onnx
  run 1 'file-in-the-way' "$SPNAS" export trained/best.safetensors --out file-in-the-way/x.onnx
}

test_folders() {
  : >file-in-the-way
  run 1 'file-in-the-way' search --out file-in-the-way
  run 1 'file-in-the-way' search --out file-in-the-way/deeper
  run 1 '/proc/nonexistent' search --out /proc/nonexistent
}

# ---- The way of a network ----

test_chain() {
  run 0 'predicted .*\(met\|kept\)' search --out searched
  check "arch.json" [ -s searched/arch.json ]
  run 0 'test  *top-1' train --out trained --init searched/inherited.safetensors
  run 0 'top-1 .* on 80 test images' "$SPNAS" eval trained/best.safetensors --data data
  run 0 '"top1"' "$SPNAS" eval trained/best.safetensors --data data --json
  evaluated=$(sed -n 's/.*"top1": \([0-9.]*\).*/\1/p' log)
  reported=$(sed -n 's/.*"test_top1": \([0-9.]*\).*/\1/p' trained/result.json)
  check "eval's top-1 $evaluated is result.json's $reported" [ -n "$evaluated" -a "$evaluated" = "$reported" ]
  check "better than guessing: $evaluated" [ "$(echo "$evaluated" | awk '{ print ($1 > 0.3) }')" = 1 ]
  run 0 'wrote net.onnx' "$SPNAS" export trained/best.safetensors --out net.onnx
  check "net.onnx" [ -s net.onnx ]
  run 0 'cost .*MMACs' "$SPNAS" info searched/arch.json
  run 0 'parameters' "$SPNAS" info trained/best.safetensors
  run 0 '10^' "$SPNAS" info space.json --set search.cost=macs
  run 0 '80.441' "$SPNAS" info single-path-nas
  run 0 'cost  *333.4671 MMACs' "$SPNAS" info single-path-nas --set search.cost=macs
  run 0 'cost  *300.7743 MMACs' "$SPNAS" info mobilenetv2 --set search.cost=macs
  run 0 'cost  *3.5049 Mparams' "$SPNAS" info mobilenetv2 --set search.cost=params
  run 0 'cost  *[0-9.]* Mparams' "$SPNAS" info searched/arch.json --set search.cost=params
  run 0 '10^16.13 networks' "$SPNAS" info mnasnet --set search.cost=macs
  run 0 'cost  *300.7743 MMACs by macs$' "$SPNAS" info mobilenetv2 --set search.space=mobilenetv2 --set search.cost=macs
  run 0 'the space of that name: spnas info .*/spaces/mobilenetv2.json' "$SPNAS" info mobilenetv2
  run 0 '^space  *mobilenetv2: 17 layers' "$SPNAS" info "$SPNAS_DATA/spaces/mobilenetv2.json" --set search.cost=macs
  run 2 'prices layers one by one, but in space mnasnet other layers depend on what is decided for layer 0 kernel' "$SPNAS" info mnasnet
  run 0 'cost  *[0-9.]* ms by pixel1-singlepath; .* of .* parts modelled, not measured' "$SPNAS" info single-path-nas --size 192
  run 2 'nonsense: .*mnasnet-a1, .*nonsense: .*spaces; there are: demo, ' "$SPNAS" info nonsense
  run 0 'parameters' "$SPNAS" info "ds_r1_k3_s1_c16_noskip | ir_r3_k3_s2_e3_c24"
}

# What is trained and exported is the network that meets the budget; the proxy only when asked, and then everything says so.
test_proxy() {
  run 0 'trains the network as it is deployed, at 32x32' search --out searched --resume
  predicted=$(sed -n 's/.*"predicted": \([0-9.]*\).*/\1/p' searched/arch.json)
  run 0 'note: the images\|network tiny at 32x32' train --out again --set train.epochs=2
  check "training says what was predicted" grep -q "predicted .* MMACs (macs, target" log
  run 0 "predicted .* MMACs (macs)" "$SPNAS" eval again/best.safetensors --data data
  run 0 "predicted .* MMACs (macs)" "$SPNAS" export again/best.safetensors --out again.onnx
  run 0 "spnas.predicted  *$(echo "$predicted" | cut -c 1-4)" "$SPNAS" info again/best.safetensors
  check "the export carries the prediction" grep -aq 'spnas.predicted' again.onnx
  run 0 'of the proxy, not the network of' search --out proxied --set search.proxy_size=16
  check "the run says what it trains" grep -q 'trains the proxy, not the network that is found, at 16x16' log
  check "arch.json says what was trained" grep -q '"searched_on": "proxy at 16x16, width 1, not the network of .* MMACs"' proxied/arch.json
  note='proxy, not the network of .* MMACs'
  run 0 "note: .*$note" train --arch proxied/arch.json --set train.variant=proxy --out proxy --init proxied/inherited.safetensors --set train.epochs=2
  check "the training ends with the note" grep -q "^note  *$note\|; $note" log
  check "all weights fit" grep -q 'weights: \([0-9]*\) of \1 tensors are taken' log
  run 0 "$note" "$SPNAS" eval proxy/best.safetensors --data data
  run 0 "\"note\": .*$note" "$SPNAS" eval proxy/best.safetensors --data data --json
  run 0 "$note" "$SPNAS" export proxy/best.safetensors --out proxy.onnx
  run 0 "$note" "$SPNAS" info proxy/best.safetensors
  run 0 "$note" "$SPNAS" info proxied/arch.json --set train.variant=proxy
  check "the export carries the note" grep -aq "$note" proxy.onnx
  check "and no prediction" [ "$(grep -ac 'spnas.predicted' proxy.onnx)" = 0 ]
  run 0 'weights: .* tensors are taken .*the others start anew' train --arch proxied/arch.json --set train.width=0.5 --out narrowed \
    --init proxied/inherited.safetensors --set train.epochs=2
  check "another width is another network" grep -q 'note  *.*train.width 0.5, not the network of' log
}

# A network of another depth, width and size is one more network; its file tells what it costs, and to whom.
test_scale() {
  run 0 'mnasnet-a1 w1.4 .* 6.106 M  *586.3 M' "$SPNAS" scale mnasnet-a1 --width 1.4
  run 0 'mnasnet-a1 at 96 .* 3.887 M  *58.5 M' "$SPNAS" scale mnasnet-a1 --size 96
  run 0 'by pixel1-singlepath; .* parts modelled, not measured' "$SPNAS" scale mnasnet-a1 --depth 1.2 --width 1.4 --size 192
  run 0 'MACs  *662.8 M' "$SPNAS" info mnasnet-a1 --depth 1.2 --width 1.4 --size 192
  run 0 'wrote  *scaled.json' "$SPNAS" scale searched/arch.json --depth 1.5 --width 0.5 --set search.cost=macs --out scaled.json
  macs=$(sed -n 's/.*"macs": \([0-9]*\).*/\1/p' scaled.json)
  run 0 "MACs  *$(awk -v m="$macs" 'BEGIN { printf "%.1f", m / 1e6 }') M" "$SPNAS" info scaled.json
  run 0 'predicted  *[0-9.]* MMACs (macs)$' train --arch scaled.json --out scaled --set train.epochs=2
  run 0 'spnas.method  *scale' "$SPNAS" info scaled/best.safetensors
  run 0 'note  *.*train.depth 1.5, not the network of' train --arch searched/arch.json --depth 1.5 --out deeper \
    --set train.epochs=2
  run 0 'coefficient -.*; target 0.02 MMACs' "$SPNAS" scale searched/arch.json --target 0.02 --set search.cost=macs --out smaller.json
  run 0 'cost  *unknown' "$SPNAS" scale searched/arch.json --width 0.5 --set search.cost=no-such --out unpriced.json
  run 0 'note: too little evidence' train --arch unpriced.json --out unpriced --set train.epochs=2
  run 0 'too little evidence' "$SPNAS" info unpriced/best.safetensors
  run 0 'wrote scaled.svg' "$SPNAS" export scaled/best.safetensors --out scaled.svg
  check "a picture shows what was predicted" grep -q 'MMACs by macs' scaled.svg
  run 0 'wrote deeper.svg' "$SPNAS" export deeper/best.safetensors --out deeper.svg
  check "but not of another network" [ "$(grep -c 'MMACs by macs' deeper.svg)" = 0 ]
  run 0 'wrote deeper.dot' "$SPNAS" export deeper/best.safetensors --out deeper.dot --set search.cost=flops
  check "unless it is asked for" grep -q 'MFLOPs by flops' deeper.dot
  check "at most the target: $(grep macs smaller.json)" [ "$(sed -n 's/.*"macs": \([0-9]*\).*/\1/p' smaller.json)" -le 20000 ]
  run 2 'target 1e-05: the cheapest network on the way down costs' "$SPNAS" scale mnasnet-a1 --target 0.00001 --out refused.json
  run 2 'expected one of scale.depth, scale.width and scale.size above 1' "$SPNAS" scale mnasnet-a1 --target 50 --out refused.json \
    --set scale.depth=1 --set scale.width=1 --set scale.size=1
  run 2 'depth 16: expected at most 128 blocks' "$SPNAS" scale mnasnet-a1 --depth 16 --out refused.json
  run 2 'no-such' "$SPNAS" scale mnasnet-a1 --target 50 --set search.cost=no-such --out refused.json
  run 0 'cost  *unknown: .*no-such' "$SPNAS" scale mnasnet-a1 --width 0.5 --set search.cost=no-such
  check "nothing is written for what is refused" [ ! -e refused.json ]
}

# A search that knows too little names nothing, unless it is told to.
test_evidence() {
  run 2 'too little evidence.*steps after the warm-up.*search.force=1' search --out unknown --set search.force=0
  check "nothing is named" [ ! -e unknown/arch.json -a ! -e unknown/inherited.safetensors ]
  check "its checkpoints stay" [ -s unknown/checkpoints/step-000000039.safetensors ]
  run 0 'evidence  *TOO LITTLE: 26 steps' search --out unknown --resume
  check "arch.json says so" grep -q '"note": "too little evidence: ' unknown/arch.json
  run 0 'note: too little evidence: ' train --arch unknown/arch.json --out known --set train.epochs=2
  run 0 'too little evidence: ' "$SPNAS" info known/best.safetensors
  run 0 'evidence  *1[0-9]* steps' search --out enough --set search.force=0 --set search.epochs=12 --set search.threshold_lr=0.05
  check "arch.json has the evidence" grep -q '"evidence": {"enough": true, ' enough/arch.json
  run 0 'unknown without held-out images' search --out blind --set data.holdout=0
  check "what is not known is null" grep -q '"inherited_holdout_top1": null' blind/arch.json
  run 0 'held out  *none: there are no such images' train --out blind-train --set data.holdout=0 --set train.epochs=2
  check "nor is that of a training" grep -q '"holdout_top1": null' blind-train/result.json
}

# A table that tells no networks apart.
test_table() {
  sed 's/\("cost": \)\[.*\]/\1[[0, 0], [0, 0]]/; s/"cost": 19.5999/"cost": 0/' "$SPNAS_DATA/latency/pixel1-singlepath.json" >zero.json
  run 2 'every network of space singlepath costs 0 ms: there is no budget' "$SPNAS" search --data data --set search.cost=zero.json --out refused
  check "nothing is written" [ ! -e refused ]
}

# From tables to a model, and from this computer to a search for it.
test_latency() {
  networks=$SPNAS_DATA/latency/pixel1-networks.csv
  run 0 'all 6435 halves' "$SPNAS" latency fit pixel1-singlepath pixel1-proxylessnas --networks "$networks" --holdout "$networks" --plot plot.csv --out pixel1.json
  check "a row an entry and network" [ "$(wc -l <plot.csv)" -eq $((1 + 80 + 72 + 15 + 15)) ]
  run 0 'predicted  *7[78]\.[0-9]* ms +- [0-9.]*, calibrated on 15 networks' "$SPNAS" latency predict pixel1.json mnasnet-a1
  run 0 '^sum  *80\.4411 ms' "$SPNAS" latency predict pixel1-singlepath single-path-nas
  run 0 '"origin":"modelled"\|"origin": "modelled"' "$SPNAS" latency predict pixel1.json mobilenetv2 --set train.width=0.35 --json
  run 0 'entries modelled, not measured' "$SPNAS" info singlepath-se-k7 --set search.cost=pixel1.json
  run 0 'of whole networks; SE part modelled' "$SPNAS" info mnasnet --set search.cost=pixel1.json
  run 0 '0\.5 \* pixel1-singlepath + 0\.5 \* pixel1.json' "$SPNAS" info singlepath --set 'search.cost=0.5 * pixel1-singlepath + 0.5 * pixel1.json'
  run 2 'did you mean "fit"' "$SPNAS" latency fits
  run 2 'expected at least one table' "$SPNAS" latency fit --out nothing.json
  run 2 'column network: no-such' sh -c 'printf "network,ms\nno-such,1\n" >bad.csv; "$0" latency fit pixel1-singlepath --networks bad.csv --out nothing.json' "$SPNAS"
  run 2 'bad.csv:1: expected a column op\|bad.csv:1: expected a table' "$SPNAS" latency import bad.csv --out nothing.json
  run 2 'expected a model and a network' "$SPNAS" latency predict pixel1-singlepath
  check "nothing is written" [ ! -e nothing.json ]
  run 0 'wrote here.json' "$SPNAS" latency measure space.json --out here.json --set latency.seconds=0.2 --set latency.minimum=true
  run 0 'predicted .* ms (target' search --out here --set search.cost=here.json --set search.target_share=0.8
  run 0 'ms  (one run' "$SPNAS" latency measure here/arch.json mnasnet-small --set latency.seconds=0 --set train.size=32 --out timed.csv
  run 0 'models; ' "$SPNAS" latency kit space.json --out kit --set latency.kit_networks=1 --set latency.kit_holdout=1
  run 2 'was not measured yet' "$SPNAS" latency import kit --out nothing.json
}

test_records() {
  for file in config.resolved.json env.json metrics.jsonl; do
    check "searched/$file" [ -s searched/$file ]
    check "trained/$file" [ -s trained/$file ]
  done
  check "two checkpoints stay" [ "$(ls searched/checkpoints | wc -l)" -eq 2 ]
  command -v python3 >/dev/null || return 0
  for folder in searched trained; do
    python3 - $folder >log 2>&1 <<'END'
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
steps = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").open()]
assert steps == sorted(steps) and len(steps) > 10, steps
for name in folder.glob("*.json"):
    json.loads(name.read_text())
END
    check "every line and file of $folder is JSON" [ $? -eq 0 ]
  done
}

test_resume() {
  run 2 'holds a run already.*--resume' search --out searched
  run 3 'stopped at step 10 of' train --out resumed --set run.max_steps=10
  run 2 '--resume: optim.momentum' train --out resumed --resume --set optim.momentum=0.5
  run 2 '--resume: run.seed' train --out resumed --resume --seed 5
  run 2 'holds a run already' train --out resumed
  run 0 'going on from step 10' train --out resumed --resume --set run.keep=5
  train --out whole --quiet >log 2>&1
  check "resumed like never stopped" cmp resumed/metrics.jsonl whole/metrics.jsonl
  run 3 'stopped at step 20 of' train --out damaged --set run.max_steps=20 --set run.checkpoint_steps=10
  newest=damaged/checkpoints/step-000000020.safetensors
  head -c 5000 $newest >half && cp half $newest
  run 0 'passed over: .*step-000000020' train --out damaged --resume
  check "resumed from the one before like never stopped" cmp damaged/metrics.jsonl whole/metrics.jsonl
}

# A learning rate of 1000 with all the weight decay there is: weights leave the range of floats within a few steps.
explode() {
  train --set optim.lr=1000 --set optim.lr_warmup_epochs=0 --set optim.optimizer=sgd --set optim.weight_decay=1 \
    --set optim.schedule=constant "$@"
}

test_numeric() {
  layer='step [0-9]*: \(stem\|block\|head\|classifier\)[a-z0-9._]* holds NaN or infinity'
  run 1 "$layer" explode --out nan
  run 1 "$layer" explode --out kept --set run.checkpoint_steps=1
  check "NaN: the checkpoints before are there" [ "$(ls kept/checkpoints | wc -l)" -eq 2 ]
  run 1 "$layer" explode --out kept --resume
  check "NaN: the checkpoints load" grep -q 'going on from step' log
}

# ---- Methods that ask ----

ask() { "$SPNAS" search --quiet --set search.space=space.json --set search.cost=macs --set search.target_share=0.8 "$@"; }

# A space whose layers are tied together, three networks trained by themselves.
tied() {
  "$SPNAS" search --quiet --data data --target 150 --set search.space=mnasnet --set search.cost=macs --set search.tolerance=0.5 \
    --set search.evaluator=scratch --set search.evaluations=3 --set search.scratch_epochs=1 --set search.top=0 \
    --set search.proxy_width=0.1 --set data.max_train=64 --set data.max_test=20 --set optim.batch=16 "$@"
}

# A table of every network of the space: the layers that decide have eight options, the second may be skipped.
make_table() {
  awk 'BEGIN { print "network,accuracy_1,accuracy_2"
               for (a = 1; a <= 8; a++) for (b = 0; b <= 8; b++) printf "%d%d,%.4f,%.4f\n", a, b, 0.5 + a * b / 200, 0.5 }' >table.csv
}

test_asking() {
  make_table
  for method in random evolution reinforce ppo layernas; do
    run 0 'found  *k' ask --set search.evaluator=tabular --set search.table=table.csv --set search.method=$method --out ask-$method
    run 3 'stopped after 3 evaluations' ask --set search.evaluator=tabular --set search.table=table.csv \
      --set search.method=$method --set run.max_steps=3 --out ask-part
    run 0 'found  *k' "$SPNAS" search --quiet --resume --out ask-part
    for run in "ask-$method" ask-part; do sed 's/, "seconds".*//' $run/archive.jsonl >$run.jsonl; done
    check "$method: resumed, the same archive" cmp "ask-$method.jsonl" ask-part.jsonl
    rm -r ask-part
  done
  for method in evolution reinforce ppo layernas; do
    run 0 'found  *k' ask --set search.evaluator=tabular --set search.table=table.csv --set search.method=$method --set search.evaluations=1 --out ask-once
    check "$method: one question" [ "$(grep -c '"evaluation"' ask-once/archive.jsonl)" = 1 ]
    rm -r ask-once
  done
  for method in evolution ppo; do
    run 0 'found  *c' tied --set search.method=$method --out tied-$method
    run 3 'stopped after 1 evaluations' tied --set search.method=$method --set run.max_steps=1 --out tied-part
    run 0 'found  *c' "$SPNAS" search --quiet --resume --out tied-part
    for run in "tied-$method" tied-part; do sed 's/, "seconds".*//' $run/archive.jsonl >$run.jsonl; done
    check "$method, mnasnet: resumed, the same archive" cmp "tied-$method.jsonl" tied-part.jsonl
    rm -r tied-part
  done
  run 0 'found  *c' tied --set search.evaluator=shared --set search.method=ppo --set search.train_steps=1 \
    --set search.score_images=8 --set search.norm_images=16 --set search.recalibrate=16 --set search.force=1 --out tied-shared
  check "mnasnet with shared weights: they are inherited" [ -s tied-shared/inherited.safetensors ]
  head -n 30 table.csv >short.csv
  echo '11,0.5,often' >>short.csv
  run 2 'short.csv:31: column accuracy_2: expected a number' ask --set search.evaluator=tabular --set search.table=short.csv \
    --set search.method=random --out ask-broken
  run 2 'search.table: expected a method that asks' ask --set search.table=table.csv --out ask-broken
  run 2 'search.budget: expected at least' ask --data data --set search.method=random --set search.budget=10 --set optim.batch=16 \
    --out ask-broken
  check "nothing is left of what was refused" [ ! -e ask-broken ]
  run 0 'cost  *[0-9]* images' ask --data data --set search.method=evolution --set search.budget=2000 --set optim.batch=16 \
    --set search.score_images=16 --set search.norm_images=16 --set search.force=1 --out ask-shared
  check "what it knows" grep -q 'evidence  *TOO LITTLE: .* training steps, .* networks scored' log
  run 2 'too little evidence.*networks scored, at least 20' ask --data data --set search.method=evolution --set search.evaluations=4 \
    --set optim.batch=16 --set search.score_images=16 --set search.norm_images=16 --out ask-little
  run 0 'evidence  *TOO LITTLE' "$SPNAS" search --quiet --resume --set search.force=1 --out ask-little
  check "arch.json has the figures" grep -q '"evidence": {"enough": false, "training_steps": .*"rank_agreement": ' ask-little/arch.json
  check "its weights" [ -s ask-shared/inherited.safetensors ]
  check "within the budget" grep -q '"images": [01]\?[0-9][0-9][0-9][0-9]\?,' ask-shared/arch.json
}

# ---- Limits of further costs ----

# number FILE KEY: of the limits of an arch.json.
number() { sed -n "/\"limits\"/,/]/s/.*\"$2\":[[:space:]]*\([0-9.]*\).*/\1/p" "$1"; }

# keeps RUN: the found network takes at most the limit.
keeps() { awk -v is="$(number "$1/arch.json" predicted)" -v most="$(number "$1/arch.json" limit)" 'BEGIN { exit !(is > 0 && is <= most) }'; }

test_limits() {
  half='params <= 50%' # of the dearest: binds before 60 % of the MACs do
  run 0 'limit .*Mparams of .* by params' search --out limited-params --set search.limits="$half" --reproducible
  check "the found network keeps both" keeps limited-params
  check "and the target" grep -q 'predicted .*\(met\|kept\)' log
  run 0 '^limits  *params .* of .* Mparams$' "$SPNAS" info limited-params/arch.json
  run 3 'stopped' search --out limited-stopped --set search.limits="$half" --reproducible --set run.max_steps=30
  run 0 'limit ' search --out limited-stopped --resume --threads 1
  for file in metrics.jsonl inherited.safetensors; do check "resumed, the same $file" cmp limited-params/$file limited-stopped/$file; done
  for method in random evolution reinforce ppo layernas; do
    run 0 'limit .* by params' search --out limited-$method --set search.limits="$half" --set search.method=$method --set search.evaluations=4 \
      --set search.score_images=20 --set search.norm_images=20
    check "$method keeps the limit" keeps limited-$method
  done
  run 0 'trained' "$SPNAS" train --data data --arch limited-params/arch.json --out limited-trained --set train.epochs=1 --set optim.batch=20
  run 0 '^limits  *params' "$SPNAS" eval limited-trained/best.safetensors --data data
  run 0 'wrote' "$SPNAS" export limited-trained/best.safetensors --out limited.onnx
  check "the export tells the limit" grep -aq 'spnas.limits' limited.onnx
  run 0 'limit' "$SPNAS" report limited-params
  run 2 'search.limits: params: expected at least 0.00[0-9]* Mparams, the least of space tiny, got 1e-05' search --out refused --set search.limits='params <= 1e-5'
  run 2 'search.limits: expected a cost and its limit' search --out refused --set search.limits='params <= many'
  run 2 'search.limits: expected a limit in Mparams' search --out refused --set search.limits=params
  check "nothing is left of what was refused" [ ! -e refused ]
  mkdir -p elsewhere
  cp "$SPNAS_DATA/latency/pixel1-proxylessnas.json" tablet.json
  run 0 'limit .* ms of 70 by pixel1-proxylessnas' "$SPNAS" search --data data --target 70 --out two-devices --set search.limits='tablet.json, params <= 4' \
    --set search.method=random --set search.evaluations=1
  check "paths become absolute" grep -q '"limits": *"/.*/tablet.json, params <= 4"' two-devices/config.resolved.json
}

# ---- Packs and precision ----

test_pack() {
  mkdir -p photos/train/a photos/train/b photos/test/a photos/test/b
  for i in 1 2 3 4 5 6 7 8; do
    jpeg jpeg_rgb >photos/train/a/$i
    jpeg jpeg_grey >photos/train/b/$i
  done
  jpeg jpeg_rgb >photos/test/a/1
  jpeg jpeg_grey >photos/test/b/1
  printf 'no image' >photos/train/a/notes.txt
  run 0 'photos/train/a/notes.txt: not a JPEG or PNG image' \
    search --data photos --out a-broken-one --set optim.batch=4 --set data.max_bad=0.1
  rm photos/train/a/notes.txt
  run 0 'wrote photos.pack' "$SPNAS" pack --data photos --out photos.pack
  run 0 'folder data, 14 training, 2 held-out, 2 test images' search --data photos --out loose --set optim.batch=4
  run 0 'pack data, 14 training, 2 held-out, 2 test images' search --data photos.pack --out packed --set optim.batch=4
  check "a pack trains as its folder does" cmp loose/metrics.jsonl packed/metrics.jsonl
  printf x | dd of=photos.pack bs=1 seek=50 conv=notrunc 2>/dev/null
  run 2 'photos.pack: a/1: checksum differs' search --data photos.pack --out refused --set optim.batch=4
  run 2 'class folders' "$SPNAS" pack --data data --out refused.pack
  run 2 'out: expected' "$SPNAS" pack --data photos
  check "nothing is left of what was refused" [ ! -e refused.pack ]
  rm -rf refused
}

# ---- Classes, test images alone, suffixes ----

small() {
  "$SPNAS" train --data named --arch "ds_r1_k3_s1_c16_noskip | ir_r1_k3_s2_e3_c24" --set train.size=16 --set train.width=0.25 \
    --set train.epochs=40 --set optim.batch=8 --set optim.ema=0 --set optim.lr_warmup_epochs=1 --set data.holdout=0 \
    --set data.augment=none --set optim.lr=0.1 --quiet "$@"
}

top1() { sed -n 's/.*"top1": \([0-9.]*\).*/\1/p' log; }

# A network knows its classes by name: data with them in another order, or with some of them, are judged alike.
test_classes() {
  put jpeg_rgb named/train/colour named/test/colour
  put jpeg_grey named/train/grey named/test/grey
  run 0 'trained' small --out names
  run 0 '"top1"' "$SPNAS" eval names/best.safetensors --data named --json
  check "the classes are told apart" [ "$(top1)" = 1 ]
  for side in 8 64; do "$SPNAS" pack --data named --out $side.pack --set pack.side=$side --quiet >log 2>&1; done
  run 0 'short side of 8, which are enlarged to 16' "$SPNAS" eval names/best.safetensors --data 8.pack
  run 0 'top-1 100.00 %' "$SPNAS" eval names/best.safetensors --data 64.pack
  check "nothing is said of a pack that reduced nothing" [ "$(grep -c 'short side' log)" = 0 ]
  mkdir -p fewer/test stranger/test
  cp -r named/test/grey fewer/test/grey
  run 0 '"images": 8, "top1": 1' "$SPNAS" eval names/best.safetensors --data fewer --json
  cp -r named/test/grey stranger/test/violet
  cp -r named/test/grey stranger/test/grey
  run 2 'stranger: class "violet": expected a class that the network knows (2: "colour" or "grey")' \
    "$SPNAS" eval names/best.safetensors --data stranger
  mkdir -p more/train more/test
  cp -r named/train/colour more/train/colour && cp -r named/train/grey more/train/grey
  put jpeg_progressive more/train/azure more/test/azure
  cp -r named/test/colour more/test/colour && cp -r named/test/grey more/test/grey
  run 0 'starts anew for 1 of 3 classes, "azure"' "$SPNAS" train --data more --init names/best.safetensors --out more-run \
    --arch "ds_r1_k3_s1_c16_noskip | ir_r1_k3_s2_e3_c24" --set train.size=16 --set train.width=0.25 --set train.epochs=1 \
    --set optim.batch=4 --set optim.lr=0 --set optim.lr_warmup_epochs=0 --set optim.ema=0 --set train.recalibrate=0
  check "no top-5 of three classes" [ "$(grep -c 'test  *top-1' log) $(grep -c top-5 log)" = '1 0' ]
  run 0 '"top1"' "$SPNAS" eval more-run/last.safetensors --data fewer --json
  check "known classes keep their rows: $(top1)" [ "$(top1)" = 1 ]
  run 2 'optim.batch: expected at most the 16 training images' small --out refused --set optim.batch=17
  check "no run folder for a batch above the data" [ ! -e refused ]
}

test_exports() {
  run 2 'net.pb: its suffix names no format; expected.*onnx (.onnx)' "$SPNAS" export trained/best.safetensors --out net.pb
  run 0 'wrote net.pb (onnx)' "$SPNAS" export trained/best.safetensors --out net.pb --format onnx
  run 0 'wrote suffix.tflite (tflite)' "$SPNAS" export trained/best.safetensors --out suffix.tflite
  check "a TFLite file by its suffix" [ "$(head -c 8 suffix.tflite | tail -c 4)" = TFL3 ]
  run 2 'other.tflite: expected a name that ends with .onnx' "$SPNAS" export trained/best.safetensors --out other.tflite --format onnx
  check "nothing is written under another format's name" [ ! -e other.tflite ]
  run 2 '--out: expected the file or folder to write, got an empty value' "$SPNAS" export trained/best.safetensors --out ''
  run 2 '--data: expected the folder of the images' "$SPNAS" eval trained/best.safetensors --data ''
  run 2 '--init: expected a .safetensors file' small --out refused --init ''
  run 2 'got an empty argument' "$SPNAS" eval ''
  printf 'PK\003\004\000\000\010\010archive/data.pkl' >weights.pth
  run 2 'weights.pth: expected a tensor file (safetensors).*PyTorch' "$SPNAS" eval weights.pth --data data
  run 2 'weights.pth: expected.*PyTorch' small --out refused --init weights.pth
  run 2 'net.onnx: expected.*ONNX' "$SPNAS" eval net.onnx --data data
  check "nothing is left of what was refused" [ ! -e refused ]
}

# Another program's network does not tell its classes' names; a file of them does.
test_names() {
  run 0 'wrote names.timm.safetensors' "$SPNAS" export names/best.safetensors --out names.timm.safetensors
  run 0 '2 classes' "$SPNAS" import names.timm.safetensors --out same.safetensors
  run 0 '"class": "colour"\|colour' "$SPNAS" predict same.safetensors --data named/test/colour/1
  printf 'red, or so\r\n\303\251tain\n' >words
  run 0 'wrote' "$SPNAS" import names.timm.safetensors --names words --out named.safetensors
  run 0 'red, or so' "$SPNAS" predict named.safetensors --data named/test/colour/1
  run 0 'wrote' "$SPNAS" export named.safetensors --out named.onnx
  check "the names go on into exports" grep -aq 'red, or so' named.onnx
  check "and no others" [ "$(grep -ac '"colour"' named.onnx)" = 0 ]
  refused() {
    printf "$1" >words
    run 2 "$2" "$SPNAS" import names.timm.safetensors --names words --out refused.safetensors
  }
  refused 'a\nb\nc\n' 'words: expected 2 names, one a line, for as many classes of the network, got 3'
  refused 'a\n' 'words: expected 2 names.*got 1'
  refused 'a\na\n' 'words: expected class names to differ, got "a" twice'
  refused 'a\n\nb\n' 'words: class 1, "": the name is empty'
  refused 'a\n\377\n' 'words:2: expected text in UTF-8, got byte 0xff'
  refused 'a\tb\nc\n' 'words: class 0, .*holds a control character'
  run 2 'absent-names: cannot open' "$SPNAS" import names.timm.safetensors --names absent-names --out refused.safetensors
  check "nothing is imported with wrong names" [ ! -e refused.safetensors ]
}

# first_ce FOLDER
first_ce() { sed -n '1s/.*"ce": \([0-9.]*\).*/\1/p' "$1/metrics.jsonl"; }

test_precision() {
  run 2 'run.precision: expected.*f32' search --out refused --set run.precision=f16
  run 0 'predicted' search --out chosen --set run.precision=auto
  check "auto reports its choice" grep -q '"precision":[[:space:]]*"\(f32\|bf16\)"' chosen/env.json
  check "auto is settled in the run's settings" grep -q '"precision":[[:space:]]*"\(f32\|bf16\)"' chosen/config.resolved.json
  cp -r chosen settled
  sed 's/"precision":[[:space:]]*"[a-z0-9]*"/"precision": "f32"/' chosen/config.resolved.json >settled/config.resolved.json
  run 0 'predicted' search --out settled --set run.precision=auto --resume
  check "a resumed run keeps the precision it was begun with" grep -q '"precision":[[:space:]]*"f32"' settled/env.json
  run 0 'run.precision=auto: f32, because oneDNN' search --out lesser --set run.isa=plain --set run.precision=auto
  check "said once" [ "$(grep -c 'run.precision=auto' log)" -eq 1 ]
  run 2 'run.precision: expected f32 or auto' search --out refused --set run.isa=plain --set run.precision=bf16
  if ! search --out narrow --set run.precision=bf16 >log 2>&1; then
    check "bf16 is refused in words" grep -q 'run.precision: expected f32 or auto' log
    return
  fi
  check "bf16 is reported" grep -q '"precision":[[:space:]]*"bf16"' narrow/env.json
  check "bf16 starts where f32 starts ($(first_ce narrow), $(first_ce searched))" \
    awk -v a="$(first_ce narrow)" -v b="$(first_ce searched)" 'BEGIN { d = a > b ? a - b : b - a; exit !(a > 0 && d > 0 && d < 0.02 * b) }'
}

# gains FOLDER
gains() { grep '"gain"' "$1/arch.json"; }

# Gains for the decoding come from held-out images, after a search that they do not change.
test_judge() {
  run 0 'predicted' search --out unjudged
  run 0 'predicted' search --out judged --set search.judge=40
  check "judging leaves the search alone" cmp unjudged/metrics.jsonl judged/metrics.jsonl
  check "judging measures gains anew" [ "$(gains unjudged)" != "$(gains judged)" ]
  run 0 'predicted' search --out unjudged --set search.judge=40 --resume
  check "a finished search can be judged again" [ "$(gains unjudged)" = "$(gains judged)" ]
  run 0 'predicted' search --out no-holdout --set data.holdout=0
}

# ---- A full disk ----

sums() { cksum "$1"/checkpoints/*.safetensors 2>/dev/null; }

# after_full FOLDER: what a write that failed must leave behind. Free the space first.
after_full() {
  check "$1: the checkpoint before is intact" [ "$(sums "$1")" = "$intact" ]
  check "$1: no half-written files" [ -z "$(find "$1" -name '*.tmp*')" ]
  run 0 'going on from step 10' train --out "$1" --resume
  check "$1: like a run that never met a limit" cmp "$1/metrics.jsonl" whole/metrics.jsonl
}

# A checkpoint larger than the largest file allowed (units of 512 bytes or 1 kB, by the shell).
test_file_limit() {
  run 3 'stopped at step 10' train --out limited --set run.max_steps=10
  intact=$(sums limited)
  (ulimit -f 40 && train --out limited --resume) >log 2>&1
  code=$?
  check "file limit: code 1, not $code" [ $code -eq 1 ]
  check "file limit: says which file" grep -q 'limited/.*[Ff]ile too large' log
  after_full limited
}

test_full_disk() {
  mkdir disk
  mount -t tmpfs -o size=3m none disk 2>/dev/null || { echo "no tmpfs can be mounted: the full disk is not tested"; return; }
  DISK=$WORK/disk
  run 3 'stopped at step 10' train --out disk/run --set run.max_steps=10
  intact=$(sums disk/run)
  cat /dev/zero >disk/filler 2>/dev/null
  run 1 'No space left' train --out disk/run --resume
  rm disk/filler
  after_full disk/run
}

make_data
test_help
test_settings
test_data
test_networks
test_folders
test_chain
test_proxy
test_scale
test_evidence
test_table
test_latency
test_records
test_weights
test_resume
test_numeric
test_asking
test_limits
test_pack
test_classes
test_exports
test_names
test_precision
test_judge
test_file_limit
test_full_disk
finish test_cli
