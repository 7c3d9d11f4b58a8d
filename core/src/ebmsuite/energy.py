"""Energies: whatever can be sampled. Lower is more probable.

Composed energies are energies too: a reference tilted by a net, a weighted sum, one with some coordinates
clamped, the posterior of a latent vector. A sampler never needs to know which it is given.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from ebmsuite.space import time_embedding
from ebmsuite.tree import Tree, per_row

log = logging.getLogger("ebmsuite")

if TYPE_CHECKING:
    pass

__all__ = [
    "Clamped",
    "Energy",
    "JointEnergy",
    "NoiseConditional",
    "Recovery",
    "Sum",
    "Tilted",
    "frozen",
    "full_precision",
    "in_precision",
    "rounding",
    "warn_if_rounded",
]


class Energy(nn.Module):
    """E(x, condition) -> [B], with p(x | condition) proportional to exp(-E).

    ``x`` is [B, *event], ``condition`` a tree with batch-first leaves; rows are independent; the result is
    float32 or float64 whatever precision a net inside computes in.
    """

    component_kind: ClassVar[str] = "energy"
    passes_condition: ClassVar[bool] = False
    """Whether it passes its condition on to a net, which must then have been built for one."""
    noise_conditional: ClassVar[bool] = False
    """Whether it takes the level of noise on its events, as `NoiseConditional` does."""

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        """Energies [B]."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward")

    def scale(self, x: Tensor, condition: Tree = None) -> Tensor | float:
        """A unit of length for every coordinate, broadcast against x. A coordinate of scale 0 does not move."""
        return 1.0


def rounding(energy: Tensor) -> float:
    """The distance between neighbouring floating-point numbers at the largest of |E|: smaller differences are lost."""
    finite = energy[torch.isfinite(energy)]
    return float(finite.abs().max()) * torch.finfo(energy.dtype).eps if len(finite) else 0.0


def warn_if_rounded(energy: Tensor, what: str) -> None:
    """Warn, once per ``what``, when energies [B] are so large that rounding hides how they differ.

    That is when `rounding` is above 0.1 nats and above a hundredth of their standard deviation.
    """
    step = rounding(energy)
    if step > 0.1 and step > 0.01 * float(energy.double().std(correction=0)):
        _warn_once(what, float(energy.abs().max()), str(energy.dtype).removeprefix("torch."), step)


_warned: set[str] = set()


def _warn_once(what: str, size: float, dtype: str, step: float) -> None:
    if what in _warned:
        return
    _warned.add(what)
    log.warning(
        "%s: energies of %.3g in %s are multiples of %.2g, so smaller differences between them are lost; subtract a "
        "constant from the energy, lower its scale, or compute it in float64",
        what, size, dtype, step,
    )  # fmt: skip


def frozen(net: nn.Module, *inputs: Any) -> Tensor:
    """The net's value with its parameters as they are: gradients reach the inputs and no parameter."""
    parameters = {name: p.detach() for name, p in net.named_parameters()}
    value: Tensor = torch.func.functional_call(net, parameters, inputs)
    return value


def in_precision(dtype: torch.dtype | None, x: Tensor) -> AbstractContextManager[None]:
    """Autocast to ``dtype`` on the device of x; nothing when it is None."""
    return nullcontext() if dtype is None else torch.autocast(x.device.type, dtype)


def full_precision(value: Tensor) -> Tensor:
    """float32 at least: energies are compared as differences of large numbers."""
    return value if value.dtype == torch.float64 else value.float()


class Tilted(Energy):
    """E(x) = E_0(x) - f(x): a reference density tilted by a net (Xie et al., ICML 2016, eq. 1).

    ``net(x)`` or ``net(x, condition)`` gives f, [B]; ``reference`` is an energy, most often a `Density`.
    ``autocast`` is the precision that the net, and only the net, computes in; None is that of its weights.
    """

    passes_condition: ClassVar[bool] = True
    autocast: torch.dtype | None = None

    def __init__(self, net: nn.Module, reference: Energy) -> None:
        super().__init__()
        self.net = net
        self.reference = reference

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        with in_precision(self.autocast, x):
            f = self.net(x) if condition is None else self.net(x, condition)
        energy: Tensor = self.reference(x) - full_precision(f)
        return energy


class JointEnergy(Energy):
    """E(x, y) = E_0(x) - f_y(x), the energy of an event and its label (Grathwohl et al., ICLR 2020, eqs. 5 to 7).

    ``net`` gives the logits f [B, C]. Without a label it is the marginal, E(x) = E_0(x) - log sum_y exp f_y(x); given
    labels int64 [B], E(x, y). p(y | x) = softmax f(x), whatever the reference is.
    """

    autocast: torch.dtype | None = None

    def __init__(self, net: nn.Module, reference: Energy) -> None:
        super().__init__()
        self.net, self.reference = net, reference

    def logits(self, x: Tensor) -> Tensor:
        """f(x), [B, C]."""
        with in_precision(self.autocast, x):
            f = self.net(x)
        return full_precision(f)

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        f = self.logits(x)
        of_all = f.logsumexp(1) if condition is None else f.gather(1, condition[:, None]).squeeze(1)
        energy: Tensor = self.reference(x) - of_all
        return energy


class NoiseConditional(Energy):
    """E(x, sigma), of data with noise of N(0, sigma^2 I) on them, for every sigma from ``low`` to ``high``.

        E(x, sigma) = |x|^2 / 2 (s^2 + sigma^2) - s / sigma f(x / (s^2 + sigma^2)^1/2, sigma)

    ``net(x, time)`` gives f, [B]; ``time`` is the `time_embedding` [B, 8] of log sigma, scaled to 0 at ``low`` and 1 at
    ``high``. f = 0 is right for N(0, s^2 I), s being the ``sd`` of the data; what f sees is of unit size at
    every sigma, and so is what its slope must be (the preconditioning of Karras et al., NeurIPS 2022, table 1, made
    that of an energy). One net for all levels, told the level: Song & Ermon, NeurIPS 2019, who have scores.

    The condition is sigma, [B], between the ends (others are strange to the net, and not refused), or None: ``low``, so
    that what draws from it or judges by it without a word of noise has the sharpest energy that there is.
    """

    passes_condition: ClassVar[bool] = True
    noise_conditional: ClassVar[bool] = True
    autocast: torch.dtype | None = None

    def __init__(self, net: nn.Module, low: float, high: float, sd: float = 1.0) -> None:
        super().__init__()
        self.net, self.low, self.high, self.sd = net, low, high, sd

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        sigma = x.new_full((len(x),), self.low) if condition is None else condition
        place = (sigma / self.low).log() / math.log(self.high / self.low)
        variance = self.sd**2 + sigma.square()
        with in_precision(self.autocast, x):
            f = self.net(x * per_row(variance.rsqrt(), x), time_embedding(place).to(x.dtype))
        energy: Tensor = x.flatten(1).square().sum(1) / (2 * variance) - self.sd / sigma * full_precision(f)
        return energy

    def scale(self, x: Tensor, condition: Tree = None) -> Tensor | float:
        """sigma / low: one step size suits all levels, as it does with the published steps ~ sigma^2."""
        if condition is None:
            return 1.0
        sigma: Tensor = condition
        return per_row(sigma / self.low, x)


class Sum(Energy):
    """Weighted product of experts: E(x) = sum_i w_i E_i(x). All see the same condition."""

    def __init__(self, energies: Sequence[Energy], weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.energies = nn.ModuleList(energies)
        self.weights = tuple(weights) if weights is not None else (1.0,) * len(energies)
        if len(self.weights) != len(energies):
            raise ValueError(f"{len(energies)} energies need as many weights, got {len(self.weights)}")

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        parts = [w * e(x, condition) for w, e in zip(self.weights, self.energies, strict=True)]
        return torch.stack(parts).sum(0)


class Clamped(Energy):
    """The conditional of some coordinates given the others.

    The condition is ``(values, known, inner)``: ``values`` and the boolean ``known`` are like x, ``inner`` is
    the condition of the energy inside. Known coordinates have scale 0, so every sampler leaves them alone.
    """

    def __init__(self, energy: Energy) -> None:
        super().__init__()
        self.energy = energy

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        values, known, inner = condition
        energy: Tensor = self.energy(torch.where(known, values, x), inner)
        return energy

    def scale(self, x: Tensor, condition: Tree = None) -> Tensor:
        _, known, inner = condition
        scale: Tensor = self.energy.scale(x, inner) * (~known).to(x.dtype)
        return scale

    @staticmethod
    def place(x: Tensor, condition: Tree) -> Tensor:
        """x with the known coordinates set: where a chain on this energy starts."""
        values, known, _ = condition
        return torch.where(known, values, x)


class Recovery(Energy):
    """E(y) = E_theta(y, given) / b^2 + w |y - x'|^2 / 2: a less noisy event given a noisier one, x'.

    The condition is ``(x', w, b, given)``, w and b [B] (Gao et al., ICLR 2021, eq. 6, with w = 1 / sigma^2, or 0 for no
    tether). b is the unit of length, which turns with the level: a step moves by it and no more.
    """

    def __init__(self, energy: Energy) -> None:
        super().__init__()
        self.energy = energy

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        noisy, weight, unit, given = condition
        value: Tensor = self.energy(x, given) / unit.square() + weight * (x - noisy).square().flatten(1).sum(1) / 2
        return value

    def scale(self, x: Tensor, condition: Tree = None) -> Tensor:
        unit: Tensor = condition[2]
        return per_row(unit, x)
