"""The numbers: against scikit-learn, against simulation, and zero where they say so."""

import pytest
import torch

from ebmsuite.errors import DataError, RecipeError
from ebmsuite.space import Space
from ebmsuite_tabular.data import Table
from ebmsuite_tabular.detection import Auroc, anomalous_rows
from ebmsuite_tabular.energies import mlp
from ebmsuite_tabular.metrics import TwoSample, energy_distance, normal_rows


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


class Noise:
    """As much of a model as the metrics use: normal samples, and their energy."""

    def sample(self, n: int, rng: torch.Generator) -> torch.Tensor:
        return torch.randn(n, 30, generator=rng)

    def energy(self, x: torch.Tensor) -> torch.Tensor:
        return x.square().sum(1) / 2

    def describe(self) -> dict[str, object]:
        return {"recipe": "noise"}


def test_words_of_older_recipes_mean_the_same() -> None:
    data = {"train": Table("train"), "test": Table("test")}
    for kind, older, now in (
        (Auroc, "energy", "model"),
        (TwoSample, "samples", "model"),
        (TwoSample, "real", "held-out"),
    ):
        found = [kind(of=of)(Noise(), data, torch.Generator().manual_seed(0), 50) for of in (older, now)]
        assert found[0] == found[1]
        score = found[0]["auroc"] if kind is Auroc else found[0]
        assert score.protocol["of"] == now
        assert ("model" in score.protocol) == (now == "model")


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
