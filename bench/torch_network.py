"""Training steps of one network in PyTorch: the yardstick of bench/compare.py for what `spnas train` trains.

usage: bench_train --arch NAME --size S --print | python torch_network.py [--batch N] [--steps K] [--bf16] [--compile] [--nchw]

Reads the network as spnas writes it. Forward, backward and RMSProp update; prints one JSON object.
"""
import argparse
import json
import resource
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

ACTIVATIONS = {"relu": nn.ReLU, "relu6": nn.ReLU6, "hswish": nn.Hardswish}


class Conv(nn.Module):
    """Convolution with spnas's padding: TensorFlow's "same", or k/2 on every side."""

    def __init__(self, cin, cout, kernel, stride, size, same, groups=1):
        super().__init__()
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        self.uneven = same and total % 2
        self.pad = (total // 2, total - total // 2) * 2
        self.conv = nn.Conv2d(cin, cout, kernel, stride, 0 if self.uneven else total // 2 if same else kernel // 2,
                              groups=groups, bias=False)

    def forward(self, x):
        return self.conv(F.pad(x, self.pad) if self.uneven else x)


class SqueezeExcite(nn.Module):
    def __init__(self, channels, squeeze):
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(channels, squeeze, 1), nn.Conv2d(squeeze, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.expand(F.relu(self.reduce(x.mean((2, 3), keepdim=True)))))


class Network(nn.Module):
    def __init__(self, arch):
        super().__init__()
        self.arch, self.size = arch, arch["input"]["size"]
        self.act = ACTIVATIONS[arch["activation"]]
        stem = arch["stem"]
        self.stem = self.unit(arch["input"]["channels"], stem["channels"], stem["kernel"], stem["stride"])
        blocks, residual = [], []
        for b in arch["blocks"]:
            if b.get("skipped"):
                continue
            blocks.append(self.block(b))
            residual.append(bool(b.get("residual")))
        self.blocks, self.residual = nn.ModuleList(blocks), residual
        last, head = arch["blocks"][-1]["out"], arch["head"]["channels"]
        self.head = self.unit(last, head) if head else nn.Identity()
        self.dropout = nn.Dropout(arch["dropout"])
        self.classifier = nn.Linear(head or last, arch["classes"])

    def unit(self, cin, cout, kernel=1, stride=1, groups=1, act=True):
        conv = Conv(cin, cout, kernel, stride, self.size, self.arch["padding"] == "same", groups)
        if stride > 1:
            self.size = -(-self.size // stride)
        bn = nn.BatchNorm2d(cout, eps=self.arch["bn"]["eps"], momentum=1 - self.arch["bn"]["momentum"])
        return nn.Sequential(conv, bn, *([self.act(inplace=True)] if act else []))

    def block(self, b):
        mid, squeeze = b["in"] * b["expand"], max(1, int(b["in"] * b["se"])) if b.get("se") else 0
        layers = [self.unit(b["in"], mid)] if b["expand"] > 1 else []
        layers.append(self.unit(mid, mid, b["kernel"], b["stride"], groups=mid))
        if squeeze:
            layers.append(SqueezeExcite(mid, squeeze))
        return nn.Sequential(*layers, self.unit(mid, b["out"], act=False))

    def forward(self, x):
        x = self.stem(x)
        for block, residual in zip(self.blocks, self.residual):
            x = x + block(x) if residual else block(x)
        return self.classifier(self.dropout(self.head(x).mean((2, 3))))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--nchw", action="store_true")
    parser.add_argument("--params", action="store_true", help="print the number of parameters only")
    args = parser.parse_args()
    arch = json.load(sys.stdin)
    torch.manual_seed(0)
    layout = torch.contiguous_format if args.nchw else torch.channels_last
    net = Network(arch).to(memory_format=layout).train()
    if args.params:
        print(sum(p.numel() for p in net.parameters()))
        return
    optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-3, alpha=0.9, momentum=0.9, eps=1e-3)
    run = torch.compile(net) if args.compile else net
    size = arch["input"]["size"]
    images = torch.rand(args.batch, arch["input"]["channels"], size, size).to(memory_format=layout)
    labels = torch.randint(0, arch["classes"], (args.batch,))
    times = []
    for step in range(args.steps + 2):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            logits = run(images)
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=0.1)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if step >= 2:
            times.append(time.perf_counter() - start)
    median = statistics.median(times)
    print(json.dumps({"peer": "torch " + torch.__version__, "batch": args.batch, "ms": median * 1e3,
                      "images_per_second": args.batch / median,
                      "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
