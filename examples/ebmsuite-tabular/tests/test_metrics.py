"""The numbers: against scikit-learn, against simulation, and zero where they say so."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from ebmsuite.errors import DataError, RecipeError
from ebmsuite.space import Space
from ebmsuite_tabular.data import Table
from ebmsuite_tabular.detection import Auroc, anomalous_rows, auroc
from ebmsuite_tabular.energies import mlp
from ebmsuite_tabular.metrics import energy_distance, normal_rows


def test_auroc_is_that_of_scikit_learn_ties_too() -> None:
    rng = np.random.default_rng(0)
    scores, labels = rng.integers(0, 9, 200).astype(float), rng.random(200) < 0.3
    assert auroc(scores[labels], scores[~labels])[0] == pytest.approx(roc_auc_score(labels, scores))
    assert auroc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == (1.0, 1.0, 1.0)
    assert auroc(np.array([1.0]), np.array([1.0]))[0] == 0.5


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng, true, hits = np.random.default_rng(0), 0.760250, 0  # P(a > b), a ~ N(1, 1), b ~ N(0, 1)
    for _ in range(400):
        _, low, high = auroc(rng.normal(1, 1, 60), rng.normal(0, 1, 40))
        hits += low <= true <= high
    assert 0.92 < hits / 400 < 0.98


def test_baselines_of_the_detection() -> None:
    data = {"train": Table("train"), "test": Table("test")}
    rng = torch.Generator()
    for of, least in (("mahalanobis", 0.95), ("norm", 0.94)):
        scores = Auroc(of=of)(None, data, rng, 8)  # type: ignore[arg-type]  # a baseline asks no model
        assert scores["auroc"].value > least
        assert scores["auroc"].protocol["rows"] == 212
    with pytest.raises(DataError, match="no anomalous row in test"):
        Auroc(of="norm")(None, {**data, "test": Table("train")}, rng, 8)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no labels"):
        anomalous_rows(object())  # type: ignore[arg-type]


def test_energy_distance_is_zero_on_equal_sets_and_grows_with_a_shift() -> None:
    x = normal_rows(Table("train"))
    assert len(x) == 250
    assert abs(energy_distance(x, x.flip(0))) < 1e-9
    assert 0.1 < energy_distance(x, x + 0.5) < energy_distance(x, x + 1)


def test_energy_is_a_number_a_row_and_refuses_nonsense() -> None:
    energy, x = mlp(Space((5,)), width=8, reference_sd=2.0), torch.randn(7, 5, generator=torch.Generator())
    net = energy.net(x)
    torch.testing.assert_close(energy(x), x.square().sum(1) / 8 - net)
    with pytest.raises(RecipeError, match="reference_sd above 0"):
        mlp(Space((5,)), reference_sd=0.0)
