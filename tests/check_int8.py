"""int8 on a trained network: python check_int8.py BUILD

tests/vectors/cifar10-tiny.safetensors (made by make_cifar10_tiny.sh beside it) is exported to TFLite in float and int8, with
float and with int8 ends, by 200 training images of ../shared/data/cifar10, and run in LiteRT on 2,000 test images: int8 must
name the same class as float on 97 % of them and lose at most one point of top-1. Its feature maps (`--endpoints`) must be
those of float. Skipped where the images are not.
"""
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile

import numpy
import safetensors.numpy
from ai_edge_litert.interpreter import Interpreter

ROOT = pathlib.Path(__file__).resolve().parent.parent
NETWORK = ROOT / "tests" / "vectors" / "cifar10-tiny.safetensors"
IMAGES = ROOT.parent / "shared" / "data" / "cifar10" / "cifar10-jpeg.tar.xz"
TEST, TRAIN = 200, 20  # images of each class
LEAST_AGREEMENT, MOST_LOST = 0.97, 0.01  # shares
MOST_OFF = 0.1  # of a feature map, in standard deviations
LEAST_TOP1 = 0.7  # a network that knows nothing would be no test


def unpack(folder):
    """The first images of each class, by name."""
    with tarfile.open(IMAGES) as tar:
        for member in tar:
            parts = pathlib.PurePath(member.name).parts
            if len(parts) == 4 and int(pathlib.PurePath(parts[3]).stem) < {"test": TEST, "train": TRAIN}[parts[1]]:
                path = folder.joinpath(*parts[1:])
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(tar.extractfile(member).read())
    return folder


def run(spnas, *command):
    done = subprocess.run([str(spnas), *map(str, command)], capture_output=True, text=True, timeout=600, env={**os.environ, "SPNAS_DATA": str(ROOT / "data")})
    assert done.returncode == 0, f"{command[0]}: {done.stderr}"


def run_tflite(path, images):
    """Logits; where input or output are int8, by the scales in the file."""
    model = Interpreter(str(path))
    taken, given = model.get_input_details()[0], model.get_output_details()[0]
    if taken["dtype"] == numpy.int8:
        scale, zero = taken["quantization"]
        images = numpy.clip(numpy.rint(images / scale) + zero, -128, 127).astype(numpy.int8)
    model.resize_tensor_input(taken["index"], images.shape, strict=True)
    model.allocate_tensors()
    model.set_tensor(taken["index"], images)
    model.invoke()
    logits = model.get_tensor(given["index"])
    if given["dtype"] == numpy.int8:
        scale, zero = given["quantization"]
        logits = (logits.astype(numpy.float32) - zero) * scale
    return logits, taken["dtype"] == given["dtype"] == numpy.int8


def run_maps(path, images):
    model = Interpreter(str(path))
    model.resize_tensor_input(model.get_input_details()[0]["index"], images.shape, strict=True)
    model.allocate_tensors()
    return model.get_signature_runner()(image=images)


def check_maps(spnas, data, images, work):
    """Root mean square of what int8 changes, in standard deviations of each map."""
    for name in ("maps.tflite", "maps.int8.tflite"):
        run(spnas, "export", NETWORK, "--out", work / name, "--data", data, "--endpoints", "2,4,8")
    exact, rough = run_maps(work / "maps.tflite", images), run_maps(work / "maps.int8.tflite", images)
    off = {name: float(numpy.sqrt(numpy.square(rough[name] - exact[name]).mean()) / exact[name].std()) for name in sorted(exact)}
    print("int8 feature maps:", ", ".join(f"{name} {value:.3f}" for name, value in off.items()), "of their standard deviation")
    return set(off) == {"stride2", "stride4", "stride8"} and max(off.values()) <= MOST_OFF


def main():
    spnas = pathlib.Path(sys.argv[1]).resolve() / "spnas"
    if not IMAGES.exists():
        print(f"{IMAGES} is not there: int8 is not tested on a trained network")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        data = unpack(work / "images")
        run(spnas, "eval", NETWORK, "--data", data, "--dump", work / "dump.safetensors")
        dump = safetensors.numpy.load_file(work / "dump.safetensors")
        images, labels, truth = dump["images"], dump["labels"], dump["logits"].argmax(1)
        top1 = float((truth == labels).mean())
        print(f"float: top-1 {100 * top1:.2f} % of {len(images)}")
        good = len(images) == 10 * TEST and top1 >= LEAST_TOP1
        for name, ends in (("net.tflite", None), ("float-ends.int8.tflite", 0), ("int8-ends.int8.tflite", 1)):
            run(spnas, "export", NETWORK, "--out", work / name, "--data", data, *([] if ends is None else ["--set", f"export.int8_io={ends}"]))
            logits, whole = run_tflite(work / name, images)
            best = logits.argmax(1)
            same, lost = float((best == truth).mean()), top1 - float((best == labels).mean())
            print(f"{name}: the same class {100 * same:.2f} %, top-1 lost {100 * lost:.2f} points")
            good &= whole == bool(ends) and same >= (LEAST_AGREEMENT if ends is not None else 1 - 1 / len(images)) and lost <= MOST_LOST
        good &= check_maps(spnas, data, images[:TEST], work)
    print("passed" if good else "FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
