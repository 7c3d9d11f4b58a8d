"""Energies of voxel grids and point clouds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ebmsuite.density import Gaussian
from ebmsuite.energy import Tilted
from ebmsuite.errors import RecipeError
from ebmsuite.nets.conv3d import Conv3d
from ebmsuite.space import Space

__all__ = ["PointNet", "VoxelNet", "pointnet", "voxelnet"]

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}


class VoxelNet(nn.Module):
    """f(x) [B] of grids [B, 1, S, S, S]: convolutions padded as "same" in TensorFlow, then a linear function."""

    def __init__(
        self, size: int, widths: Sequence[int], kernels: Sequence[int], strides: Sequence[int], activation: str
    ) -> None:
        super().__init__()
        self.act = ACTIVATIONS[activation]()
        self.convs, self.pads, side, channels = nn.ModuleList(), [], size, 1
        for width, kernel, stride in zip(widths, kernels, strides, strict=True):
            out = -(-side // stride)
            total = max((out - 1) * stride + kernel - side, 0)
            self.pads.append((total // 2, total - total // 2))
            self.convs.append(Conv3d(channels, width, kernel, stride))
            side, channels = out, width
        self.head = nn.Linear(channels * side**3, 1)

    def forward(self, x: Tensor) -> Tensor:
        for conv, pad in zip(self.convs, self.pads, strict=True):
            x = self.act(conv(F.pad(x, pad * 3)))
        f: Tensor = self.head(x.flatten(1)).squeeze(1)
        return f


def voxelnet(
    event: Space,
    widths: tuple[int, ...] = (200, 100),
    kernels: tuple[int, ...] = (16, 6),
    strides: tuple[int, ...] = (3, 2),
    activation: Literal["relu", "gelu", "silu"] = "relu",
    reference_sd: float = 0.5,
    init_sd: float | None = 0.001,
) -> Tilted:
    """Generative VoxelNet, E(x) = |x|^2 / 2 s^2 - f(x). The defaults are the published network for 32^3.

    Weights start as N(0, ``init_sd``^2) and biases as 0, as published; with ``init_sd`` None they start as torch does.
    """
    if len(event.shape) != 4 or event.shape[0] != 1 or len(set(event.fixed[1:])) != 1:
        raise RecipeError(f"shape3d/voxelnet: events must be grids [1, S, S, S], got {list(event.shape)}")
    if not len(widths) == len(kernels) == len(strides) > 0 or min(*widths, *kernels, *strides) < 1:
        raise RecipeError("shape3d/voxelnet: widths, kernels and strides are one positive number each per layer")
    net = VoxelNet(event.fixed[1], widths, kernels, strides, activation)
    if init_sd is not None:
        _init(net, init_sd)
    return Tilted(net, Gaussian(event, sd=reference_sd))


class PointNet(nn.Module):
    """f(x) [B] of points [B, P, 3]: P g(mean_k h(x_k)) / ``per``, with the same h for every point.

    With ``norm``, the features of each layer of h are normalised over the points of a cloud, with one scale and shift
    per feature, so f stays invariant to the order of points and takes any number of them.
    """

    def __init__(self, local: Sequence[int], pooled: Sequence[int], activation: str, norm: bool, per: float) -> None:
        super().__init__()
        self.act, self.per = ACTIVATIONS[activation](), per
        widths = [3, *local]
        self.local: Sequence[nn.Linear] = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))  # type: ignore[assignment]
        self.norms = nn.ModuleList(_PointNorm(b) if norm else nn.Identity() for b in local)
        widths = [local[-1], *pooled, 1]
        self.pooled = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        points, h = x.shape[1], x.transpose(1, 2)  # [B, features, P]: torch normalises the last axis in one pass
        for layer, norm in zip(self.local, self.norms, strict=True):
            weight, bias = layer.weight.expand(len(h), -1, -1), layer.bias.unsqueeze(1)
            new = self.act(norm(torch.baddbmm(bias, weight, h)))
            h = h + new if new.shape == h.shape else new  # a layer whose width repeats is residual
        g = h.mean(2)
        for dense in self.pooled[:-1]:
            g = self.act(dense(g))
        f: Tensor = self.pooled[-1](g).squeeze(1) * (points / self.per)
        return f


class _PointNorm(nn.Module):
    """Normalisation of features [B, features, P] over the points of a cloud, with a scale and a shift per feature."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.ones(features)), nn.Parameter(torch.zeros(features))

    def forward(self, h: Tensor) -> Tensor:
        return F.instance_norm(h, weight=self.scale, bias=self.shift)


def pointnet(
    event: Space,
    local: tuple[int, ...] = (64, 64, 128, 256, 1024),
    pooled: tuple[int, ...] = (512, 256, 128, 64),
    activation: Literal["relu", "gelu", "silu"] = "relu",
    norm: bool = True,
    reference_sd: float = 0.3,
    per: float = 2048,
) -> Tilted:
    """Generative PointNet, E(X) = |X|^2 / 2 s^2 - f(X). The defaults are the published medium network.

    f is multiplied by the number of points over ``per``: with another number of points, the balance between f and the
    reference, and so the suitable step size, stay the same. The result does not depend on the order of the points
    beyond rounding (less than 1e-5 of f in float32).
    """
    if len(event.shape) != 2 or event.shape[1] != 3:
        raise RecipeError(f"shape3d/pointnet: events must be points [P, 3], got {list(event.shape)}")
    if min(*local, *pooled) < 1 or per <= 0:
        raise RecipeError("shape3d/pointnet: widths and per must be positive")
    return Tilted(PointNet(local, pooled, activation, norm, per), Gaussian(event, sd=reference_sd))


def _init(net: nn.Module, sd: float) -> None:
    for layer in net.modules():
        if isinstance(layer, nn.Conv3d | nn.Linear):
            nn.init.normal_(layer.weight, std=sd)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
