"""Scores from distance matrices: against numbers by hand, equal and separate distributions, and copies."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ebmsuite.errors import UserError
from ebmsuite.evaluation.two_sample import (
    closest,
    coverage,
    minimum_matching_distance,
    nearest_distance,
    nearest_neighbour_accuracy,
    pairwise,
    two_sample,
)
from ebmsuite.plugins.testing import rng


def matrices(s: Tensor, r: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return pairwise(torch.cdist, s, s), pairwise(torch.cdist, s, r), pairwise(torch.cdist, r, r)


def points(*at: float) -> Tensor:
    return torch.tensor(at, dtype=torch.float64).view(-1, 1)


def normal(seed: int, n: int = 50, dim: int = 2) -> Tensor:
    return torch.randn(n, dim, generator=rng(seed), dtype=torch.float64)


def test_two_samples_and_two_references_by_hand() -> None:
    """S at 0 and 1, R at 1.5 and 10. Nearest: 0 -> 1 (own), 1 -> 1.5 (other), 1.5 -> 1 (other), 10 -> 1.5 (own)."""
    ss, sr, rr = matrices(points(0, 1), points(1.5, 10))
    assert torch.equal(sr, torch.tensor([[1.5, 10], [0.5, 9]], dtype=torch.float64))
    scores = two_sample(ss, sr, rr)
    assert scores["1-nna"].value == 2 / 4
    assert scores["minimum-matching-distance"].value == (0.5 + 9) / 2
    assert scores["coverage"].value == 1 / 2  # both samples are nearest to 1.5
    assert scores["coverage"].protocol["nearest_references"] == 1
    assert scores["nearest-distance"].value == (1.5 + 0.5) / 2
    assert {(s.protocol["n_samples"], s.protocol["n_reference"], s.protocol["copies"]) for s in scores.values()} == {
        (2, 2, 0)
    }
    index, distance = closest(sr)
    assert (index.tolist(), distance.tolist()) == ([0, 0], [1.5, 0.5])


def test_the_interval_counts_mutual_neighbours_once() -> None:
    """In the example above only 1 and 1.5 are mutual: 4 votes, half of them mutual, are worth 4 / 1.5."""
    score = nearest_neighbour_accuracy(*matrices(points(0, 1), points(1.5, 10)))
    n, z = 4 / 1.5, 1.96
    spread = z / (1 + z * z / n) * math.sqrt(0.25 / n + z * z / (4 * n * n))
    assert (score.low, score.high) == pytest.approx((0.5 - spread, 0.5 + spread))


def test_equal_distributions_are_within_the_interval_of_a_half() -> None:
    """In 95 % of the cases; the plain binomial interval would cover about 87 %."""
    scores = [nearest_neighbour_accuracy(*matrices(normal(2 * i), normal(2 * i + 1))) for i in range(200)]
    covered = sum(s.low <= 0.5 <= s.high for s in scores) / len(scores)  # type: ignore[operator]
    assert 0.92 <= covered <= 0.98
    assert abs(sum(s.value for s in scores) / len(scores) - 49 / 99) < 0.01


def test_separate_distributions_are_told_apart() -> None:
    scores = two_sample(*matrices(normal(0) + 100, normal(1)))
    assert scores["1-nna"].value == scores["1-nna"].high == 1
    assert scores["1-nna"].low > 0.9  # type: ignore[operator]
    assert scores["minimum-matching-distance"].value > 100
    assert scores["coverage"].value < 0.3


def test_copies_do_not_look_good() -> None:
    r = normal(0)
    scores = two_sample(*matrices(r, r))
    assert scores["1-nna"].value == 0  # as far from the ideal 0.5 as separate sets
    assert scores["1-nna"].high < 0.1  # type: ignore[operator]
    assert scores["nearest-distance"].value == scores["minimum-matching-distance"].value == 0
    assert {s.protocol["copies"] for s in scores.values()} == {50}


def test_a_tie_votes_by_share() -> None:
    """S at 0, 0 and R at 0, 9: a sample has one neighbour of each kind at distance 0, R at 0 has two samples."""
    score = nearest_neighbour_accuracy(*matrices(points(0, 0), points(0, 9)))
    assert score.value == (0.5 + 0.5 + 0 + 1 / 3) / 4  # 9 is equally far from two samples and one reference
    assert score.protocol["copies"] == 2
    # the order of the sets does not matter
    assert nearest_neighbour_accuracy(*matrices(points(0, 9), points(0, 0))).value == score.value


def test_a_collapsed_sample_covers_one_reference() -> None:
    _, sr, _ = matrices(torch.zeros(50, 2, dtype=torch.float64), normal(1))
    assert coverage(sr).protocol["nearest_references"] == 1
    assert coverage(sr).value == 1 / 50


def test_means_have_normal_intervals() -> None:
    _, sr, _ = matrices(points(0, 1, 2), points(0.5, 4))
    near = nearest_distance(sr)
    assert near.value == pytest.approx((0.5 + 0.5 + 1.5) / 3)
    error = 1.96 * torch.tensor([0.5, 0.5, 1.5]).std().item() / math.sqrt(3)
    assert (near.low, near.high) == pytest.approx((near.value - error, near.value + error))
    assert (near.protocol["smallest"], near.protocol["median"]) == (0.5, 0.5)
    single = minimum_matching_distance(sr[:, :1])
    assert (single.value, single.low, single.high) == (0.5, None, None)


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_parts_give_the_whole(size: int) -> None:
    a, b = normal(0, 7), normal(1, 10)
    sizes = []

    def distance(x: Tensor, y: Tensor) -> Tensor:
        sizes.append((len(x), len(y)))
        return torch.cdist(x, y)

    assert torch.equal(pairwise(distance, a, b, size), pairwise(torch.cdist, a, b))
    assert max(max(pair) for pair in sizes) <= size
    assert sum(n * m for n, m in sizes) == 70


def test_what_cannot_be_compared_is_refused() -> None:
    ss, sr, rr = matrices(normal(0, 3), normal(1, 4))
    with pytest.raises(UserError, match=r"equally many references, got 3 and 4"):
        nearest_neighbour_accuracy(ss, sr, rr)
    with pytest.raises(UserError, match=r"equally many references, got 1 and 1"):
        nearest_neighbour_accuracy(ss[:1, :1], sr[:1, :1], rr[:1, :1])
    with pytest.raises(ValueError, match=r"ss must be \[3, 3\]"):
        nearest_neighbour_accuracy(rr, sr, rr)
    with pytest.raises(UserError, match="at least one event per set, got 0 and 4"):
        pairwise(torch.cdist, normal(0, 0), normal(1, 4))
    for wrong in (math.nan, math.inf, -1.0):
        with pytest.raises(UserError, match="negative or not finite"):
            pairwise(lambda a, b, wrong=wrong: torch.full((len(a), len(b)), wrong), normal(0, 3), normal(1, 4))
