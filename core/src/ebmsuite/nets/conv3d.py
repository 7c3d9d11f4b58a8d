"""3-D convolutions as 2-D convolutions on stacked frames, which are faster on CPUs for few input channels."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["FEW", "Conv3d", "conv3d", "folds"]

FEW = 4
"""A convolution folds on a CPU when it has at most this many input channels and its kernel covers several frames.

The CPU kernels of torch then waste most of their vector lanes. With more input channels the direct form is faster:
benchmarks/conv3d.py measures both.
"""


def folds(x: Tensor, weight: Tensor) -> bool:
    """Whether `Conv3d` computes this convolution as a 2-D one."""
    return x.device.type == "cpu" and weight.shape[1] <= FEW and weight.shape[2] > 1


def conv3d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1, 1, 1),
    padding: Sequence[int] = (0, 0, 0),
) -> Tensor:
    """`torch.nn.functional.conv3d` of x [B, C, T, H, W] as one 2-D convolution.

    Each output frame sees the frames under its kernel as channels, so x is copied kernel / stride times.
    """
    x = F.pad(x, (0, 0, 0, 0, padding[0], padding[0]))
    frames = x.unfold(2, weight.shape[2], stride[0])  # [B, C, T', H, W, kernel]
    rows, times = len(x), frames.shape[2]
    stacked = frames.permute(0, 2, 1, 5, 3, 4).reshape(rows * times, -1, *x.shape[3:])
    y = F.conv2d(stacked, weight.flatten(1, 2), bias, tuple(stride[1:]), tuple(padding[1:]))
    return y.view(rows, times, *y.shape[1:]).transpose(1, 2)


class Conv3d(nn.Conv3d):
    """`torch.nn.Conv3d` with the same settings, parameters and results, which folds (`conv3d`) where that is faster.

    Grouped and dilated convolutions and events without a batch take torch's form.
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        plain = self.groups == 1 and self.dilation == (1, 1, 1) and input.dim() == 5
        if isinstance(self.padding, str) or not plain or not folds(input, weight):
            direct: Tensor = super()._conv_forward(input, weight, bias)
            return direct
        padding: Sequence[int] = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = (0, 0, 0)
        return conv3d(input, weight, bias, self.stride, padding)
