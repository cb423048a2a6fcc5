"""The benches' scripts: python check_bench.py BUILD_DIR

bench/compare.py goes on where this machine refuses a mode, and says so in the row. bench/controller.py reads what a run folder says.

A stand-in takes the place of bench_step: it answers every work but bf16, as on a CPU without it.
"""
import json
import pathlib
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
for name, holds in checks.items():
    print(("ok  " if holds else "FAILED ") + name)
print(f"{sum(checks.values())} passed, {len(checks) - sum(checks.values())} failed")
sys.exit(not all(checks.values()))
