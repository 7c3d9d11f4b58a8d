"""Convolutional nets for events [channels, *positions] with one to three axes: signals, images, clips and volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ebmsuite.density import Encoder, Gaussian
from ebmsuite.energy import NoiseConditional, Tilted, full_precision
from ebmsuite.errors import RecipeError
from ebmsuite.generator import NormalGenerator
from ebmsuite.nets.conditioning import numbers_of, width_of
from ebmsuite.nets.conv3d import Conv3d
from ebmsuite.nets.mlp import Activation, check_levels, reference
from ebmsuite.nets.mlp import activation as activation_of
from ebmsuite.space import TIME_EMBEDDING, ConditionSpace, Space
from ebmsuite.tree import Tree

__all__ = [
    "ConditionScale", "Conditioned", "ConditionedLayers", "Edges", "Head", "Modulation", "PerLayer", "Total", "convnet",
    "convnet_encoder", "convnet_levels", "convolutions", "deconvnet", "per_layer", "transposed", "xavier",
]  # fmt: skip

PerLayer: TypeAlias = int | tuple[int | tuple[int, ...], ...]
"""One number for all layers, or one entry per layer: a number for all axes, or one number per axis."""
Edges: TypeAlias = Literal["zeros", "circular", "valid", "full"]
Modulation: TypeAlias = Literal["shift", "scale"]
"""How a condition acts on the features of a layer: it shifts them, or it scales and shifts them."""

CONVOLUTIONS: tuple[Any, ...] = (nn.Conv1d, nn.Conv2d, Conv3d)
TRANSPOSED: tuple[Any, ...] = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


# -- parts -----------------------------------------------------------------------------------------------------------


class Head(nn.Module):
    """A linear map from features [B, ...] to f, [B], or to [B, outputs].

    It computes in float32 (or float64) even under autocast. Energies are compared as differences of large numbers, and
    the 8 mantissa bits of bfloat16 would lose the difference.
    """

    def __init__(self, features: int, outputs: int | None = None) -> None:
        super().__init__()
        self.one = outputs is None
        self.linear = nn.Linear(features, outputs or 1)

    def forward(self, h: Tensor) -> Tensor:
        with torch.autocast(h.device.type, enabled=False):
            f: Tensor = self.linear(full_precision(h.flatten(1)))
        return f.squeeze(1) if self.one else f


class Total(nn.Module):
    """The sum or the mean of all features, [B, ...] -> [B], in float64: such sums can exceed 1e8."""

    def __init__(self, mean: bool) -> None:
        super().__init__()
        self.mean = mean

    def forward(self, h: Tensor) -> Tensor:
        h = h.flatten(1)
        return h.mean(1, dtype=torch.float64) if self.mean else h.sum(1, dtype=torch.float64)


class Pad(nn.Module):
    """Pads the axes of [B, C, *positions]; ``amounts`` are the positions before and after each axis."""

    def __init__(self, amounts: Sequence[tuple[int, int]], edges: Edges) -> None:
        super().__init__()
        self.around = [n for pair in reversed(amounts) for n in pair]  # torch names the last axis first
        self.mode = "circular" if edges == "circular" else "constant"

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x, self.around, self.mode)


class PositionBias(nn.Module):
    """Adds a learned bias per channel and per position along ``axes`` (0 is the first axis of positions)."""

    def __init__(self, features: Space, axes: Sequence[int]) -> None:
        super().__init__()
        channels, *positions = features.fixed
        self.bias = nn.Parameter(torch.zeros(channels, *(n if i in axes else 1 for i, n in enumerate(positions))))

    def forward(self, h: Tensor) -> Tensor:
        return h + self.bias


class Conditioned(nn.Module):
    """A layer whose ``forward`` takes features [B, C, *positions] and the condition's numbers [B, width]."""


class ConditionShift(Conditioned):
    """Adds a linear map of the condition's numbers to every position of the features."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, channels, bias=False)

    def forward(self, h: Tensor, numbers: Tensor) -> Tensor:
        shift: Tensor = self.linear(numbers)
        return h + shift.view(*shift.shape, *[1] * (h.dim() - 2))


class ConditionScale(Conditioned):
    """(1 + a) h + b at every position of the features, with a and b linear maps of the condition's numbers.

    This is feature-wise linear modulation (Perez et al., AAAI 2018). Both maps start at zero.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 2 * channels, bias=False)
        nn.init.zeros_(self.linear.weight)

    def forward(self, h: Tensor, numbers: Tensor) -> Tensor:
        maps: Tensor = self.linear(numbers)
        scale, shift = maps.view(*maps.shape, *[1] * (h.dim() - 2)).chunk(2, 1)
        return h + scale * h + shift


class ConditionedLayers(nn.Sequential):
    """Layers in sequence, of which each `Conditioned` layer gets the condition, whose space is ``given``."""

    def __init__(self, given: ConditionSpace, *layers: nn.Module) -> None:
        super().__init__(*layers)
        self.given = given

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        numbers = numbers_of(condition, self.given, x)
        for layer in self:
            x = layer(x, numbers) if isinstance(layer, Conditioned) else layer(x)
        return x


def convolutions(
    event: Space,
    channels: Sequence[int],
    kernels: PerLayer,
    strides: PerLayer,
    edges: Edges = "zeros",
    activation: Activation = "leaky-relu",
    slope: float = 0.2,
    spectral_norm: bool = False,
    condition: ConditionSpace = None,
    net: str = "convnet",
    modulation: Modulation = "shift",
    position_bias: Sequence[int] = (),
) -> tuple[list[nn.Module], Space]:
    """Convolutions, each followed by an activation, and the space of their features: see `convnet`."""
    layers: list[nn.Module] = []
    below, *positions = _grid(event, net)
    if any(not 0 <= axis < len(positions) for axis in position_bias):
        raise RecipeError(f"{net}.position_bias: the axes are 0 to {len(positions) - 1}, got {list(position_bias)}")
    plan = zip(channels, *per_layer(net, len(positions), len(channels), kernels=kernels, strides=strides), strict=True)
    for number, (above, kernel, stride) in enumerate(plan):
        axes = [_axis(n, k, s, edges) for n, k, s in zip(positions, kernel, stride, strict=True)]
        after = [a.positions for a in axes]
        if min(after) < 1 or any(a.pad > n for a, n in zip(axes, positions, strict=True)):
            raise RecipeError(
                f"{net}: layer {number + 1} has the kernel {list(kernel)} and stride {list(stride)}, which do not fit "
                f"the {positions} positions before it; lower kernels, strides or the number of layers"
            )
        around = [(a.pad // 2, a.pad - a.pad // 2) for a in axes]
        even = all(low == high for low, high in around)
        settings = {} if not even else {
            "padding": tuple(low for low, _ in around), "padding_mode": "circular" if edges == "circular" else "zeros",
        }  # fmt: skip
        layer = CONVOLUTIONS[len(axes) - 1](below, above, tuple(a.kernel for a in axes), stride, **settings)
        layers += [] if even else [Pad(around, edges)]
        layers.append(nn.utils.parametrizations.spectral_norm(layer) if spectral_norm else layer)
        layers += [PositionBias(Space((above, *after)), position_bias)] if position_bias else []
        layers += [] if condition is None else [MODULATIONS[modulation](width_of(condition), above)]
        layers.append(activation_of(activation, slope))
        below, positions = above, after
    return layers, Space((below, *positions))


MODULATIONS: dict[Modulation, type[ConditionShift | ConditionScale]] = {
    "shift": ConditionShift, "scale": ConditionScale,
}  # fmt: skip


class _Axis(NamedTuple):
    kernel: int
    pad: int
    positions: int


def _axis(n: int, kernel: int, stride: int, edges: Edges) -> _Axis:
    """A convolution along one axis of n positions: without padding for "valid" and for a kernel that spans the axis."""
    pad = 0 if edges == "valid" or kernel == 0 else max(kernel - stride, 0) * (2 if edges == "full" else 1)
    kernel = kernel or n
    return _Axis(kernel, pad, (n + pad - kernel) // stride + 1)


def _grid(event: Space, net: str) -> tuple[int, ...]:
    if not 2 <= len(event.shape) <= 4:
        raise RecipeError(f"{net}: events must be [channels, 1 to 3 axes of positions], got {list(event.shape)}")
    return event.fixed


def per_layer(net: str, axes: int, layers: int, **settings: PerLayer) -> list[list[tuple[int, ...]]]:
    """Each setting as one number per axis, for every layer."""
    if layers < 1:
        raise RecipeError(f"{net}.channels: must name at least one layer")
    made = []
    for name, value in settings.items():
        each = [value] * layers if isinstance(value, int) else list(value)
        if len(each) != layers:
            raise RecipeError(f"{net}.{name}: {layers} layers need {layers} entries, got {len(each)}")
        rows = [(n,) * axes if isinstance(n, int) else tuple(n) for n in each]
        least = 1 if name == "strides" else 0
        if any(len(row) != axes or min(row) < least for row in rows):
            raise RecipeError(f"{net}.{name}: give one number or {axes}, each at least {least}, per layer; got {each}")
        made.append(rows)
    return made


def xavier(net: nn.Sequential) -> nn.Sequential:
    """The net with the weights of its convolutions drawn from the Xavier normal distribution."""
    for module in net:
        if isinstance(module, (*CONVOLUTIONS, *TRANSPOSED)):
            nn.init.xavier_normal_(cast("Tensor", module.weight))
    return net


# -- energies --------------------------------------------------------------------------------------------------------


def convnet(
    event: Space,
    channels: tuple[int, ...] = (32, 64, 128),
    kernels: PerLayer = 4,
    strides: PerLayer = 2,
    edges: Edges = "zeros",
    head: Literal["linear", "sum", "mean"] = "linear",
    activation: Activation = "leaky-relu",
    slope: float = 0.2,
    spectral_norm: bool = False,
    init_sd: float | None = None,
    reference_sd: float | None = None,
    condition: ConditionSpace = None,
    modulation: Modulation = "shift",
    position_bias: tuple[int, ...] = (),
) -> Tilted:
    """Convolutions of ``channels``, each followed by an activation, and a ``head``, on one to three axes.

    ``kernels`` and ``strides`` are one number, or one entry per layer; an entry is a number or one number per axis. A
    kernel of 0 spans its axis: the layer is fully connected along it, so the energy is not stationary along it (Xie,
    Zhu, Wu, CVPR 2017). ``edges`` pads each axis by kernel - stride positions in all, with "zeros" or with the opposite
    edge ("circular", for textures), so floor(n / stride) of n positions remain; "valid" pads nothing; "full" pads both
    ends by kernel - stride zeros, so that as many features see the first and last positions as the others. The head is
    a linear map of all features ("linear"), or their "sum" or "mean". ``spectral_norm`` keeps the largest singular
    value of each convolution at 1. ``init_sd`` draws their weights from N(0, init_sd^2) and sets biases to 0; None is
    the initialisation of torch. A condition shifts the features of every layer by a linear map of its numbers;
    with ``modulation`` "scale" it also scales them (`ConditionScale`). With ``position_bias``, the numbers of axes of
    positions from 0, every layer has a bias per position along these axes, so the energy is not stationary along them.

    The sums of a Gaussian reference and of "sum" and "mean" are in float64, so energies of 1e9 keep their differences.
    """
    net = _energy_net(
        "convnet", event, channels, kernels, strides, edges, head, activation, slope, spectral_norm, init_sd, condition,
        modulation, position_bias,
    )  # fmt: skip
    return Tilted(net, reference(event, reference_sd, torch.float64))


def convnet_levels(
    event: Space,
    low: float,
    high: float,
    sd: float = 1.0,
    channels: tuple[int, ...] = (32, 64, 128),
    kernels: PerLayer = 4,
    strides: PerLayer = 2,
    edges: Edges = "zeros",
    head: Literal["linear", "sum", "mean"] = "linear",
    activation: Activation = "silu",
    slope: float = 0.2,
    spectral_norm: bool = False,
    init_sd: float | None = None,
    modulation: Modulation = "shift",
    position_bias: tuple[int, ...] = (),
) -> NoiseConditional:
    """The net of `convnet` for noise levels from ``low`` to ``high`` and data of standard deviation ``sd``.

    The embedding of the noise level is the condition of every layer: see `NoiseConditional`.
    """
    check_levels("convnet-levels", low, high, sd)
    net = _energy_net(
        "convnet-levels", event, channels, kernels, strides, edges, head, activation, slope, spectral_norm, init_sd,
        TIME_EMBEDDING, modulation, position_bias,
    )  # fmt: skip
    return NoiseConditional(net, low, high, sd)


def _energy_net(
    name: str,
    event: Space,
    channels: Sequence[int],
    kernels: PerLayer,
    strides: PerLayer,
    edges: Edges,
    head: str,
    activation: Activation,
    slope: float,
    spectral_norm: bool,
    init_sd: float | None,
    condition: ConditionSpace,
    modulation: Modulation,
    position_bias: tuple[int, ...],
) -> nn.Sequential:
    layers, features = convolutions(
        event, channels, kernels, strides, edges, activation, slope, spectral_norm, condition, name, modulation,
        position_bias,
    )  # fmt: skip
    if init_sd is not None:
        for layer in layers:
            if isinstance(layer, CONVOLUTIONS):
                nn.init.normal_(layer.weight, 0.0, init_sd)
                nn.init.zeros_(layer.bias)
    layers.append(Head(features.size) if head == "linear" else Total(head == "mean"))
    return nn.Sequential(*layers) if condition is None else ConditionedLayers(condition, *layers)


# -- generator and encoder -------------------------------------------------------------------------------------------


def transposed(
    event: Space,
    latent: Space,
    channels: Sequence[int],
    kernels: PerLayer,
    strides: PerLayer,
    activation: Activation = "leaky-relu",
    slope: float = 0.2,
    condition: ConditionSpace = None,
    net: str = "deconvnet",
) -> list[nn.Module]:
    """Transposed convolutions from a latent vector to an event, with activations between them: see `deconvnet`."""
    last, *grid = _grid(event, net)
    plan = list(zip(*per_layer(net, len(grid), len(channels), kernels=kernels, strides=strides), strict=True))
    shapes: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, tuple[int, ...]]]] = []
    for kernel, stride in reversed(plan):
        before = [-(-n // s) for n, s in zip(grid, stride, strict=True)]
        cut = [(b - 1) * s + k - n for b, s, k, n in zip(before, stride, kernel, grid, strict=True)]
        if any(c < 0 or (c % 2 and s == 1) for c, s in zip(cut, stride, strict=True)):
            raise RecipeError(
                f"{net}: the kernel {list(kernel)} with stride {list(stride)} cannot give {grid} positions; a kernel "
                "must be at least as large as its stride, and odd for stride 1"
            )
        padding = {"padding": tuple((c + 1) // 2 for c in cut)}
        if any(c % 2 for c in cut):
            padding["output_padding"] = tuple(c % 2 for c in cut)
        shapes.append((kernel, stride, padding))
        grid = before
    first: tuple[tuple[int, ...], tuple[int, ...], dict[str, tuple[int, ...]]] = (tuple(grid), (1,) * len(grid), {})
    below = latent.size
    layers: list[nn.Module] = [nn.Flatten(), nn.Unflatten(1, (below, *[1] * len(grid)))]
    for above, (kernel, stride, padding) in zip([*channels, last], [first, *reversed(shapes)], strict=True):
        layers.append(TRANSPOSED[len(grid) - 1](below, above, kernel, stride, **padding))
        layers += [] if condition is None else [ConditionShift(width_of(condition), above)]
        layers.append(activation_of(activation, slope))
        below = above
    return layers[:-1]


def deconvnet(
    event: Space,
    latent: Space,
    channels: tuple[int, ...] = (128, 64, 32),
    kernels: PerLayer = 4,
    strides: PerLayer = 2,
    output: Literal["tanh", "linear"] = "tanh",
    activation: Activation = "leaky-relu",
    slope: float = 0.2,
    sd: float = 0.3,
    condition: ConditionSpace = None,
) -> NormalGenerator:
    """Transposed convolutions from a standard normal latent vector to an event with one to three axes.

    A linear map of z gives ``channels[0]`` features on the coarsest grid. Then each layer multiplies the positions of
    every axis by its stride (rounded so that the last grid is that of the event): ``channels[1:]`` and the channels of
    the event are the outputs of the layers that ``kernels`` and ``strides`` describe, as in `convnet`. The weights
    start from the Xavier normal distribution. ``output`` "tanh" is for events in [-1, 1]. ``sd`` is the standard
    deviation of the observation noise. A condition shifts the features of every layer.
    """
    layers = transposed(event, latent, channels, kernels, strides, activation, slope, condition)
    layers += [nn.Tanh()] if output == "tanh" else []
    net = nn.Sequential(*layers) if condition is None else ConditionedLayers(condition, *layers)
    return NormalGenerator(xavier(net), Gaussian(latent), sd)


def convnet_encoder(
    event: Space,
    latent: Space,
    channels: tuple[int, ...] = (32, 64, 128),
    kernels: PerLayer = 4,
    strides: PerLayer = 2,
    edges: Edges = "zeros",
    activation: Activation = "leaky-relu",
    slope: float = 0.2,
    net: str = "convnet-encoder",
) -> Encoder:
    """The convolutions of `convnet` and a convolution that spans the last grid, to the moments of the latent vector.

    The weights start from the Xavier normal distribution.
    """
    layers, features = convolutions(event, channels, kernels, strides, edges, activation, slope, net=net)
    top, _ = convolutions(features, [2 * latent.size], 0, 1, net=net)
    return Encoder(xavier(nn.Sequential(*layers, top[0], nn.Flatten())), latent)
