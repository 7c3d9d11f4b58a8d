"""The best of k samples per row, against values by hand and the expected minimum of normal draws."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ebmsuite.errors import UserError
from ebmsuite.evaluation.best_of import best_of


def ade(x: Tensor, truth: Tensor) -> Tensor:
    """Mean distance over the times of paths [B, T, 2]."""
    return (x - truth).norm(dim=-1).mean(1)


def fde(x: Tensor, truth: Tensor) -> Tensor:
    return (x - truth).norm(dim=-1)[:, -1]


def test_two_paths_by_hand() -> None:
    truth = torch.zeros(2, 2, 2)
    # row 0: distances at the two times (3, 5), (5, 1), (4, 4); row 1: (1, 1), (2, 0), (6, 6)
    away = torch.tensor([[[3.0, 5.0], [5.0, 1.0], [4.0, 4.0]], [[1.0, 1.0], [2.0, 0.0], [6.0, 6.0]]])
    samples = torch.stack([0.6 * away, 0.8 * away], -1)
    near, last = best_of(samples, truth, ade), best_of(samples, truth, fde)
    torch.testing.assert_close(near.distances, torch.tensor([[4.0, 3.0, 4.0], [1.0, 1.0, 6.0]]))
    torch.testing.assert_close(near.least, torch.tensor([3.0, 1.0]))
    torch.testing.assert_close(last.least, torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(near.average, torch.tensor([11 / 3, 8 / 3]))
    assert near.index.tolist() == [1, 0]  # of equal distances, the first
    assert last.index.tolist() == [1, 1]
    torch.testing.assert_close(near.of(last.distances), torch.tensor([1.0, 1.0]))  # both errors of one sample
    assert torch.equal(near.of(samples), torch.stack([samples[0, 1], samples[1, 0]]))


def half_normal(k: int) -> float:
    """E min of k draws |N(0, 1)|: the integral of P(|n| > x)^k."""
    x = torch.linspace(0, 12, 120_001, dtype=torch.float64)
    return float(torch.trapezoid(torch.special.erfc(x / math.sqrt(2)) ** k, x))


@pytest.mark.parametrize(
    ("k", "expected"),
    [(1, 0.0), (2, -1 / math.sqrt(math.pi)), (3, -1.5 / math.sqrt(math.pi)), (20, -1.86747506)],  # David & Nagaraja
)
def test_the_expected_minimum_of_normal_draws(k: int, expected: float) -> None:
    rows = 40_000
    truth = torch.randn(rows, 1, generator=torch.Generator().manual_seed(1))
    samples = truth[:, None] + torch.randn(rows, k, 1, generator=torch.Generator().manual_seed(0))
    signed = best_of(samples, truth, lambda x, t: (x - t)[:, 0])
    assert float(signed.least.mean()) == pytest.approx(expected, abs=4 / rows**0.5)
    assert float(signed.average.mean()) == pytest.approx(0, abs=4 / (rows * k) ** 0.5)
    distances = best_of(samples, {"goal": truth}, lambda x, t: (x - t["goal"]).abs()[:, 0])  # a tree as truth
    assert float(distances.least.mean()) == pytest.approx(half_normal(k), abs=3 / rows**0.5)
    assert torch.equal(distances.of((samples - truth[:, None]).abs())[:, 0], distances.least)


def test_events_of_any_shape_and_type() -> None:
    samples = torch.tensor([[[2, 3, 1], [2, 2, 1]]])  # tokens; the distance is the number of different ones
    found = best_of(samples, torch.tensor([[2, 2, 1]]), lambda x, t: (x != t).sum(1))
    assert (found.least.tolist(), found.index.tolist()) == ([0], [1])


@pytest.mark.parametrize(
    ("samples", "distance", "message"),
    [
        (torch.zeros(2, 0, 3), lambda x, t: x.sum(1), "at least one sample per row"),
        (torch.zeros(2, 4, 3), lambda x, t: x.sum(), r"one number per row, \[2\], got the shape \[\]"),
        (torch.zeros(2, 4, 3), lambda x, t: x, r"one number per row, \[2\], got the shape \[2, 3\]"),
        (
            torch.tensor([[0.0, 1.0], [2.0, math.nan]]),
            lambda x, t: x,
            "distance of sample 1 of row 1 .* is not a number",
        ),
    ],
)
def test_distances_that_are_none(samples, distance, message) -> None:
    with pytest.raises(UserError, match=message):
        best_of(samples, None, distance)
