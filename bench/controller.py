"""Shows from metrics.jsonl how well a search holds its target: three spaces, targets near the cheapest network, in the middle and near the dearest.

usage: python bench/controller.py --fashion FASHION-MNIST --cifar CIFAR10 [--spnas build/spnas] [--out runs/controller]
           [--spaces demo singlepath nas-bench-macro] [--length short | full] [--seed 1] [--jobs 2] [-- more spnas arguments]
       python bench/controller.py --read RUN...

Short searches take 1,000 steps of 32 images (300 of them warm-up); full ones are those of data/demo.json and bench/*.json. Sizes and widths
are the spaces' proxies; singlepath has half width and, when short, 16x16. Searches that are finished are only read, interrupted ones go on. Plain Python.

Of the second half of the search phase (warm-up left out), each step's cost being that of
  held    the decisions the step trains at, projected onto the budget by the search
  free    the signs of x before that projection: what the thresholds hold by themselves
  drawn   the masks as they were opened, exploration included
are printed: the share of steps within 5 % of the target (held and free), and the mean over the target (all three); lambda's smallest and
largest value; decisions that change in 100 steps; how many of them change at all; changes that are undone within 20 steps, as a share
of all changes; and the decoded network's cost over the target and in how many indicators it differs from the last step's decisions.
"""
import argparse
import concurrent.futures
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SPACES = {
    "demo": {"data": "fashion", "config": HERE.parent / "data" / "demo.json", "cost": "pixel1-singlepath", "targets": [38, 80, 123],
             "proxy": {"size": 28, "width": 0.25}},
    "singlepath": {"data": "cifar", "config": HERE / "cifar_search.json", "cost": "pixel1-singlepath", "targets": [38, 80, 123],
                   "proxy": {"size": 32, "width": 0.5}, "short": {"size": 16}},
    "nas-bench-macro": {"data": "cifar", "config": HERE / "nas_bench_macro.json", "cost": "flops", "targets": [27, 63, 99],
                        "proxy": {"size": 16, "width": 0.5}},
}
SHORT = ["data.max_train=3600", "optim.batch=32", "search.epochs=10", "search.warmup_epochs=3", "search.ramp_epochs=0.5",
         "search.keep_probability=0.6", "optim.optimizer=sgd", "optim.lr=0.2",
         "optim.lr_warmup_epochs=0.5", "optim.schedule=cosine", "optim.weight_decay=1e-4"]
# bench/nas_bench_macro.json has a range as wide as half its limit; the search's conduct is asked for here, not its evidence
ALWAYS = ["search.tolerance=0.02", "search.force=true", "run.log_steps=1", "run.keep=1"]
WITHIN, UNDONE = 0.05, 20


def search(args, space, target, extra):
    """Runs, resumes or finds the search; returns its folder."""
    s, folder = SPACES[space], args.out / f"{space}-{target}"
    if (folder / "arch.json").exists():
        return folder
    config = ["--config", str(s["config"])] if args.length == "full" else []
    sets = [f"search.space={space}", f"search.cost={s['cost']}", *ALWAYS, *(SHORT if args.length == "short" else []),
            *(f"search.proxy_{k}={v}" for k, v in {**s["proxy"], **s.get(args.length, {})}.items())]
    resume = ["--resume"] if (folder / "config.resolved.json").exists() else []
    command = [str(args.spnas), "search", *config, "--data", str(getattr(args, s["data"])), "--out", str(folder), "--target", str(target),
               "--seed", str(args.seed), "--threads", "1", "--quiet", *resume, *(w for v in sets for w in ("--set", v)), *extra]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


def load(folder):
    """The second half of the search phase's rows, and what was found."""
    if not (folder / "arch.json").exists():
        sys.exit(f"{folder}: no arch.json: not a finished search")
    settings = json.loads((folder / "config.resolved.json").read_text())["search"]
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").open()]
    phase = [r for r in rows if "on" in r and r["epoch"] >= settings["warmup_epochs"]]
    if len(phase) < 2:
        sys.exit(f"{folder}: no search phase in metrics.jsonl")
    return phase[len(phase) // 2:], json.loads((folder / "arch.json").read_text())


def changes_of(half):
    """Every change of a decision as (step, indicator)."""
    return [(b["step"], i) for a, b in zip(half, half[1:]) for i in range(len(b["on"])) if a["on"][i] != b["on"][i]]


def undone(changes):
    """Changes that a later one takes back within UNDONE steps."""
    last, count = {}, 0
    for step, i in changes:
        count += i in last and step - last[i] <= UNDONE
        last[i] = step
    return count


def judge(folder):
    half, found = load(folder)
    target = found["target"]
    changes, steps = changes_of(half), half[-1]["step"] - half[0]["step"] + 1
    mean = {k: sum(r[k] for r in half) / len(half) / target for k in ("cost", "cost_free", "cost_drawn")}
    share = {k: sum(abs(r[k] / target - 1) <= WITHIN for r in half) / len(half) for k in ("cost", "cost_free")}
    values = [r["lambda"] for r in half]
    return {"space": found["space"], "target": target, "share": share, "mean": mean, "lambda": (min(values), max(values)),
            "changes": 100 * len(changes) / steps, "ever": len({i for _, i in changes}), "of": len(half[0]["on"]),
            "undone": undone(changes) / max(1, len(changes)), "decoded": found["predicted"] / target,
            "differs": sum((d["gate"] == "1") != (d["last"] == "1") for d in decided(found, half[-1]["on"]))}


def decided(found, on):
    """The decoded network's indicators beside the last step's, where they have a say in it."""
    layers, out = {d["layer"]: d for d in found["decisions"]}, []
    for indicator, last in zip(found["indicators"], on):
        gate = gate_of(layers, indicator["name"])
        if gate is not None:
            out.append({"gate": gate, "last": last})
    return out


def gate_of(layers, name):
    """'1' or '0' for "layer 5 kernel 5" and the like; None where the layer is skipped and the indicator decides nothing."""
    _, layer, kind, *value = name.split()
    d = layers[int(layer)]
    if kind == "keep":
        return "01"[d["keep"]]
    return "01"[d[kind] >= float(value[0])] if d["keep"] else None


COLUMNS = ("| space | target | held: within 5 % | mean | free: within 5 % | mean | drawn: mean | lambda | changes per 100 steps | of indicators | "
           "undone | decoded | differs in |")


def row(r):
    return (f"| {r['space']} | {r['target']:g} | {r['share']['cost']:.0%} | {r['mean']['cost']:.3f} | {r['share']['cost_free']:.0%} | "
            f"{r['mean']['cost_free']:.3f} | {r['mean']['cost_drawn']:.3f} | {r['lambda'][0]:.3g} to {r['lambda'][1]:.3g} | {r['changes']:.1f} | "
            f"{r['ever']} of {r['of']} | {r['undone']:.0%} | {r['decoded']:.3f} | {r['differs']} |")


def main():
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fashion", type=pathlib.Path, default=pathlib.Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--cifar", type=pathlib.Path)
    parser.add_argument("--spnas", type=pathlib.Path, default=HERE.parent / "build" / "spnas")
    parser.add_argument("--out", type=pathlib.Path, default=HERE.parent / "runs" / "controller")
    parser.add_argument("--spaces", nargs="+", choices=list(SPACES), default=list(SPACES))
    parser.add_argument("--length", choices=["short", "full"], default="short")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="searches at a time, one thread each")
    parser.add_argument("--read", type=pathlib.Path, nargs="+", help="only judge these run folders (with run.log_steps=1)")
    args = parser.parse_args(sys.argv[1:cut])
    if not args.read and not args.cifar and set(args.spaces) - {"demo"}:
        parser.error("--cifar: where CIFAR-10 lies")
    print(COLUMNS, "|---" * COLUMNS.count("| ") + "|", sep="\n", flush=True)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        wanted = [(s, t) for s in args.spaces for t in SPACES[s]["targets"]]
        folders = args.read or pool.map(lambda w: search(args, *w, sys.argv[cut + 1:]), wanted)
        results = []
        for folder in folders:
            results.append(judge(folder))
            print(row(results[-1]), flush=True)
    print(f"\nwithin 5 % of the target: held {min(r['share']['cost'] for r in results):.0%} of the steps or more; mean of the free cost "
          f"{min(r['mean']['cost_free'] for r in results):.3f} to {max(r['mean']['cost_free'] for r in results):.3f} of the target")


if __name__ == "__main__":
    main()
