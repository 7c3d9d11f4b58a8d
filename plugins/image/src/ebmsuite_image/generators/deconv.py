"""The transposed-convolution generator of latent-space EBMs, and an encoder with the same layers in reverse."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from torch import nn

from ebmsuite.density import Encoder, Gaussian
from ebmsuite.errors import RecipeError
from ebmsuite.generator import NormalGenerator
from ebmsuite.space import Space
from ebmsuite_image.energies.head import picture

__all__ = ["TABLES", "Layers", "Table", "deconv", "encoder"]


class Layer(NamedTuple):
    """A transposed convolution; its output channels are a multiple of the width (0: the channels of the picture)."""

    multiple: int
    kernel: int
    stride: int = 2
    padding: int = 1


Layers: TypeAlias = tuple[Layer, ...]
Table: TypeAlias = Literal["mnist", "svhn", "cifar10", "celeba64", "celeba128"]

TABLES: dict[Table, Layers] = {
    "mnist": (Layer(8, 7, 1, 0), Layer(4, 4), Layer(2, 4), Layer(0, 3, 1)),
    "svhn": (Layer(8, 4, 1, 0), Layer(4, 4), Layer(2, 4), Layer(0, 4)),
    "cifar10": (Layer(8, 8, 1, 0), Layer(4, 4), Layer(2, 4), Layer(0, 3, 1)),
    "celeba64": (Layer(8, 4, 1, 0), Layer(4, 4), Layer(2, 4), Layer(1, 4), Layer(0, 4)),
    "celeba128": (Layer(16, 4, 1, 0), Layer(8, 4), Layer(4, 4), Layer(2, 4), Layer(1, 4), Layer(0, 4)),
}
"""Layers from a latent vector (1x1) to 28x28, 32x32, 32x32, 64x64 and 128x128 (Pang et al., NeurIPS 2020, and code)."""


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
    channels, table = _table(event, layers, "image/deconv")
    net: list[nn.Module] = [nn.Flatten(), nn.Unflatten(1, (latent.size, 1, 1))]
    below = latent.size
    for multiple, kernel, stride, padding in table:
        above = multiple * width or channels
        net += [nn.ConvTranspose2d(below, above, kernel, stride, padding), nn.LeakyReLU(slope)]
        below = above
    return NormalGenerator(_xavier(nn.Sequential(*net[:-1], nn.Tanh())), Gaussian(latent), sd)


def encoder(event: Space, latent: Space, width: int = 64, layers: Table | None = None, slope: float = 0.2) -> Encoder:
    """The encoder q(z | x): the layers of `deconv` in reverse order, as convolutions, give the moments of a Gaussian.

    Use the same settings as for the generator.
    """
    channels, table = _table(event, layers, "image/encoder")
    tops = [2 * latent.size, *(layer.multiple * width for layer in table[:-1])]
    net: list[nn.Module] = []
    below = channels
    for above, (_, kernel, stride, padding) in zip(reversed(tops), reversed(table), strict=True):
        net += [nn.Conv2d(below, above, kernel, stride, padding), nn.LeakyReLU(slope)]
        below = above
    return Encoder(_xavier(nn.Sequential(*net[:-1], nn.Flatten())), latent)


def side(table: Layers) -> int:
    """Side, in pixels, of the square pictures that a table generates."""
    n = 1
    for _, kernel, stride, padding in table:
        n = (n - 1) * stride - 2 * padding + kernel
    return n


def _table(event: Space, layers: Table | None, net: str) -> tuple[int, Layers]:
    channels, height, width = picture(event, net)
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
    return channels, TABLES[layers]


def _xavier(net: nn.Sequential) -> nn.Sequential:
    for module in net:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_normal_(module.weight)
    return net
