"""spnas's step against PyTorch's, against oneDNN's convolutions alone and against itself, in turn on this machine.

usage: python bench/compare.py [--build build] [--runs 3] [--sizes 32 224] [--modes eager nchw compile bf16] [--isa avx2]
                               [--no-kernels] [--no-networks] [--sweep] [--json FILE]

Every run times each PyTorch mode and each work of spnas once; PyTorch's best mode of a run counts against spnas in f32.
Then whole networks, trained as `spnas train` trains them, in f32 and in bf16 against the best mode of the same networks in PyTorch,
whatever its precision (--sizes without a number leaves only these).
Prints every run's ratios and the table of medians; what this machine refuses has a row that says why. --isa caps everything
alike: spnas, its oneDNN, and PyTorch with its own. --sweep adds spnas's cost against batch, width and input size. Needs torch
in the Python that runs it; without it PyTorch's rows are left out.
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
NETWORKS = [("single-path-nas", 64, 128), ("single-path-nas", 224, 32), ("mnasnet-small", 64, 128)]  # name, input size, batch
THREADS = len(os.sched_getaffinity(0))


class Refused(Exception):
    """What a program said instead of measuring."""


def last_line(text):
    return (text.strip().splitlines() or ["no word"])[-1]


def torch_peer(args, script, what, mode, *options, network=None):
    """None, with a word, where this PyTorch cannot run the mode."""
    caps = {"ATEN_CPU_CAPABILITY": args.isa, "ONEDNN_MAX_CPU_ISA": args.isa.upper()} if args.isa else {}
    done = subprocess.run([sys.executable, str(HERE / script), *map(str, options), "--steps", "5", *MODES[mode]], capture_output=True,
                          text=True, input=network, env={**os.environ, **caps})
    if done.returncode:
        print(f"  torch {mode}, {what}: failed: {last_line(done.stderr)}")
        return None
    return {**json.loads(last_line(done.stdout)), "mode": mode}


def torch_step(args, size, mode):
    return torch_peer(args, "torch_supernet.py", f"{size}x{size}", mode, "--size", size, "--batch", BATCH[size])


def spnas_step(args, size, *options, batch=None, steps=8):
    return spnas_bench(args, "bench_step", "--size", size, "--batch", batch or BATCH[size], "--steps", steps, *options)


def spnas_bench(args, program, *options):
    command = [str(args.build / program), *map(str, options)]
    done = subprocess.run(command + (["--isa", args.isa] if args.isa else []), capture_output=True, text=True)
    if done.returncode:
        raise Refused(last_line(done.stderr))
    found = re.search(r"batch \d+: ([\d.]+) ms/step ([\d.]+) img/s(?: peak ([\d.]+) MB)?", done.stdout)
    return {"ms": float(found[1]), "images_per_second": float(found[2]), "peak_mb": float(found[3] or 0)}


def beside_a_busy_process(measure):
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        return measure()
    finally:
        neighbour.kill()
        neighbour.wait()


def thread_pairs(args, *options, batch=None, pairs=3, steps=5):
    """Images per second of one thread and of all, in neighbouring measurements."""
    return [[spnas_step(args, 32, "--threads", str(n), *options, batch=batch, steps=steps)["images_per_second"] for n in (1, THREADS)]
            for _ in range(pairs)]


def kernels(args):
    """Depthwise, for every layer: time of the weight gradient over that of the forward pass. The gradient by itself; with batch
    norm's backward folded in, for which it reads a third tensor; and as a step takes it: what it then adds to the data
    gradient, with which it shares what it reads."""
    done = subprocess.run([str(args.build / "bench_kernels"), "--json"] + (["--isa", args.isa] if args.isa else []),
                          capture_output=True, text=True)
    if done.returncode:
        raise Refused(last_line(done.stderr))
    us = {(r["kernel"], r["shape"]): r["us"] for r in json.loads(done.stdout)["results"]}
    return {shape: (us["dw_backward weights plain", shape] / t, us["dw_backward weights", shape] / t, (us["dw_backward both", shape] - us["dw_backward data", shape]) / t)
            for (kernel, shape), t in us.items() if kernel == "dw_forward"}


def against_torch(args, run, size, ours, figures):
    peers = [p for p in (torch_step(args, size, mode) for mode in args.modes) if p]
    if not peers:
        return None
    best = max(peers, key=lambda p: p["images_per_second"])
    figures[f"torch {size}"] = peers
    figures[f"dense step at {size}x{size}, batch {BATCH[size]}, against PyTorch's best mode"] = ours["images_per_second"] / best["images_per_second"]
    for precision in ("f32", "bf16"):
        peaks = [p["peak_mb"] for p in peers if (p["mode"] == "bf16") == (precision == "bf16")]
        if peaks:
            figures[f"peak memory (f32) at {size}x{size} against PyTorch's least in {precision}"] = ours["peak_mb"] / min(peaks)
    print(f"  run {run} {size}x{size}: spnas {ours['images_per_second']:.1f} images/s {ours['peak_mb']:.0f} MB; torch " +
          ", ".join(f"{p['mode']} {p['images_per_second']:.1f}" for p in peers) + f" images/s, {best['peak_mb']:.0f} MB", flush=True)
    return best


def against_itself(args, run, ours, best, figures):
    works = {w: spnas_step(args, 32, "--work", w, steps=16 if w == "schedule" else 8) for w in ("schedule", "half", "pointwise")}
    quiet = thread_pairs(args)
    busy = beside_a_busy_process(lambda: thread_pairs(args, "--width", "0.25", batch=64, pairs=2, steps=40))
    figures.update(works, threads=quiet, busy=busy)
    print(f"  run {run} 32x32: " + ", ".join(f"{n} {f['images_per_second']:.1f}" for n, f in {"dense": ours, **works}.items()) +
          " images/s; one thread and all " + ", ".join(f"{a:.1f} {b:.1f}" for a, b in quiet) +
          "; beside a busy process " + ", ".join(f"{a:.1f} {b:.1f}" for a, b in busy), flush=True)
    if best:
        figures["8-epoch search schedule at 32x32 against PyTorch's dense step"] = works["schedule"]["images_per_second"] / best["images_per_second"]
    figures["dense step's time over that of its 1x1 convolutions alone in oneDNN"] = ours["ms"] / works["pointwise"]["ms"]
    figures["a half-MACs network against the dense supernet"] = works["half"]["images_per_second"] / ours["images_per_second"]
    figures["all threads against one, neighbouring measurements"] = statistics.median(b / a for a, b in quiet)
    figures["all threads against one beside a busy process (quarter width, batch 64)"] = statistics.median(b / a for a, b in busy)
    name = "bf16 against f32"
    try:
        figures[name] = spnas_step(args, 32, "--bf16")["images_per_second"] / ours["images_per_second"]
    except Refused as why:
        figures[name] = f"refused: {why}"


def networks(args, run, figures):
    """Training steps of whole networks, the same ones in PyTorch's modes, in neighbouring measurements."""
    for name, size, batch in NETWORKS:
        what = f"training {name} at {size}x{size}, batch {batch}"
        options = ["--arch", name, "--size", size, "--batch", batch]
        ours = spnas_bench(args, "bench_train", *options)
        printed = subprocess.run([str(args.build / "bench_train"), "--arch", name, "--size", str(size), "--print"], capture_output=True, text=True)
        peers = [p for p in (torch_peer(args, "torch_network.py", what, mode, "--batch", batch, network=printed.stdout) for mode in args.modes) if p]
        figures[what] = {"spnas": ours, "torch": peers}
        best = max((p["images_per_second"] for p in peers), default=None)
        if best:
            figures[f"{what}, against PyTorch's best mode"] = ours["images_per_second"] / best
        row = f"{what}, in bf16 against PyTorch's best mode"
        try:
            rounded = spnas_bench(args, "bench_train", *options, "--bf16")
            figures[what]["spnas bf16"] = rounded
            said = f"{rounded['images_per_second']:.1f}"
            if best:
                figures[row] = rounded["images_per_second"] / best
        except Refused as why:
            figures[row] = said = f"refused: {why}"
        print(f"  run {run} {what}: spnas {ours['images_per_second']:.1f}, bf16 {said}; torch " +
              ", ".join(f"{p['mode']} {p['images_per_second']:.1f}" for p in peers) + " images/s", flush=True)


def one_run(args, run):
    figures = {}
    for size in args.sizes:
        ours = spnas_step(args, size)
        figures[f"dense {size}"] = ours
        best = against_torch(args, run, size, ours, figures)
        if size == 32:
            against_itself(args, run, ours, best, figures)
    if not args.no_networks:
        networks(args, run, figures)
    if not args.no_kernels:
        ratios = kernels(args)
        for i, how in enumerate(["", ", batch norm's backward folded in", ", that and beside the data gradient, as in a step"]):
            figures[f"depthwise weight gradient over forward, worst layer{how}"] = max(r[i] for r in ratios.values())
            figures[f"depthwise weight gradient over forward, median layer{how}"] = statistics.median(r[i] for r in ratios.values())
        figures["depthwise"] = ratios
        print(f"  run {run} depthwise weight gradient over forward (by itself, folded, in a step): " +
              ", ".join(" ".join(f"{x:.2f}" for x in r) for r in ratios.values()), flush=True)
    return figures


def print_table(runs):
    print(f"\n| measure | median of {len(runs)} | runs |\n|---|---|---|")
    for name in dict.fromkeys(name for r in runs for name in r):
        values = [r[name] for r in runs if isinstance(r.get(name), float)]
        words = [r[name] for r in runs if isinstance(r.get(name), str)]
        if values:
            print(f"| {name} | {statistics.median(values):.2f}x | {', '.join(f'{v:.2f}' for v in values)} |")
        elif words:
            print(f"| {name} | | {words[0]} |")
    print()


def sweep(args):
    """A dense step's cost against batch, width and input size."""
    rows = []
    print("| input | batch | width | images/s | peak MB |\n|---|---|---|---|---|")
    for size, batch, width in [(32, 32, 1), (32, 64, 1), (32, 128, 1), (32, 256, 1), (32, 128, 0.75), (32, 128, 0.5),
                               (64, 128, 1), (96, 64, 1), (160, 32, 1), (224, 16, 1), (224, 32, 1)]:
        step = spnas_step(args, size, "--width", str(width), batch=batch)
        rows.append({**step, "batch": batch, "width": width})
        print(f"| {size} | {batch} | {width:g} | {step['images_per_second']:.1f} | {step['peak_mb']:.0f} |", flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="*", default=[32, 224], choices=sorted(BATCH))
    parser.add_argument("--modes", nargs="*", default=["eager", "compile", "nchw", "bf16"], choices=sorted(MODES))
    parser.add_argument("--isa", choices=["avx2"])
    parser.add_argument("--no-kernels", action="store_true")
    parser.add_argument("--no-networks", action="store_true")
    parser.add_argument("--sweep", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    try:
        runs = [one_run(args, i + 1) for i in range(args.runs)]
    except Refused as why:
        sys.exit(f"compare.py: {why}")
    if runs:
        print_table(runs)
    result = {"runs": runs, "sweep": sweep(args) if args.sweep else []}
    if args.json:
        args.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
