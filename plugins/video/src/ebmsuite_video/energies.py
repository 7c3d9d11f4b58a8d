"""Spatial-temporal ConvNets: settings of core's `convnet` for clips."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from ebmsuite.energy import Tilted
from ebmsuite.errors import RecipeError
from ebmsuite.nets.convnet import Edges, PerLayer, convnet
from ebmsuite.nets.mlp import Activation, reference
from ebmsuite.space import Space

__all__ = ["GREY", "PUBLISHED", "Stationary", "st_convnet"]

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


def st_convnet(
    event: Space,
    stationary: Stationary = "time",
    channels: tuple[int, ...] | None = None,
    kernels: PerLayer | None = None,
    strides: PerLayer | None = None,
    edges: Literal["replicate", "zeros", "circular", "valid"] = "replicate",
    activation: Activation = "relu",
    init_sd: float = 0.001,
    reference_sd: float = 1.0,
) -> Tilted:
    """A spatial-temporal generative ConvNet (Xie, Zhu, Wu, CVPR 2017): f is the sum of the last layer's features.

    ``stationary`` says along which axes: in "space-time" all layers are convolutions; in "time" the second layer spans
    the frame; in "none" a further layer spans all frames. ``channels``, ``kernels`` and ``strides`` (time, height,
    width) are those of `ebmsuite.nets.convnet.convnet`; when None, those of the authors' code (`PUBLISHED`). If you set
    one of them, set all three, and the kernels decide along which axes the energy is stationary.

    Events are brightness in [-1, 1] minus the mean. The net sees 127.5 times the event, the published scale 0..255, on
    which ``init_sd`` and the standard deviation ``reference_sd`` of the white noise q are given. A published step size
    of 0.3 is 0.3 / 127.5 = 0.00235 on events.

    ``edges`` "replicate" repeats the outermost voxels beyond every side, by half of the receptive field of the layers
    up to one that spans the axis, and no layer pads: with zeros, the first frames and the borders are dim. The other
    values are those of `convnet`.
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
    time, height, width = (_half_field(kernel, stride, axis) if edges == "replicate" else 0 for axis in range(3))
    pad = (width, width, height, height, time, time)  # torch begins with the last axis
    shape = (event.fixed[0], *(n + 2 * beyond for n, beyond in zip(event.fixed[1:], pad[::-2], strict=True)))
    layers: Edges = "valid" if edges == "replicate" else edges
    core = convnet(Space(shape), chosen, kernel, stride, layers, "sum", activation, init_sd=init_sd, reference_sd=None)
    net = nn.Sequential(_Published(), nn.ReplicationPad3d(pad), *core.net.children())
    return Tilted(net, reference(event, reference_sd / GREY, torch.float64), conditional=False)


def _half_field(kernels: PerLayer, strides: PerLayer, axis: int) -> int:
    """Half of the receptive field along an axis of the layers before one that spans the axis."""
    layers = max(1 if isinstance(v, int) else len(v) for v in (kernels, strides))

    def of(plan: PerLayer, layer: int) -> int:
        entry = plan if isinstance(plan, int) else plan[layer]
        return entry if isinstance(entry, int) else entry[axis]

    field, jump = 1, 1
    for layer in range(layers):
        if of(kernels, layer) == 0:
            break
        field += (of(kernels, layer) - 1) * jump
        jump *= of(strides, layer)
    return field // 2
