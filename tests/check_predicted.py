"""Is the exported network the one whose latency was promised? python check_predicted.py BUILD_DIR

Walks README's commands (search, train, export) on a folder of photographs and on small JPEGs like CIFAR-10's, with a tiny
schedule, and recomputes the predicted ms from the exported ONNX file: the shapes of its convolutions looked up in
data/latency/pixel1-singlepath.json by code of its own. It must be what search, train and export printed and what the file's
metadata say. The proxy must promise nothing. The images are made here.
"""
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy
import onnx
from PIL import Image

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
TABLE = json.loads((DATA / "latency" / "pixel1-singlepath.json").read_text())


def attribute(node, name):
    return next(list(a.ints) or a.i for a in node.attribute if a.name == name)


def convolutions(model):
    """(block or None, input side, input channels, output channels, kernel, stride, groups) of every convolution in order."""
    sides = {v.name: v.type.tensor_type.shape.dim[2].dim_value for v in [*model.graph.value_info, *model.graph.input]
             if len(v.type.tensor_type.shape.dim) == 4}
    weights = {i.name: list(i.dims) for i in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "Conv":
            continue
        out, per_group, kernel, _ = weights[node.input[1]]
        groups, block = attribute(node, "group"), re.match(r"block_(\d+)_", node.input[1])
        yield (int(block[1]) if block else None, sides[node.input[0]], per_group * groups, out, kernel, attribute(node, "strides")[0], groups)


def read_blocks(model):
    """Stem, blocks {position: (side, in, out, stride, kernel, expansion)} and head, from shapes alone."""
    stem, *rest = convolutions(model)
    head = rest.pop()
    blocks = {}
    for number in sorted({c[0] for c in rest}):
        parts = [c for c in rest if c[0] == number]
        depthwise = next(c for c in parts if c[6] > 1)
        first, last = parts[0], parts[-1]
        assert depthwise[2] % first[2] == 0
        blocks[number] = (first[1], first[2], last[3], depthwise[5], depthwise[4], depthwise[2] // first[2])
    return stem, blocks, head


def predict(path):
    """ms of the file by the table; fails where a shape is not in it."""
    stem, blocks, head = read_blocks(onnx.load(path))
    rest = TABLE["rest"]
    assert (stem[1], stem[3], stem[4], stem[5]) == (rest["input"], rest["stem"], 3, 2), f"stem {stem}"
    assert head[3] == rest["head"], f"head {head}"
    fixed = {(b["h"], b["in"], b["out"], b["stride"], b["kernel"][0], b["expand"][0]) for b in rest["layers"]}
    assert fixed == {blocks.pop(min(blocks)), blocks.pop(max(blocks))}, "the fixed layers"
    ms = [rest["cost"]]
    for position, (side, into, out, stride, kernel, expand) in blocks.items():
        row = next(b for b in TABLE["blocks"] if b["layer"] == position)
        assert (row["h"], row["in"], row["out"], row["stride"]) == (side, into, out, stride), f"block {position}"
        ms.append(row["cost"][row["kernel"].index(kernel)][row["expand"].index(expand)])
    return math.fsum(ms)


def make_images(folder, width, height, count):
    """Two classes that differ in colour, as JPEG files."""
    noise = numpy.random.default_rng(1)
    for split, n in (("train", count), ("test", 4)):
        for label, colour in (("blue", (40, 60, 180)), ("red", (190, 50, 40))):
            (folder / split / label).mkdir(parents=True)
            for i in range(n):
                pixels = numpy.clip(noise.normal(colour, 40, (height, width, 3)), 0, 255).astype(numpy.uint8)
                Image.fromarray(pixels).save(folder / split / label / f"{i}.jpg")


def run(spnas, *command):
    done = subprocess.run([str(spnas), *map(str, command)], capture_output=True, text=True, timeout=600, env={**os.environ, "SPNAS_DATA": str(DATA)})
    assert done.returncode == 0, f"{command[0]}: {done.stderr}"
    return done.stdout, done.stderr


def figure(text):
    return float(re.search(r"^predicted +([0-9.]+) ms", text, re.M)[1])


def walk(spnas, images, work):
    """README's commands; batches and lengths only for the sake of time."""
    small = ["--set", "optim.batch=8"]
    searched, said = run(spnas, "search", "--data", images, "--target", 80, "--out", work / "s", *small, "--set", "search.epochs=2",
                         "--set", "search.recalibrate=2", "--set", "search.force=true")
    trained, told = run(spnas, "train", "--arch", work / "s" / "arch.json", "--data", images, "--out", work / "t", *small,
                        "--set", "train.epochs=2", "--set", "train.recalibrate=16", "--init", work / "s" / "inherited.safetensors")
    exported, _ = run(spnas, "export", work / "t" / "best.safetensors", "--out", work / "net.onnx")
    facts = {p.key: p.value for p in onnx.load(work / "net.onnx").metadata_props}
    truth = predict(work / "net.onnx")
    figures = {"search": figure(searched), "train": figure(trained), "export": figure(exported), "metadata": float(facts["spnas.predicted"]),
               "arch.json": json.loads((work / "s" / "arch.json").read_text())["predicted"]}
    for place, value in figures.items():
        assert abs(value - truth) < 6e-4, f"{place} says {value} ms, the file's shapes {truth}"
    assert 78.4 <= truth <= 80, f"{truth} ms for a target of 80"
    assert (facts["spnas.unit"], facts["spnas.cost"], facts["spnas.space"], facts["spnas.target"]) == ("ms", "pixel1-singlepath", "singlepath", "80")
    assert "too little evidence" in facts["spnas.note"] and "TOO LITTLE" in searched, "a tiny search that says nothing of it"
    taken = re.search(r"weights: (\d+) of (\d+) tensors are taken", told)
    assert taken and taken[1] == taken[2], told
    return truth, said, told


def check_photographs(spnas, work):
    make_images(work / "photos", 320, 250, 16)
    ms, said, told = walk(spnas, work / "photos", work)
    assert "as it is deployed, at 224x224, width 1: the images' median short side is 250" in said, said
    assert "enlarged" not in told
    return ms


def check_small(spnas, work):
    make_images(work / "small", 32, 32, 16)
    ms, said, told = walk(spnas, work / "small", work)
    assert "proxy, not the network that is found, at 32x32" in said, said
    assert "32 pixels in the median, are enlarged to 224" in told, told
    return ms


def check_proxy(spnas, work):
    """Asked for the proxy, nothing promises its latency."""
    note = r"proxy, not the network of [0-9.]+ ms"
    trained, _ = run(spnas, "train", "--arch", work / "s" / "arch.json", "--data", work / "small", "--out", work / "p", "--set", "optim.batch=8",
                     "--set", "train.epochs=1", "--set", "train.variant=proxy")
    exported, _ = run(spnas, "export", work / "p" / "best.safetensors", "--out", work / "proxy.onnx")
    facts = {p.key: p.value for p in onnx.load(work / "proxy.onnx").metadata_props}
    assert re.search(note, trained) and re.search(note, exported) and re.search(note, facts["spnas.note"])
    assert "spnas.predicted" not in facts and "predicted" not in trained + exported
    try:
        predict(work / "proxy.onnx")
    except AssertionError:
        return
    raise AssertionError("the proxy has the deployed network's shapes")


def main():
    spnas = pathlib.Path(sys.argv[1]).resolve() / "spnas"
    with tempfile.TemporaryDirectory() as photographs, tempfile.TemporaryDirectory() as small:
        print(f"photographs: {check_photographs(spnas, pathlib.Path(photographs)):.4f} ms by the exported file's shapes, as printed")
        print(f"32x32 JPEGs: {check_small(spnas, pathlib.Path(small)):.4f} ms by the exported file's shapes, as printed")
        check_proxy(spnas, pathlib.Path(small))
        print("the proxy promises nothing")


if __name__ == "__main__":
    main()
