"""3-D convolutions in other forms, faster on CPUs for few input channels and for kernels that span a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["FEW", "Conv3d", "Form", "conv3d", "form_of", "in_blocks"]

FEW = 4
"""A convolution changes its form on a CPU when it has at most this many input channels, or a kernel that spans a frame.

With few input channels the CPU kernels of torch waste most of their vector lanes. With more the direct form is faster:
benchmarks/conv3d.py measures all.
"""

Form: TypeAlias = Literal["direct", "folded", "blocks"]
"""torch's own, `conv3d` or `in_blocks`."""


def form_of(x: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int]) -> Form:
    """The form in which `Conv3d` computes this convolution."""
    if x.device.type != "cpu":
        return "direct"
    if not any(padding[1:]) and weight.shape[3:] == x.shape[3:]:
        return "folded"  # as a matrix product
    if weight.shape[1] > FEW:
        return "direct"
    if max(stride) > 1 and not any(k % s for k, s in zip(weight.shape[2:], stride, strict=True)):
        return "blocks"
    return "folded" if weight.shape[2] > 1 else "direct"


def conv3d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1, 1, 1),
    padding: Sequence[int] = (0, 0, 0),
) -> Tensor:
    """`torch.nn.functional.conv3d` of x [B, C, T, H, W] as one 2-D convolution, or as a matrix product.

    Each output frame sees the frames under its kernel as channels, so x is copied kernel / stride times. If the kernel
    spans the frame, the convolution is a product of matrices.
    """
    x = F.pad(x, (0, 0, 0, 0, padding[0], padding[0]))
    frames = x.unfold(2, weight.shape[2], stride[0])  # [B, C, T', H, W, kernel]
    rows, times = len(x), frames.shape[2]
    stacked = frames.permute(0, 2, 1, 5, 3, 4).reshape(rows * times, -1, *x.shape[3:])
    if not any(padding[1:]) and weight.shape[3:] == x.shape[3:]:
        y = F.linear(stacked.flatten(1), weight.flatten(1), bias)[..., None, None]
    else:
        y = F.conv2d(stacked, weight.flatten(1, 2), bias, tuple(stride[1:]), tuple(padding[1:]))
    return y.view(rows, times, *y.shape[1:]).transpose(1, 2)


def in_blocks(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1, 1, 1),
    padding: Sequence[int] = (0, 0, 0),
) -> Tensor:
    """`torch.nn.functional.conv3d` with a kernel that is a multiple of its stride, as a convolution of stride 1.

    Blocks of ``stride`` voxels become channels.
    """
    x = F.pad(x, [n for p in reversed(padding) for n in (p, p)])
    kernel = weight.shape[2:]
    for axis, (k, s) in enumerate(zip(kernel, stride, strict=True), 2):
        x = x.narrow(axis, 0, (x.shape[axis] - k) // s * s + k)  # without the voxels that no kernel reaches
    return F.conv3d(_blocks(x, stride), _blocks(weight, stride), bias)


def _blocks(x: Tensor, size: Sequence[int]) -> Tensor:
    """[B, C, T, H, W] -> [B, C * block, T / t, H / h, W / w] for blocks of ``size`` (t, h, w)."""
    (t, h, w), (rows, channels, *positions) = size, x.shape
    grid = [n // s for n, s in zip(positions, size, strict=True)]
    split = x.reshape(rows, channels, grid[0], t, grid[1], h, grid[2], w).permute(0, 1, 3, 5, 7, 2, 4, 6)
    return split.reshape(rows, -1, *grid)


class Conv3d(nn.Conv3d):
    """`torch.nn.Conv3d` with the same settings, parameters and results, in the form that is faster (`form_of`).

    Grouped and dilated convolutions and events without a batch take torch's form.
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        plain = self.groups == 1 and self.dilation == (1, 1, 1) and input.dim() == 5
        padding: Sequence[int] | str = self.padding
        if isinstance(padding, str) or not plain or (form := form_of(input, weight, self.stride, padding)) == "direct":
            direct: Tensor = super()._conv_forward(input, weight, bias)
            return direct
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = (0, 0, 0)
        return (conv3d if form == "folded" else in_blocks)(input, weight, bias, self.stride, padding)
