"""A kit's files in LiteRT give spnas' own numbers, and its script drives a simulated phone through success, a failing
model, a lost connection, resuming, damage, heat and noise: python check_kit.py BUILD_FOLDER"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np
from ai_edge_litert.interpreter import Interpreter

ROOT = pathlib.Path(__file__).resolve().parent.parent
SPNAS = str(pathlib.Path(sys.argv[1]).resolve() / "spnas")
os.environ.setdefault("SPNAS_DATA", str(ROOT / "data"))
failed = 0
checks = 0


def check(condition, what):
    global failed, checks
    checks += 1
    if not condition:
        failed += 1
        print("FAILED:", what)


def spnas(*arguments, code=0):
    run = subprocess.run([SPNAS, *map(str, arguments)], capture_output=True, text=True)
    check(run.returncode == code, f"spnas {' '.join(map(str, arguments))}: exit {run.returncode}: {run.stderr}{run.stdout}")
    return run.stdout + run.stderr


# ---- The simulated phone ----

ADB = """#!/bin/sh
# A phone in the folder $FAKE: lost, heat (percent), std (percent), fail (a model's name), lose_after (models).
[ "$1" = -s ] && shift 2
[ -f "$FAKE/lost" ] && { echo "error: no devices/emulators found" >&2; exit 1; }
case $1 in
  get-state) echo device ;;
  push) mkdir -p "$FAKE/root$(dirname "$3")" && cp "$2" "$FAKE/root$3" ;;
  shell) shift; PATH="$FAKE/bin:$PATH" sh -c "$(echo "$*" | sed "s#/data/local/tmp#$FAKE/root/data/local/tmp#g")" ;;
  *) exit 1 ;;
esac
"""
TOOLS = {
    "taskset": 'echo "$1" >>"$FAKE/masks"\nshift\nexec "$@"\n',
    "dumpsys": 'echo "  temperature: 281"\n',
    "getprop": 'echo "value of $1"\n',
}
BENCHMARK = r"""#!/bin/sh
# As TFLite's benchmark_model prints: time by size and the phone's heat.
for argument in "$@"; do case $argument in --graph=*) graph=${argument#--graph=} ;; esac; done
name=$(basename "$graph" .tflite)
echo "$name" >>"$FAKE/ran"
if [ -f "$FAKE/lose_after" ] && [ "$(wc -l <"$FAKE/ran")" -gt "$(cat "$FAKE/lose_after")" ]; then
  touch "$FAKE/lost"
  echo "INFO: count=3 fir"
  exit 255
fi
if [ -f "$FAKE/fail" ] && [ "$name" = "$(cat "$FAKE/fail")" ]; then echo "ERROR: Failed to load model $graph"; exit 1; fi
heat=100; [ -f "$FAKE/heat" ] && heat=$(cat "$FAKE/heat")
std=1; [ -f "$FAKE/std" ] && std=$(cat "$FAKE/std")
us=$(( (1000 + $(wc -c <"$graph") / 50) * heat / 100 ))
echo "INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds."
echo "INFO: count=10 first=$us curr=$us min=$us max=$us avg=$((us * 2)) std=$us"
echo "INFO: Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds."
echo "INFO: count=50 first=$us curr=$us min=$us max=$us avg=$us std=$((us * std / 100)) p5=$us median=$us p95=$us"
echo "INFO: Inference timings in us: Init: 20, First inference: $us, Warmup (avg): $us, Inference (avg): $us"
"""


def executable(path, text):
    path.write_text(text)
    path.chmod(0o755)


def make_phone(folder):
    (folder / "bin").mkdir(parents=True)
    executable(folder / "adb", ADB)
    executable(folder / "benchmark_model", BENCHMARK)
    for name, text in TOOLS.items():
        executable(folder / "bin" / name, "#!/bin/sh\n" + text)


def run_kit(phone, kit, *arguments, code=0):
    environment = dict(os.environ, FAKE=str(phone), ADB=str(phone / "adb"))
    command = ["sh", str(kit / "run.sh"), "--binary", str(phone / "benchmark_model"), "--cool", "0", "--long-cool", "0"]
    run = subprocess.run(command + list(arguments), env=environment, capture_output=True, text=True)
    check(run.returncode == code, f"run.sh: exit {run.returncode}, expected {code}: {run.stdout[-500:]}{run.stderr}")
    return run.stdout + run.stderr


def ran(phone):
    return (phone / "ran").read_text().split() if (phone / "ran").exists() else []


def forget(phone, kit):
    for name in ("ran", "lost", "heat", "std", "fail", "lose_after"):
        (phone / name).unlink(missing_ok=True)
    shutil.rmtree(kit / "results", ignore_errors=True)


def check_phone(work, kit, phone):
    manifest = json.loads((kit / "manifest.json").read_text())
    names = [pathlib.Path(f["file"]).stem for f in manifest["files"]]
    table = work / "phone.json"

    # Success; a second run has nothing left to do but to look whether the phone is cool.
    out = run_kit(phone, kit, "--rounds", "2", "--mask", "3f")
    check(f"done: spnas latency import {kit}" in out, "the script says how to go on")
    order = [ran(phone)[: len(names)], ran(phone)[len(names) + 1 :]]
    check(sorted(order[0]) == sorted(names) and sorted(order[1]) == sorted(names), "every model runs once a round")
    check(order[0] != order[1] and order[0] != names, "each round has another order")
    check("3f" in (phone / "masks").read_text(), "the core mask")
    check("temperature: 281" in (kit / "results/round-1/stem.log").read_text(), "the phone's heat is in the log")
    check("ro.product.model" in (kit / "results/device.txt").read_text(), "the device is noted")
    before = len(ran(phone))
    run_kit(phone, kit, "--rounds", "2")
    check(len(ran(phone)) == before + 1, "a finished kit is not run again")
    out = spnas("latency", "import", kit, "--out", table, "--set", "latency.device=stub")
    made = json.loads(table.read_text())
    check(made["device"] == "stub" and len(made["blocks"]) > 0 and len(made["parts"]) == 3, "the table")
    stem = next(p for p in made["parts"] if p["part"] == "stem")
    size = (kit / "models/stem.tflite").stat().st_size
    check(abs(stem["cost"] - (1000 + size // 50) / 1000) < 2e-3 and stem["count"] == 100, f"the stem's cost: {stem}")
    out = spnas("latency", "fit", table, "--networks", work / "phone-networks.csv", "--holdout", work / "phone-holdout.csv",
                "--out", work / "model.json")
    check("held-out networks" in out, "a model is fitted to it")
    spnas("latency", "predict", work / "model.json", kit / "networks/n001.json")
    spnas("info", kit.parent / "space.json", "--set", f"search.cost={work / 'model.json'}")

    # A model that fails; when it no longer does, only it is run.
    forget(phone, kit)
    (phone / "fail").write_text(names[5])
    out = run_kit(phone, kit, "--rounds", "1", code=1)
    check(f"{names[5]} failed" in out and len(ran(phone)) == len(names), "the others run all the same")
    error = spnas("latency", "import", kit, "--out", table, code=2)
    check(names[5] in error and "not measured yet" in error, error)
    (phone / "fail").unlink()
    run_kit(phone, kit, "--rounds", "1")
    check(ran(phone)[len(names) :] == [names[5]], "only the missing one runs")
    spnas("latency", "import", kit, "--out", table)

    # A lost connection.
    forget(phone, kit)
    (phone / "lose_after").write_text("7")
    out = run_kit(phone, kit, "--rounds", "1", code=3)
    check("the connection to the phone is lost" in out, out)
    check(len(list((kit / "results/round-1").glob("*.log"))) == 7, "whole logs stay")
    out = run_kit(phone, kit, "--rounds", "1", code=3)
    check("no phone" in out, out)
    for name in ("lost", "lose_after", "ran"):
        (phone / name).unlink()
    run_kit(phone, kit, "--rounds", "1")
    check(len(ran(phone)) == len(names) - 7, "it goes on where it was")

    # Heat: noticed by the script between rounds, by the import within one.
    forget(phone, kit)
    run_kit(phone, kit, "--rounds", "1")
    (phone / "heat").write_text("130")
    out = run_kit(phone, kit, "--rounds", "2", code=4)
    check("throttled" in out and "cooling" in out, out)
    shutil.copytree(kit / "results/round-1", kit / "results/round-2", dirs_exist_ok=True)
    shutil.copytree(kit / "results/round-1", kit / "results/round-3", dirs_exist_ok=True)
    for log in (kit / "results/round-3").glob("*.log"):
        text = log.read_text()
        us = int(re.findall(r"avg=(\d+)", text)[-1])
        log.write_text(text.replace(f"avg={us} ", f"avg={us * 13 // 10} "))
    error = spnas("latency", "import", kit, "--out", table, code=2)
    check("round-3: throttled: its models took 30 % longer" in error, error)

    # Noise, a torn log, damaged files.
    forget(phone, kit)
    (phone / "std").write_text("20")
    run_kit(phone, kit, "--rounds", "1")
    error = spnas("latency", "import", kit, "--out", table, code=2)
    check("too noisy: its runs spread by up to" in error and "max_spread" in error, error)
    spnas("latency", "import", kit, "--out", table, "--set", "latency.max_spread=0.3")
    log = kit / "results/round-1/stem.log"
    text = log.read_text()
    for cut, words in ((text.index("INFO: Inference"), "before the end of the log"), (text.rindex(" std="), "std=: expected a number")):
        log.write_text(text[:cut])
        error = spnas("latency", "import", kit, "--out", table, "--set", "latency.max_spread=0.3", code=2)
        check(re.search(r"stem\.log:\d+: ", error) and words in error, error)
    log.write_bytes(b"\xff" + text.encode())
    error = spnas("latency", "import", kit, "--out", table, code=2)
    check("stem.log:1: expected text in UTF-8" in error, error)
    model = kit / "models/stem.tflite"
    whole = model.read_bytes()
    model.write_bytes(whole[:-1] + b"x")
    check("damaged" in run_kit(phone, kit, code=1), "a damaged model is not measured")
    model.write_bytes(whole)
    run_kit(phone, kit, "--runds", "1", code=2)


# ---- The files ----


def check_files(kit):
    manifest = json.loads((kit / "manifest.json").read_text())
    worst = 0
    for f in manifest["files"]:
        interpreter = Interpreter(model_path=str(kit / f["file"]), num_threads=1)
        interpreter.allocate_tensors()
        shape = interpreter.get_input_details()[0]["shape"]
        x = (np.arange(np.prod(shape)) * 7919 % 2048 / 1024 - 1).astype(np.float32).reshape(shape)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        y = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).reshape(-1)
        expected = np.array(f["check"])
        off = float(np.abs(y[: len(expected)] - expected).max() / max(1, f["largest"]))
        off = max(off, abs(float(np.abs(y).max()) - f["largest"]) / max(1, f["largest"]))
        worst = max(worst, off)
        check(off <= 1e-4, f"{f['file']}: off by {off:g} of the largest output")
    print(f"{len(manifest['files'])} files in LiteRT, off by at most {worst:.1e} of the largest output")
    return len(manifest["files"])


def small_space(path, **changes):
    space = json.loads((ROOT / "data/spaces/nas-bench-macro.json").read_text())
    space.update(changes)
    path.write_text(json.dumps(space))


def main():
    work = pathlib.Path(tempfile.mkdtemp(prefix="check_kit"))
    space = work / "space.json"
    counts = ["--set", "latency.kit_networks=6", "--set", "latency.kit_holdout=3", "--quiet"]
    small_space(space)
    spnas("latency", "kit", space, "--out", work / "kit", *counts)
    check(check_files(work / "kit") == 3 + 12 + 9, "as many models as options")
    error = spnas("latency", "kit", space, "--out", work / "kit", code=2)
    check("holds a kit already" in error, error)
    stages = [{"layers": 2, "channels": 24, "stride": 2, "kernel": [3, 5, 7], "expand": [2, 3], "se": [0, 0.25], "skip": True}]
    small_space(work / "se.json", padding="same", activation="hswish", stages=stages, input={"size": 33, "channels": 3},
                proxy={"size": 33, "stem_stride": 1, "strides": [2], "width": 1})
    spnas("latency", "kit", work / "se.json", "--out", work / "kit-se", *counts)
    check_files(work / "kit-se")
    make_phone(work / "phone")
    check_phone(work, work / "kit", work / "phone")
    shutil.rmtree(work)
    print(f"check_kit: {checks} checks, {failed} failed")
    return failed != 0


sys.exit(main())
