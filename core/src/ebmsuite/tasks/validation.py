"""Checks of the settings and results of tasks."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmsuite.errors import RecipeError, UserError

__all__ = ["at_least", "finite"]


def at_least(least: int, task: str, **settings: int | None) -> None:
    """Raise `RecipeError` that names the first setting below ``least``. None passes."""
    for name, value in settings.items():
        if value is not None and value < least:
            raise RecipeError(f"{task}: {name} is {value}; it must be at least {least}")


def finite(x: Tensor, task: str) -> Tensor:
    """Return x, or raise `UserError` if it has values that are not finite (diverged chains)."""
    if not torch.isfinite(x).all():
        raise UserError(f"{task}: the chains end at values that are not finite; are their steps too long?")
    return x
