"""The plain convolutional net of short-run MCMC, as an energy and as a joint energy with class labels."""

from __future__ import annotations

from torch import nn

from ebmsuite.energy import JointEnergy, NoiseConditional, Tilted
from ebmsuite.nets import mlp as nets
from ebmsuite.nets.convnet import ConditionedLayers, Head, convolutions
from ebmsuite.nets.mlp import Activation
from ebmsuite.space import TIME_EMBEDDING, ConditionSpace, Space
from ebmsuite_image.energies.picture import picture, tilted

__all__ = ["convnet", "convnet_classes", "convnet_levels"]


def convnet(
    event: Space,
    width: int = 64,
    slope: float = 0.2,
    activation: Activation = "leaky-relu",
    reference_sd: float | None = None,
    condition: ConditionSpace = None,
) -> Tilted:
    """The convolutional net of Nijkamp et al., NeurIPS 2019, for pictures of any size.

    The first layer is a conv3x3 with ``width`` output channels. Then conv4x4 layers of stride 2 double the channels
    until no side exceeds 4 (three layers for 32x32 and 28x28, four for 64x64). The last layer is a linear map of the
    flattened features, which equals the authors' last conv4x4. For 3x32x32 the net has 0.69M parameters at width 32,
    2.76M at 64, and 11.0M at 128 (the paper's for CIFAR-10). The "vanilla" net of Nijkamp et al., AAAI 2020 is
    ``width=32, slope=0.05``.

    ``event`` is [C, H, W]. ``slope`` is the negative slope of leaky-relu. ``reference_sd`` is the sd of a Gaussian
    reference; None means a uniform reference. A condition, such as a class or a noise level, scales and shifts the
    features of every layer (`ebmsuite.nets.convnet.ConditionScale`). Raises `RecipeError` for other events.
    """
    return tilted(_net("image/convnet", event, width, slope, activation, condition), event, reference_sd)


def convnet_levels(
    event: Space,
    low: float,
    high: float,
    sd: float = 1.0,
    width: int = 64,
    slope: float = 0.2,
    activation: Activation = "silu",
) -> NoiseConditional:
    """The net of `convnet`, conditioned on the noise level.

    The standard deviation of the noise is from ``low`` to ``high``, and that of the data is ``sd``: see
    `NoiseConditional`. Raises `RecipeError` for levels that are not increasing and positive.
    """
    nets.check_levels("image/convnet-levels", low, high, sd)
    net = _net("image/convnet-levels", event, width, slope, activation, TIME_EMBEDDING)
    return NoiseConditional(net, low, high, sd)


def convnet_classes(
    event: Space,
    condition: ConditionSpace,
    width: int = 64,
    slope: float = 0.2,
    activation: Activation = "silu",
    reference_sd: float | None = None,
) -> JointEnergy:
    """The net of `convnet` with one logit per class, as a `JointEnergy`; its activation is smooth by default."""
    labels = nets.labels_of(condition, "image/convnet-classes")
    net = _net("image/convnet-classes", event, width, slope, activation, None, labels)
    return JointEnergy(net, nets.reference(event, reference_sd))


def _net(
    name: str,
    event: Space,
    width: int,
    slope: float,
    activation: Activation,
    condition: ConditionSpace,
    outputs: int | None = None,
) -> nn.Sequential:
    _, *sides = picture(event, name)
    channels = [width]
    while max(sides) > 4:
        picture(Space((width, *sides)), f"{name}, at every stage,", least=2)
        channels, sides = [*channels, 2 * channels[-1]], [side // 2 for side in sides]
    halving = len(channels) - 1
    kernels, strides = (3, *[4] * halving), (1, *[2] * halving)
    layers, features = convolutions(
        event, channels, kernels, strides, "zeros", activation, slope, condition=condition, net=name, modulation="scale"
    )
    layers.append(Head(features.size, outputs))
    return nn.Sequential(*layers) if condition is None else ConditionedLayers(condition, *layers)
