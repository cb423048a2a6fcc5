"""spnas against PyTorch on the same supernet step, in turn, on this machine.

usage: python bench/compare.py [--build build] [--runs 3] [--sizes 32 224] [--modes eager nchw compile bf16]

Every run times each PyTorch mode and spnas once; PyTorch's best mode of a run counts. Needs torch in the Python that
runs it. Prints medians and, with --json FILE, writes every figure.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
MODES = {"eager": [], "nchw": ["--nchw"], "compile": ["--compile"], "bf16": ["--bf16"]}
BATCH = {32: 128, 224: 32}


def torch_step(size, mode):
    command = [sys.executable, str(HERE / "torch_supernet.py"), "--size", str(size), "--batch", str(BATCH[size]), "--steps", "5"]
    done = subprocess.run(command + MODES[mode], capture_output=True, text=True)
    if done.returncode:
        print(f"  torch {mode} at {size}: failed: {done.stderr.strip().splitlines()[-1:]}")
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def spnas_step(build, size):
    command = [str(build / "bench_step"), "--size", str(size), "--batch", str(BATCH[size]), "--steps", "5"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"batch \d+: ([\d.]+) ms/step ([\d.]+) img/s peak ([\d.]+) MB", text)
    return {"ms": float(found[1]), "images_per_second": float(found[2]), "peak_mb": float(found[3])}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 224])
    parser.add_argument("--modes", nargs="+", default=["eager", "compile", "nchw", "bf16"], choices=sorted(MODES))
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    report = []
    for size in args.sizes:
        runs = []
        for _ in range(args.runs):
            ours = spnas_step(args.build, size)
            peers = [p for p in (torch_step(size, mode) for mode in args.modes) if p]
            best = max(peers, key=lambda p: p["images_per_second"])
            runs.append({"spnas": ours, "torch": peers, "speedup": ours["images_per_second"] / best["images_per_second"],
                         "memory": ours["peak_mb"] / min(p["peak_mb"] for p in peers), "best": best})
            print(f"{size}x{size} batch {BATCH[size]}: spnas {ours['images_per_second']:.1f} images/s {ours['peak_mb']:.0f} MB; torch "
                  f"{best['images_per_second']:.1f} images/s {best['peak_mb']:.0f} MB ({best['layout']}, compile {best['compile']}, "
                  f"bf16 {best['bf16']}): {runs[-1]['speedup']:.2f}x, memory {runs[-1]['memory']:.2f}x", flush=True)
        speedup = statistics.median(r["speedup"] for r in runs)
        memory = statistics.median(r["memory"] for r in runs)
        print(f"{size}x{size}: median of {args.runs} runs: {speedup:.2f}x as fast, {memory:.2f}x the peak memory")
        report.append({"size": size, "batch": BATCH[size], "speedup": speedup, "memory": memory, "runs": runs})
    if args.json:
        args.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
