"""The whole way on CIFAR-10: search for a Pixel-1 budget, train the found network and random ones of equal predicted ms
alike, and check the ONNX export of the found one in onnxruntime.

usage: python bench/cifar_search.py --data CIFAR10 [--spnas build/spnas] [--out runs/cifar] [--target 80] [--random 3]
           [--epochs 8] [--train-epochs 15]

Half proxy width, 32x32. Goes on where an earlier call stopped. Needs onnxruntime and numpy in the Python that runs it
(without them the check of the export is left out). Prints a table.
"""
import argparse
import json
import pathlib
import struct
import subprocess

HERE = pathlib.Path(__file__).resolve().parent


def run(args, *command):
    print("+", "spnas", *command, flush=True)
    subprocess.run([str(args.spnas), *map(str, command), "--quiet"] if command[0] in ("search", "train") else
                   [str(args.spnas), *map(str, command)], check=True)


def step(args, folder, done, *command):
    """Runs a search or training unless its result is there; resumes a stopped one."""
    if (folder / done).exists():
        return
    resume = ["--resume"] if (folder / "config.resolved.json").exists() else []
    run(args, *command, "--data", args.data, "--out", folder, *resume)


def search(args, folder, method, seed):
    step(args, folder, "arch.json", "search", "--config", HERE / "cifar_search.json", "--target", args.target, "--seed", seed,
         "--set", f"search.method={method}", "--set", f"search.epochs={args.epochs}", "--set", "search.evaluations=1")
    return json.loads((folder / "arch.json").read_text())


def train(args, folder, arch):
    step(args, folder, "result.json", "train", "--config", HERE / "cifar_search.json", "--arch", arch,
         "--set", f"train.epochs={args.train_epochs}")
    return json.loads((folder / "result.json").read_text())


def read_safetensors(path):
    import numpy
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    types = {"F32": numpy.float32, "I64": numpy.int64}
    return {name: numpy.frombuffer(data[8 + size + t["data_offsets"][0]:8 + size + t["data_offsets"][1]],
                                   types[t["dtype"]]).reshape(t["shape"]) for name, t in header.items() if name != "__metadata__"}


def check_export(args, folder):
    try:
        import numpy
        import onnxruntime
    except ImportError:
        print("onnxruntime is not there: the export is not checked")
        return
    run(args, "export", folder / "best.safetensors", "--out", folder / "best.onnx")
    run(args, "eval", folder / "best.safetensors", "--data", args.data, "--set", "data.max_test=1000", "--dump", folder / "dump.safetensors")
    ours = read_safetensors(folder / "dump.safetensors")
    session = onnxruntime.InferenceSession(str(folder / "best.onnx"), providers=["CPUExecutionProvider"])
    theirs = session.run(None, {"image": numpy.ascontiguousarray(ours["images"].transpose(0, 3, 1, 2))})[0]
    agree = (theirs.argmax(1) == ours["logits"].argmax(1)).mean()
    print(f"ONNX in onnxruntime: top-1 agrees on {agree:.2%} of {len(theirs)} test images, largest logit difference "
          f"{numpy.abs(theirs - ours['logits']).max():.2e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--spnas", type=pathlib.Path, default=HERE.parent / "build" / "spnas")
    parser.add_argument("--out", type=pathlib.Path, default=HERE.parent / "runs" / "cifar")
    parser.add_argument("--target", type=float, default=80)
    parser.add_argument("--random", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--train-epochs", type=int, default=15)
    args = parser.parse_args()
    rows = []
    for name, method, seed in [("found", "gradient", 1)] + [(f"random {i}", "random", i) for i in range(1, args.random + 1)]:
        folder = args.out / name.replace(" ", "-")
        arch = search(args, folder / "search", method, seed)
        result = train(args, folder / "train", folder / "search" / "arch.json")
        rows.append(f"| {name} | {arch['predicted']:.2f} | {100 * result['holdout_top1']:.2f} | {100 * result['test_top1']:.2f} | "
                    f"{arch['seconds']:.0f} | {result['seconds']:.0f} |")
        print(rows[-1], flush=True)
        if name == "found":
            check_export(args, folder / "train")
    print("| network | predicted ms | held-out top-1 % | test top-1 % | search s | training s |\n|---|---|---|---|---|---|", *rows, sep="\n")


if __name__ == "__main__":
    main()
