"""The spectrally normalised residual net of IGEBM (Du & Mordatch, NeurIPS 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from ebmsuite.energy import NoiseConditional, Tilted, full_precision
from ebmsuite.nets import mlp as nets
from ebmsuite.nets.conditioning import width_of
from ebmsuite.nets.convnet import Conditioned, ConditionedLayers, ConditionScale, Head
from ebmsuite.nets.mlp import Activation
from ebmsuite.space import TIME_EMBEDDING, ConditionSpace, Space
from ebmsuite_image.energies.picture import picture, tilted

__all__ = ["Block", "resnet", "resnet_levels"]


class NormedConv(nn.Module):
    """A 3x3 convolution whose weight matrix [out, channels * 9] has largest singular value 1.

    The estimate of the singular value takes one power iteration per forward pass in train mode, so the energy changes
    slightly from call to call, and none in eval mode. It is computed in full precision, also under autocast.
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


class Block(Conditioned):
    """The residual block act(pool(bypass(h) + scale * conv(act(conv(h))))), with an average pool by 2 if ``down``.

    The bypass is a convolution if the number of channels changes, else the identity. ``scale`` is one learned number
    per channel; it restores the freedom that the spectral norm takes from the second convolution. A condition of
    ``width`` numbers scales and shifts the features inside, before the first activation.
    """

    def __init__(
        self, channels: int, out: int, down: bool, activation: Activation, slope: float, width: int = 0
    ) -> None:
        super().__init__()
        self.inside = nn.Sequential(NormedConv(channels, out), nets.activation(activation, slope), NormedConv(out, out))
        self.scale = nn.Parameter(torch.ones(out, 1, 1))
        self.bypass = nn.Identity() if channels == out else NormedConv(channels, out, bias=False)
        self.modulation = ConditionScale(width, out) if width else None
        self.activation = nets.activation(activation, slope)
        self.down = down

    def forward(self, h: Tensor, numbers: Tensor | None = None) -> Tensor:
        """Map [B, channels, H, W] to [B, out, H, W], with H and W halved if ``down``; ``numbers`` [B, width]."""
        first, *rest = self.inside
        inside = first(h)
        if self.modulation is not None and numbers is not None:
            inside = self.modulation(inside, numbers)
        for layer in rest:
            inside = layer(inside)
        h = self.bypass(h) + self.scale * inside
        out: Tensor = self.activation(F.avg_pool2d(h, 2) if self.down else h)
        return out


class SumPool(nn.Module):
    """Sums ReLU(h) over positions: [B, C, H, W] to [B, C]."""

    def forward(self, h: Tensor) -> Tensor:
        return full_precision(h).relu().sum((2, 3))


def resnet(
    event: Space,
    width: int = 128,
    blocks: tuple[int, ...] = (3, 3, 3),
    slope: float = 0.2,
    activation: Activation = "leaky-relu",
    reference_sd: float | None = None,
    condition: ConditionSpace = None,
) -> Tilted:
    """The ResNet32Large of Du & Mordatch, NeurIPS 2019, for pictures of any size.

    The first layer is a conv3x3 with ``width`` output channels. Stages of residual blocks follow, as many blocks per
    stage as ``blocks`` says, with ``width``, 2 ``width``, 4 ``width``, ... channels; the first block of each stage
    halves the sides. The net ends with ReLU, a sum over positions and a linear map. Spectral normalisation of all
    layers but the last bounds the slope of the energy. There is no batch normalisation.

    The activation of the blocks is that of the authors' code: leaky-relu of slope 0.2, with ReLU only before the sum.
    There is one difference. In their code, the second convolution of a block starts at zero and may have any norm up
    to 1. Here its norm is always 1, and the learned scale after it can reduce its output.

    ``event`` is [C, H, W]. ``reference_sd`` is the sd of a Gaussian reference; None means a uniform reference. A
    condition, such as a class or a noise level, scales and shifts the features inside every block. Raises `RecipeError`
    for other events and for pictures that are too small to be halved once per stage.
    """
    return tilted(_net("image/resnet", event, width, blocks, slope, activation, condition), event, reference_sd)


def resnet_levels(
    event: Space,
    low: float,
    high: float,
    sd: float = 1.0,
    width: int = 128,
    blocks: tuple[int, ...] = (3, 3, 3),
    slope: float = 0.2,
    activation: Activation = "silu",
) -> NoiseConditional:
    """The net of `resnet`, conditioned on the noise level.

    The standard deviation of the noise is from ``low`` to ``high``, and that of the data is ``sd``: see
    `NoiseConditional`. Raises `RecipeError` for levels that are not increasing and positive.
    """
    nets.check_levels("image/resnet-levels", low, high, sd)
    net = _net("image/resnet-levels", event, width, blocks, slope, activation, TIME_EMBEDDING)
    return NoiseConditional(net, low, high, sd)


def _net(
    name: str,
    event: Space,
    width: int,
    blocks: tuple[int, ...],
    slope: float,
    activation: Activation,
    condition: ConditionSpace,
) -> nn.Sequential:
    channels, _, _ = picture(event, name, least=2 ** len(blocks))
    layers: list[nn.Module] = [NormedConv(channels, width), nets.activation(activation, slope)]
    before, numbers = width, width_of(condition)
    for stage, count in enumerate(blocks):
        for block in range(count):
            now = width * 2**stage
            layers.append(Block(before, now, block == 0, activation, slope, numbers))
            before = now
    layers += [SumPool(), Head(before)]
    return nn.Sequential(*layers) if condition is None else ConditionedLayers(condition, *layers)
