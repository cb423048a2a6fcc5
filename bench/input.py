"""Images made ready for training by spnas and by PIL, one core each, on the same files.

usage: python bench/input.py --data FOLDER [--build build] [--size 224] [--runs 3]

FOLDER is a folder of images by class. Both decode, take a random Inception crop, resize it with antialiased bilinear
filtering, flip and normalise to float. Also packs the folder and times reading the pack. Needs Pillow and numpy.
"""
import argparse
import pathlib
import random
import re
import statistics
import subprocess
import tempfile
import time

import numpy
from PIL import Image

MEAN, STD = numpy.float32([0.485, 0.456, 0.406]), numpy.float32([0.229, 0.224, 0.225])


def inception_box(rng, width, height):
    for _ in range(10):
        area = rng.uniform(0.08, 1) * width * height
        aspect = numpy.exp(rng.uniform(numpy.log(3 / 4), numpy.log(4 / 3)))
        w, h = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if 0 < w <= width and 0 < h <= height:
            x, y = rng.randint(0, width - w), rng.randint(0, height - h)
            return x, y, x + w, y + h
    return 0, 0, width, height


def pil_rate(files, size):
    rng = random.Random(1)
    start = time.process_time()
    for file in files:
        image = Image.open(file).convert("RGB")
        image = image.resize((size, size), Image.BILINEAR, box=inception_box(rng, *image.size))
        if rng.random() < 0.5:
            image = image.transpose(Image.FLIP_LEFT_RIGHT)
        _ = (numpy.asarray(image, numpy.float32) * numpy.float32(1 / 255) - MEAN) / STD
    return len(files) / (time.process_time() - start)


def spnas_rate(build, data, size):
    text = subprocess.run([str(build / "bench_input"), "--data", str(data), "--size", str(size)], capture_output=True, text=True, check=True).stdout
    return float(re.search(r"([\d.]+) images/s", text)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent / "build")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    files = sorted(f for f in args.data.rglob("*") if f.is_file())
    files = [f for f in files if Image.open(f).size]
    with tempfile.TemporaryDirectory() as folder:
        pack = pathlib.Path(folder) / "images.pack"
        subprocess.run([str(args.build / "spnas"), "pack", "--data", str(args.data), "--out", str(pack), "--quiet"], check=True, stdout=subprocess.DEVNULL)
        pil_rate(files, args.size)
        runs = [(pil_rate(files, args.size), spnas_rate(args.build, args.data, args.size), spnas_rate(args.build, pack, args.size)) for _ in range(args.runs)]
    for pil, jpeg, packed in runs:
        print(f"PIL {pil:.0f}, spnas {jpeg:.0f} ({jpeg / pil:.2f}x), packed {packed:.0f} ({packed / pil:.2f}x) images/s a core")
    print(f"median of {args.runs}: from files {statistics.median(r[1] / r[0] for r in runs):.2f}x, packed {statistics.median(r[2] / r[0] for r in runs):.2f}x PIL's rate")


if __name__ == "__main__":
    main()
