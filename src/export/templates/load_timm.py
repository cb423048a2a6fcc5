"""Loads a network that spnas exported for timm: python load_timm.py FILE.safetensors [IMAGE...]

    from load_timm import features, load, transform
    model, facts = load("net.safetensors")     # a timm EfficientNet in evaluation mode; every tensor must fit
    image = transform(facts)(PIL.Image.open("cat.jpg").convert("RGB"))[None]
    print(model(image).softmax(1))
    maps = features(model, (8, 16, 32))(image)  # for detection heads: the last block's output at each stride

Needs timm and torch (transform and IMAGE arguments also torchvision and Pillow). One copy of this file serves any number of
networks: what it must know stands in their metadata.
"""
import json
import sys
from functools import partial
from unittest import mock

import timm.models._efficientnet_blocks as blocks
import torch
from safetensors import safe_open
from timm.layers import create_conv2d
from timm.models._efficientnet_builder import decode_arch_def
from timm.models.efficientnet import EfficientNet
from torch import nn

ACTIVATIONS = {"none": nn.Identity, "relu": nn.ReLU, "relu6": nn.ReLU6, "hswish": nn.Hardswish}


def build(arch, blocks_of_stages):
    """The network without weights. Channels are taken as they are: timm would round them to multiples of 8."""
    same = "same" if arch["padding"] == "same" else ""
    activation = ACTIVATIONS[arch["activation"]]
    with mock.patch.object(blocks, "make_divisible", lambda channels, *_, **__: int(channels)):
        model = EfficientNet(
            block_args=decode_arch_def(blocks_of_stages),
            num_classes=arch["classes"],
            num_features=arch["head"]["channels"],
            in_chans=arch["input"]["channels"],
            stem_size=arch["stem"]["channels"],
            pad_type=same,
            act_layer=activation,
            norm_layer=partial(nn.BatchNorm2d, eps=arch["bn"]["eps"], momentum=1 - arch["bn"]["momentum"]),
            se_layer=partial(blocks.SqueezeExcite, force_act_layer=nn.ReLU),
            round_chs_fn=lambda channels, *_, **__: channels,
            drop_rate=arch["dropout"],
        )
    stem = arch["stem"]
    model.conv_stem = create_conv2d(arch["input"]["channels"], stem["channels"], stem["kernel"], stride=stem["stride"], padding=same)
    return model


def load(path):
    """(model, facts): the network with its weights in evaluation mode, and the file's metadata, texts by name."""
    with safe_open(path, framework="pt") as file:
        facts = file.metadata()
        weights = {name: file.get_tensor(name) for name in file.keys()}
    model = build(json.loads(facts["spnas.arch"]), json.loads(facts["timm.arch_def"]))
    model.load_state_dict(weights, strict=True)
    return model.eval(), facts


def features(model, strides=(8, 16, 32)):
    """A function from images to the feature maps at these strides, which is what timm's features_only gives, with gradients."""
    stem = model.conv_stem.stride[0]  # timm takes it to be 2
    place = {info["reduction"] * stem // 2: i for i, info in enumerate(model.feature_info)}
    return partial(model.forward_intermediates, indices=[place[stride] for stride in strides], intermediates_only=True)


def transform(facts):
    """torchvision's preprocessing for PIL images, from the metadata."""
    from torchvision import transforms

    numbers = {key: [float(v) for v in facts[key].split(",")] for key in ("input.mean", "input.std")}
    filters = {"bilinear": transforms.InterpolationMode.BILINEAR, "bicubic": transforms.InterpolationMode.BICUBIC}
    size = int(float(facts["input.size"]))
    steps = [
        transforms.Resize(int(float(facts.get("input.resize", size))), interpolation=filters[facts.get("input.resize_filter", "bilinear")]),
        transforms.CenterCrop(size),
        transforms.ToTensor(),
        transforms.Normalize(numbers["input.mean"], numbers["input.std"]),
    ]
    if len(numbers["input.mean"]) == 1:
        steps.insert(0, transforms.Grayscale())
    return transforms.Compose(steps)


def main():
    from PIL import Image

    model, facts = load(sys.argv[1])
    names = json.loads(facts["class_names"]) if "class_names" in facts else None
    print(f"{sum(p.numel() for p in model.parameters())} parameters")
    for path in sys.argv[2:]:
        with torch.no_grad():
            chances = model(transform(facts)(Image.open(path).convert("RGB"))[None]).softmax(1)[0]
        best = int(chances.argmax())
        print(f"{path}: {names[best] if names else best} {100 * chances[best]:.1f} %")


if __name__ == "__main__":
    main()
