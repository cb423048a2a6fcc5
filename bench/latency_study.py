"""How well latency measured on this computer predicts whole networks, and whether a search for it meets its target:

    python bench/latency_study.py [--spnas build/spnas] [--networks 30] [--seconds 60] [--runs 2] [--minimum]
    python bench/latency_study.py --runs 0 --data CIFAR10 [--target MS]       (about five minutes)

Each run measures the table of `singlepath` (spnas latency measure), times whole random networks in turns, and compares. With
--data a short search by that table for --target ms follows (default: halfway between the cheapest and the dearest network;
method, images and proxy are SEARCH below), and the found network is timed in turns with the one of all 3x3-e3, which was timed
right after the table too: what the machine's speed has changed by in between is said, and divided out. Run it with nothing else
running; --minimum is for a computer that has other work."""
import argparse
import json
import pathlib
import random
import subprocess
import tempfile

# Seconds of supernet training, enough for the steering: which network is found is judged by its time here, not by its accuracy.
SEARCH = ["--set", "data.max_train=2000", "--set", "data.max_test=200", "--set", "search.proxy_size=32", "--set", "search.proxy_width=0.25",
          "--set", "optim.batch=64", "--set", "search.epochs=8", "--set", "search.force=1", "--quiet"]

FIRST = "r1_k3_s11_e1_i32_o16_noskip"
LAST = "r1_k3_s11_e6_i192_o320_noskip"
STAGES = ((16, 24, 2), (24, 40, 2), (40, 80, 2), (80, 96, 1), (96, 192, 2))


def block(kernel, expand, stride, inputs, outputs):
    return f"r1_k{kernel}_s{stride}{stride}_e{expand}_i{inputs}_o{outputs}"


def network(options, keep):
    """options and keep: functions of the layer's number."""
    words = [FIRST]
    layer = 0
    for inputs, outputs, stride in STAGES:
        for i in range(4):
            if i == 0 or keep(layer):
                kernel, expand = options(layer)
                words.append(block(kernel, expand, stride if i == 0 else 1, inputs if i == 0 else outputs, outputs))
            layer += 1
    return " ".join([*words, LAST])


def random_network(draw):
    options = [(draw.choice((3, 5)), draw.choice((3, 6))) for _ in range(20)]
    kept = [draw.random() < 0.7 for _ in range(20)]
    return network(lambda i: options[i], lambda i: kept[i])


def run(*words):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"spnas {words[1]} {words[2]}: {done.stderr}")
    return done.stdout


def measure(a, folder, networks, seconds):
    csv = folder / "networks.csv"
    run(a.spnas, "latency", "measure", *networks, "--out", csv, "--set", f"latency.seconds={seconds}", *a.how)
    return [float(line.rsplit(",", 3)[1]) for line in csv.read_text().splitlines()[1:]]


def predict(a, table, networks):
    lines = run(a.spnas, "latency", "predict", table, *networks, "--json").splitlines()
    return [json.loads(line)["predicted"] for line in lines]


def kendall(a, b):
    pairs = [(i, j) for i in range(len(a)) for j in range(i)]
    return sum(1 if (a[i] - a[j]) * (b[i] - b[j]) > 0 else -1 for i, j in pairs) / len(pairs)


def measure_table(a, folder):
    table = folder / "here.json"
    print(run(a.spnas, "latency", "measure", "singlepath", "--out", table, "--set", f"latency.seconds={a.seconds}", *a.how), end="", flush=True)
    return table


def study(a, folder, seed):
    table = measure_table(a, folder)
    draw = random.Random(seed)
    networks = [random_network(draw) for _ in range(a.networks)]
    measured, predicted = measure(a, folder, networks, a.seconds), predict(a, table, networks)
    errors = sorted(abs(p / m - 1) for p, m in zip(predicted, measured))
    scale = sorted(m / p for p, m in zip(predicted, measured))[len(errors) // 2]
    scaled = [abs(scale * p / m - 1) for p, m in zip(predicted, measured)]
    print(f"run {seed}: {len(errors)} networks of {min(measured):.2f} to {max(measured):.2f} ms: "
          f"MAPE {100 * sum(errors) / len(errors):.2f} %, worst {100 * errors[-1]:.1f} %, Kendall {kendall(predicted, measured):.3f}; "
          f"after scaling by {scale:.3f}: {100 * sum(scaled) / len(scaled):.2f} %", flush=True)


def search(a, folder):
    table, reference = measure_table(a, folder), network(lambda i: (3, 3), lambda i: True)
    before = measure(a, folder, [reference], a.seconds / 3)[0]
    cheap, dear = network(lambda i: (3, 3), lambda i: False), network(lambda i: (5, 6), lambda i: True)
    low, high = predict(a, table, [cheap, dear])
    target = a.target or (low + high) / 2
    out = folder / "found"
    run(a.spnas, "search", "--data", a.data, "--target", target, "--out", out, "--set", f"search.cost={table}", *SEARCH, *a.search)
    found = out / "arch.json"
    took, after = measure(a, folder, [found, reference], a.seconds)
    predicted, drift = predict(a, table, [found])[0], after / before
    print(f"search: target {target:.3f} ms, found {predicted:.3f} ms predicted, {took:.3f} ms timed ({100 * (took / target - 1):+.1f} % of the target); "
          f"the machine's speed has changed by {100 * (drift - 1):+.1f} % since the table, without it {took / drift:.3f} ms "
          f"({100 * (took / drift / target - 1):+.1f} %)", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--spnas", default="build/spnas")
    p.add_argument("--networks", type=int, default=30)
    p.add_argument("--seconds", type=float, default=60)
    p.add_argument("--runs", type=int, default=2)
    p.add_argument("--minimum", action="store_true")
    p.add_argument("--data")
    p.add_argument("--target", type=float)
    p.add_argument("--search", action="append", default=[], help="further arguments of the search, such as --set=search.method=random")
    a = p.parse_args()
    a.how = ["--set", "latency.minimum=true"] if a.minimum else []
    a.search = [word for s in a.search for word in (s.split("=", 1) if s.startswith("--set=") else [s])]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for seed in range(1, a.runs + 1):
            study(a, folder, seed)
        if a.data:
            search(a, folder)


if __name__ == "__main__":
    main()
