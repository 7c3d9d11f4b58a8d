"""Statistics of clips and baselines, against exact cases."""

from __future__ import annotations

import math

import pytest
import torch

from ebmsuite.dataset import InMemory
from ebmsuite.errors import UserError
from ebmsuite.space import Space
from ebmsuite_video.baselines import baseline
from ebmsuite_video.dynamics import STABLE, LinearDynamics, stabilised
from ebmsuite_video.statistics import (
    direction_lag,
    frame_difference,
    log_distance,
    radial_spectrum,
    sd_space,
    sd_time,
    temporal_spectrum,
    time_direction,
    window_distances,
)


def noise(n: int = 1, frames: int = 20, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 3, frames, 12, 12, generator=torch.Generator().manual_seed(seed))


def test_spectra_find_the_frequency_of_a_wave() -> None:
    t = torch.arange(32).view(1, 1, -1, 1, 1)
    blinking = torch.sin(2 * math.pi * 5 * t / 32).expand(1, 1, 32, 8, 8)
    assert int(temporal_spectrum(blinking).argmax()) == 5 - 1
    x = torch.arange(32).view(1, 1, 1, 1, -1)
    stripes = torch.sin(2 * math.pi * 6 * x / 32).expand(1, 1, 2, 32, 32)
    assert int(radial_spectrum(stripes).argmax()) == 6 - 1


def test_a_spectrum_that_is_twice_another_has_the_distance_log_two() -> None:
    p = temporal_spectrum(noise())
    assert log_distance(2 * p, p) == pytest.approx(math.log(2))
    assert log_distance(p, p) == 0


def test_spreads_of_simple_clips() -> None:
    x = torch.zeros(1, 1, 4, 2, 2)
    x[..., 0], x[..., 1] = 1, -1
    assert float(sd_space(x)) == 1
    assert float(sd_time(x)) == 0
    x[:, :, ::2] *= -1
    assert float(sd_time(x)) == 1
    assert float(frame_difference(x)) == 2


def test_the_direction_of_time_is_odd_under_reversal_and_shuffling_loses_it() -> None:
    t = torch.arange(60.0).view(1, 1, -1, 1, 1)
    saw = (t % 7).expand(1, 1, 60, 4, 4) / 7
    lag, agreement = direction_lag(saw, saw)
    assert agreement == 1
    assert direction_lag(saw, saw.flip(2)) == (1, 0)  # the halves disagree at every lag
    forwards = float(time_direction(saw, lag))
    assert abs(forwards) > 0.1
    assert float(time_direction(saw.flip(2), lag)) == pytest.approx(-forwards)
    wave = torch.sin(0.7 * t).expand(1, 1, 60, 4, 4)  # no direction
    assert abs(float(time_direction(wave, lag))) < 0.05 * abs(forwards)


@pytest.mark.parametrize("change", ["same", "later", "reversed", "moved"])
def test_copies_are_found_shifted_and_reversed(change: str) -> None:
    x = noise(frames=24)
    moved = noise(frames=24, seed=1)
    moved[..., 2:, :-1] = x[..., :-2, 1:]  # two pixels down, one to the left
    copies = {"same": x, "later": x[:, :, 5:17], "reversed": x.flip(2)[:, :, 3:15], "moved": moved}
    copy = copies[change]
    assert float(window_distances(copy, x)) < 1e-8
    assert float(window_distances(noise(frames=24, seed=1), x)) == pytest.approx(2, rel=0.2)


def test_a_linear_system_is_stabilised_and_reproduces_a_rotation() -> None:
    turn = 1.2 * torch.tensor([[0.8, -0.6], [0.6, 0.8]], dtype=torch.float64)
    assert torch.linalg.eigvals(stabilised(turn)).abs().tolist() == pytest.approx([STABLE, STABLE])
    calm = 0.5 * turn
    assert torch.allclose(stabilised(calm), calm)
    t = torch.arange(40.0).view(1, 1, -1, 1, 1)
    place = torch.linspace(0, 3, 8)
    wave = torch.sin(0.5 * t + place).expand(1, 1, 40, 8, 8)
    system = LinearDynamics(Space((1, 40, 8, 8)), rank=2)
    system.fit(wave)
    made = system.sample(500, torch.Generator().manual_seed(0))
    assert made.shape == (500, *wave.shape[1:])
    states = made[:, 0, :2].flatten(2) @ system.components.T / system.first.diagonal()  # of the first two frames
    angles = torch.atan2(states[..., 1], states[..., 0]).diff(dim=1).abs()
    turns = torch.minimum(angles, 2 * torch.pi - angles)
    assert float(turns.median()) == pytest.approx(0.5, abs=0.1)  # the wave turns by 0.5 per frame
    assert float(made[:, :, 0].var(0).mean()) == pytest.approx(float(wave.var()), rel=0.15)


def test_baselines_are_made_of_the_training_clips() -> None:
    data = {"train": InMemory(noise(2)), "valid": InMemory(noise(2, seed=1))}
    x, rng, device = noise(2), torch.Generator().manual_seed(0), torch.device("cpu")
    draws = {of: baseline(of, data, device).sample(2, rng=rng) for of in ("held-out", "reversed", "shuffled", "noise")}
    assert torch.equal(draws["held-out"], noise(2, seed=1))
    assert torch.equal(draws["reversed"], x.flip(2))
    assert torch.equal(draws["shuffled"].sort(2).values, x.sort(2).values)
    assert not torch.equal(draws["shuffled"], x)
    assert float(draws["noise"].std()) == pytest.approx(float(x.std()), rel=0.02)
    with pytest.raises(UserError, match="too few frames"):
        baseline("held-out", {"train": data["train"]}, device)
