"""The transposed-convolution generator of latent-space EBMs, and an encoder with the same layers in reverse."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, TypeAlias

from ebmsuite.density import Encoder
from ebmsuite.errors import RecipeError
from ebmsuite.generator import NormalGenerator
from ebmsuite.nets.convnet import convnet_encoder, deconvnet
from ebmsuite.space import Space
from ebmsuite_image.energies.picture import picture

__all__ = ["TABLES", "Layers", "Table", "deconv", "encoder"]


class Layer(NamedTuple):
    """A transposed convolution; its output channels are a multiple of the width (0: the channels of the picture)."""

    multiple: int
    kernel: int
    stride: int = 2


Layers: TypeAlias = tuple[Layer, ...]
Table: TypeAlias = Literal["mnist", "svhn", "cifar10", "celeba64", "celeba128"]

TABLES: dict[Table, Layers] = {
    "mnist": (Layer(8, 7, 1), Layer(4, 4), Layer(2, 4), Layer(0, 3, 1)),
    "svhn": (Layer(8, 4, 1), Layer(4, 4), Layer(2, 4), Layer(0, 4)),
    "cifar10": (Layer(8, 8, 1), Layer(4, 4), Layer(2, 4), Layer(0, 3, 1)),
    "celeba64": (Layer(8, 4, 1), Layer(4, 4), Layer(2, 4), Layer(1, 4), Layer(0, 4)),
    "celeba128": (Layer(16, 4, 1), Layer(8, 4), Layer(4, 4), Layer(2, 4), Layer(1, 4), Layer(0, 4)),
}
"""Layers from a latent vector (1x1) to 28x28, 32x32, 32x32, 64x64 and 128x128 (Pang et al., NeurIPS 2020, and code).

The kernel of the first layer is the side of the first grid; the side then grows by the strides.
"""


def deconv(
    event: Space,
    latent: Space,
    width: int = 64,
    layers: Table | None = None,
    sd: float = 0.3,
    slope: float = 0.2,
) -> NormalGenerator:
    """The generator of Pang et al., NeurIPS 2020: transposed convolutions with leaky ReLU between and tanh at the end.

    ``layers`` names a table of `TABLES`; None selects the first table for the size of the event ([C, H, W], in
    [-1, 1]). The widest layer has 8 times ``width`` channels (16 times for 128x128). ``slope`` is the negative slope of
    leaky ReLU, ``sd`` the sd of the observation noise. Weights start from the Xavier normal distribution. There are no
    normalisation layers.

    Errors: `RecipeError` when no table has the event's size.
    """
    table = _table(event, layers, "image/deconv")
    channels = tuple(layer.multiple * width for layer in table[:-1])
    kernels, strides = (tuple(n) for n in zip(*((layer.kernel, layer.stride) for layer in table[1:]), strict=True))
    return deconvnet(event, latent, channels, kernels, strides, slope=slope, sd=sd)


def encoder(event: Space, latent: Space, width: int = 64, layers: Table | None = None, slope: float = 0.2) -> Encoder:
    """The encoder q(z | x): the layers of `deconv` in reverse order, as convolutions, give the moments of a Gaussian.

    Use the same settings as for the generator.
    """
    table = _table(event, layers, "image/encoder")[::-1]
    channels = tuple(layer.multiple * width for layer in table[1:])
    kernels, strides = (tuple(n) for n in zip(*((layer.kernel, layer.stride) for layer in table[:-1]), strict=True))
    return convnet_encoder(event, latent, channels, kernels, strides, slope=slope, net="image/encoder")


def side(table: Layers) -> int:
    """Side, in pixels, of the square pictures that a table generates."""
    return table[0].kernel * math.prod(layer.stride for layer in table)


def _table(event: Space, layers: Table | None, net: str) -> Layers:
    _, height, width = picture(event, net)
    if layers is None:
        found = next((name for name, table in TABLES.items() if (side(table),) * 2 == (height, width)), None)
        if found is None:
            sizes = ", ".join(str(n) for n in sorted({side(table) for table in TABLES.values()}))
            raise RecipeError(
                f"{net} is for square pictures of {sizes} pixels, not {height}x{width}: set the data's size"
            )
        layers = found
    made = side(TABLES[layers])
    if (made, made) != (height, width):
        raise RecipeError(f"{net}: layers {layers} are for pictures of {made}x{made}, the data's are {height}x{width}")
    return TABLES[layers]
