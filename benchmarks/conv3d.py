"""Time of the forms of `Conv3d` and of torch's 3-D convolution: forward pass and input gradient of one layer.

    uv run --isolated --no-dev --group bench python benchmarks/conv3d.py

Every form that can compute a layer is measured, also where `Conv3d` takes another.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from common import Method, Table, options, paired, report, rows
from torch import Tensor

from ebmsuite.nets.conv3d import conv3d, form_of, in_blocks


class Layer(NamedTuple):
    """Input [rows, channels, *positions] and the layer on it."""

    shape: tuple[int, ...]
    out: int
    kernel: tuple[int, int, int]
    stride: tuple[int, int, int]
    padding: int


LAYERS = {
    "voxels-16": Layer((25, 1, 32, 32, 32), 200, (16,) * 3, (3,) * 3, 0),
    "voxels-16-padded": Layer((25, 1, 46, 46, 46), 200, (16,) * 3, (3,) * 3, 0),
    "voxels-4": Layer((25, 1, 16, 16, 16), 32, (4,) * 3, (2,) * 3, 1),
    "clip-7": Layer((1, 3, 24, 48, 48), 30, (7,) * 3, (2,) * 3, 3),
    "clip-15": Layer((1, 3, 35, 64, 64), 60, (15,) * 3, (7,) * 3, 7),
    "clip-6": Layer((3, 3, 44, 54, 54), 40, (4, 6, 6), (2, 3, 3), 0),
    "clip-frame": Layer((3, 40, 21, 17, 17), 30, (4, 17, 17), (1, 1, 1), 0),
    "clip-5-of-30": Layer((1, 30, 12, 24, 24), 20, (5,) * 3, (2,) * 3, 2),
    "clip-3-of-16": Layer((2, 16, 16, 32, 32), 16, (3,) * 3, (1,) * 3, 1),
}
DIRECT = "torch.nn.functional.conv3d"


def main() -> None:
    opts = options(__doc__ or "", list(LAYERS))
    tables = []
    for name in opts.cases:
        layer = LAYERS[name]
        shape = (1, *layer.shape[1:]) if opts.quick else layer.shape
        x = torch.randn(shape, device=opts.device)
        weight = torch.randn(layer.out, shape[1], *layer.kernel, device=opts.device) / math.prod(layer.kernel) ** 0.5
        forms = {DIRECT: torch.nn.functional.conv3d, "folded": conv3d}
        if not any(k % s for k, s in zip(layer.kernel, layer.stride, strict=True)):
            forms["blocks"] = in_blocks
        methods = [Method(label, gradient(form, x, weight, layer), 1) for label, form in forms.items()]
        title = f"{name}: {list(shape)}, {layer.out} kernels {list(layer.kernel)}, stride {list(layer.stride)}"
        note = f"`Conv3d` takes the form {form_of(x, weight, layer.stride, (layer.padding,) * 3)}."
        tables.append(Table(title, rows(methods, paired(methods, opts), DIRECT, None), note))
    report(opts, tables)


def gradient(form: Callable[..., Tensor], x: Tensor, weight: Tensor, layer: Layer) -> Callable[[], object]:
    """A forward pass of the layer and the gradient in its input."""
    stride, padding = layer.stride, (layer.padding,) * 3

    def work() -> object:
        z = x.detach().requires_grad_()
        return torch.autograd.grad(form(z, weight, None, stride, padding).relu().sum(), z)

    return work


if __name__ == "__main__":
    main()
