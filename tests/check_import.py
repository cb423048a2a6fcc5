"""Networks of other programs: python check_import.py BUILD

ProxylessNAS's network of ../shared/data/weights, imported, must give its four reference vectors of logits (1e-3), in our
engine and from the exported files, and its own predictions on the sample photographs (99 % of the 250); without that folder
this part is skipped. Networks that timm builds (random weights), saved as safetensors, must give timm's logits after
`spnas import`, with the network told as JSON and as a string of both grammars.
"""
import contextlib
import csv
import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
from functools import partial

import numpy
import onnxruntime
import safetensors.numpy
import torch
from ai_edge_litert.interpreter import Interpreter
from PIL import Image
from safetensors.torch import save_file

from check_export import import_torchvision

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"
PROXYLESS = SHARED / "weights" / "proxyless-w0.25-r112_imagenet.json"
PHOTOS = SHARED / "imagenet-sample" / "imagenet-sample-250.tar"
TOLERANCE = 1e-3  # of logits
LEAST_AGREEMENT = 0.99
TIMM_STRING = "ds_r1_k3_s1_c16_noskip | ir_r3_k3_s2_e3_c24 | ir_r3_k5_s2_e3_c40_se0.25 | ir_r2_k3_s2_e6_c80"
TPU_STRING = "r1_k3_s11_e1_i32_o16_noskip r3_k3_s22_e3_i16_o24 r3_k5_s22_e3_i24_o40_se0.25 r2_k3_s22_e6_i40_o80"


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{command[1]}: {done.stderr}"
    return done.stdout


def write_images(folder, pixels, classes):
    """(N,H,W,3) bytes as images of test/, one class after another; there may be more classes than images."""
    for i in range(classes):
        (folder / "test" / f"class{i:04d}").mkdir(parents=True)
    for i, image in enumerate(pixels):
        path = folder / "test" / f"class{i % classes:04d}" / f"{i}.png"
        Image.fromarray(image).save(path)
    return folder


def our_logits(spnas, net, folder, work):
    """(images as they enter the network, logits), in the order of the folder."""
    run(spnas, "eval", net, "--data", folder, "--dump", work / "dump.safetensors", "--set", "data.allow_empty_classes=1")
    dump = safetensors.numpy.load_file(work / "dump.safetensors")
    return dump["images"], dump["logits"]


def run_onnx(path, images):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"image": images})[0]


def run_tflite(path, images):
    model = Interpreter(str(path))
    model.resize_tensor_input(model.get_input_details()[0]["index"], images.transpose(0, 2, 3, 1).shape, strict=True)
    model.allocate_tensors()
    return model.get_signature_runner()(image=numpy.ascontiguousarray(images.transpose(0, 2, 3, 1)))["logits"]


def check_references(spnas, work):
    stem = str(PROXYLESS).removesuffix(".json")
    images = numpy.fromfile(stem + ".ref4_input_f32_nchw.bin", numpy.float32).reshape(4, 3, 112, 112)
    expected = numpy.fromfile(stem + ".ref4_logits_f32.bin", numpy.float32).reshape(4, 1000)
    pixels = (images.transpose(0, 2, 3, 1) * 0.5 + 0.5) * 255
    assert abs(pixels - pixels.round()).max() < 1e-3, "the references are no images of 8 bit"
    whole = work / "whole.safetensors"  # takes the images as they are
    run(spnas, "import", PROXYLESS, "--out", whole, "--set", "data.eval_crop=1")
    seen, logits = our_logits(spnas, whole, write_images(work / "references", pixels.round().astype(numpy.uint8), 1000), work)
    assert abs(seen - images.transpose(0, 2, 3, 1)).max() < 1e-5
    found = {"spnas": float(abs(logits - expected).max())}
    for name, runner in (("onnx", run_onnx), ("tflite", run_tflite)):
        run(spnas, "export", whole, "--out", work / f"net.{name}")
        found[name] = float(abs(runner(work / f"net.{name}", images) - expected).max())
    print("ProxylessNAS, four references:", ", ".join(f"{k} off by {v:.1e}" for k, v in found.items()))
    return all(v <= TOLERANCE for v in found.values())


def check_photographs(spnas, work):
    net = work / "proxyless.safetensors"
    run(spnas, "import", PROXYLESS, "--out", net)
    with open(str(PROXYLESS).removesuffix(".json") + ".pred1000.csv") as file:
        expected = {row["file"]: int(row["top1"]) for row in csv.DictReader(file)}
    with tarfile.open(PHOTOS) as photos:
        photos.extractall(work / "photos", filter="data")
    lines = [json.loads(line) for line in run(spnas, "predict", net, "--data", work / "photos", "--json", "--set", "predict.top=1").splitlines()]
    same = sum(line["top"][0]["class"] == expected[pathlib.Path(line["file"]).name] for line in lines)
    print(f"ProxylessNAS, photographs: {same} of {len(lines)} predictions are its own")
    return len(lines) == 250 and same >= LEAST_AGREEMENT * len(lines)


def random_network(build, **options):
    """A network of timm with statistics and biases off their start."""
    torch.manual_seed(3)
    with contextlib.redirect_stdout(io.StringIO()):
        model = build(**options)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.8, 1.4)
            torch.nn.init.normal_(module.bias, 0, 0.2)
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model.eval()


def timm_networks():
    """(name, network, --arch) for networks that timm knows by name, and for one that is only a string."""
    import timm
    from timm.models._efficientnet_builder import decode_arch_def
    from timm.models.efficientnet import EfficientNet

    base = json.loads((ROOT / "data" / "networks" / "single-path-nas.json").read_text())
    torch_like = {**base, "padding": "symmetric", "bn": {"momentum": 0.9, "eps": 1e-5}}
    yield "spnasnet_100", random_network(timm.create_model, model_name="spnasnet_100", num_classes=20), torch_like
    stages = [part.strip().split(",") for part in TIMM_STRING.split("|")]
    norm = partial(torch.nn.BatchNorm2d, eps=1e-3)
    own = random_network(EfficientNet, block_args=decode_arch_def(stages), num_classes=20, pad_type="same", norm_layer=norm)
    yield "timm's string", own, TIMM_STRING
    yield "TPU's string", own, TPU_STRING


def check_timm(spnas, work, name, model, arch, pixels):
    if isinstance(arch, dict):
        (work / "arch.json").write_text(json.dumps(arch))
        arch = work / "arch.json"
    save_file(model.state_dict(), work / "timm.safetensors")
    net = work / "imported.safetensors"
    run(spnas, "import", work / "timm.safetensors", "--arch", arch, "--out", net, "--set", f"train.size={pixels.shape[1]}", "--set", "data.eval_crop=1")
    seen, logits = our_logits(spnas, net, work / "noise", work)
    with torch.no_grad():
        expected = model(torch.from_numpy(numpy.ascontiguousarray(seen.transpose(0, 3, 1, 2)))).numpy()
    off = float(abs(logits - expected).max() / expected.std())
    print(f"{name}: logits off by {off:.1e} of their standard deviation")
    return off <= TOLERANCE


def main():
    import_torchvision()
    spnas = pathlib.Path(sys.argv[1]).resolve() / "spnas"
    os.environ.setdefault("SPNAS_DATA", str(ROOT / "data"))
    good = []
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        if PROXYLESS.exists() and PHOTOS.exists():
            good += [check_references(spnas, work), check_photographs(spnas, work)]
        else:
            print(f"{PROXYLESS.parent} is not there: ProxylessNAS's network is not tested")
        pixels = numpy.random.default_rng(2).integers(0, 256, (20, 65, 65, 3)).astype(numpy.uint8)
        write_images(work / "noise", pixels, 20)
        good += [check_timm(spnas, work, *network, pixels) for network in timm_networks()]
    print(f"{sum(good)} passed, {len(good) - sum(good)} failed")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
