"""Moments of a film, and chains followed to them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch

from ebmsuite.density import Gaussian, Uniform
from ebmsuite.sampling import Langevin, Noise, Phase
from ebmsuite.space import Space
from ebmsuite.tasks.film import follow, moments


@pytest.mark.parametrize("spacing", ["geometric", "even"])
@pytest.mark.parametrize(("steps", "frames"), [(100, 12), (11, 12), (12, 12), (3, 12), (0, 12), (1, 2), (500, 48)])
def test_moments_rise_from_start_to_end(steps: int, frames: int, spacing: Any) -> None:
    chosen = moments(steps, frames, spacing)
    assert len(chosen) == min(frames, steps + 1)
    assert chosen[0] == 0
    assert chosen[-1] == steps
    assert all(a < b for a, b in pairwise(chosen))


def test_moments_are_spaced_as_told() -> None:
    assert moments(100, 5, "even") == [0, 25, 50, 75, 100]
    assert moments(100, 5, "geometric") == [0, 2, 9, 31, 100]
    with pytest.raises(ValueError, match="at least 2 frames"):
        moments(100, 1, "even")


@pytest.mark.parametrize("shape", [(2,), (1, 4, 4)])
def test_followed_chains_are_the_samples(shape: tuple[int, ...]) -> None:
    event = Space(shape)
    phase = Phase(Gaussian(event), Langevin(step_size=0.3), Noise(Uniform(event)), 20)
    rng = torch.Generator().manual_seed(3)
    start = phase.chains.start(2, rng)
    seen = follow(phase, start, rng, {0, 7, 20})
    assert set(seen) == {0, 7, 20}
    assert torch.equal(seen[0], start.x)
    assert torch.equal(seen[20], phase.sample(2, torch.Generator().manual_seed(3)))
    assert torch.equal(seen[7], phase.sample(2, torch.Generator().manual_seed(3), steps=7))
