"""Netron's reader opens what is exported: python check_netron.py BUILD

tests/vectors/cifar10-tiny.safetensors in ONNX (both operator sets, batch norm folded and kept, normalisation inside) and TFLite
(float, int8 with both ends), and with feature maps, opened by the reader of the PyPI package netron under node: inputs,
outputs, their types and the metadata must be there. Skipped where node is not installed.
"""
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
NETWORK = ROOT / "tests" / "vectors" / "cifar10-tiny.safetensors"
MAPS = {"stride2": (24, 16), "stride4": (40, 8), "stride8": (64, 4)}  # channels, side
CASES = [  # name, settings, feature maps
    ("set13.onnx", [], False),
    ("set17.onnx", ["export.opset=17", "export.fold_bn=0", "export.normalize=1"], False),
    ("maps.onnx", [], True),
    ("float.tflite", ["export.normalize=1"], False),
    ("maps.tflite", [], True),
    ("ends.int8.tflite", [], False),
    ("whole.int8.tflite", ["export.int8_io=1"], False),
    ("maps.int8.tflite", ["export.int8_io=1"], True),
]


def make_images(folder):
    """Noise, for int8's ranges."""
    noise = numpy.random.default_rng(1)
    for label in ("a", "b"):
        (folder / "train" / label).mkdir(parents=True)
        for i in range(8):
            Image.fromarray(noise.integers(0, 256, (32, 32, 3)).astype(numpy.uint8)).save(folder / "train" / label / f"{i}.png")
    return folder


def open_all(files, work):
    reader = work / "netron"
    shutil.copytree(pathlib.Path(importlib.util.find_spec("netron").origin).parent, reader)
    shutil.copy(ROOT / "tests" / "netron_open.mjs", reader)
    (reader / "package.json").write_text('{"type": "module"}')
    done = subprocess.run(["node", reader / "netron_open.mjs", *files], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return {row["file"]: row for row in map(json.loads, done.stdout.splitlines())}


def expected_outputs(name, settings, maps):
    tflite = name.endswith(".tflite")
    kind = "int8" if "export.int8_io=1" in settings else "float32"
    batch = "-1" if tflite else "N"
    def shape(c, side):
        return f"{kind}[{batch},{side},{side},{c}]" if tflite else f"{kind}[{batch},{c},{side},{side}]"
    image = shape(3, 32)
    outputs = {stride: shape(*MAPS[stride]) for stride in MAPS} if maps else {}
    return {"image": image}, {**outputs, "logits": f"{kind}[{batch},10]"}


def main():
    spnas = pathlib.Path(sys.argv[1]).resolve() / "spnas"
    if not shutil.which("node"):
        print("node is not installed: Netron's reader is not tested")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        images, files = make_images(work / "images"), []
        for name, settings, maps in CASES:
            files.append(work / name)
            options = ["--endpoints", "2,4,8,logits"] * maps + [word for s in settings for word in ("--set", s)]
            done = subprocess.run([spnas, "export", NETWORK, "--out", files[-1], "--data", images, *options], capture_output=True, text=True,
                                  env={**os.environ, "SPNAS_DATA": str(ROOT / "data")})
            assert done.returncode == 0, done.stderr
        said = open_all(files, work)
        for name, settings, maps in CASES:
            row, (inputs, outputs) = said[name], expected_outputs(name, settings, maps)
            assert row["format"].startswith("TensorFlow Lite" if name.endswith(".tflite") else "ONNX"), row
            ends = {"inputs": list(row["inputs"].values()), "outputs": list(row["outputs"].values())}
            assert ends == {"inputs": list(inputs.values()), "outputs": list(outputs.values())}, f"{name}: {ends}"
            assert "onnx" not in name or (list(row["inputs"]), list(row["outputs"])) == (list(inputs), list(outputs)), row
            assert len(row["nodes"]) > 25 and (not name.endswith(".onnx") or "spnas.arch" in row["facts"]), row
            print(f"ok   {name}: {row['format']}, {len(row['nodes'])} nodes, {', '.join(f'{k} {v}' for k, v in row['outputs'].items())}")
    print(f"{len(CASES)} passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
