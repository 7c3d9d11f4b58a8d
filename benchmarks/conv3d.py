"""Time of `Conv3d` and of torch's 3-D convolution: forward pass and input gradient of one layer.

    uv run --isolated --no-dev --group bench python benchmarks/conv3d.py

Rows with more than four input channels, where `Conv3d` takes torch's form, show what the folded form would cost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from common import Method, Table, options, paired, report, rows
from torch import Tensor

from ebmsuite.nets.conv3d import conv3d, folds


class Layer(NamedTuple):
    """Input [rows, channels, *positions] and the layer on it."""

    shape: tuple[int, ...]
    out: int
    kernel: int
    stride: int
    padding: int


LAYERS = {
    "voxels-16": Layer((25, 1, 32, 32, 32), 200, 16, 3, 0),
    "voxels-16-padded": Layer((25, 1, 46, 46, 46), 200, 16, 3, 0),
    "voxels-4": Layer((25, 1, 16, 16, 16), 32, 4, 2, 1),
    "clip-7": Layer((1, 3, 24, 48, 48), 30, 7, 2, 3),
    "clip-15": Layer((1, 3, 35, 64, 64), 60, 15, 7, 7),
    "clip-5-of-30": Layer((1, 30, 12, 24, 24), 20, 5, 2, 2),
    "clip-3-of-16": Layer((2, 16, 16, 32, 32), 16, 3, 1, 1),
}
DIRECT = "torch.nn.functional.conv3d"


def main() -> None:
    opts = options(__doc__ or "", list(LAYERS))
    tables = []
    for name in opts.cases:
        layer = LAYERS[name]
        shape = (1, *layer.shape[1:]) if opts.quick else layer.shape
        x = torch.randn(shape, device=opts.device)
        weight = torch.randn(layer.out, shape[1], *[layer.kernel] * 3, device=opts.device) / layer.kernel**1.5
        forms = {DIRECT: torch.nn.functional.conv3d, "folded": conv3d}
        methods = [Method(label, gradient(form, x, weight, layer), 1) for label, form in forms.items()]
        title = f"{name}: {list(shape)}, {layer.out} kernels of {layer.kernel}^3, stride {layer.stride}"
        note = f"`Conv3d` takes the {'folded' if folds(x, weight) else 'direct'} form."
        tables.append(Table(title, rows(methods, paired(methods, opts), DIRECT, None), note))
    report(opts, tables)


def gradient(form: Callable[..., Tensor], x: Tensor, weight: Tensor, layer: Layer) -> Callable[[], object]:
    """A forward pass of the layer and the gradient in its input."""
    stride, padding = (layer.stride,) * 3, (layer.padding,) * 3

    def work() -> object:
        z = x.detach().requires_grad_()
        return torch.autograd.grad(form(z, weight, None, stride, padding).relu().sum(), z)

    return work


if __name__ == "__main__":
    main()
