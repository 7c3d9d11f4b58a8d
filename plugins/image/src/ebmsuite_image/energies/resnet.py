"""The spectrally normalised residual net of IGEBM."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from ebmsuite.energy import Tilted, full_precision
from ebmsuite.nets import mlp as nets
from ebmsuite.nets.mlp import Activation
from ebmsuite.space import Space
from ebmsuite_image.energies.parts import Head, picture, tilted

__all__ = ["Block", "resnet"]


class NormedConv(nn.Module):
    """A 3x3 convolution whose weight matrix [out, channels * 9] has largest singular value 1.

    The estimate of that value takes one power iteration a forward pass in train mode (so that the energy
    moves a little from call to call) and none in eval mode. It is in full precision under autocast.
    """

    def __init__(self, channels: int, out: int, bias: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 3, 1, 1, bias=bias)
        spectral_norm(self.conv)

    def forward(self, h: Tensor) -> Tensor:
        """[B, channels, H, W] to [B, out, H, W]."""
        with torch.autocast(h.device.type, enabled=False):
            weight = self.conv.weight  # computed on access, from the parameter and the estimate
        return F.conv2d(h, weight, self.conv.bias, padding=1)


class Block(nn.Module):
    """act(pool(bypass(h) + scale * conv(act(conv(h))))), the pool an average by 2 where ``down``.

    The bypass is a convolution where the number of channels changes and the identity where not; ``scale``, a
    number a channel, gives back the freedom that the norm of the second convolution takes.
    """

    def __init__(self, channels: int, out: int, down: bool, activation: Activation, slope: float) -> None:
        super().__init__()
        self.inside = nn.Sequential(NormedConv(channels, out), nets.activation(activation, slope), NormedConv(out, out))
        self.scale = nn.Parameter(torch.ones(out, 1, 1))
        self.bypass = nn.Identity() if channels == out else NormedConv(channels, out, bias=False)
        self.activation = nets.activation(activation, slope)
        self.down = down

    def forward(self, h: Tensor) -> Tensor:
        """[B, channels, H, W] to [B, out, H, W], or half of H and W where ``down``."""
        h = self.bypass(h) + self.scale * self.inside(h)
        out: Tensor = self.activation(F.avg_pool2d(h, 2) if self.down else h)
        return out


class SumPool(nn.Module):
    """Positive parts summed over places: [B, C, H, W] to [B, C]."""

    def forward(self, h: Tensor) -> Tensor:
        return full_precision(h).relu().sum((2, 3))


def resnet(
    event: Space,
    width: int = 128,
    blocks: tuple[int, ...] = (3, 3, 3),
    slope: float = 0.2,
    activation: Activation = "leaky-relu",
    reference_sd: float | None = None,
) -> Tilted:
    """The ResNet32Large of Du & Mordatch, NeurIPS 2019, for pictures of any size.

    conv3x3 to ``width`` channels; stages of ``blocks`` residual blocks, the first of each halving the sides,
    with ``width``, 2 ``width``, 4 ``width``, ... channels; ReLU, a sum over places and a linear map. Spectral
    norm on all but the last map bounds how steep the energy can get; there is no batch norm.

    The blocks' activation is that of the authors' code, leaky-relu of slope 0.2, with ReLU only before the
    sum. One thing differs: in their code the second convolution of a block starts at zero and may have any
    norm up to 1; here it has norm 1 throughout, and the learned scale after it is what can shrink it.

    ``event`` is [C, H, W]; ``reference_sd`` is that of a Gaussian reference, None for the uniform one. Raises
    `RecipeError` for other events and for pictures too small to be halved that often.
    """
    channels, _, _ = picture(event, "image/resnet", least=2 ** len(blocks))
    layers: list[nn.Module] = [NormedConv(channels, width), nets.activation(activation, slope)]
    before = width
    for stage, count in enumerate(blocks):
        for block in range(count):
            now = width * 2**stage
            layers.append(Block(before, now, block == 0, activation, slope))
            before = now
    return tilted(nn.Sequential(*layers, SumPool(), Head(before)), event, reference_sd)
