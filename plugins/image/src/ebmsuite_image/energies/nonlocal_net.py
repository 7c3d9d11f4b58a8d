"""The non-local net used for convergent learning."""

from __future__ import annotations

from torch import Tensor, nn

from ebmsuite.energy import Tilted
from ebmsuite.nets import mlp as nets
from ebmsuite.nets.convnet import Head
from ebmsuite.nets.mlp import Activation
from ebmsuite.space import Space
from ebmsuite_image.energies.picture import picture, tilted

__all__ = ["NonLocal", "nonlocal_net"]


class NonLocal(nn.Module):
    """Attention among the positions of a feature map: h + W y, y_i = sum_j softmax_j(theta_i . phi_j) g_j.

    This is the embedded Gaussian of Wang et al., CVPR 2018, section 3.2, without scaling, with half the channels
    inside the block. Keys phi and values g are max-pooled by 2, so H W queries attend to H W / 4 keys. W starts at
    zero, so the block is initially the identity. The code uses plain matrix products, because fused attention kernels
    have no second derivative.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 2)
        self.query = nn.Conv2d(channels, inner, 1)
        self.key = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.MaxPool2d(2))
        self.value = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.MaxPool2d(2))
        self.out = nn.Conv2d(inner, channels, 1)
        nn.init.zeros_(self.out.weight)
        assert self.out.bias is not None
        nn.init.zeros_(self.out.bias)

    def forward(self, h: Tensor) -> Tensor:
        """Map [B, channels, H, W] to the same shape; H, W >= 2."""
        # each [B, inner, positions]
        query, key, value = (m(h).flatten(2) for m in (self.query, self.key, self.value))
        attention = (query.transpose(1, 2) @ key).softmax(-1)
        y = (value @ attention.transpose(1, 2)).unflatten(2, h.shape[2:])
        mixed: Tensor = self.out(y)
        return h + mixed


def nonlocal_net(
    event: Space,
    width: int = 32,
    slope: float = 0.05,
    activation: Activation = "leaky-relu",
    reference_sd: float | None = None,
) -> Tilted:
    """The non-local net of Nijkamp et al., AAAI 2020, which they train with convergent chains.

    The net has three stages with ``width``, 2 ``width`` and 4 ``width`` channels. Each is a conv3x3, an activation and
    a max-pool by 2; a `NonLocal` block follows the first and the second stage. Then comes a hidden layer of 8 ``width``
    units. Pictures must be at least 8x8 (32x32 ends at 4x4, 28x28 at 3x3).

    ``event`` is [C, H, W]. ``slope`` is the negative slope of leaky-relu. ``reference_sd`` is the sd of a Gaussian
    reference; None means a uniform reference. Raises `RecipeError` for other events.
    """
    channels, high, wide = picture(event, "image/nonlocal", least=8)
    layers: list[nn.Module] = []
    for out, attends in ((width, True), (2 * width, True), (4 * width, False)):
        layers += [nn.Conv2d(channels, out, 3, 1, 1), nets.activation(activation, slope), nn.MaxPool2d(2)]
        layers += [NonLocal(out)] if attends else []
        channels, high, wide = out, high // 2, wide // 2
    layers += [nn.Flatten(), nn.Linear(channels * high * wide, 8 * width), nets.activation(activation, slope)]
    return tilted(nn.Sequential(*layers, Head(8 * width)), event, reference_sd)
