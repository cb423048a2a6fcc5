"""Checks exported models: python check_onnx.py FOLDER [TOLERANCE]

FOLDER holds, for each <name>.onnx, <name>.input.f32 (raw float32, a batch of images) and <name>.logits.f32 (the expected
output); or it is a build folder, whose test_export then makes them in a temporary one. Every model must pass onnx.checker in full and give the expected logits in onnxruntime, for the whole batch and
for its first image alone.
"""
import json
import sys

import numpy
import onnx
import onnxruntime

import model_files


def check_declared_shapes(model):
    """The shapes we declare are those ONNX infers by itself."""
    def shapes(graph):
        return {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
                for v in list(graph.value_info) + list(graph.output)}
    declared = shapes(model.graph)
    made = {name for node in model.graph.node for name in node.output}
    assert made == set(declared), f"undeclared or unknown edges: {made ^ set(declared)}"
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.graph.value_info[:]
    inferred = shapes(onnx.shape_inference.infer_shapes(bare, strict_mode=True).graph)
    for name, shape in declared.items():
        assert inferred[name] == shape, f"{name}: declared {shape}, inferred {inferred[name]}"


def check_model(path, tolerance):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    check_declared_shapes(model)
    facts = {p.key: p.value for p in model.metadata_props}
    assert len(facts) == len(model.metadata_props), "a metadata key stands twice"
    if "class_names" in facts:
        names = json.loads(facts["class_names"])
        assert str(len(names)) == facts["classes"] or not facts["classes"].isdigit()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    image, = session.get_inputs()
    assert image.name == "image" and [o.name for o in session.get_outputs()] == ["logits"]
    sides = image.shape[1:]
    x = numpy.fromfile(path.with_suffix(".input.f32"), numpy.float32).reshape([-1] + sides)
    expected = numpy.fromfile(path.with_suffix(".logits.f32"), numpy.float32).reshape(len(x), -1)
    worst = 0.0
    for n in {1, len(x)}:
        got, = session.run(["logits"], {"image": x[:n]})
        assert got.shape == expected[:n].shape, f"logits {got.shape}, expected {expected[:n].shape}"
        worst = max(worst, float(numpy.abs(got - expected[:n]).max()))
        assert numpy.allclose(got, expected[:n], rtol=0, atol=tolerance), f"logits differ by {worst}"
    return worst, float(numpy.abs(expected).max())


if __name__ == "__main__":
    sys.exit(model_files.main(check_model, "onnx", 1e-3))
