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
    """

    start: float
    end: float
    over: int
    shape: Literal["linear", "exponential", "cosine"] = "linear"
    delay: int = 0

    def __call__(self, t: int) -> float:
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
