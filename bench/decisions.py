"""Whether the numeric paths decide alike: the same short searches with other instruction sets and precisions.

usage: python bench/decisions.py --data CIFAR10 [--spnas build/spnas] [--out runs/decisions] [--seeds 1 2 3] [--target 65] [--jobs 2]
           [-- more spnas arguments]

Searches `demo` (its proxy, 10,000 images, 4 epochs) along every path: the kernels that auto chooses (AVX-512 where the CPU has it) in f32, the same
in bf16, and AVX2 in f32. Every path has its own rounding, so that after some hundred steps weights differ like those of another run; what is asked is whether
decisions and gains differ any more between paths with one seed than they do between seeds along one path. Searches that are finished are
only read, interrupted ones go on; a path that this CPU refuses is named and left out. Plain Python.
"""
import argparse
import concurrent.futures
import itertools
import json
import math
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PATHS = {"auto f32": ("auto", "f32"), "auto bf16": ("auto", "bf16"), "avx2 f32": ("avx2", "f32")}
REFERENCE = "auto f32"
SETTINGS = ["search.space=demo", "search.cost=pixel1-singlepath", "search.method=gradient", "search.epochs=4", "search.force=true", "data.max_train=10000",
            "data.max_test=1000", "optim.lr_warmup_epochs=0.5", "run.keep=1"]


def search(args, path, seed, extra):
    """Runs, resumes or finds a search; returns its arch.json, or the program's words where it refuses."""
    folder = args.out / f"{path.replace(' ', '-')}-seed{seed}"
    if not (folder / "arch.json").exists():
        isa, precision = PATHS[path]
        resume = ["--resume"] if (folder / "config.resolved.json").exists() else []
        sets = [*SETTINGS, f"run.isa={isa}", f"run.precision={precision}"]
        done = subprocess.run([str(args.spnas), "search", "--data", str(args.data), "--out", str(folder), "--target", str(args.target), "--seed", str(seed),
                               "--threads", "1", "--quiet", *resume, *(w for v in sets for w in ("--set", v)), *extra],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["no word"])[-1]
    return json.loads((folder / "arch.json").read_text())


def differing(a, b):
    """Decisions in which two networks differ, by their codes: one digit for each decision of the space."""
    return sum(x != y for x, y in zip(a["network"], b["network"]))


def correlation(a, b):
    """Pearson's, of the indicators' gains."""
    x, y = ([i["gain"] for i in n["indicators"]] for n in (a, b))
    mx, my = sum(x) / len(x), sum(y) / len(y)
    spread = math.sqrt(sum((v - mx) ** 2 for v in x) * sum((v - my) ** 2 for v in y))
    return sum((p - mx) * (q - my) for p, q in zip(x, y)) / spread if spread else float("nan")


def mean(values):
    return sum(values) / len(values) if values else float("nan")


def row(what, pairs):
    decisions = [differing(a, b) for a, b in pairs]
    gains = [correlation(a, b) for a, b in pairs]
    return (f"| {what} | {len(pairs)} | {mean(decisions):.1f} ({min(decisions)} to {max(decisions)}) | {mean(gains):.3f} "
            f"({min(gains):.3f} to {max(gains):.3f}) |")


def report(found, seeds):
    """found: arch.json by (path, seed)."""
    paths = [p for p in PATHS if all((p, s) in found for s in seeds)]
    one = found[paths[0], seeds[0]]
    print(f"\nspace {one['space']}, target {one['target']:g} {one['unit']}, {one['images']:.0f} images a search, {len(one['network'])} decisions, "
          f"{len(one['indicators'])} gains\n")
    print("| between | pairs | decisions that differ: mean (least to most) | correlation of gains |\n|---|---|---|---|")
    for path in paths:
        if path != REFERENCE:
            print(row(f"{path} and {REFERENCE}, same seed", [(found[path, s], found[REFERENCE, s]) for s in seeds]))
    within = {p: [(found[p, a], found[p, b]) for a, b in itertools.combinations(seeds, 2)] for p in paths}
    for path in paths:
        print(row(f"seeds, {path}", within[path]))
    across = [(found[p, s], found[REFERENCE, s]) for p in paths if p != REFERENCE for s in seeds]
    if across:
        a, b = mean([differing(*p) for p in across]), mean([differing(*p) for pairs in within.values() for p in pairs])
        print(f"\nbetween paths {a:.1f} decisions differ, between seeds {b:.1f}: the paths {'decide alike, within' if a <= b else 'differ by more than'} "
              "the seeds' spread")


def main():
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--spnas", type=pathlib.Path, default=HERE.parent / "build" / "spnas")
    parser.add_argument("--out", type=pathlib.Path, default=HERE.parent / "runs" / "decisions")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--target", type=float, default=65)
    parser.add_argument("--jobs", type=int, default=2, help="searches at a time, one thread each")
    args = parser.parse_args(sys.argv[1:cut])
    if len(set(args.seeds)) < 2:
        parser.error("--seeds: at least two, whose spread is what paths are compared with")
    wanted = list(itertools.product(PATHS, args.seeds))
    found = {}
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for (path, seed), answer in zip(wanted, pool.map(lambda w: search(args, *w, sys.argv[cut + 1:]), wanted)):
            if isinstance(answer, str):
                print(f"{path}, seed {seed}: {answer}", flush=True)
            else:
                found[path, seed] = answer
    if any((REFERENCE, s) not in found for s in args.seeds):
        sys.exit("decisions.py: the reference path did not finish")
    report(found, args.seeds)


if __name__ == "__main__":
    main()
