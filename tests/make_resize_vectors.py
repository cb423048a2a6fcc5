#!/usr/bin/env python3
"""Writes data_input/vectors.h: PIL's float resize of a computed image, and a few tiny JPEG files. Needs pillow and numpy."""
import io
import os

import numpy as np
from PIL import Image

FILTERS = {"BILINEAR": Image.BILINEAR, "BICUBIC": Image.BICUBIC}
# height, width, output size, share kept by the centre crop (short side is resized to round(size / share))
CASES = [(5, 5, 9, 1.0), (16, 16, 7, 1.0), (33, 33, 6, 1.0), (12, 20, 6, 0.75), (40, 9, 8, 1.0)]


def picture(h, w):
    y, x, c = np.meshgrid(np.arange(h), np.arange(w), np.arange(3), indexing="ij")
    return (y * 37 + x * 59 + c * 83 + y * x * 7) % 256


def evaluate(image, size, share, kind):
    h, w, _ = image.shape
    side = round(size / share)
    full_h, full_w = (side, side * w // h) if h <= w else (side * h // w, side)
    top, left = round((full_h - size) / 2), round((full_w - size) / 2)
    planes = [Image.fromarray(image[:, :, c].astype(np.float32), "F").resize((full_w, full_h), FILTERS[kind])
              for c in range(3)]
    full = np.clip(np.stack([np.asarray(p) for p in planes], -1), 0, 255)
    return full[top:top + size, left:left + size]


def jpeg(mode, **options):
    y, x = np.meshgrid(np.arange(12), np.arange(20), indexing="ij")
    rgb = np.stack([40 + 8 * x, 200 - 10 * y, 0 * x + 90], -1).astype(np.uint8)
    data = io.BytesIO()
    Image.fromarray(rgb).convert(mode).save(data, "JPEG", quality=90, subsampling=0, optimize=True, **options)
    return data.getvalue()


def rows(items, per_row):
    return ",\n  ".join(", ".join(items[i:i + per_row]) for i in range(0, len(items), per_row))


out = ["/* Written by make_resize_vectors.py with Pillow %s. */" % Image.__version__,
       "typedef struct { int h, w, size; double share; spn_resize filter; const float *expected; } resize_case;", ""]
table = []
for kind in FILTERS:
    for n, (h, w, size, share) in enumerate(CASES):
        values = evaluate(picture(h, w), size, share, kind).ravel()
        name = "resize_%s_%d" % (kind.lower(), n)
        out.append("static const float %s[] = {\n  %s};" % (name, rows(["%.3ff" % v for v in values], 14)))
        table.append("{%d, %d, %d, %s, SPN_RESIZE_%s, %s}" % (h, w, size, share, kind, name))
out.append("static const resize_case resize_cases[] = {\n  %s};" % ",\n  ".join(table))
for name, data in {"jpeg_rgb": jpeg("RGB"), "jpeg_progressive": jpeg("RGB", progressive=True), "jpeg_grey": jpeg("L"),
                   "jpeg_cmyk": jpeg("CMYK")}.items():
    out.append("static const unsigned char %s[] = {\n  %s};" % (name, rows([str(b) for b in data], 28)))
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data_input", "vectors.h")
with open(path, "w") as file:
    file.write("\n".join(out) + "\n")
