"""Spatial-temporal ConvNets: settings of core's `convnet` for clips."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from ebmsuite.energy import Energy, Tilted
from ebmsuite.errors import RecipeError
from ebmsuite.nets.convnet import Edges, PerLayer, convnet
from ebmsuite.nets.mlp import Activation, reference
from ebmsuite.space import Space
from ebmsuite.tree import Tree

__all__ = ["GREY", "PUBLISHED", "Covered", "SmoothField", "Stationary", "coverage", "st_convnet"]

Stationary: TypeAlias = Literal["space-time", "time", "none"]

PUBLISHED: dict[Stationary, tuple[tuple[int, ...], PerLayer, PerLayer]] = {
    "space-time": ((120, 40, 20), (15, 7, (2, 3, 3)), (7, 3, (1, 2, 2))),
    "time": ((120, 30, 5), (7, (5, 0, 0), (2, 1, 1)), (2, (2, 1, 1), 1)),
    "none": ((120, 30, 5), (7, (5, 0, 0), (0, 1, 1)), (2, (2, 1, 1), 1)),
}
"""Channels, kernels and strides of the layers of the authors' code; a kernel of 0 spans the axis."""

GREY = 127.5
"""Half of the range 0..255, which is 1 in events. The published numbers are for brightness in 0..255."""


class _Published(nn.Module):
    """Converts events to the published scale, brightness in 0..255 minus the mean."""

    def forward(self, x: Tensor) -> Tensor:
        return GREY * x


class Covered(Energy):
    """A net without padding on white noise whose precision at a voxel is the share of the filters that see it.

    Filters see the outermost voxels less often than the others. With the same white noise everywhere, synthesised clips
    are dim there. A voxel with share c has the precision c / sd^2 and the unit of length c^(-1/2), so that one step
    size suits all voxels. ``share`` is [T, H, W].
    """

    share: Tensor

    def __init__(self, net: nn.Module, share: Tensor, sd: float) -> None:
        super().__init__()
        self.net, self.sd = net, sd
        self.register_buffer("share", share, persistent=False)

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        energy: Tensor = _squares(self.share.sqrt() * x) / (2 * self.sd**2) - self.net(x)
        return energy

    def scale(self, x: Tensor, condition: Tree = None) -> Tensor:
        return self.share.rsqrt()


class SmoothField(Energy):
    """A Gaussian field in which neighbours are alike: E(x) = sum_axis |D_axis x|^2 / 2 sd_axis^2 + |x|^2 / 2 sd^2.

    D_axis are differences between neighbours along time, height or width, with the standard deviations ``differences``
    (time, space). Given known voxels, the mean of the others is a harmonic fill with the weight (space / time)^2 of
    differences in time (`ebmsuite_video.fills.harmonic`). Sums are in float64.
    """

    def __init__(self, differences: tuple[float, float], sd: float) -> None:
        super().__init__()
        time, space = differences
        self.precisions, self.precision = (time**-2, space**-2, space**-2), sd**-2

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        each = zip(self.precisions, (x.diff(dim=axis) for axis in (2, 3, 4)), strict=True)
        return torch.stack([self.precision * _squares(x), *(w * _squares(d) for w, d in each)]).sum(0) / 2


def _squares(x: Tensor) -> Tensor:
    return x.square().flatten(1).sum(1, dtype=torch.float64)


def st_convnet(
    event: Space,
    stationary: Stationary = "time",
    channels: tuple[int, ...] | None = None,
    kernels: PerLayer | None = None,
    strides: PerLayer | None = None,
    edges: Literal["covered", "zeros", "circular", "valid"] = "covered",
    activation: Activation = "relu",
    init_sd: float = 0.001,
    reference_sd: float = 1.0,
    difference_sd: tuple[float, float] | None = None,
) -> Tilted | Covered:
    """A spatial-temporal generative ConvNet (Xie, Zhu, Wu, CVPR 2017): f is the sum of the last layer's features.

    ``stationary`` says along which axes: in "space-time" all layers are convolutions; in "time" the second layer spans
    the frame; in "none" a further layer spans all frames. ``channels``, ``kernels`` and ``strides`` (time, height,
    width) are those of `ebmsuite.nets.convnet.convnet`; when None, those of the authors' code (`PUBLISHED`). If you set
    one of them, set all three, and the kernels decide along which axes the energy is stationary.

    Events are brightness in [-1, 1] minus the mean. The net sees 127.5 times the event, the published scale 0..255, on
    which ``init_sd`` and the standard deviation ``reference_sd`` of the white noise q are given. A published step size
    of 0.3 is 0.3 / 127.5 = 0.00235 on events.

    With ``difference_sd`` (time, space), q is not white: it is a `SmoothField` with these standard deviations of the
    differences between neighbours, also on 0..255. The net then learns how clips differ from a smooth field, which
    takes far fewer steps for the recovery of hidden voxels. Use it with ``edges`` "valid" and ``reference_sd`` 300.

    ``edges`` "covered" pads nothing, and q has less precision where fewer filters see a voxel (`Covered`). With white
    noise and zeros, the first frames and the borders are dim. The other values are those of `convnet`.
    """
    given = (channels, kernels, strides)
    if all(v is None for v in given):
        chosen, kernel, stride = PUBLISHED[stationary]
    elif channels is None or kernels is None or strides is None:
        raise RecipeError("video/convnet: set channels, kernels and strides together, or none of them")
    else:
        chosen, kernel, stride = channels, kernels, strides
    if len(event.shape) != 4:
        raise RecipeError(f"video/convnet: events must be clips [channels, frames, height, width], got {event.shape}")
    layers: Edges = "valid" if edges == "covered" else edges
    core = convnet(event, chosen, kernel, stride, layers, "sum", activation, init_sd=init_sd, reference_sd=None)
    net = nn.Sequential(_Published(), *core.net.children())
    if difference_sd is not None:
        time, space = difference_sd
        field = SmoothField((time / GREY, space / GREY), reference_sd / GREY)
        return Tilted(net, field, conditional=False)
    if edges == "covered":
        return Covered(net, coverage(event, kernel, stride), reference_sd / GREY)
    return Tilted(net, reference(event, reference_sd / GREY, torch.float64), conditional=False)


def coverage(event: Space, kernels: PerLayer, strides: PerLayer) -> Tensor:
    """How many paths through layers without padding see each voxel, relative to the most: [T, H, W].

    A voxel that no filter sees, because the kernels do not fit the clip evenly, counts as one that a single path sees.
    """
    share = torch.ones((), dtype=torch.float64)
    for axis, n in enumerate(event.fixed[1:]):
        size, plan = n, []
        for layer in range(_layers(kernels, strides)):
            k, s = _entry(kernels, layer, axis) or size, _entry(strides, layer, axis)
            plan.append((k, s))
            size = (size - k) // s + 1
        seen = torch.ones(1, 1, size, dtype=torch.float64)
        for k, s in reversed(plan):
            seen = nn.functional.conv_transpose1d(seen, torch.ones(1, 1, k, dtype=torch.float64), stride=s)
        counts = nn.functional.pad(seen[0, 0], (0, n - seen.shape[2]))
        share = share[..., None] * counts.clamp(min=1) / counts.max()
    return share.float()


def _layers(kernels: PerLayer, strides: PerLayer) -> int:
    return max(1 if isinstance(v, int) else len(v) for v in (kernels, strides))


def _entry(plan: PerLayer, layer: int, axis: int) -> int:
    entry = plan if isinstance(plan, int) else plan[layer]
    return entry if isinstance(entry, int) else entry[axis]
