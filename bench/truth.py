"""Truth of the user's own kind: random networks of the demo space, trained alike on CIFAR-10, and where each method's answers lie among them.

usage: python bench/truth.py population --data CIFAR10 [options]     trains the next networks that bench/truth.csv lacks
       python bench/truth.py methods    --data CIFAR10 [options]     searches, and trains what was found
       python bench/truth.py show                                    the table of what is there
options: [--spnas build/spnas] [--csv bench/truth.csv] [--out runs/truth] [--targets 50 65 80] [--networks 40] [--twice 10]
         [--methods gradient gradient:search.explore=0 ppo ...] [--seeds 3] [--threads N] [--minutes M] [-- more spnas arguments]

Every network is a row of the CSV, appended when its training ends, so that several sessions can add to it; a row says by its recipe (a digest of
bench/truth.json and the further arguments) which rows may be compared with it. --twice: so many networks of each target are trained with a second
seed, which tells the noise of a training. --minutes: begins no run after that. A run that was stopped goes on. Plain Python.
"""
import argparse
import csv
import fcntl
import hashlib
import json
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
CONFIG = HERE / "truth.json"
COLUMNS = ["recipe", "target", "method", "seed", "network", "predicted", "train_seed", "accuracy", "images", "seconds"]
POPULATION = "population"  # method of the random networks
POPULATION_SEED = 1000000  # their seeds follow it, so that no search draws the same


def spnas(args, *command):
    subprocess.run([str(args.spnas), *map(str, command), "--quiet"], check=True, stdout=subprocess.DEVNULL)


def step(args, folder, done, *command):
    """A search or training, unless its result is there; goes on with a stopped one. False: another process is in the folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if not (folder / done).exists():
            resume = ["--resume"] if (folder / "config.resolved.json").exists() else []
            spnas(args, *command, "--config", CONFIG, "--data", args.data, "--out", folder, "--threads", args.threads, *args.extra, *resume)
    return True


def rows(args):
    if not args.csv.exists():
        return []
    with args.csv.open() as file:
        return [r for r in csv.DictReader(file) if r["recipe"] == args.recipe]


def append(args, row):
    with open(args.csv, "a", newline="") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        writer = csv.DictWriter(file, COLUMNS)
        if file.tell() == 0:
            writer.writeheader()
        writer.writerow(row)


def method_settings(label):
    method, *settings = label.split(":")
    return [a for s in [f"search.method={method}", *settings] for a in ("--set", s)]


def search(args, target, label, seed):
    """arch.json of a search, or of a random draw; None: another process is at it."""
    folder = args.out / args.recipe / target / f"{label.replace(':', '_').replace('/', '_')}-{seed}"
    draws = label == POPULATION
    settings = ["--set", "search.method=random", "--set", "search.evaluations=1"] if draws else method_settings(label)
    budget = f"search.target_share={float(target[:-1]) / 100!r}" if target.endswith("%") else f"search.target={target}"
    ours = step(args, folder, "arch.json", "search", "--seed", seed + POPULATION_SEED * draws, "--set", "search.force=true", "--set", budget, *settings)
    return (json.loads((folder / "arch.json").read_text()), folder) if ours else (None, folder)


def add(args, target, label, seed, train_seed):
    """One row; nothing where it is there already, or another process is at it."""
    key = {"recipe": args.recipe, "target": target, "method": label, "seed": str(seed), "train_seed": str(train_seed)}
    if any(all(r[k] == v for k, v in key.items()) for r in rows(args)):
        return
    found, folder = search(args, target, label, seed)
    if not found:
        return
    training = args.out / args.recipe / "train" / f"{found['network']}-{train_seed}"
    if not step(args, training, "result.json", "train", "--arch", folder / "arch.json", "--seed", train_seed):
        return
    result = json.loads((training / "result.json").read_text())
    append(args, {**key, "network": found["network"], "predicted": f"{found['predicted']:.6g}", "accuracy": f"{result['test_top1']:.6f}",
                  "images": f"{found['images']:.0f}", "seconds": f"{result['seconds']:.1f}"})
    print(f"{target} {label} seed {seed}: {found['network']}, test top-1 {100 * result['test_top1']:.2f} %", flush=True)


def go(args, tasks):
    start = time.time()
    for task in tasks:
        if args.minutes and time.time() - start > 60 * args.minutes:
            print("time is up; the same command goes on")
            return
        add(args, *task)


def population(args):
    for pairs in (((n, 1) for n in range(1, args.networks + 1)), ((n, 2) for n in range(1, args.twice + 1))):
        go(args, [(t, POPULATION, n, s) for n, s in pairs for t in args.targets])


def methods(args):
    go(args, [(t, m, s, 1) for s in range(1, args.seeds + 1) for t in args.targets for m in args.methods])


def percentile(value, values):
    return 100 * (sum(v < value for v in values) + 0.5 * sum(v == value for v in values)) / len(values)


def show(args):
    table = rows(args)
    if not table:
        sys.exit(f"{args.csv}: no rows of recipe {args.recipe}; begin with: python bench/truth.py population --data CIFAR10")
    places = {}
    print("| target | method | networks | test top-1 % | percentile among the random ones |\n|---|---|---|---|---|")
    for target in dict.fromkeys(r["target"] for r in table):
        here = [r for r in table if r["target"] == target]
        drawn = [r for r in here if r["method"] == POPULATION]
        values = [float(r["accuracy"]) for r in drawn if r["train_seed"] == "1"]
        again = {r["network"]: float(r["accuracy"]) for r in drawn if r["train_seed"] == "2"}
        twice = [(float(r["accuracy"]), again[r["network"]]) for r in drawn if r["train_seed"] == "1" and r["network"] in again]
        spread = f", deviation {100 * statistics.stdev(values):.2f}" if len(values) > 1 else ""
        noise = f", of one network {100 * (sum((a - b) ** 2 for a, b in twice) / (2 * len(twice))) ** 0.5:.2f} ({len(twice)} trained twice)" if twice else ""
        if values:
            print(f"| {target} | random networks | {len(values)} | {100 * statistics.mean(values):.2f}{spread}{noise} | |")
        for method in dict.fromkeys(r["method"] for r in here if r["method"] != POPULATION):
            got = [float(r["accuracy"]) for r in here if r["method"] == method]
            where = [percentile(a, values) for a in got] if values else []
            places.setdefault(method, []).extend(where)
            print(f"| {target} | {method} | {len(got)} | {100 * statistics.mean(got):.2f} | {', '.join(f'{p:.0f}' for p in where)} |")
    for method, where in places.items():
        if where:
            print(f"{method}: mean percentile {statistics.mean(where):.1f}, lowest {min(where):.1f}, of {len(where)} networks")


def main():
    own, extra = (sys.argv[1:], []) if "--" not in sys.argv else (sys.argv[1:sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["population", "methods", "show"])
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--spnas", type=pathlib.Path, default=HERE.parent / "build" / "spnas")
    parser.add_argument("--csv", type=pathlib.Path, default=HERE / "truth.csv")
    parser.add_argument("--out", type=pathlib.Path, default=HERE.parent / "runs" / "truth")
    parser.add_argument("--targets", nargs="+", default=["50", "65", "80"])
    parser.add_argument("--networks", type=int, default=40)
    parser.add_argument("--twice", type=int, default=10)
    parser.add_argument("--methods", nargs="+", default=["gradient", "gradient:search.explore=0", "ppo", "reinforce", "layernas", "evolution", "random"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=0)
    args = parser.parse_args(own)
    args.extra = extra
    args.recipe = hashlib.sha256(CONFIG.read_bytes() + " ".join(extra).encode()).hexdigest()[:8]
    if args.what != "show" and not args.data:
        parser.error("--data is needed")
    try:
        {"population": population, "methods": methods, "show": show}[args.what](args)
    except subprocess.CalledProcessError as error:
        sys.exit(f"truth.py: spnas ended with code {error.returncode}: {' '.join(map(str, error.cmd))}")


if __name__ == "__main__":
    main()
