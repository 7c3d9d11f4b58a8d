"""Densities: normalised energies with direct sampling. References, noise, flows and encoders are densities."""

from __future__ import annotations

import math
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ebmsuite.energy import Energy, full_precision, in_precision
from ebmsuite.space import Batch, Space
from ebmsuite.tree import Tree, flatten

__all__ = [
    "Categorical",
    "Density",
    "Diagonal",
    "Encoder",
    "Fitted",
    "Gaussian",
    "Uniform",
    "event_sum",
    "normal_log_prob",
]


def event_sum(x: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Sum over all dimensions except the batch, [B], computed in ``dtype`` (default: that of x)."""
    return x.flatten(1).sum(1, dtype=dtype)


def normal_log_prob(x: Tensor, mean: Tensor, log_sd: Tensor) -> Tensor:
    """log N(x; mean, diag(sd^2)) [B]. ``mean`` and ``log_sd`` broadcast against x."""
    return -event_sum(((x - mean) / log_sd.exp()).square() / 2 + log_sd + math.log(2 * math.pi) / 2)


class Density(Energy):
    """An energy with a known normalising constant and independent draws.

    ``forward`` may leave out constants; ``log_prob`` does not.
    """

    component_kind: ClassVar[str] = "density"
    conditional: bool = False
    """For an encoder: whether it infers z from the pair (event, condition), q(z | x, c), instead of the event alone."""

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        return -self.log_prob(x, condition)

    def sees(self, batch: Batch) -> Tree:
        """The input of an encoder for a batch: its view or events, paired with its condition if ``conditional``."""
        return (batch.encoder_input, batch.condition) if self.conditional else batch.encoder_input

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        """``n`` independent draws, [n, *event], on the device of ``rng``."""
        raise NotImplementedError(f"{type(self).__name__} defines no sample")

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        """Normalised log-density [B]."""
        raise NotImplementedError(f"{type(self).__name__} defines no log_prob")


@runtime_checkable
class Fitted(Protocol):
    """A density that can be fitted to events directly, without gradients."""

    def fit(self, x: Tensor) -> None:
        """Set the density to the one that describes events x [N, *event] best."""
        ...


class Gaussian(Density):
    """N(mean, sd^2 I). As a reference its energy is |x - mean|^2 / (2 sd^2).

    ``sums`` is the precision of the sum over coordinates (None: that of x). Energies of 5e8, of pictures or clips on
    the scale 0 to 255, have a resolution of 32 in float32; with float64 they keep their differences.
    """

    sums: torch.dtype | None = None

    def __init__(self, event: Space, mean: float = 0.0, sd: float = 1.0) -> None:
        super().__init__()
        if sd <= 0:
            raise ValueError(f"a Gaussian needs sd > 0, got {sd}")
        self.event, self.mean, self.sd = event, mean, sd

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        return event_sum(((x - self.mean) / self.sd).square(), self.sums) / 2

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        noise = torch.randn((n, *self.event.fixed), generator=rng, device=rng.device)
        return self.mean + self.sd * noise

    def divergence(self, mean: Tensor, log_sd: Tensor) -> Tensor:
        """KL(N(mean, diag(sd^2)) || this) in nats per coordinate, like ``mean``."""
        shift, log_ratio = (mean - self.mean) / self.sd, log_sd - math.log(self.sd)
        return (shift.square() + (2 * log_ratio).exp() - 1) / 2 - log_ratio

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        size = x[0].numel()
        energy: Tensor = self(x)
        return -energy - size * (math.log(self.sd) + math.log(2 * math.pi) / 2)


class Uniform(Density):
    """Uniform on [low, high] in every coordinate.

    As a reference its energy is 0 everywhere: in the papers, chains may leave the interval (Nijkamp et al., 2019).
    ``log_prob`` is -inf outside the interval.
    """

    def __init__(self, event: Space, low: float = -1.0, high: float = 1.0) -> None:
        super().__init__()
        if low >= high:
            raise ValueError(f"Uniform needs low < high, got {low} and {high}")
        self.event, self.low, self.high = event, low, high

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        return x.new_zeros(x.shape[0])

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        noise = torch.rand((n, *self.event.fixed), generator=rng, device=rng.device)
        return self.low + (self.high - self.low) * noise

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        inside = ((x >= self.low) & (x <= self.high)).flatten(1).all(1)
        log_volume = x[0].numel() * math.log(self.high - self.low)
        return torch.where(inside, -log_volume, -math.inf).to(x.dtype)


class Diagonal(Density):
    """N(mean, diag(sd^2)) with a learned mean and standard deviation per coordinate: the simplest learned density."""

    def __init__(self, event: Space) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(event.fixed))
        self.log_sd = nn.Parameter(torch.zeros(event.fixed))

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        noise = torch.randn((n, *self.mean.shape), generator=rng, device=rng.device)
        return self.mean + self.log_sd.exp() * noise

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        return normal_log_prob(x, self.mean, self.log_sd)


class Encoder(Density):
    """q(z | x) = N(mean(x), sd(x)^2): amortised inference (Kingma & Welling, ICLR 2014).

    ``net`` maps the encoder input, which is the condition here, to means and log standard deviations [B, 2 * latent].
    Draws are differentiable in its parameters. With ``conditional`` the input is the pair (x, c) and the net gets both.
    """

    autocast: torch.dtype | None = None

    def __init__(self, net: nn.Module, latent: Space, conditional: bool = False) -> None:
        super().__init__()
        self.net, self.latent, self.conditional = net, latent, conditional

    def moments(self, condition: Tree) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the standard deviation, [B, *latent] each."""
        leaf = next(iter(flatten(condition).values()))
        with in_precision(self.autocast, leaf):
            value = self.net(*condition) if self.conditional else self.net(condition)
            mean, log_sd = full_precision(value).chunk(2, 1)
        shape = (-1, *self.latent.fixed)
        return mean.reshape(shape), log_sd.clamp(-7.0, 3.0).reshape(shape)

    def draw(self, rng: torch.Generator, condition: Tree) -> tuple[Tensor, Tensor, Tensor]:
        """One draw per row of the input, with the mean and the logarithm of the standard deviation it is drawn from."""
        mean, log_sd = self.moments(condition)
        noise = torch.randn(mean.shape, generator=rng, device=mean.device, dtype=mean.dtype)
        return mean + log_sd.exp() * noise, mean, log_sd

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.draw(rng, condition)[0]

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        mean, log_sd = self.moments(condition)
        return normal_log_prob(x, mean, log_sd)


class Categorical(Density):
    """Uniform over the categories at each site of a one-hot event [*sites, C].

    As a reference its energy is 0 everywhere.
    """

    def __init__(self, event: Space) -> None:
        super().__init__()
        if event.kind != "one-hot":
            raise ValueError(f"Categorical is for one-hot events, got {event.kind} events")
        self.event = event

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        return x.new_zeros(x.shape[0])

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        *sites, categories = self.event.fixed
        drawn = torch.randint(categories, (n, *sites), generator=rng, device=rng.device)
        return torch.eye(categories, device=rng.device)[drawn]

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        sites = x[0, ..., 0].numel()
        return x.new_full((x.shape[0],), -sites * math.log(x.shape[-1]))
