"""The metric of forecasts against hand-computed values, exact densities and calibrated samples."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor

from ebmsuite.errors import UserError
from ebmsuite.plugins.testing import rng
from ebmsuite.space import Batch
from ebmsuite_trajectory.data.ethucy import zara01
from ebmsuite_trajectory.metrics.forecast import Forecast, density_scores, kde_log_density, scores_of


def test_displacements_by_hand() -> None:
    truth = torch.zeros(1, 12, 2)
    truth[..., 0] = torch.arange(1, 13)
    near, turned = truth.clone(), truth.clone()
    near[..., 1] += 0.5  # 0.5 m off at every step
    turned[:, -1, 1] += 0.3  # right but for the last step
    found = scores_of(torch.stack([near, turned], 1), truth, near)
    expected = {
        "ade": 0.3 / 12, "fde": 0.3, "ade-mean": (0.5 + 0.3 / 12) / 2, "fde-mean": 0.4, "miss-rate": 0.0,
        "ade-selected": 0.3 / 12, "fde-selected": 0.3, "copies": 0.5,
    }  # fmt: skip
    assert {k: float(v) for k, v in found.items()} == pytest.approx(expected)


def test_the_oracle_of_the_plan_can_miss_both_minima() -> None:
    truth = torch.zeros(1, 12, 2)
    off_plan, on_plan = truth.clone(), truth.clone()
    off_plan[:, [2, 5, 8, 11], 0] = 0.1  # small errors at the steps of the plan only
    on_plan[:, [0, 1, 3, 4, 6, 7, 9, 10], 0] = 1.0  # large errors between them
    found = scores_of(torch.stack([off_plan, on_plan], 1), truth, truth)
    assert float(found["ade"]) == pytest.approx(0.4 / 12)
    assert float(found["ade-selected"]) == pytest.approx(8 / 12)
    assert float(found["fde-selected"]) == 0.0


def test_the_density_is_that_of_scipy() -> None:
    samples = torch.randn(2, 80, 12, 2, generator=rng()) * torch.tensor([1.0, 0.3])
    truth = torch.randn(2, 12, 2, generator=rng(1)) * 0.2
    density = kde_log_density(samples, truth)
    for row, step in ((0, 0), (1, 7)):
        exact = stats.gaussian_kde(samples[row, :, step].double().numpy().T).logpdf(truth[row, step].numpy())
        assert float(density[row, step]) == pytest.approx(float(exact[0]), abs=2e-3)


def test_samples_of_the_true_distribution_are_calibrated() -> None:
    sd = torch.tensor([1.0, 0.3])
    samples = 1 + sd * torch.randn(1000, 100, 1, 2, generator=rng())
    truth = 1 + sd * torch.randn(1000, 1, 2, generator=rng(1))
    found = {k: float(v.double().mean()) for k, v in density_scores(samples, truth).items()}
    entropy = 1 + math.log(2 * math.pi) + math.log(0.3)
    assert entropy < found.pop("kde-nll") < entropy + 0.15, "a density estimate is a little worse than the truth"
    assert found == pytest.approx({"coverage-50": 0.5, "coverage-80": 0.8, "coverage-95": 0.95}, abs=0.04)
    narrow = density_scores(1 + (samples - 1) / 3, truth)
    assert float(narrow["coverage-80"].mean()) < 0.4
    assert float(narrow["kde-nll"].mean()) > entropy + 1


def test_equal_samples_have_a_density() -> None:
    truth = torch.zeros(3, 1, 2)
    samples = truth[:, None].expand(-1, 50, -1, -1)
    exact = -math.log(2 * math.pi * 0.01**2)
    torch.testing.assert_close(kde_log_density(samples, truth), torch.full((3, 1), exact).double())
    assert float(density_scores(samples, truth + 5)["kde-nll"].mean()) == 20.0, "a window costs at most 20 nats"


class Known:
    """A model that continues the last velocity, with normal noise."""

    def sample_for(self, batch: Batch, k: int, rng: torch.Generator) -> Tensor:
        past = batch.condition["past"]
        straight = (past[:, -1:] - past[:, -2:-1]) * torch.arange(1, 13)[:, None]
        noise = torch.randn((len(past), k, 12, 2), generator=rng)
        return straight[:, None] + 0.1 * noise

    def describe(self) -> dict[str, Any]:
        return {"recipe": "known"}


def test_scores_of_the_embedded_recording() -> None:
    data = {"test": zara01("test")}
    model: Any = Known()
    straight = Forecast("constant-velocity", k=3)(model, data, rng(), 10_000)
    assert "kde-nll" not in straight
    assert straight["ade"].value == pytest.approx(straight["ade-mean"].value)
    assert straight["copies"].value == 1
    assert straight["ade"].protocol["windows"] == straight["ade"].protocol["of windows"] == len(data["test"])
    both = Forecast("constant-and-random", density_k=0)(model, data, rng(), 200)
    alone = Forecast("random-constant-velocity", density_k=0)(model, data, rng(), 200)
    assert both["ade"].value < straight["ade"].value
    assert both["copies"].value > alone["copies"].value
    mine = Forecast(density_k=30, repeats=2)(model, data, rng(), 100)
    assert mine["ade"].low is not None
    assert mine["ade"].low < mine["ade"].value < Forecast("constant-velocity")(model, data, rng(), 100)["ade"].value
    assert mine["ade"].protocol["sd over draws"] > 0
    assert mine["calibration"].protocol["k"] == 30


def test_bad_settings() -> None:
    with pytest.raises(UserError, match="k: must be at least 1"):
        Forecast(k=0)(None, {"test": zara01("test")}, rng(), 10)  # type: ignore[arg-type]
    with pytest.raises(UserError, match='no split "test"'):
        Forecast()(None, {"train": zara01("test")}, rng(), 10)  # type: ignore[arg-type]
