"""Checks exported TFLite models in LiteRT: python check_tflite.py FOLDER [TOLERANCE]

FOLDER holds, for each <name>.tflite, <name>.input.f32 (raw float32, a batch of images, channels first) and <name>.logits.f32
(the expected output), and for each <name>.parts folder the same network in pieces; or it is a build folder, whose
test_export then makes them in a temporary one.
"""
import json
import sys

import numpy
from ai_edge_litert.interpreter import Interpreter

import model_files


def run(path, images):
    """images (N,H,W,C) -> the output."""
    model = Interpreter(str(path))
    taken, given = model.get_input_details()[0], model.get_output_details()[0]
    assert list(taken["shape"])[1:] == list(images.shape)[1:], f"{path.name}: input {taken['shape']}"
    assert list(taken["shape_signature"]) == [-1, *images.shape[1:]], taken["shape_signature"]
    model.resize_tensor_input(taken["index"], images.shape, strict=True)
    model.allocate_tensors()
    model.set_tensor(taken["index"], numpy.ascontiguousarray(images))
    model.invoke()
    return model.get_tensor(given["index"])


def check_metadata(path):
    model = Interpreter(str(path))
    assert model.get_signature_list() == {"serving_default": {"inputs": ["image"], "outputs": ["logits"]}}
    text = path.read_bytes()
    begin = text.index(b'{\n  "input.size"')
    facts = json.JSONDecoder().raw_decode(text[begin:].decode("utf-8", "ignore"))[0]
    assert facts["input.layout"] == "NHWC" and facts["batch_norm"] == "folded"
    assert len(json.loads(facts["class_names"])) == 7


def check_model(path, tolerance):
    x = numpy.fromfile(path.with_suffix(".input.f32"), numpy.float32).reshape(channels_first(path))
    expected = numpy.fromfile(path.with_suffix(".logits.f32"), numpy.float32).reshape(len(x), -1)
    x = x.transpose(0, 2, 3, 1)
    check_metadata(path)
    worst = 0.0
    for n in {1, len(x)}:
        worst = max(worst, float(numpy.abs(run(path, x[:n]) - expected[:n]).max()))
    parts = path.with_name(path.name.split("_13_")[0] + ".parts")
    if path.name.endswith("folded_normalised.tflite") and parts.is_dir():
        for part in sorted(parts.glob("*.tflite"), key=lambda p: int(p.stem)):
            x = run(part, x)
        worst = max(worst, float(numpy.abs(x - expected).max()))
    scale = max(1.0, float(numpy.abs(expected).max()))
    assert worst <= tolerance * scale, f"logits differ by {worst}"
    return worst, scale


def channels_first(path):
    n, h, w, c = Interpreter(str(path)).get_input_details()[0]["shape"]
    return -1, c, h, w


if __name__ == "__main__":
    sys.exit(model_files.main(check_model, "tflite", 1e-5))
