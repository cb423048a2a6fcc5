#!/bin/sh
# Trainings that ask more than labels: sh regularise.sh BUILD_DIR
# Stopped and resumed they go on bit for bit, for any number of threads; early stopping; a teacher, and who may not teach.
set -u

TESTS=$(cd "$(dirname "$0")" && pwd)
SPNAS=$(cd "$1" && pwd)/spnas
. "$TESTS/shell/harness.sh"
export SPNAS_DATA="$TESTS/../data"
tiny_data .

train() {
  "$SPNAS" train --arch "r1_k3_s11_e1_i32_o16 r2_k3_s22_e3_i16_o24" --set train.size=16 --data . --reproducible --set train.epochs=3 \
    --set optim.batch=20 --set run.log_steps=1 "$@"
}
all="--set train.mixup=0.4 --set train.cutmix=1 --set train.drop_path=0.3 --set data.randaugment=2
  --set data.erase=0.5"

check "a teacher" train --out teacher --quiet
# shellcheck disable=SC2086 # a list of options
{
  check "everything at once" train $all --set train.teacher=teacher/best.safetensors --threads 1 --out whole
  run 3 'stopped at step 5' train $all --set train.teacher=teacher/best.safetensors --threads 1 --out parts --set run.max_steps=5
  check "resumed" train $all --set train.teacher=teacher/best.safetensors --threads 2 --out parts --resume
  check "resumed with another number of threads, the same losses" cmp whole/metrics.jsonl parts/metrics.jsonl
  check "and the same weights" cmp whole/last.safetensors parts/last.safetensors
}
check "plain" train --out plain --set train.epochs=1 --quiet
# The teacher's place is kept whole, for a run that goes on from elsewhere.
run 3 stopped train --set train.teacher=teacher/best.safetensors --out taught --set run.max_steps=5
mkdir elsewhere
check "going on from another folder" sh -c 'cd elsewhere && "$1" train --resume --out ../taught --quiet' - "$SPNAS"
for option in train.layer_decay=0.5 train.mixup=0.4 train.cutmix=1 train.drop_path=0.3 data.randaugment=2 data.erase=0.5 train.teacher=teacher/best.safetensors; do
  check "$option" train --out "one-$option" --set "$option" --set train.epochs=1 --quiet
  check "$option makes a difference" sh -c '! cmp -s "$1" "$2"' - "one-$option/best.safetensors" plain/best.safetensors
done
# Fine-tuning: the body rests for an epoch, wherever the run is stopped; what it began from must be there.
tune() { train --init teacher/best.safetensors --set train.frozen_epochs=1 --set train.layer_decay=0.7 --threads 1 "$@"; }
check "fine-tuning" tune --out tuned
for steps in 5 14 20; do # an epoch is 13 steps
  run 3 "stopped at step $steps" tune --out "tuned-$steps" --set run.max_steps=$steps
  check "resumed at step $steps" tune --out "tuned-$steps" --resume
  check "the same losses" cmp tuned/metrics.jsonl "tuned-$steps/metrics.jsonl"
  check "and weights" cmp tuned/last.safetensors "tuned-$steps/last.safetensors"
done
run 2 'train.frozen_epochs: expected 0 without weights to start from' train --out none --set train.frozen_epochs=1
run 2 'train.frozen_epochs: expected at most train.epochs = 3, got 4' tune --out none --set train.frozen_epochs=4
run 2 'train.layer_decay: expected a number from 0.01 to 1' train --out none --set train.layer_decay=0
# A learning rate of 0 never improves on the first epoch.
run 0 'stopped early' train --out early --set optim.lr=0 --set train.epochs=9 --set train.patience=2
check "after two more epochs" sh -c '[ "$(grep -c epoch_end early/metrics.jsonl)" -eq 3 ]'
run 0 'best epoch 1' train --out early --set optim.lr=0 --set train.epochs=9 --set train.patience=2 --resume
check "still" sh -c '[ "$(grep -c epoch_end early/metrics.jsonl)" -eq 3 ]'
run 2 'train.patience: expected 0 where no images are held out' train --out none --set data.holdout=0 --set train.patience=2

run 2 'class 0 has none' train --out unbalanced --set train.class_weights=balanced
run 2 'train.teacher: expected a network for 20x20x3' train --out wrong --set train.size=20 \
  --set train.teacher=teacher/best.safetensors
run 2 'nothing.safetensors' train --out absent --set train.teacher=nothing.safetensors

finish regularise.sh
