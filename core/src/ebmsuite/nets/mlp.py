"""Small nets for several domains: multilayer perceptrons, patch scores, and the Gaussian as an exponential family."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ebmsuite.density import Density, Encoder, Gaussian, Uniform, event_sum
from ebmsuite.energy import Energy, JointEnergy, NoiseConditional, Tilted
from ebmsuite.errors import RecipeError
from ebmsuite.generator import NormalGenerator
from ebmsuite.nets.conditioning import SideBySide, width_of
from ebmsuite.space import TIME_EMBEDDING, ConditionSpace, Space
from ebmsuite.tree import Tree

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Constant",
    "Quadratic",
    "activation",
    "check_levels",
    "labels_of",
    "mlp",
    "mlp_classes",
    "mlp_encoder",
    "mlp_energy",
    "mlp_generator",
    "mlp_levels",
    "patches",
    "reference",
]

Activation = Literal["leaky-relu", "relu", "silu", "gelu", "elu"]
ACTIVATIONS = {"relu": nn.ReLU, "silu": nn.SiLU, "gelu": nn.GELU, "elu": nn.ELU}


def activation(name: Activation, slope: float = 0.2) -> nn.Module:
    """A new activation module; ``slope`` is the negative slope of leaky-relu."""
    return nn.LeakyReLU(slope) if name == "leaky-relu" else ACTIVATIONS[name]()


def mlp(sizes: list[int], name: Activation = "silu", slope: float = 0.2) -> nn.Sequential:
    """Linear layers of these sizes with activations between them."""
    return _with_activations([nn.Linear(low, high) for low, high in pairwise(sizes)], name, slope)


def _with_activations(layers: list[nn.Module], name: Activation, slope: float = 0.2) -> nn.Sequential:
    each = [part for layer in layers for part in (layer, activation(name, slope))]
    return nn.Sequential(*each[:-1])


def reference(event: Space, sd: float | None, sums: torch.dtype | None = None) -> Density:
    """The two reference densities of the papers: Gaussian with this sd, or uniform if ``sd`` is None.

    ``sums`` is the precision in which the Gaussian sums over coordinates: see `Gaussian`.
    """
    if sd is None:
        return Uniform(event)
    gaussian = Gaussian(event, sd=sd)
    gaussian.sums = sums
    return gaussian


def mlp_energy(
    event: Space,
    width: int = 128,
    depth: int = 3,
    activation: Activation = "silu",
    reference_sd: float | None = None,
    slope: float = 0.2,
    spectral_norm: bool = False,
    conditional: bool = True,
    condition: ConditionSpace = None,
) -> Tilted:
    """An MLP on the flattened event, concatenated with its condition: ``depth`` hidden layers of ``width`` units.

    Without ``conditional`` it ignores the condition. ``slope`` is the negative slope of leaky-relu. ``spectral_norm``
    keeps the largest singular value of every layer at 1 (Miyato et al., ICLR 2018).
    """
    given = condition if conditional else None
    layers = mlp([event.size + width_of(given), *[width] * depth, 1], activation, slope)
    if spectral_norm:
        for layer in layers:
            if isinstance(layer, nn.Linear):
                nn.utils.parametrizations.spectral_norm(layer)
    net = nn.Sequential(nn.Flatten(), layers, nn.Flatten(start_dim=0))
    return Tilted(net if given is None else SideBySide(net, given), reference(event, reference_sd), conditional)


def labels_of(condition: ConditionSpace, net: str) -> int:
    """Number of labels of the data. Raises `RecipeError` if they have none."""
    if not (isinstance(condition, Space) and condition.kind == "label" and condition.classes):
        raise RecipeError(f"{net}: this is an energy of events and labels, but these data have no labels")
    return condition.classes


def mlp_classes(
    event: Space,
    condition: ConditionSpace,
    width: int = 128,
    depth: int = 3,
    activation: Activation = "silu",
    reference_sd: float | None = None,
) -> JointEnergy:
    """An MLP with one output per class, whose logits define a classifier and an energy: see `JointEnergy`."""
    layers = mlp([event.size, *[width] * depth, labels_of(condition, "mlp-classes")], activation)
    return JointEnergy(nn.Sequential(nn.Flatten(), layers), reference(event, reference_sd))


def check_levels(net: str, low: float, high: float, sd: float) -> None:
    """Raise `RecipeError` if these are not the noise levels and the standard deviation of a `NoiseConditional`."""
    if not 0 < low < high:
        raise RecipeError(f"{net}.low: noise levels need 0 < low < high, got low={low:g} and high={high:g}")
    if sd <= 0:
        raise RecipeError(f"{net}.sd: the standard deviation of the data must be above 0, got {sd:g}")


def mlp_levels(
    event: Space,
    low: float,
    high: float,
    width: int = 128,
    depth: int = 3,
    activation: Activation = "silu",
    sd: float = 1.0,
) -> NoiseConditional:
    """A noise-conditional MLP for noise levels from ``low`` to ``high``: see `NoiseConditional`."""
    check_levels("mlp-levels", low, high, sd)
    layers = mlp([event.size + TIME_EMBEDDING.size, *[width] * depth, 1], activation)
    return NoiseConditional(SideBySide(nn.Sequential(layers, nn.Flatten(start_dim=0)), TIME_EMBEDDING), low, high, sd)


def mlp_generator(
    event: Space,
    latent: Space,
    width: int = 128,
    depth: int = 2,
    activation: Activation = "silu",
    sd: float = 0.3,
    condition: ConditionSpace = None,
) -> NormalGenerator:
    """An MLP from a standard normal latent vector, concatenated with the condition, to the event.

    ``sd`` is the standard deviation of the observation noise.
    """
    sizes = [latent.size + width_of(condition), *[width] * depth, event.size]
    net = nn.Sequential(mlp(sizes, activation), nn.Unflatten(1, event.fixed))
    return NormalGenerator(net if condition is None else SideBySide(net, condition), Gaussian(latent), sd)


def mlp_encoder(
    event: Space,
    latent: Space,
    width: int = 128,
    depth: int = 2,
    activation: Activation = "silu",
    conditional: bool = False,
    condition: ConditionSpace = None,
) -> Encoder:
    """An MLP from the event to a normal distribution of the latent vector.

    With ``conditional`` it also gets the condition: q(z | x, c) instead of q(z | x).
    """
    if conditional and condition is None:
        raise RecipeError("mlp-encoder.conditional: there is no condition to give to this encoder; remove it")
    given = condition if conditional else None
    layers = mlp([event.size + width_of(given), *[width] * depth, 2 * latent.size], activation)
    return Encoder(
        SideBySide(layers, given) if conditional else nn.Sequential(nn.Flatten(), layers), latent, conditional
    )


class PatchScores(nn.Module):
    """The sum of ``layers`` over all windows, [B, C, *positions] -> [B]; each edge is padded with ``reach`` zeros."""

    def __init__(self, layers: nn.Module, reach: int) -> None:
        super().__init__()
        self.layers, self.reach = layers, reach

    def forward(self, x: Tensor) -> Tensor:
        around = [self.reach] * (2 * (x.dim() - 2))
        scores: Tensor = self.layers(nn.functional.pad(x, around))
        return scores.flatten(1).sum(1)


def patches(
    event: Space,
    width: int | None = None,
    depth: int = 5,
    activation: Activation = "elu",
    reference_sd: float | None = None,
    spectral_norm: bool = True,
) -> Tilted:
    """The sum of the scores of all windows of 2 ``depth`` + 1 positions along every axis (Zheng, Xie, Li, CVPR 2021).

    A window is scored by ``depth`` convolutions over 3 positions. The first has ``width`` channels, the others half as
    many (None, as published: 64 for events of fewer than 64 positions, otherwise 128). With ``spectral_norm``, all but
    the last have a largest singular value of 1, and all weights are initialised from N(0, 0.005^2); without it, they
    have the default initialisation of torch. Events are [channels, *positions] with one to three axes.
    """
    channels, *positions = event.fixed
    if not 1 <= len(positions) <= 3:
        raise RecipeError(f"patches: events must be [channels, 1 to 3 axes of positions], got {list(event.shape)}")
    if depth < 2 or (width is not None and width < 2):
        raise RecipeError(f"patches: depth and width must be at least 2, got {depth} and {width}")
    convolution: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[len(positions) - 1]
    first = width or (64 if max(positions) < 64 else 128)
    layers = [convolution(low, high, 3) for low, high in pairwise([channels, first, *[first // 2] * (depth - 2), 1])]
    if spectral_norm:
        for layer in layers:
            nn.init.normal_(layer.weight, 0.0, 0.005)
            nn.init.zeros_(layer.bias)
        layers[:-1] = map(nn.utils.parametrizations.spectral_norm, layers[:-1])
    scores = PatchScores(_with_activations(layers, activation), depth)
    return Tilted(scores, reference(event, reference_sd))


class Constant(Energy):
    """E(x) = c for every x: a learned logarithm of a normalising constant."""

    def __init__(self, value: float = 0.0) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        return self.value + x.new_zeros(x.shape[0])


class Quadratic(Energy):
    """E(x) = sum_i a_i x_i + b_i x_i^2 with b > 0: the Gaussian as an exponential family.

    Its maximum-likelihood gradient is the difference of the statistics x and x^2 between data and model. It has a known
    solution to test learning against: mean -a / 2b, variance 1 / 2b.
    """

    def __init__(self, event: Space) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.zeros(event.fixed))
        self.log_b = nn.Parameter(torch.full(event.fixed, 0.5).log())

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        return event_sum(self.a * x + self.log_b.exp() * x.square())
