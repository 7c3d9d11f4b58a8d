"""Energies: functions that samplers draw from. A lower energy means a higher probability.

A composed energy is an energy too: a reference density tilted by a net, a weighted sum, an energy with some
coordinates clamped, the posterior of a latent vector. A sampler does not need to know which kind it gets.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ebmsuite.constraint import LinearConstraint
from ebmsuite.errors import RecipeError, UserError
from ebmsuite.space import ConditionSpace, Space, time_embedding
from ebmsuite.tree import Tree, per_row

log = logging.getLogger("ebmsuite")

__all__ = [
    "Clamped",
    "Energy",
    "JointEnergy",
    "NoiseConditional",
    "Projected",
    "Recovery",
    "Sum",
    "Tilted",
    "clamped",
    "frozen",
    "full_precision",
    "in_precision",
    "projected",
    "rounding",
    "warn_if_rounded",
]


class Energy(nn.Module):
    """E(x, condition) -> [B], with p(x | condition) proportional to exp(-E).

    ``x`` is [B, *event] and ``condition`` is a tree with batch-first leaves. Rows are independent. The result is
    float32 or float64, whatever precision a net inside uses.
    """

    component_kind: ClassVar[str] = "energy"
    passes_condition: ClassVar[bool] = False
    """Whether it passes its condition on to a net. The net must then have been built for a condition."""
    sees_known: ClassVar[bool] = False
    """Whether a clamped energy gives it its whole condition, so that it sees which coordinates are known."""
    noise_conditional: ClassVar[bool] = False
    """Whether it takes the noise level of its events as the condition, as `NoiseConditional` does."""

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        """Energies [B]."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward")

    def scale(self, x: Tensor, condition: Tree = None) -> Tensor | float:
        """The unit of length of each coordinate, broadcast against x. A coordinate of scale 0 does not move."""
        return 1.0

    def place(self, x: Tensor, condition: Tree = None) -> Tensor:
        """The nearest event that the condition allows; every event is allowed unless a subclass says otherwise.

        It is an affine map P x + c with P = P^2, and E(place(x)) = E(x). Samplers place every point that they reach, so
        chains stay on the allowed events, and the gradient P^T dE/dx moves along them.
        """
        return x


def rounding(energy: Tensor) -> float:
    """The spacing of floating-point numbers at the largest |E|. Smaller differences between energies are lost."""
    finite = energy[torch.isfinite(energy)]
    return float(finite.abs().max()) * torch.finfo(energy.dtype).eps if len(finite) else 0.0


def warn_if_rounded(energy: Tensor, what: str) -> None:
    """Warn, once per ``what``, when energies [B] are so large that rounding hides their differences.

    This is the case when `rounding` is above 0.1 nats and above a hundredth of their standard deviation.
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
        "%s: energies of %.3g in %s have a resolution of %.2g, so smaller differences between them are lost; subtract "
        "a constant from the energy, lower its scale, or compute it in float64",
        what, size, dtype, step,
    )  # fmt: skip


def frozen(net: nn.Module, *inputs: Any) -> Tensor:
    """The value of the net with its parameters detached: gradients reach the inputs and no parameter."""
    parameters = {name: p.detach() for name, p in net.named_parameters()}
    value: Tensor = torch.func.functional_call(net, parameters, inputs)
    return value


def in_precision(dtype: torch.dtype | None, x: Tensor) -> AbstractContextManager[None]:
    """A context that autocasts to ``dtype`` on the device of x. It does nothing when ``dtype`` is None."""
    return nullcontext() if dtype is None else torch.autocast(x.device.type, dtype)


def full_precision(value: Tensor) -> Tensor:
    """Convert to at least float32, because energies are compared as differences of large numbers."""
    return value if value.dtype == torch.float64 else value.float()


class Tilted(Energy):
    """E(x) = E_0(x) - f(x): a reference density tilted by a net (Xie et al., ICML 2016, eq. 1).

    ``net(x)`` or ``net(x, condition)`` gives f, [B]; ``reference`` is an energy, most often a `Density`. If not
    ``conditional``, the energy is the same for every condition.
    ``autocast`` is the precision of the net, and of the net only; None uses the precision of its weights.
    """

    passes_condition: ClassVar[bool] = True
    autocast: torch.dtype | None = None

    def __init__(self, net: nn.Module, reference: Energy, conditional: bool = True) -> None:
        super().__init__()
        self.net = net
        self.reference = reference
        self.conditional = conditional

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        with in_precision(self.autocast, x):
            f = self.net(x) if condition is None or not self.conditional else self.net(x, condition)
        energy: Tensor = self.reference(x) - full_precision(f)
        return energy


class JointEnergy(Energy):
    """E(x, y) = E_0(x) - f_y(x), the energy of an event and its label (Grathwohl et al., ICLR 2020, eqs. 5 to 7).

    ``net`` gives the logits f [B, C]. The condition is the labels, int64 [B]. Without labels the energy is the
    marginal, E(x) = E_0(x) - log sum_y exp f_y(x). p(y | x) = softmax f(x) for any reference.
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
    """E(x, sigma), the noise-conditional energy of data with added noise N(0, sigma^2 I), sigma in [``low``, ``high``].

        E(x, sigma) = |x|^2 / 2 (s^2 + sigma^2) - s / sigma f(x / (s^2 + sigma^2)^1/2, sigma)

    ``net(x, time)`` gives f, [B]; ``time`` is the `time_embedding` [B, 8] of log sigma, scaled to 0 at ``low`` and 1 at
    ``high``. s is the standard deviation ``sd`` of the data. If the data are N(0, s^2 I), f = 0 is exact. The input of
    f and the slope that f must learn have unit size at every sigma (the preconditioning of Karras et al., NeurIPS
    2022, table 1, applied to an energy). One net conditioned on the noise level serves all levels, as in Song & Ermon,
    NeurIPS 2019, who learn scores instead of energies.

    The condition is sigma, [B], or None for ``low``, the sharpest energy; samplers and metrics that give no noise level
    use that one. A sigma outside [``low``, ``high``] raises no error, but the net has not learned it.
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
        """sigma / low, so that one step size suits all levels, like the published step sizes ~ sigma^2."""
        if condition is None:
            return 1.0
        sigma: Tensor = condition
        return per_row(sigma / self.low, x)


class Sum(Energy):
    """Weighted product of experts: E(x) = sum_i w_i E_i(x). All energies get the same condition."""

    def __init__(self, energies: Sequence[Energy], weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.energies = nn.ModuleList(energies)
        self.weights = tuple(weights) if weights is not None else (1.0,) * len(energies)
        if len(self.weights) != len(energies):
            raise ValueError(f"{len(energies)} energies need {len(energies)} weights, got {len(self.weights)}")

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        parts = [w * e(x, condition) for w, e in zip(self.weights, self.energies, strict=True)]
        return torch.stack(parts).sum(0)


class Clamped(Energy):
    """The conditional energy of some coordinates given the others.

    The condition is a dict, made by `Clamped.given`: ``values`` and the boolean ``known`` have the shape of x, and
    ``inner``, if there is such a key, is the condition of the wrapped energy. Known coordinates have scale 0, so no
    sampler moves them, and chains start with them at their values.
    """

    def __init__(self, energy: Energy) -> None:
        super().__init__()
        self.energy = energy

    @staticmethod
    def given(values: Tree, known: Tree, inner: Tree = None) -> dict[str, Tree]:
        """The condition that holds the ``known`` coordinates at ``values``. Of three spaces it makes its space."""
        return _with_inner({"values": values, "known": known}, inner)

    @staticmethod
    def is_given(condition: object) -> bool:
        """Whether a condition, or the space of one, has the form that `given` makes."""
        return isinstance(condition, dict) and {"values", "known"} <= condition.keys()

    @staticmethod
    def hidden(condition: Tree, known: Tensor | None = None) -> Tensor:
        """The coordinates that the condition hides; with ``known`` (boolean like x), only those that the data know."""
        hidden: Tensor = ~condition["known"]
        return hidden if known is None else known & hidden

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        placed = self.place(x, condition)
        energy: Tensor = self.energy(placed, self._passed(condition))
        return energy

    def scale(self, x: Tensor, condition: Tree = None) -> Tensor:
        scale: Tensor = self.energy.scale(x, self._passed(condition)) * (~condition["known"]).to(x.dtype)
        return scale

    def _passed(self, condition: Tree) -> Tree:
        """The condition of the wrapped energy."""
        return condition if self.energy.sees_known else condition.get("inner")

    def place(self, x: Tensor, condition: Tree = None) -> Tensor:
        """x with the known coordinates set to their values."""
        if not self.is_given(condition):
            raise UserError(
                'a clamped energy needs the condition {"values": ..., "known": ...} of ebmsuite.energy.Clamped.given, '
                'which the data set "masked" has with given: condition'
            )
        return torch.where(condition["known"], condition["values"], x)


class Projected(Energy):
    """An energy of the events that satisfy a linear constraint, A x = b.

    The condition is a dict, made by `Projected.given`: ``measured`` is b, and ``inner``, if there is such a key, is the
    condition of the wrapped energy. Chains start at the nearest event with A x = b and stay there: with
    P = I - A^T (A A^T)^-1 A, gradients, noise and states are projected.
    """

    def __init__(self, energy: Energy, constraint: LinearConstraint) -> None:
        super().__init__()
        self.energy, self.constraint = energy, constraint

    @staticmethod
    def given(measured: Tree, inner: Tree = None) -> dict[str, Tree]:
        """The condition that A x is ``measured``. Of two spaces it makes its space."""
        return _with_inner({"measured": measured}, inner)

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        energy: Tensor = self.energy(self.place(x, condition), condition.get("inner"))
        return energy

    def scale(self, x: Tensor, condition: Tree = None) -> Tensor | float:
        return self.energy.scale(x, condition.get("inner"))

    def place(self, x: Tensor, condition: Tree = None) -> Tensor:
        """The nearest event with A x = b."""
        if not isinstance(condition, dict) or "measured" not in condition:
            raise UserError(
                'a projected energy needs the condition {"measured": ...} of ebmsuite.energy.Projected.given, '
                'which the data set "measured" has'
            )
        return self.constraint.place(x, condition["measured"])


def _with_inner(condition: dict[str, Tree], inner: Tree) -> dict[str, Tree]:
    # without the key rather than with None, so that all conditions of a run have the same leaves
    return condition if inner is None else {**condition, "inner": inner}


def clamped(event: Space, energy: Callable[..., Energy], condition: ConditionSpace) -> Clamped:
    """Another energy, given the coordinates that the condition knows: see `Clamped`."""
    inner = _inner("clamped", condition, ("values", "known"), "masked, with given: condition")
    return Clamped(energy(event, condition=inner))


def projected(
    event: Space, energy: Callable[..., Energy], constraint: LinearConstraint, condition: ConditionSpace
) -> Projected:
    """Another energy, restricted to events whose measurement the condition gives: see `Projected`."""
    inner = _inner("projected", condition, ("measured",), "measured")
    measured = constraint.space(event)
    if isinstance(condition, dict) and condition["measured"] != measured:
        raise RecipeError(f"projected: the data give {condition['measured']}, but the constraint measures {measured}")
    whole = energy(event, condition=inner)
    if isinstance(whole, Clamped | Projected):
        raise RecipeError("projected.energy: an energy that is clamped or projected itself has no exact projection")
    return Projected(whole, constraint)


def _inner(name: str, condition: ConditionSpace, keys: tuple[str, ...], data: str) -> ConditionSpace:
    """The space of the condition of a wrapped energy."""
    if not isinstance(condition, dict) or not set(keys) <= condition.keys():
        raise RecipeError(
            f"{name}: the data have no condition with the leaves {' and '.join(keys)}; use the data set {data}"
        )
    return condition.get("inner")


class Recovery(Energy):
    """E(y) = E_theta(y, given) / b^2 + w |y - x'|^2 / 2: the energy of a less noisy event y given a noisier one, x'.

    The condition is ``(x', w, b, given)``, w and b [B] (Gao et al., ICLR 2021, eq. 6, with w = 1 / sigma^2; w = 0
    leaves out the quadratic term). b is the unit of length of a sampler's step and depends on the noise level.
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
