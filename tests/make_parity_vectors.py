#!/usr/bin/env python3
"""Writes what PyTorch computes for test_parity: python make_parity_vectors.py [FILE [SEED]]

FILE (default: vectors/parity.safetensors beside this script, seed 1) holds single ops inside the smallest network that
exercises them, forward and backward, and ten training steps of a small MBConv network with each optimiser. Everything is
computed in float64. Needs torch and numpy.
"""
import json
import pathlib
import struct
import sys

import numpy
import torch
import torch.nn.functional as F

CLASSES = 4
OPS = {"conv": 0, "dw": 1, "se": 2, "join": 3, "pool": 4}
ACTS = [lambda z: z, F.relu, F.relu6, F.hardswish]
NONE, RELU, RELU6, HSWISH = range(4)
MOMENTUM, EPS = 0.9, 1e-3


# ---- The file: safetensors ----

def write(path, tensors):
    header, data = {}, b""
    for name, array in tensors.items():
        array = numpy.ascontiguousarray(array)
        kind = {"float32": "F32", "float64": "F64", "int64": "I64"}[array.dtype.name]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def plain(tensor):
    return tensor.detach().numpy().astype(numpy.float32)


# ---- Layers, by the parameter names of weight files ----

class Net:
    """Parameters under their names in spnas' layout; layers find theirs by prefix."""

    def __init__(self, seed):
        self.random = torch.Generator().manual_seed(seed)
        self.weights, self.state, self.training = {}, {}, True

    def normal(self, *shape, std=1.0, mean=0.0):
        # float32 first, so that both sides start from the same numbers
        return (mean + std * torch.randn(*shape, generator=self.random, dtype=torch.float64)).float().double()

    def weight(self, name, *shape, std, mean=0.0):
        if name not in self.weights:
            self.weights[name] = self.normal(*shape, std=std, mean=mean).requires_grad_()
        return self.weights[name]

    def conv(self, name, x, co, k=1, stride=1, pads=(0, 0), bias=False):
        w = self.weight(name + ".weight", co, x.shape[1], k, k, std=(2 / (k * k * x.shape[1])) ** 0.5)
        b = self.weight(name + ".bias", co, std=0.3) if bias else None
        return F.conv2d(F.pad(x, (pads[0], pads[1]) * 2), w, b, stride)

    def depthwise(self, name, x, k, stride, pads):
        c = x.shape[1]
        w = self.weight(name + ".weight", k, k, c, std=(2 / (k * k)) ** 0.5)
        return F.conv2d(F.pad(x, (pads[0], pads[1]) * 2), w.permute(2, 0, 1)[:, None], None, stride, groups=c)

    def norm(self, name, x, act, momentum=MOMENTUM, eps=EPS):
        c = x.shape[1]
        gamma = self.weight(name + ".gamma", c, std=0.2, mean=1.0)
        beta = self.weight(name + ".beta", c, std=0.3)
        mean = self.state.setdefault(name + ".mean", self.normal(c, std=0.2))
        var = self.state.setdefault(name + ".var", self.normal(c, std=0.2).abs() + 0.7)
        return ACTS[act](F.batch_norm(x, mean, var, gamma, beta, self.training, 1 - momentum, eps))

    def se(self, name, x, squeeze):
        c = x.shape[1]
        s = x.mean((2, 3), keepdim=True)
        s = F.relu(self.conv(name + ".reduce", s, squeeze, bias=True))
        return x * torch.sigmoid(self.conv(name + ".expand", s, c, bias=True))


def loss_of(logits, labels, smoothing):
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


# ---- Single ops ----

def op_forward(net, spec, x):
    """Input -> 1x1 + BN -> the op -> a dense layer over all positions. Returns logits and the op's raw output."""
    x = net.norm("in.bn", net.conv("in", x, spec["mid"]), spec["act_in"])
    pads, raw = (spec["before"], spec["after"]), None
    if spec["op"] == "conv":
        raw = net.conv("op", x, spec["co"], spec["k"], spec["stride"], pads)
        x = net.norm("op.bn", raw, spec["act"])
    elif spec["op"] == "dw":
        raw = net.depthwise("op", x, spec["k"], spec["stride"], pads)
        x = net.norm("op.bn", raw, spec["act"])
    elif spec["op"] == "se":
        x = net.se("op", x, spec["co"])
    elif spec["op"] == "join":
        raw = x = x + net.norm("op.bn", net.conv("op", x, spec["mid"]), spec["act"])
    else:
        raw = x = x.mean((2, 3), keepdim=True)
    return net.conv("out", x, CLASSES, x.shape[2], bias=True)[:, :, 0, 0], raw


KEYS = ["n", "h", "c", "mid", "op", "co", "k", "stride", "before", "after", "act_in", "act", "smoothing"]


def spec_of(op, h=5, co=6, k=1, stride=1, before=0, after=0, act_in=RELU, act=NONE, smoothing=10, n=3, c=3, mid=5):
    return dict(zip(KEYS, (n, h, c, mid, op, co, k, stride, before, after, act_in, act, smoothing)))


def specs():
    yield "conv3.s1", spec_of("conv", k=3, before=1, after=1, act=RELU)
    yield "conv3.s2.even", spec_of("conv", h=6, k=3, stride=2, before=0, after=1, act=RELU6)
    yield "conv3.s2.odd", spec_of("conv", h=5, k=3, stride=2, before=1, after=1, act=HSWISH)
    yield "conv5.s2", spec_of("conv", h=6, k=5, stride=2, before=1, after=2)
    yield "conv1", spec_of("conv", co=17, act=HSWISH)
    yield "conv1.hswish", spec_of("conv", act_in=HSWISH, act=RELU6, smoothing=0)
    for k in (3, 5, 7):
        yield f"dw{k}.s1", spec_of("dw", k=k, before=k // 2, after=k // 2, act=RELU, mid=9)
        yield f"dw{k}.s2.even", spec_of("dw", h=6, k=k, stride=2, before=k // 2 - 1, after=k // 2, act=RELU6, mid=17)
        yield f"dw{k}.s2.odd", spec_of("dw", h=7, k=k, stride=2, before=k // 2, after=k // 2, act_in=HSWISH)
    yield "se", spec_of("se", co=2, act_in=HSWISH, mid=8)
    yield "se.one", spec_of("se", co=1, act_in=RELU6)
    yield "join", spec_of("join", act_in=NONE, smoothing=0)
    yield "join.act", spec_of("join", act_in=RELU, act=HSWISH)
    yield "pool", spec_of("pool", h=4, act_in=HSWISH, smoothing=200)


def add_parameters(out, prefix, net, which):
    for name, tensor in which.items():
        out[f"{prefix}.{name}"] = plain(tensor)


def op_case(name, spec, seed):
    net, out = Net(seed), {}
    x = net.normal(spec["n"], spec["c"], spec["h"], spec["h"])
    labels = torch.randint(0, CLASSES, (spec["n"],), generator=net.random)
    net.training = False
    op_forward(net, spec, x)  # makes the parameters
    add_parameters(out, name + ".w", net, {**net.weights, **net.state})
    net.training = True
    logits, raw = op_forward(net, spec, x)
    loss = loss_of(logits, labels, spec["smoothing"] / 1000)
    grads = torch.autograd.grad(loss, list(net.weights.values()))
    add_parameters(out, name + ".g", net, dict(zip(net.weights, grads)))
    add_parameters(out, name + ".run", net, net.state)
    net.training = False
    out[name + ".spec"] = numpy.array([OPS.get(spec[k], spec[k]) for k in KEYS], numpy.int64)
    out[name + ".x"] = plain(x.permute(0, 2, 3, 1))
    out[name + ".labels"] = labels.numpy()
    out[name + ".logits"] = plain(logits)
    out[name + ".eval"] = plain(op_forward(net, spec, x)[0])
    out[name + ".loss"] = numpy.array([loss.item()])
    if raw is not None:
        out[name + ".raw"] = plain(raw.permute(0, 2, 3, 1))
    return out


# ---- Training: the network that test_parity builds ----

BATCH, SIZE, BATCHES, STEPS = 8, 9, 3, 10
BLOCKS = [dict(co=8, k=3, stride=1, expand=1, squeeze=0, residual=True),
          dict(co=8, k=3, stride=1, expand=3, squeeze=2, residual=True),
          dict(co=12, k=5, stride=2, expand=4, squeeze=0, residual=False),
          dict(co=12, k=7, stride=1, expand=3, squeeze=6, residual=True)]


def same(n, k, s):
    out = -(-n // s)
    total = max((out - 1) * s + k - n, 0)
    return total // 2, total - total // 2


def block(net, i, x, b):
    name, y = f"block.{i}.", x
    if b["expand"] > 1:
        y = net.norm(name + "expand.bn", net.conv(name + "expand", y, x.shape[1] * b["expand"]), RELU6)
    y = net.depthwise(name + "dw", y, b["k"], b["stride"], same(y.shape[2], b["k"], b["stride"]))
    y = net.norm(name + "dw.bn", y, RELU6)
    if b["squeeze"]:
        y = net.se(name + "se", y, b["squeeze"])
    y = net.norm(name + "project.bn", net.conv(name + "project", y, b["co"]), NONE)
    return x + y if b["residual"] else y


def mbconv(net, x):
    x = net.norm("stem.bn", net.conv("stem.conv", x, 8, 3, 2, same(SIZE, 3, 2)), RELU6)
    for i, b in enumerate(BLOCKS):
        x = block(net, i, x, b)
    x = net.norm("head.bn", net.conv("head.conv", x, 16), RELU6).mean((2, 3), keepdim=True)
    return net.conv("classifier", x, CLASSES, bias=True)[:, :, 0, 0]


class Sgd:
    def update(self, state, w, d, lr, step):
        v = state["v"] = 0.9 * state.get("v", 0) + d
        return w - lr * v


class RmsProp:
    """TensorFlow's form: the mean square starts at 1, epsilon is inside the root."""

    def update(self, state, w, d, lr, step):
        m = state["m"] = 0.8 * state.get("m", 1.0) + 0.2 * d * d
        v = state["v"] = 0.9 * state.get("v", 0) + lr * d / (m + 1e-3).sqrt()
        return w - v


class Adam:
    def update(self, state, w, d, lr, step):
        m = state["m"] = 0.9 * state.get("m", 0) + 0.1 * d
        v = state["v"] = 0.999 * state.get("v", 0) + 0.001 * d * d
        return w - lr * (m / (1 - 0.9 ** step)) / ((v / (1 - 0.999 ** step)).sqrt() + 1e-3)


# name, optimiser, learning rate; the order and the rates are those of test_parity
TRAININGS = [("rmsprop", RmsProp(), 0.01), ("sgd", Sgd(), 0.05), ("adam", Adam(), 0.01)]
WEIGHT_DECAY = 0.02


def decays(name, tensor):
    return name.endswith("weight")  # convolutions, dense layers and SE; not BN, not biases


def train_step(net, x, labels, optimiser, states, lr, step):
    loss = loss_of(mbconv(net, x), labels, 0.1)
    grads = torch.autograd.grad(loss, list(net.weights.values()))
    for (name, w), grad in zip(list(net.weights.items()), grads):
        d = grad + WEIGHT_DECAY * w.detach() if decays(name, w) else grad
        new = optimiser.update(states.setdefault(name, {}), w.detach(), d, lr, step)
        net.weights[name] = new.requires_grad_()
    return loss.item()


def training_case(seed):
    start, out = Net(seed), {}
    xs = [start.normal(BATCH, 3, SIZE, SIZE) for _ in range(BATCHES)]
    labels = [torch.randint(0, CLASSES, (BATCH,), generator=start.random) for _ in range(BATCHES)]
    start.training = False
    mbconv(start, xs[0])
    add_parameters(out, "train.w", start, {**start.weights, **start.state})
    out["train.x"] = numpy.concatenate([plain(x.permute(0, 2, 3, 1)) for x in xs])
    out["train.labels"] = numpy.concatenate([t.numpy() for t in labels])
    for name, optimiser, lr in TRAININGS:
        net, states = Net(seed), {}
        net.weights = {k: w.detach().clone().requires_grad_() for k, w in start.weights.items()}
        net.state = {k: s.clone() for k, s in start.state.items()}
        losses = [train_step(net, xs[i % BATCHES], labels[i % BATCHES], optimiser, states, lr, i + 1) for i in range(STEPS)]
        out[f"train.{name}.losses"] = numpy.array(losses)
        add_parameters(out, f"train.{name}", net, {**net.weights, **net.state})
    return out


def make(path, seed):
    tensors = training_case(1000 * seed)
    for i, (name, spec) in enumerate(specs()):
        tensors.update(op_case(name, spec, 1000 * seed + 1 + i))
    write(path, tensors)


if __name__ == "__main__":
    here = pathlib.Path(__file__).resolve().parent
    make(sys.argv[1] if len(sys.argv) > 1 else here / "vectors" / "parity.safetensors",
         int(sys.argv[2]) if len(sys.argv) > 2 else 1)
