"""Areas under curves: against scikit-learn, at the ends, and how often the interval covers."""

from __future__ import annotations

import pytest
import torch
from sklearn import metrics as oracle

from ebmsuite.errors import UserError
from ebmsuite.evaluation.curves import auprc, auroc, auroc_interval


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("levels", [3, 1000, None])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_areas_are_those_of_scikit_learn(levels: int | None, dtype: torch.dtype) -> None:
    rng = generator(levels or 0)
    positive = torch.rand(500, generator=rng) < 0.3
    score = torch.randn(500, generator=rng, dtype=dtype) + positive
    if levels is not None:  # ties
        score = (score * levels / 6).round()
    precision, recall, _ = oracle.precision_recall_curve(positive, score)
    assert auprc(score, positive) == pytest.approx(oracle.auc(recall, precision), abs=1e-12)
    assert auroc(score, positive) == pytest.approx(oracle.roc_auc_score(positive, score), abs=1e-12)


def test_areas_at_the_ends() -> None:
    positive = torch.tensor([True] * 3 + [False] * 5)
    assert auprc(torch.arange(8, 0, -1), positive) == auroc(torch.arange(8, 0, -1), positive) == 1
    assert auroc_interval(torch.arange(8, 0, -1), positive) == (1, 1)
    assert auroc(torch.arange(8), positive) == 0
    assert auroc(torch.zeros(8), positive) == 0.5


@pytest.mark.parametrize("area", [auprc, auroc, auroc_interval])
def test_a_curve_needs_both_kinds(area) -> None:
    for positive, message in (
        (torch.zeros(4, dtype=torch.bool), "none of the 4 examples are positive"),
        (torch.ones(4, dtype=torch.bool), "all of the 4 examples are positive"),
        (torch.zeros(0, dtype=torch.bool), "none of the 0 examples"),
    ):
        with pytest.raises(UserError, match=f"{message}.*needs examples of both kinds"):
            area(torch.arange(len(positive)), positive)


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng, true, hits = generator(), 0.760250, 0  # P(a > b) for a ~ N(1, 1) and b ~ N(0, 1)
    positive = torch.arange(100) < 60
    for _ in range(400):
        score = torch.randn(100, generator=rng) + positive
        low, high = auroc_interval(score, positive)
        assert low <= auroc(score, positive) <= high
        hits += low <= true <= high
    assert 0.92 < hits / 400 < 0.98
