"""The preprocessing, written from an exported network's metadata alone: python check_preprocessing.py BUILD_DIR

A small network is trained on photographs and one on CIFAR-10; each is exported, and its test images are prepared here with
NumPy and PIL by nothing but what the ONNX file says. They must be what `spnas eval` fed the network to within one level of
255, and the network must score the same on them in onnxruntime. PIL's own resize and crop, one call each, must give the
same pictures within its rounding, and a pack of the photographs the same as the folder.

The photographs to test on are decoded once, by PIL, and kept as PNG: two JPEG decoders differ by a few levels in single
pixels (by how much is shown for CIFAR-10, whose JPEGs stay), which no rule of preprocessing can state.
"""
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile

import numpy
import onnx
import onnxruntime
import PIL.Image

SOURCE = pathlib.Path(__file__).resolve().parent.parent
SHARED = SOURCE.parent / "shared" / "data"
NET = "ds_r1_k3_s1_c16_noskip | ir_r1_k3_s2_e3_c24 | ir_r1_k3_s2_e3_c40"
LEVEL = 0.1          # of 255: what a pixel may be off by the metadata's rules, given the same decoded pixels
PIL_LEVEL = 1.0      # PIL rounds to 8 bit after each of its two passes
DECODER_LEVELS = 4   # single pixels of two JPEG decoders; on average a tenth of a level
POINTS = 0.2      # of accuracy
FILTERS = {       # half width and weight at a distance, in samples of the coarser grid
    "bilinear": (1.0, lambda x: numpy.maximum(0, 1 - x)),
    "bicubic": (2.0, lambda x: numpy.where(x < 1, (1.5 * x - 2.5) * x * x + 1,
                                           numpy.where(x < 2, ((-0.5 * x + 2.5) * x - 4) * x + 2, 0)))}
failed = 0


def check(name, good, text=""):
    global failed
    failed += not good
    print(f"{'ok  ' if good else 'FAIL'} {name}{': ' if text else ''}{text}")


# ---- By the metadata ----

def expect(facts, key, *known):
    assert facts["input." + key] in known, f"input.{key}: expected {known}, got {facts['input.' + key]}"
    return facts["input." + key]


def sizes(facts, h, w):
    """Height and width after the resize, and where the crop begins."""
    side, size = int(facts["input.resize"]), int(facts["input.size"])
    expect(facts, "resize_long_side", "floor")
    full = (side, side * w // h) if h <= w else (side * h // w, side)
    expect(facts, "crop", "centre")
    expect(facts, "crop_offset", "round_half_even")
    return full, [round((n - size) / 2) for n in full], size


def taps(facts, n, out):
    """(out,n): what each sample of the output takes of the input."""
    reach, weight = FILTERS[facts["input.resize_filter"]]
    expect(facts, "resize_sampling", "half_pixel")
    expect(facts, "resize_edges", "renormalised")
    scale = n / out
    wide = max(1.0, scale) if expect(facts, "resize_antialias", "true", "false") == "true" else 1.0
    centre = (numpy.arange(out) + 0.5) * scale
    at = numpy.abs(numpy.arange(n) + 0.5 - centre[:, None]) / wide
    m = numpy.where(at < reach, weight(at), 0)
    return m / m.sum(axis=1, keepdims=True)


def picture(facts, pixels):
    """8 bit RGB (h,w,3) -> levels 0..255 (size,size,3) as the network is shown them."""
    h, w, _ = pixels.shape
    (full_h, full_w), (top, left), size = sizes(facts, h, w)
    x = numpy.einsum("yh,hwc->ywc", taps(facts, h, full_h)[top:top + size], pixels.astype(numpy.float64))
    x = numpy.einsum("xw,ywc->yxc", taps(facts, w, full_w)[left:left + size], x)
    expect(facts, "resize_rounding", "none")
    return x.clip(0, 255)


def pil_picture(facts, image):
    """The same with PIL's own resize, as torchvision's Resize and CenterCrop call it."""
    filters = {"bilinear": PIL.Image.BILINEAR, "bicubic": PIL.Image.BICUBIC}
    (full_h, full_w), (top, left), size = sizes(facts, image.height, image.width)
    resized = image.resize((full_w, full_h), filters[facts["input.resize_filter"]])
    return numpy.asarray(resized.crop((left, top, left + size, top + size)), numpy.float64)


def numbers(facts, key):
    return numpy.array([float(v) for v in facts["input." + key].split(",")])


def network_input(facts, levels):
    expect(facts, "formula", "(pixel / 255 - mean) / std")
    expect(facts, "channel_order", "RGB")
    expect(facts, "layout", "NCHW")
    x = (levels / 255 - numbers(facts, "mean")) / numbers(facts, "std")
    return x.transpose(2, 0, 1).astype(numpy.float32)


# ---- Data and the program ----

def link_photographs(folder):
    """Two classes by colour that a small network can learn: blue above red or not."""
    archive = SHARED / "imagenet-sample" / "imagenet-sample-250.tar"
    if not archive.exists():
        return False
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "all", filter="data")
    for i, path in enumerate(sorted((folder / "all").rglob("*.JPEG"))):
        image = PIL.Image.open(path)
        image.draft("RGB", (64, 64))
        red, _, blue = numpy.asarray(image.convert("RGB"), numpy.float64).mean(axis=(0, 1))
        place = folder / "photos" / ("test" if i % 5 == 0 else "train") / ("cold" if blue > red else "warm")
        place.mkdir(parents=True, exist_ok=True)
        if i % 5:
            path.rename(place / path.name)
        else:
            PIL.Image.open(path).convert("RGB").save(place / (path.stem + ".png"), compress_level=1)
    return True


def unpack_cifar(folder):
    archive = SHARED / "cifar10" / "cifar10-jpeg.tar.xz"
    if not archive.exists():
        return False
    left = {}
    with tarfile.open(archive) as tar:
        for entry in tar:
            if not entry.isfile():
                continue
            split, label, name = entry.name.split("/")[-3:]
            key = split, label
            left[key] = left.get(key, {"train": 300, "test": 500}[split]) - 1
            if left[key] >= 0 and label in ("airplane", "automobile", "frog", "ship"):
                path = folder / "cifar" / split / label / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(tar.extractfile(entry).read())
    return True


class Program:
    def __init__(self, build, folder):
        self.path, self.folder = (build / "spnas").resolve(), folder
        self.environment = {**os.environ, "SPNAS_DATA": str(SOURCE / "data")}

    def __call__(self, *arguments):
        done = subprocess.run([self.path, *map(str, arguments)], cwd=self.folder, env=self.environment,
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"spnas {' '.join(map(str, arguments))}: code {done.returncode}\n{done.stderr}")
        return done.stdout


def tensors(path):
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    kinds = {"F32": "<f4", "I64": "<i8"}
    return {name: numpy.frombuffer(data[start + t["data_offsets"][0]:start + t["data_offsets"][1]],
                                   kinds[t["dtype"]]).reshape(t["shape"])
            for name, t in json.loads(data[8:start]).items() if name != "__metadata__"}


def test_paths(folder, names):
    """In the order of `spnas eval --dump`: by class in alphabetical order, then by file name."""
    return [(path, names.index(place.name)) for place in sorted(p for p in (folder / "test").iterdir())
            for path in sorted(place.iterdir())]


# ---- Checks ----

def check_pictures(name, facts, paths, dumped):
    """dumped (n,size,size,3): what the network was fed."""
    fed = (dumped.astype(numpy.float64) * numbers(facts, "std") + numbers(facts, "mean")) * 255
    worst, worst_pil, total = 0.0, 0.0, 0.0
    for (path, _), levels in zip(paths, fed):
        image = PIL.Image.open(path).convert("RGB")
        off = numpy.abs(picture(facts, numpy.asarray(image)) - levels)
        worst, total = max(worst, off.max()), total + off.mean()
        worst_pil = max(worst_pil, numpy.abs(pil_picture(facts, image) - levels).max())
    text = f"{len(paths)} images, off by {total / len(paths):.3f} on average, {worst:.3f} at worst"
    jpeg = DECODER_LEVELS if paths[0][0].suffix == ".jpg" else 0
    check(f"{name}: pictures by the metadata", worst <= LEVEL + jpeg and total / len(paths) <= 0.1, text)
    check(f"{name}: PIL's resize and crop", worst_pil <= PIL_LEVEL + jpeg, f"off by {worst_pil:.3f} at worst")


def check_accuracy(name, model, facts, paths, reported):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    hits = 0
    for path, label in paths:
        x = network_input(facts, picture(facts, numpy.asarray(PIL.Image.open(path).convert("RGB"))))
        logits, = session.run(["logits"], {"image": x[None]})
        hits += int(logits[0].argmax() == label)
    here = 100 * hits / len(paths)
    check(f"{name}: accuracy in onnxruntime", abs(here - reported) <= POINTS, f"{here:.2f} %, spnas eval {reported:.2f} %")


def check_set(spnas, folder, name, settings):
    run = f"run-{name}"
    spnas("train", "--data", name, "--out", run, "--arch", NET, "--quiet", "--set", "train.width=0.25",
          "--set", "optim.ema=0.9", *(a for s in settings for a in ("--set", s)))
    spnas("export", f"{run}/best.safetensors", "--out", f"{name}.onnx")
    said = spnas("eval", f"{run}/best.safetensors", "--data", name, "--json", "--dump", f"{name}.dump")
    reported = 100 * json.loads(said)["top1"]
    facts = {p.key: p.value for p in onnx.load(folder / f"{name}.onnx").metadata_props}
    paths = test_paths(folder / name, json.loads(facts["class_names"]))
    dump = tensors(folder / f"{name}.dump")
    assert [label for _, label in paths] == list(dump["labels"]), "another order of images"
    check_pictures(name, facts, paths, dump["images"])
    check_accuracy(name, str(folder / f"{name}.onnx"), facts, paths, reported)
    return facts, dump, reported


def check_pack(spnas, folder, facts, dump, reported):
    """By side of the pack the levels that it may be off the folder, on average and at worst: none where nothing was reduced, the
    pack's rounding where evaluation resizes to its side, else the softness of two reductions (a hard edge moved by a pixel
    would be 150 levels off)."""
    side = int(facts["input.resize"])
    for packed, bounds in ((0, (0, 0)), (side, (0.26, 0.51)), (2 * side, (1, 30))):
        spnas("pack", "--data", "photos", "--out", f"{packed}.pack", "--set", f"pack.side={packed}", "--quiet")
        said = spnas("eval", "run-photos/best.safetensors", "--data", f"{packed}.pack", "--json", "--dump", "pack.dump")
        other = tensors(folder / "pack.dump")["images"]
        off = numpy.abs(other.astype(numpy.float64) - dump["images"]) * numbers(facts, "std") * 255
        check(f"pack.side={packed} against the folder", off.mean() <= bounds[0] and off.max() <= bounds[1],
              f"off by {off.mean():.3f} on average, {off.max():.3f} at worst")
        top1 = 100 * json.loads(said)["top1"]
        if packed <= side:
            check(f"pack.side={packed}: accuracy", abs(top1 - reported) <= POINTS, f"{top1:.2f} %, folder {reported:.2f} %")


def main():
    build = pathlib.Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        spnas = Program(build, folder)
        if link_photographs(folder):
            facts, dump, reported = check_set(spnas, folder, "photos", ["train.size=96", "train.epochs=4", "optim.batch=20", "optim.lr=0.1"])
            check_pack(spnas, folder, facts, dump, reported)
        else:
            print("skipped: photographs (../shared/data/imagenet-sample is not here)")
        if unpack_cifar(folder):
            check_set(spnas, folder, "cifar", ["train.size=32", "train.epochs=10", "optim.batch=32", "optim.lr=0.1"])
        else:
            print("skipped: CIFAR-10 (../shared/data/cifar10 is not here)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
