"""Vectors of RandAugment's operations from PIL: python make_augment_vectors.py > data_input/augment_vectors.h"""
import random

from PIL import Image, ImageEnhance, ImageOps
import PIL

OPS = ["identity", "autocontrast", "equalize", "rotate", "solarize", "color", "posterize", "contrast", "brightness", "sharpness",
       "shear_x", "shear_y", "translate_x", "translate_y"]
SIZE = 12


def image():
    """Smooth colours that do not fill the range, with noise."""
    random.seed(4)
    return Image.frombytes("RGB", (SIZE, SIZE), bytes(
        min(255, max(0, 30 + [7 * x, 5 * y, 3 * (x + y)][c] + random.randrange(-20, 20)))
        for y in range(SIZE) for x in range(SIZE) for c in range(3)))


def apply(op, amount, im):
    def affine(*m):
        return im.transform(im.size, Image.AFFINE, m, Image.NEAREST)
    enhance = {"color": ImageEnhance.Color, "contrast": ImageEnhance.Contrast, "brightness": ImageEnhance.Brightness,
               "sharpness": ImageEnhance.Sharpness}
    if op in enhance:
        return enhance[op](im).enhance(amount)
    return {"identity": lambda: im, "autocontrast": lambda: ImageOps.autocontrast(im), "equalize": lambda: ImageOps.equalize(im),
            "rotate": lambda: im.rotate(amount, Image.NEAREST), "solarize": lambda: ImageOps.solarize(im, amount),
            "posterize": lambda: ImageOps.posterize(im, int(amount)), "shear_x": lambda: affine(1, amount, 0, 0, 1, 0),
            "shear_y": lambda: affine(1, 0, 0, amount, 1, 0), "translate_x": lambda: affine(1, 0, amount * SIZE, 0, 1, 0),
            "translate_y": lambda: affine(1, 0, 0, 0, 1, amount * SIZE)}[op]()


def rows(data):
    return ",\n".join("    " + ", ".join(map(str, data[i:i + 24])) for i in range(0, len(data), 24))


def main():
    rgb = image()
    images = {3: rgb, 1: rgb.convert("L")}
    amounts = {"rotate": [27, -13.5], "solarize": [110], "color": [0.19, 1.81], "posterize": [4, 7], "contrast": [0.19, 1.81],
               "brightness": [0.46, 1.81], "sharpness": [0.19, 1.81], "shear_x": [0.27], "shear_y": [-0.27], "translate_x": [0.4],
               "translate_y": [-0.2]}
    vectors = [(OPS.index(op), amount, channels, apply(op, amount, im).tobytes())
               for channels, im in images.items() for op in OPS for amount in amounts.get(op, [0])
               if channels == 3 or op in ("autocontrast", "contrast", "sharpness", "rotate")]
    print(f"/* Made by make_augment_vectors.py with PIL {PIL.__version__}. */")
    print(f"enum {{ VECTOR_SIZE = {SIZE}, VECTOR_BYTES = {SIZE * SIZE * 3}, VECTORS = {len(vectors)} }};")
    for name, channels in (("rgb", 3), ("grey", 1)):
        print(f"static const unsigned char vector_{name}[] = {{\n{rows(images[channels].tobytes())}}};")
    print("static const struct {\n  int op, channels;\n  double amount;\n  unsigned char pixels[VECTOR_BYTES];\n} vectors[] = {")
    for op, amount, channels, data in vectors:
        print(f"  {{{op}, {channels}, {amount}, {{\n{rows(data)}}}}},")
    print("};")


if __name__ == "__main__":
    main()
