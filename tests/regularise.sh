#!/bin/sh
# Trainings that ask more than labels: sh regularise.sh BUILD_DIR
# Stopped and resumed they go on bit for bit, for any number of threads; early stopping; a teacher, and who may not teach.
set -u

TESTS=$(cd "$(dirname "$0")" && pwd)
SPNAS=$(cd "$1" && pwd)/spnas
WORK=$(mktemp -d)
export SPNAS_DATA="$TESTS/../data"
PASSED=0
FAILED=0
trap 'rm -rf "$WORK"' EXIT
cd "$WORK" || exit 1

# check NAME COMMAND...
check() {
  name=$1
  shift
  if "$@" >log 2>&1; then
    PASSED=$((PASSED + 1))
  else
    FAILED=$((FAILED + 1))
    echo "FAILED: $name"
    head -n 8 log
  fi
}

# says CODE PATTERN COMMAND...: the exit code, and a basic regular expression in what it says.
says() {
  want=$1
  pattern=$2
  shift 2
  "$@" >said 2>&1
  code=$?
  cat said
  [ "$code" -eq "$want" ] && grep -q -e "$pattern" said
}

for i in 1 2 3 4 5; do LC_ALL=C awk -v n=60 -v seed=$i -f "$TESTS/tiny_data.awk" >data_batch_$i.bin; done
LC_ALL=C awk -v n=80 -v seed=9 -f "$TESTS/tiny_data.awk" >test_batch.bin

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
  check "stopped" says 3 'stopped at step 5' train $all --set train.teacher=teacher/best.safetensors --threads 1 --out parts --set run.max_steps=5
  check "resumed" train $all --set train.teacher=teacher/best.safetensors --threads 2 --out parts --resume
  check "resumed with another number of threads, the same losses" cmp whole/metrics.jsonl parts/metrics.jsonl
  check "and the same weights" cmp whole/last.safetensors parts/last.safetensors
}
check "plain" train --out plain --set train.epochs=1 --quiet
# The teacher's place is kept whole, for a run that goes on from elsewhere.
check "begun with a teacher" says 3 stopped train --set train.teacher=teacher/best.safetensors --out taught --set run.max_steps=5
mkdir elsewhere
check "going on from another folder" sh -c 'cd elsewhere && "$1" train --resume --out ../taught --quiet' - "$SPNAS"
for option in train.mixup=0.4 train.cutmix=1 train.drop_path=0.3 data.randaugment=2 data.erase=0.5 train.teacher=teacher/best.safetensors; do
  check "$option" train --out "one-$option" --set "$option" --set train.epochs=1 --quiet
  check "$option makes a difference" sh -c '! cmp -s "$1" "$2"' - "one-$option/best.safetensors" plain/best.safetensors
done
# A learning rate of 0 never improves on the first epoch.
check "early stopping" says 0 'stopped early' train --out early --set optim.lr=0 --set train.epochs=9 --set train.patience=2
check "after two more epochs" sh -c '[ "$(grep -c epoch_end early/metrics.jsonl)" -eq 3 ]'
check "a run that has stopped early stays so" says 0 'best epoch 1' train --out early --set optim.lr=0 --set train.epochs=9 --set train.patience=2 --resume
check "still" sh -c '[ "$(grep -c epoch_end early/metrics.jsonl)" -eq 3 ]'
check "nothing held out" says 2 'train.patience: expected 0 where no images are held out' train --out none --set data.holdout=0 --set train.patience=2

check "a class without images cannot be balanced" says 2 'class 0 has none' train --out unbalanced --set train.class_weights=balanced
check "a teacher of another size" says 2 'train.teacher: expected a network for 20x20x3' train --out wrong --set train.size=20 \
  --set train.teacher=teacher/best.safetensors
check "a teacher that is not there" says 2 'nothing.safetensors' train --out absent --set train.teacher=nothing.safetensors

echo "regularise.sh: $PASSED passed, $FAILED failed"
[ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
