"""Searches the NAS-Bench-Macro space on CIFAR-10 and looks the answers up in its table of trained networks.

usage: python bench/nas_bench_macro.py --data CIFAR10 --table nas-bench-macro_cifar10.csv [--spnas build/spnas]
           [--limits 0.4 0.5 0.6] [--seeds 1 2 3] [--out runs/nas-bench-macro] [-- more spnas arguments]

For every cost limit (share of the largest network's FLOPs) and seed: one search at 16x16 and half width (225,000
images), then the found network's percentile among the table's networks of equal cost (+-3 % of the largest), its regret
against the best network within the limit, and whether the limit holds. A random network scores 50. Plain Python.
"""
import argparse
import csv
import json
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
SEARCH = ["--config", str(HERE / "nas_bench_macro.json")]


def load_table(path):
    """arch -> (mean accuracy, flops), without the networks that skip a stage's first layer: they are not in the space."""
    rows = csv.DictReader(path.open())
    table = {r["arch"]: (float(r["mean_acc"]), float(r["flops"])) for r in rows}
    return {a: v for a, v in table.items() if "0" not in (a[0], a[2], a[5])}


def code(decisions):
    return "".join("0" if not d["keep"] else "2" if d["kernel"] == 5 else "1" for d in decisions)


def judge(table, arch, limit):
    largest = max(flops for _, flops in table.values())
    accuracy, flops = table[arch]
    equal = [a for a, f in table.values() if abs(f - flops) <= 0.03 * largest]
    below, same = sum(a < accuracy for a in equal), sum(a == accuracy for a in equal) - 1
    best = max(a for a, f in table.values() if f <= limit * largest)
    return {"arch": arch, "accuracy": accuracy, "share": flops / largest, "within": flops <= limit * largest,
            "percentile": 100 * (below + 0.5 * same) / max(1, len(equal) - 1), "regret": best - accuracy}


def search(args, limit, seed, extra):
    out = args.out / f"{limit:g}-{seed}"
    command = [str(args.spnas), "search", *SEARCH, "--data", str(args.data), "--out", str(out), "--quiet", "--seed", str(seed),
               "--set", f"search.target_share={limit}", *extra]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads((out / "arch.json").read_text())


def main():
    own, extra = (sys.argv[1:], []) if "--" not in sys.argv else (sys.argv[1:sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--table", type=pathlib.Path, required=True)
    parser.add_argument("--spnas", type=pathlib.Path, default=HERE.parent / "build" / "spnas")
    parser.add_argument("--limits", type=float, nargs="+", default=[0.4, 0.5, 0.6])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--out", type=pathlib.Path, default=HERE.parent / "runs" / "nas-bench-macro")
    args = parser.parse_args(own)
    table, results = load_table(args.table), []
    print("| limit | seed | network | FLOPs share | accuracy | percentile | regret | seconds |\n|---|---|---|---|---|---|---|---|")
    for limit in args.limits:
        for seed in args.seeds:
            start = time.time()
            found = search(args, limit, seed, extra)
            r = judge(table, code(found["decisions"]), limit)
            results.append({**r, "limit": limit, "seed": seed, "seconds": time.time() - start})
            print(f"| {limit:.0%} | {seed} | {r['arch']} | {r['share']:.1%}{'' if r['within'] else ' OVER'} | {r['accuracy']:.2f} | "
                  f"{r['percentile']:.0f} | {r['regret']:.2f} | {results[-1]['seconds']:.0f} |", flush=True)
    percentiles = [r["percentile"] for r in results]
    print(f"\nmean percentile {statistics.mean(percentiles):.1f}, lowest {min(percentiles):.1f}, mean regret "
          f"{statistics.mean(r['regret'] for r in results):.2f}, over the limit {sum(not r['within'] for r in results)} of {len(results)}")
    (args.out / "results.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
