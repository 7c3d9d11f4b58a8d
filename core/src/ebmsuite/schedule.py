"""Numbers that change with the learning step."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

__all__ = ["Number", "Schedule", "at", "fixed", "value_at"]

T = TypeVar("T")


@dataclass(frozen=True)
class Schedule:
    """A number that goes from ``start`` to ``end`` over ``over`` learning steps, after ``delay`` steps at ``start``.

    "exponential" multiplies by a constant at each step: a factor of 0.99995 per step from 0.1 down to 5e-4 is
    ``{start: 0.1, end: 5.0e-4, over: 105964, shape: exponential}``.

    With ``period`` the schedule starts again every ``period`` steps, delay included. Cyclical annealing (Fu et al.,
    NAACL 2019) in M cycles of T / M steps, of which the first half rises from 0 to 1, is
    ``{start: 0, end: 1, over: T / 2 M, period: T / M}``; a ``delay`` adds a plateau at 0 at the start of each cycle.
    """

    start: float
    end: float
    over: int
    shape: Literal["linear", "exponential", "cosine"] = "linear"
    delay: int = 0
    period: int | None = None

    def __post_init__(self) -> None:
        if self.over < 1:
            raise ValueError(f"over: a schedule needs at least 1 step, got {self.over}")
        if self.period is not None and self.period < 1:
            raise ValueError(f"period: must be at least 1 step, got {self.period}")
        if self.shape == "exponential" and self.start * self.end <= 0:
            raise ValueError(
                "an exponential schedule needs start and end of one sign and not 0, got "
                f"{self.start:g} and {self.end:g}"
            )

    def __call__(self, t: int) -> float:
        if self.period is not None:
            t %= self.period
        done = min(max((t - self.delay) / self.over, 0.0), 1.0)
        if self.shape == "exponential":
            return float(self.start * (self.end / self.start) ** done)
        if self.shape == "cosine":
            done = (1 - math.cos(math.pi * done)) / 2
        return self.start + (self.end - self.start) * done


Number = float | Schedule


def value_at(number: Number, t: int) -> float:
    """The number at learning step ``t``."""
    return number(t) if isinstance(number, Schedule) else number


def fixed(number: Number) -> float:
    """The number as a float. Raises `TypeError` for a schedule that `at` has not evaluated."""
    if isinstance(number, Schedule):
        raise TypeError(f"{number} has not been evaluated; use ebmsuite.schedule.at(sampler, t)")
    return number


def at(numbers: T, t: int) -> T:
    """A copy of a frozen dataclass with all schedules in it, nested ones included, evaluated at step ``t``."""
    fields: Any = dataclasses.fields(numbers)  # type: ignore[arg-type]
    changed = {}
    for f in fields:
        value = getattr(numbers, f.name)
        now = value(t) if isinstance(value, Schedule) else at(value, t) if dataclasses.is_dataclass(value) else value
        if now is not value:
            changed[f.name] = now
    return dataclasses.replace(numbers, **changed) if changed else numbers  # type: ignore[type-var]
