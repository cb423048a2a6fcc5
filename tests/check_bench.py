"""The benches' scripts: python check_bench.py BUILD_DIR

bench/compare.py goes on where this machine refuses a mode, and says so in the row. bench/controller.py and bench/decisions.py read what run folders say.

A stand-in takes the place of bench_step: it answers every work but bf16, as on a CPU without it.
"""
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

STAND_IN = """#!/bin/sh
case "$*" in *--bf16*) echo 'stem.conv: not implemented on this CPU' >&2; exit 1 ;; esac
echo "spnas kernels plain threads 2 size 32 batch 128: 500 ms/step 256.0 img/s peak 900 MB loss 2.1"
"""
BENCH = pathlib.Path(__file__).resolve().parent.parent / "bench"
COMPARE, CONTROLLER = BENCH / "compare.py", BENCH / "controller.py"


def compare(stand_in):
    with tempfile.TemporaryDirectory() as build:
        for name in ("bench_step", "bench_train"):
            step = pathlib.Path(build, name)
            step.write_text(stand_in)
            step.chmod(0o755)
        return subprocess.run([sys.executable, str(COMPARE), "--build", build, "--runs", "1", "--sizes", "32", "--modes", "--no-kernels"],
                              capture_output=True, text=True, timeout=120)


done = compare(STAND_IN)
checks = {
    "the table is printed to its end": done.returncode == 0 and "half-MACs network against the dense supernet | 1.00x" in done.stdout,
    "the refused mode has a row that says why": "| bf16 against f32 | | refused: stem.conv: not implemented on this CPU |" in done.stdout,
    "and so has the trained network's": "in bf16 against PyTorch's best mode | | refused: stem.conv: not implemented on this CPU |" in done.stdout,
    "a busy neighbour has a row": "beside a busy process (quarter width, batch 64) | 1.00x" in done.stdout,
    "nothing but words": "Traceback" not in done.stdout + done.stderr,
}
refused = compare("#!/bin/sh\necho 'no kernels here' >&2; exit 2\n")
checks["a step that cannot run at all is said in a line"] = refused.returncode != 0 and refused.stderr.strip() == "compare.py: no kernels here"


def controller(make):
    """Of a search of two indicators: 40 steps of warm-up, 80 of search, of which the last 40 are judged."""
    with tempfile.TemporaryDirectory() as run:
        folder = pathlib.Path(run)
        (folder / "config.resolved.json").write_text(json.dumps({"search": {"warmup_epochs": 1}}))
        (folder / "metrics.jsonl").write_text("".join(json.dumps({"step": n + 1, "epoch": n / 40, "lambda": n / 1000, **make(n)}) + "\n" for n in range(120)))
        (folder / "arch.json").write_text(json.dumps({
            "space": "made up", "target": 100, "predicted": 99, "decisions": [{"layer": 1, "keep": True, "kernel": 5, "expand": 3}],
            "indicators": [{"name": "layer 1 keep"}, {"name": "layer 1 kernel 5"}]}))
        return subprocess.run([sys.executable, str(CONTROLLER), "--read", run], capture_output=True, text=True, timeout=60).stdout


steady = controller(lambda n: {"cost": 99 if n >= 80 else 0, "cost_free": 110 if n < 90 else 101, "cost_drawn": 80, "on": "11"})
restless = controller(lambda n: {"cost": 99, "cost_free": 99, "cost_drawn": 99, "on": "1" + "01"[n // 10 % 2]})
checks["a steady search"] = ("| made up | 100 | 100% | 0.990 | 75% | 1.032 | 0.800 | 0.08 to 0.119 | 0.0 | 0 of 2 | 0% | 0.990 | 0 |") in steady
checks["decisions that go back and forth are counted"] = "| 7.5 | 1 of 2 | 67% | 0.990 | 0 |" in restless

# In place of spnas: a network for each seed, and accuracies that say which seed trained it.
SEARCHES = """#!/bin/sh
command=$1
while [ $# -gt 0 ]; do case $1 in --out) out=$2 ;; --seed) seed=$2 ;; esac; shift; done
mkdir -p $out
if [ $command = search ]; then echo "{\\"network\\": \\"$seed\\", \\"predicted\\": 49.5, \\"images\\": 7}" >$out/arch.json
else echo "{\\"test_top1\\": 0.5$seed, \\"seconds\\": 2}" >$out/result.json; fi
"""


def truth():
    with tempfile.TemporaryDirectory() as run:
        stand_in, table = pathlib.Path(run, "spnas"), pathlib.Path(run, "truth.csv")
        stand_in.write_text(SEARCHES)
        stand_in.chmod(0o755)

        def call(what):
            return subprocess.run([sys.executable, str(BENCH / "truth.py"), what, "--data", run, "--spnas", str(stand_in), "--csv", str(table), "--out", run,
                                   "--targets", "50", "--networks", "3", "--twice", "2", "--seeds", "2", "--methods", "gradient:search.explore=0"],
                                  capture_output=True, text=True, timeout=60)
        call("population")
        before = table.read_text() if table.exists() else ""
        call("population")
        again = table.read_text() if table.exists() else ""
        call("methods")
        return before, again, call("show").stdout


before, again, shown = truth()
checks["a row for each network and training"] = before.count("\n") == 1 + 3 + 2 and before == again
checks["the population's mean and noise"] = "| 50 | random networks | 3 | 51.00, deviation 0.00, of one network 0.71 (2 trained twice) | |" in shown
checks["a method's place in it"] = "| 50 | gradient:search.explore=0 | 2 | 51.00 | 50, 50 |" in shown


def decisions(refused):
    """Searches that are finished: a path's networks differ in one decision, a seed's in three."""
    with tempfile.TemporaryDirectory() as run:
        for p, path in enumerate(("auto-f32", "auto-bf16", "avx2-f32")):
            for seed in (1, 2):
                folder = pathlib.Path(run, f"{path}-seed{seed}")
                if path == refused:
                    continue
                folder.mkdir()
                (folder / "arch.json").write_text(json.dumps({
                    "space": "made up", "target": 65, "unit": "ms", "images": 9, "network": ("000" if seed == 1 else "111") + str(p),
                    "indicators": [{"gain": g * seed + (seed == 2 and g == 3)} for g in (1, 2, 3)]}))
        stand_in = pathlib.Path(run, "spnas")
        stand_in.write_text("#!/bin/sh\necho 'run.precision: bf16 is refused here' >&2; exit 2\n")
        stand_in.chmod(0o755)
        return subprocess.run([sys.executable, str(BENCH / "decisions.py"), "--data", run, "--spnas", str(stand_in), "--out", run, "--seeds", "1", "2"],
                              capture_output=True, text=True, timeout=60).stdout


shown = decisions(None)
checks["decisions between paths"] = "| avx2 f32 and auto f32, same seed | 2 | 1.0 (1 to 1) | 1.000 (1.000 to 1.000) |" in shown
checks["decisions between seeds"] = "| seeds, auto bf16 | 1 | 3.0 (3 to 3) | 0.993" in shown and "decide alike, within the seeds' spread" in shown
shown = decisions("auto-bf16")
checks["a refused path is named and left out"] = "auto bf16, seed 2: run.precision: bf16 is refused here" in shown and "| seeds, auto bf16" not in shown


def latency(build):
    """A table, two random networks and a search for this computer, each as short as can be."""
    with tempfile.TemporaryDirectory() as folder:
        draw = random.Random(1)
        for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
            pathlib.Path(folder, name + ".bin").write_bytes(b"".join(bytes([i % 10]) + draw.randbytes(3072) for i in range(20)))
        return subprocess.run([sys.executable, str(BENCH / "latency_study.py"), "--spnas", str(pathlib.Path(build, "spnas")), "--networks", "2", "--runs", "1",
                               "--seconds", "0.1", "--data", folder, "--search=--set=search.epochs=2", "--search=--set=optim.batch=20"],
                              capture_output=True, text=True, timeout=600, env={**os.environ, "SPNAS_DATA": str(BENCH.parent / "data")})


if len(sys.argv) > 1:
    done = latency(sys.argv[1])
    checks["latency_study: two networks"] = "2 networks of" in done.stdout
    checks["latency_study: a search, timed and without the drift: " + done.stderr] = (
        re.search(r"search: target [0-9.]+ ms, found [0-9.]+ ms predicted, [0-9.]+ ms timed .* without it [0-9.]+ ms \(", done.stdout) is not None)
for name, holds in checks.items():
    print(("ok  " if holds else "FAILED ") + name)
print(f"{sum(checks.values())} passed, {len(checks) - sum(checks.values())} failed")
sys.exit(not all(checks.values()))
