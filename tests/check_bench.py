"""bench/compare.py goes on where this machine refuses a mode, and says so in the row: python check_bench.py BUILD_DIR

A stand-in takes the place of bench_step: it answers every work but bf16, as on a CPU without it.
"""
import pathlib
import subprocess
import sys
import tempfile

STAND_IN = """#!/bin/sh
case "$*" in *--bf16*) echo 'stem.conv: not implemented on this CPU' >&2; exit 1 ;; esac
echo "spnas kernels plain threads 2 size 32 batch 128: 500 ms/step 256.0 img/s peak 900 MB loss 2.1"
"""
COMPARE = pathlib.Path(__file__).resolve().parent.parent / "bench" / "compare.py"


def compare(stand_in):
    with tempfile.TemporaryDirectory() as build:
        step = pathlib.Path(build, "bench_step")
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
for name, holds in checks.items():
    print(("ok  " if holds else "FAILED ") + name)
print(f"{sum(checks.values())} passed, {len(checks) - sum(checks.values())} failed")
sys.exit(not all(checks.values()))
