"""One-dimensional signals: stationary Gaussian processes on a circle, each with a band of frequencies."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ebmsuite.errors import RecipeError
from ebmsuite.space import Space
from ebmsuite.tree import Tree
from ebmsuite_toy.densities.base import Labelled, positive, single

__all__ = ["Signals"]


class Signals(Labelled):
    """Signals [1, length], each with one of the ``wavelengths`` (in samples), which is its class.

    The spectrum of class c is a Gaussian bump at frequency length / wavelength with an sd of ``width`` frequencies,
    plus white noise of sd ``floor``; the variance of a signal is 1. Covariances are circulant, so log-densities are
    exact sums over frequencies.
    """

    spectra: Tensor

    def __init__(
        self,
        length: int = 64,
        wavelengths: tuple[float, ...] = (32.0, 8.0),
        width: float = 1.0,
        floor: float = 0.2,
        event: Space | None = None,
    ) -> None:
        super().__init__()
        positive(width=width, floor=floor)
        if length < 4 or length % 2:
            raise RecipeError(f"length: must be even and at least 4 samples, got {length}")
        if not wavelengths or min(wavelengths) < 2:
            raise RecipeError(f"wavelengths: must be at least 2 samples, got {list(wavelengths)}")
        self.event, self.length = Space((1, length)), length
        if event is not None and event.shape != self.event.shape:
            raise RecipeError(f"this density is for signals [1, {length}], but the events are {list(event.shape)}")
        frequency = torch.arange(length // 2 + 1, dtype=torch.float64)
        centre = length / torch.tensor(wavelengths, dtype=torch.float64)
        bump = torch.exp(-(frequency - centre[:, None]).square() / (2 * width**2))
        # frequencies between 0 and the highest count twice: each has a real and an imaginary part
        twice = torch.full_like(frequency, 2.0)
        twice[0] = twice[-1] = 1.0
        bump = bump * (1 - floor**2) * length / (bump * twice).sum(1, keepdim=True)
        self.register_buffer("spectra", bump + floor**2, persistent=False)
        self.register_buffer("twice", twice, persistent=False)

    @property
    def classes(self) -> int:
        return len(self.spectra)

    def given(self, label: int) -> Signals:
        one = Signals(self.length)
        one.spectra = self.spectra[label : label + 1]
        return one

    def draw(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        which = torch.randint(self.classes, (n,), generator=rng, device=rng.device)
        noise = torch.randn((n, self.length), generator=rng, device=rng.device, dtype=torch.float64)
        coloured = torch.fft.rfft(noise, norm="ortho") * self.spectra.to(rng.device)[which].sqrt()
        return single(torch.fft.irfft(coloured, n=self.length, norm="ortho"))[:, None], which

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        power = torch.fft.rfft(x[:, 0], norm="ortho").abs().square()[:, None]
        spectra, twice = self.spectra.to(x), self.get_buffer("twice").to(x)
        each = -(twice * (power / spectra + spectra.log())).sum(2) / 2 - self.length * math.log(2 * math.pi) / 2
        total: Tensor = each.logsumexp(1)
        return total - math.log(self.classes)
