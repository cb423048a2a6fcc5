"""Every exported format against the network it came from: python check_export.py BUILD [PART-OF-A-NAME] [--images 40]

test_export_nets makes more than twenty small networks of every family and space, with images and logits; `spnas export
--format all` writes them; onnxruntime, LiteRT, timm (strict load, by the load_timm.py beside the file) and the C files,
compiled, must give the same logits and the same best class, and the checks that the export itself made must say the same.
int8 must stay near, in LiteRT. Feature maps for detection heads (`--endpoints`), beside the logits and alone, must be those
of timm's features_only, or of hooks on timm's layers where expansions are asked for.
"""
import argparse
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnxruntime
import PIL.Image
import torch
from ai_edge_litert.interpreter import Interpreter

SAMPLES = 40  # images for what is slow or needs no more: the export's own check, int8's ranges, feature maps in double precision
TOLERANCE = 1e-4  # of logits divided by their standard deviation
MANY = 2e-4  # likewise over hundreds of images, where the worst of each side is some 1e-4 from double precision
INT8_RMS = 0.45  # likewise, root of the mean square over all networks: their weights are random and images of noise hardly differ
MAP_TOLERANCE = 5e-4  # of feature maps, likewise: the largest of some 100,000 numbers of random layers, where timm itself rounds
MAP_INT8 = 1.5  # of feature maps, of each network: rounding is noise that random layers enlarge; check_int8.py has trained ones
MAIN = """
#include "net.h"
#include <stdio.h>
static float image[NET_HEIGHT * NET_WIDTH * NET_CHANNELS], scratch[NET_SCRATCH], logits[NET_CLASSES];
int main(void) {
  while (fread(image, sizeof image, 1, stdin) == 1) {
    net_run(image, scratch, logits);
    fwrite(logits, sizeof logits, 1, stdout);
  }
  return 0;
}
"""


def import_torchvision():
    """timm imports torchvision, whose compiled operators load only into the very build of torch they were made for (not, from the
    public index, into a CPU build). Neither timm's networks nor this check use any: those that are missing get a name."""
    for _ in range(20):
        try:
            import torchvision
            return torchvision
        except RuntimeError as error:
            missing = re.search(r"operator (torchvision::\w+) does not exist", str(error))
            if not missing:
                raise
            for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
                del sys.modules[name]
            torch.library.define(missing[1], "(Tensor a, Tensor b, float c) -> Tensor")
    raise RuntimeError("torchvision asks for ever more operators")


def run_onnx(path, images):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"image": numpy.ascontiguousarray(images.transpose(0, 3, 1, 2))})[0]


def run_tflite(path, images):
    model = Interpreter(str(path))
    taken, given = model.get_input_details()[0], model.get_output_details()[0]
    model.resize_tensor_input(taken["index"], images.shape, strict=True)
    model.allocate_tensors()
    model.set_tensor(taken["index"], images)
    model.invoke()
    return model.get_tensor(given["index"])


def run_timm(path, images):
    spec = importlib.util.spec_from_file_location("load_timm", path.parent / "load_timm.py")
    loader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    model, facts = loader.load(str(path))
    assert facts["batch_norm"] == "kept" and json.loads(facts["spnas.arch"])["classes"] == model.num_classes
    with torch.no_grad():
        return model(torch.from_numpy(numpy.ascontiguousarray(images.transpose(0, 3, 1, 2)))).numpy()


def run_c(path, images, flags=()):
    main, program = path.with_name("main.c"), path.with_name("main")
    main.write_text(MAIN)
    subprocess.run(["cc", "-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", *flags, "-o", program, main, path, "-lm"], check=True)
    text = subprocess.run([program], input=images.tobytes(), stdout=subprocess.PIPE, check=True).stdout
    return numpy.frombuffer(text, numpy.float32).reshape(len(images), -1)


RUNNERS = {"onnx": ("net.onnx", run_onnx), "tflite": ("net.tflite", run_tflite), "timm": ("net.timm.safetensors", run_timm), "c": ("net.c", run_c)}


def make_photos(images, folder):
    """The images, as two classes of photographs that become them again once normalised with 0.5, 0.4, 0.3."""
    pixels = 255 * (images[:SAMPLES] * numpy.array([0.25, 0.2, 0.15]) + [0.5, 0.4, 0.3])
    for i, image in enumerate(pixels.round().astype(numpy.uint8)):
        name = folder / "ab"[i % 2] / f"{i}.png"
        name.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(image).save(name)
    return folder


def difference(got, expected):
    """Largest difference of normalised logits, and images whose best class differs though it is not a tie."""
    assert got.shape == expected.shape, f"logits {got.shape}, expected {expected.shape}"
    scale = float(expected.std())
    two = numpy.sort(expected, axis=1)[:, -2:]
    clear = two[:, 1] - two[:, 0] > 2 * TOLERANCE * scale
    other = (got.argmax(1) != expected.argmax(1)) & clear
    return float(numpy.abs(got - expected).max()) / scale, int(other.sum())


def check_network(spnas, number, path, folder):
    arch = json.loads(read_metadata(path)["spnas.arch"])
    size, channels, classes = arch["input"]["size"], arch["input"]["channels"], arch["classes"]
    images = numpy.fromfile(path.with_suffix(".images.f32"), numpy.float32).reshape(-1, size, size, channels)
    expected = numpy.fromfile(path.with_suffix(".logits.f32"), numpy.float32).reshape(-1, classes)
    out, photos = folder / path.stem, make_photos(images, folder / f"{path.stem}-photos")
    net = path.rename(path.with_name("net.safetensors"))
    subprocess.run([spnas, "export", net, "--format", "all", "--out", out, "--data", photos], check=True, stdout=subprocess.DEVNULL)
    wanted, maps, rough = check_endpoints(spnas, number, net, out, photos, images[:SAMPLES], expected[:SAMPLES])
    net.rename(path)
    said = {row["format"]: row for row in json.loads((out / "export.json").read_text())["formats"]}
    found, bad = {}, []
    if not maps <= MAP_TOLERANCE or not rough <= MAP_INT8:
        bad.append(f"maps {wanted}: off by {maps:.2e}, int8 by {rough:.2f}")
    for kind, (name, run) in RUNNERS.items():
        worst, other = difference(run(out / name, images), expected)
        found[kind] = worst
        if not worst <= (TOLERANCE if len(images) <= SAMPLES else MANY) or other or not said[kind]["difference"] <= TOLERANCE or said[kind]["images"] < 30:
            bad.append(f"{kind}: off by {worst:.2e}, {other} best classes differ, the export says {said[kind]}")
    int8 = run_tflite(out / "net.int8.tflite", images)
    rms = float(numpy.sqrt(numpy.square(int8 - expected).mean())) / float(expected.std())
    print(f"{'FAIL' if bad else 'ok  '} {path.stem}: " + ", ".join(f"{k} {v:.1e}" for k, v in found.items()), f"int8 rms {rms:.3f}; maps {wanted} {maps:.1e} int8 {rough:.2f}", *bad)
    return len(images), not bad, rms


def strides_of(arch):
    """Strides after the stem and after each block, without repeats."""
    strides = [arch["stem"]["stride"]]
    for block in arch["blocks"]:
        if not block.get("skipped"):
            strides.append(strides[-1] * block["stride"])
    return sorted(set(strides))


def timm_maps(loader, model, strides, expansion, images):
    """Feature maps at the strides, channels last: of timm's features_only, or what enters the depthwise convolution of the first
    block of the next stride and, at the last stride, the head's output."""
    image = torch.from_numpy(numpy.ascontiguousarray(images.transpose(0, 3, 1, 2))).double()
    model = model.double()  # the largest of many thousand differences: two single precisions would add up
    with torch.no_grad():
        maps = loader.features(model, strides)(image)
        if expansion:
            seen, current, hooks = {}, model.conv_stem.stride[0], []
            for block in model.blocks.modules():
                if not hasattr(block, "conv_dw"):
                    continue
                if block.conv_dw.stride[0] > 1 and hasattr(block, "conv_pwl"):
                    hooks.append(block.conv_dw.register_forward_pre_hook(lambda _, x, stride=current: seen.update({stride: x[0]})))
                current *= block.conv_dw.stride[0]
            if isinstance(model.conv_head, torch.nn.Conv2d):
                hooks.append(model.bn2.register_forward_hook(lambda _, __, y, stride=current: seen.update({stride: y})))
            model(image)
            maps = [seen.get(stride, m) for stride, m in zip(strides, maps)]
            for hook in hooks:
                hook.remove()
    return [m.numpy().transpose(0, 2, 3, 1) for m in maps]


def run_maps(path, images, strides):
    """What a file gives: a list of maps, channels last, and the logits or None."""
    names = [f"stride{s}" for s in strides]
    if path.suffix == ".onnx":
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        given = [o.name for o in session.get_outputs()]
        values = dict(zip(given, session.run(given, {"image": numpy.ascontiguousarray(images.transpose(0, 3, 1, 2))})))
        values = {k: v.transpose(0, 2, 3, 1) if v.ndim == 4 else v for k, v in values.items()}
        assert json.loads({p.key: p.value for p in model.metadata_props}["output." + names[0]])["channels"] == values[names[0]].shape[3]
    else:
        model = Interpreter(str(path))
        model.resize_tensor_input(model.get_input_details()[0]["index"], images.shape, strict=True)
        model.allocate_tensors()
        runner = model.get_signature_runner()
        values, given = runner(image=images), [o["name"].removesuffix("_float") for o in model.get_output_details()]
    assert given == names + ["logits"] * ("logits" in given), f"outputs {given}"
    return [values[n] for n in names], values.get("logits")


def check_endpoints(spnas, number, net, out, photos, images, expected):
    """Of every second network the block outputs, of the others expansions; of every third beside the logits."""
    spec = importlib.util.spec_from_file_location("load_timm", out / "load_timm.py")
    loader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    model, facts = loader.load(str(out / "net.timm.safetensors"))
    strides, expansion, logits = strides_of(json.loads(facts["spnas.arch"]))[-3:], number % 2 == 1, number % 3 == 0
    wanted = ",".join(map(str, strides)) + (",logits" if logits else "")
    folder = out.with_name(out.name + "-endpoints")
    subprocess.run([spnas, "export", net, "--format", "all", "--out", folder, "--data", photos, "--endpoints", wanted,
                    "--set", "export.endpoint_layer=" + ("expansion" if expansion else "block")], check=True, stdout=subprocess.DEVNULL)
    said = {row["format"]: row for row in json.loads((folder / "export.json").read_text())["formats"]}
    assert "endpoints" in said["c"]["problem"] and not (folder / "net.c").exists()
    truth, worst, rough = timm_maps(loader, model, strides, expansion, images), 0.0, 0.0
    for kind, name in (("onnx", "net.onnx"), ("tflite", "net.tflite"), ("int8", "net.int8.tflite")):
        maps, given = run_maps(folder / name, images, strides)
        assert (given is not None) == logits
        pairs = list(zip(maps, truth)) + ([(given, expected)] if logits else [])
        for got, right in pairs:
            assert got.shape == right.shape, f"{kind}: map {got.shape}, expected {right.shape}"
            scale = float(right.std())
            if kind == "int8":
                rough = max(rough, float(numpy.sqrt(numpy.square(got - right).mean())) / scale)
            else:
                worst = max(worst, float((numpy.abs(got - right) / (scale + numpy.abs(right))).max()))
    assert all(said[k]["difference"] <= 5 * TOLERANCE and len(said[k]["outputs"]) == len(strides) + logits for k in ("onnx", "tflite"))
    return wanted, worst, rough


def read_metadata(path):
    data = path.read_bytes()
    return json.loads(data[8:8 + int.from_bytes(data[:8], "little")])["__metadata__"]


def main():
    import_torchvision()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("part", nargs="?", default="")
    parser.add_argument("--images", type=int, default=SAMPLES)
    args = parser.parse_args()
    build = args.build.resolve()
    os.environ.setdefault("SPNAS_DATA", str(pathlib.Path(__file__).resolve().parent.parent / "data"))
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as work:
        nets, folder = pathlib.Path(work) / "nets", pathlib.Path(work)
        subprocess.run([build / "test_export_nets", nets, str(args.images)], check=True)
        chosen = [(i, path) for i, path in enumerate(sorted(nets.glob("*.safetensors"))) if args.part in path.name]
        results = [check_network(build / "spnas", i, path, folder) for i, path in chosen]
    good, rms = sum(ok for _, ok, _ in results), float(numpy.mean([r for _, _, r in results]))
    print(f"{len(results)} networks, {sum(n for n, _, _ in results)} images, {len(results) - good} networks failed, int8 rms {rms:.3f}")
    return 0 if good == len(results) >= (1 if args.part else 20) and rms <= INT8_RMS else 1


if __name__ == "__main__":
    sys.exit(main())
