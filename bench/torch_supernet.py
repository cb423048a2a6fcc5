"""The same single-path supernet step in PyTorch: the yardstick of bench/compare.py.

Forward, backward and RMSProp update of the supernet with every option on, kernel and expansion thresholds with a
straight-through step, and a table latency in the loss. Written for speed in PyTorch's own terms (fused modules,
channels-last or plain layout, optional torch.compile and bfloat16); prints one JSON object.
"""
import argparse
import json
import resource
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

CHANNELS = (24, 40, 80, 96, 192)
STRIDES = {224: (2, (2, 2, 2, 1, 2)), 32: (1, (1, 2, 2, 1, 2))}
COST = (2.0, 4.0, 2.5, 5.0)  # 3x3 e3, 3x3 e6, 5x5 e3, 5x5 e6


def gate(x):
    """Step forward, sigmoid's derivative backward."""
    soft = torch.sigmoid(x)
    return soft + ((x >= 0).to(x.dtype) - soft).detach()


def conv_bn(cin, cout, kernel=1, stride=1, act=True):
    layers = [nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(cout)]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if act else []))


class Superkernel(nn.Module):
    """Depthwise 5x5 kernel whose ring, upper half of the channels and whole are switched by thresholds."""

    def __init__(self, channels, stride, skippable):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, 1, 5, 5) * 0.28)
        self.threshold = nn.Parameter(torch.zeros(3))
        ring = torch.ones(1, 1, 5, 5)
        ring[..., 1:4, 1:4] = 0
        upper = (torch.arange(channels) >= channels // 2).float().view(-1, 1, 1, 1)
        self.register_buffer("ring", ring)
        self.register_buffer("upper", upper)
        self.stride, self.skippable = stride, skippable

    def forward(self, x):
        ring = self.weight * self.ring
        d5 = gate(ring.norm() - self.threshold[0])
        kernel = self.weight - ring + d5 * ring
        upper = kernel * self.upper
        lower = kernel - upper
        d6 = gate(upper.norm() - self.threshold[1])
        keep = gate(lower.norm() - self.threshold[2]) if self.skippable else x.new_ones(())
        k3e3, k3e6, k5e3, k5e6 = COST
        cost = keep * ((1 - d5) * (k3e3 + d6 * (k3e6 - k3e3)) + d5 * (k5e3 + d6 * (k5e6 - k5e3)))
        kernel = (keep * (lower + d6 * upper)).to(x.dtype)
        return F.conv2d(x, kernel, stride=self.stride, padding=2, groups=x.shape[1]), cost


class Block(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.residual = stride == 1 and cin == cout
        self.expand = conv_bn(cin, 6 * cin)
        self.depthwise = Superkernel(6 * cin, stride, self.residual)
        self.bn = nn.BatchNorm2d(6 * cin)
        self.project = conv_bn(6 * cin, cout, act=False)

    def forward(self, x):
        y, cost = self.depthwise(self.expand(x))
        y = self.project(F.relu(self.bn(y), inplace=True))
        return (x + y if self.residual else y), cost


class Supernet(nn.Module):
    def __init__(self, size, classes):
        super().__init__()
        stem, strides = STRIDES[size]
        first = [conv_bn(3, 32, 3, stem), nn.Conv2d(32, 32, 3, 1, 1, groups=32, bias=False), nn.BatchNorm2d(32),
                 nn.ReLU(inplace=True), conv_bn(32, 16, act=False)]
        self.first = nn.Sequential(*first)
        blocks, cin = [], 16
        for cout, stride in zip(CHANNELS, strides):
            for i in range(4):
                blocks.append(Block(cin, cout, stride if i == 0 else 1))
                cin = cout
        self.blocks = nn.ModuleList(blocks)
        self.last = nn.Sequential(conv_bn(192, 1152), nn.Conv2d(1152, 1152, 3, 1, 1, groups=1152, bias=False),
                                  nn.BatchNorm2d(1152), nn.ReLU(inplace=True), conv_bn(1152, 320, act=False),
                                  conv_bn(320, 1280))
        self.classifier = nn.Linear(1280, classes)

    def forward(self, x):
        x, cost = self.first(x), 19.6
        for block in self.blocks:
            x, more = block(x)
            cost = cost + more
        return self.classifier(self.last(x).mean((2, 3))), cost


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=32, choices=sorted(STRIDES))
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--nchw", action="store_true")
    args = parser.parse_args()
    torch.manual_seed(0)
    if args.threads:
        torch.set_num_threads(args.threads)
    layout = torch.contiguous_format if args.nchw else torch.channels_last
    net = Supernet(args.size, 10).to(memory_format=layout).train()
    optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-3, alpha=0.9, momentum=0.9, eps=1e-3)
    run = torch.compile(net) if args.compile else net
    images = torch.rand(args.batch, 3, args.size, args.size).to(memory_format=layout)
    labels = torch.randint(0, 10, (args.batch,))
    times = []
    for step in range(args.steps + 2):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            logits, cost = run(images)
        loss = F.cross_entropy(logits.float(), labels) + 0.1 * torch.log(cost)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if step >= 2:
            times.append(time.perf_counter() - start)
    median = statistics.median(times)
    print(json.dumps({"peer": "torch " + torch.__version__, "size": args.size, "batch": args.batch, "bf16": args.bf16,
                      "compile": args.compile, "layout": "nchw" if args.nchw else "nhwc", "ms": median * 1e3,
                      "images_per_second": args.batch / median,
                      "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
