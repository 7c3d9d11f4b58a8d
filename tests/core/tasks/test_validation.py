"""Checks of settings and of results."""

from __future__ import annotations

import pytest
import torch

from ebmsuite.errors import RecipeError, UserError
from ebmsuite.tasks.validation import at_least, finite


def test_the_first_setting_that_is_too_small_is_named() -> None:
    at_least(1, "fill", n=1, steps=None)
    with pytest.raises(RecipeError, match=r"^fill: steps is 0; it must be at least 1$"):
        at_least(1, "fill", n=2, steps=0, frames=-1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_an_error(value: float) -> None:
    x = torch.ones(2, 3)
    assert finite(x, "fill") is x
    x[1, 2] = value
    with pytest.raises(UserError, match="fill: the chains end at values that are not finite"):
        finite(x, "fill")
