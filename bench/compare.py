"""spnas's step against PyTorch's, against oneDNN's convolutions alone and against itself, in turn on this machine.

usage: python bench/compare.py [--build build] [--runs 3] [--sizes 32 224] [--modes eager nchw compile bf16] [--no-kernels]
                               [--sweep] [--json FILE]

Every run times each PyTorch mode and each work of spnas once; PyTorch's best mode of a run counts against spnas in f32.
Prints every run's ratios and the table of medians. --sweep adds spnas's cost against batch, width and input size. Needs torch in the
Python that runs it; without it PyTorch's rows are left out.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
MODES = {"eager": [], "nchw": ["--nchw"], "compile": ["--compile"], "bf16": ["--bf16"]}
BATCH = {32: 128, 224: 32}
THREADS = len(os.sched_getaffinity(0))


def torch_step(size, mode):
    command = [sys.executable, str(HERE / "torch_supernet.py"), "--size", str(size), "--batch", str(BATCH[size]), "--steps", "5"]
    done = subprocess.run(command + MODES[mode], capture_output=True, text=True)
    if done.returncode:
        print(f"  torch {mode} at {size}: failed: {done.stderr.strip().splitlines()[-1:]}")
        return None
    return {**json.loads(done.stdout.strip().splitlines()[-1]), "mode": mode}


def spnas_step(build, size, *options, batch=None, steps=8):
    command = [str(build / "bench_step"), "--size", str(size), "--batch", str(batch or BATCH[size]), "--steps", str(steps), *options]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"batch \d+: ([\d.]+) ms/step ([\d.]+) img/s(?: peak ([\d.]+) MB)?", text)
    return {"ms": float(found[1]), "images_per_second": float(found[2]), "peak_mb": float(found[3] or 0)}


def kernels(build):
    """Depthwise, for every layer: time of the weight gradient over that of the forward pass. The gradient by itself; with batch
    norm's backward folded in, for which it reads a third tensor; and as a step takes it: what it then adds to the data
    gradient, with which it shares what it reads."""
    text = subprocess.run([str(build / "bench_kernels"), "--json"], capture_output=True, text=True, check=True).stdout
    us = {(r["kernel"], r["shape"]): r["us"] for r in json.loads(text)["results"]}
    return {shape: (us["dw_backward weights plain", shape] / t, us["dw_backward weights", shape] / t, (us["dw_backward both", shape] - us["dw_backward data", shape]) / t)
            for (kernel, shape), t in us.items() if kernel == "dw_forward"}


def one_run(args, run):
    figures = {}
    for size in args.sizes:
        ours = spnas_step(args.build, size)
        peers = [p for p in (torch_step(size, mode) for mode in args.modes) if p]
        figures[f"dense {size}"] = ours
        if peers:
            best = max(peers, key=lambda p: p["images_per_second"])
            figures[f"torch {size}"] = peers
            figures[f"dense step at {size}x{size}, batch {BATCH[size]}, against PyTorch's best mode"] = ours["images_per_second"] / best["images_per_second"]
            for precision in ("f32", "bf16"):
                peaks = [p["peak_mb"] for p in peers if (p["mode"] == "bf16") == (precision == "bf16")]
                if peaks:
                    figures[f"peak memory (f32) at {size}x{size} against PyTorch's least in {precision}"] = ours["peak_mb"] / min(peaks)
            print(f"  run {run} {size}x{size}: spnas {ours['images_per_second']:.1f} images/s {ours['peak_mb']:.0f} MB; torch " +
                  ", ".join(f"{p['mode']} {p['images_per_second']:.1f}" for p in peers) + f" images/s, {best['peak_mb']:.0f} MB", flush=True)
        if size == 32:
            works = {w: spnas_step(args.build, 32, "--work", w, steps=16 if w == "schedule" else 8) for w in ("schedule", "half", "pointwise")}
            bf16 = spnas_step(args.build, 32, "--bf16")
            pairs = [[spnas_step(args.build, 32, "--threads", str(n), steps=5)["images_per_second"] for n in (1, THREADS)] for _ in range(3)]
            figures.update(works, bf16=bf16, threads=pairs)
            print(f"  run {run} 32x32: " + ", ".join(f"{n} {f['images_per_second']:.1f}" for n, f in
                  {"dense": ours, **works, "bf16": bf16}.items()) + " images/s; one thread and all " +
                  ", ".join(f"{a:.1f} {b:.1f}" for a, b in pairs), flush=True)
            if peers:
                figures["8-epoch search schedule at 32x32 against PyTorch's dense step"] = works["schedule"]["images_per_second"] / best["images_per_second"]
            figures["dense step's time over that of its 1x1 convolutions alone in oneDNN"] = ours["ms"] / works["pointwise"]["ms"]
            figures["a half-MACs network against the dense supernet"] = works["half"]["images_per_second"] / ours["images_per_second"]
            figures["all threads against one, neighbouring measurements"] = statistics.median(b / a for a, b in pairs)
            figures["bf16 against f32"] = bf16["images_per_second"] / ours["images_per_second"]
    if not args.no_kernels:
        ratios = kernels(args.build)
        for i, how in enumerate(["", ", batch norm's backward folded in", ", that and beside the data gradient, as in a step"]):
            figures[f"depthwise weight gradient over forward, worst layer{how}"] = max(r[i] for r in ratios.values())
            figures[f"depthwise weight gradient over forward, median layer{how}"] = statistics.median(r[i] for r in ratios.values())
        figures["depthwise"] = ratios
        print(f"  run {run} depthwise weight gradient over forward (by itself, folded, in a step): " +
              ", ".join(" ".join(f"{x:.2f}" for x in r) for r in ratios.values()), flush=True)
    return figures


def sweep(build):
    """A dense step's cost against batch, width and input size."""
    rows = []
    print("| input | batch | width | images/s | peak MB |\n|---|---|---|---|---|")
    for size, batch, width in [(32, 32, 1), (32, 64, 1), (32, 128, 1), (32, 256, 1), (32, 128, 0.75), (32, 128, 0.5),
                               (64, 128, 1), (96, 64, 1), (160, 32, 1), (224, 16, 1), (224, 32, 1)]:
        step = spnas_step(build, size, "--width", str(width), batch=batch)
        rows.append({**step, "batch": batch, "width": width})
        print(f"| {size} | {batch} | {width:g} | {step['images_per_second']:.1f} | {step['peak_mb']:.0f} |", flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 224], choices=sorted(BATCH))
    parser.add_argument("--modes", nargs="*", default=["eager", "compile", "nchw", "bf16"], choices=sorted(MODES))
    parser.add_argument("--no-kernels", action="store_true")
    parser.add_argument("--sweep", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    runs = [one_run(args, i + 1) for i in range(args.runs)]
    if runs:
        print(f"\n| measure | median of {args.runs} | runs |\n|---|---|---|")
    for name in runs[0] if runs else []:
        values = [r[name] for r in runs if isinstance(r.get(name), float)]
        if values:
            print(f"| {name} | {statistics.median(values):.2f}x | {', '.join(f'{v:.2f}' for v in values)} |")
    print()
    result = {"runs": runs, "sweep": sweep(args.build) if args.sweep else []}
    if args.json:
        args.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
