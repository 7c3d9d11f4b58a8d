"""Numbers that would be wrong without a word: repeated rows, energies beyond the digits of their type."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ebmsuite import energy as energy_module
from ebmsuite.builtin.examples import JOINT_EXAMPLE, LATENT_EXAMPLE, MLE_EXAMPLE
from ebmsuite.density import Gaussian
from ebmsuite.diagnosis.long_run import energy_distance
from ebmsuite.energy import Energy, rounding, warn_if_rounded
from ebmsuite.errors import UserError
from ebmsuite.evaluation.distances import mmd, nearest, precision_recall
from ebmsuite.experiment.train import train
from ebmsuite.learning.trainer import sides
from ebmsuite.model import load
from ebmsuite.plugins.testing import rng, watched_by
from ebmsuite.sampling import MALA, Langevin, Noise, Phase
from ebmsuite.space import Space


def repeated(n: int, of: int, rows: int = 100, seed: int = 0) -> Tensor:
    """``rows`` rows, of which the first ``n`` are copies of ``of`` different ones."""
    x = torch.randn(rows, 5, generator=rng(seed))
    x[:n] = x[torch.arange(n) % of]
    return x


@pytest.mark.parametrize(("n", "of"), [(80, 1), (99, 1), (100, 1), (95, 2), (0, 1)])
def test_mmd_of_repeated_rows_is_a_number_that_tells_sets_apart(n: int, of: int) -> None:
    b = repeated(n, of)
    assert abs(mmd(b, b.clone())) < 0.05
    far = mmd(b + 100, b)
    assert math.isfinite(far)
    assert far > 0.5


def test_mmd_of_one_point_and_itself_is_zero() -> None:
    assert mmd(torch.ones(30, 3), torch.ones(40, 3)) == 0
    assert mmd(torch.ones(30, 3), torch.zeros(40, 3)) > 0.5


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_copies_are_covered_by_what_they_are_copies_of(offset: float) -> None:
    x = repeated(80, 1) + offset
    assert precision_recall(x, x.clone()) == (1.0, 1.0)
    assert nearest(x, x)[1].max() == 0
    assert precision_recall(x, x + 50) == (0.0, 0.0)


def test_the_energy_distance_of_one_point_and_itself_is_zero() -> None:
    assert energy_distance(torch.ones(10, 2), torch.ones(10, 2)) == 0
    assert energy_distance(torch.ones(10, 2), torch.zeros(10, 2)) == 1


class Offset(Energy):
    """A standard normal distribution whose energy has a constant added."""

    def __init__(self, constant: float) -> None:
        super().__init__()
        self.constant = constant

    def forward(self, x: Tensor, condition: object = None) -> Tensor:
        return x.square().sum(1) / 2 + self.constant


@pytest.mark.parametrize(
    ("constant", "dtype", "lost"),
    [(1e8, torch.float32, True), (1e7, torch.float32, True), (-3e8, torch.float32, True),
     (1e3, torch.float32, False), (1e8, torch.float64, False)],
)  # fmt: skip
def test_energies_that_lose_their_differences_are_warned_of(
    constant: float, dtype: torch.dtype, lost: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(energy_module, "_warned", set())
    x = torch.randn(200, 2, generator=rng(), dtype=dtype)
    e = Offset(constant)(x)
    truth = x.square().sum(1).double() / 2
    error = float(((e.double() - e.double().mean()) - (truth - truth.mean())).abs().max())
    assert (error > 0.1) == lost  # what is said is true
    assert (rounding(e) > 0.1) == lost
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            warn_if_rounded(e, "here")
    assert len(caplog.records) == lost  # once
    if lost:
        assert "smaller differences between them are lost" in caplog.text


def test_large_energies_with_larger_differences_are_no_matter(caplog: pytest.LogCaptureFixture) -> None:
    warn_if_rounded(5e8 + 1e6 * torch.randn(100, generator=rng()), "a net of the published scale")
    assert not caplog.records


@pytest.mark.parametrize(("sampler", "warned"), [(MALA(0.5), True), (Langevin(step_size=0.5), False)])
def test_only_a_test_of_energies_is_warned_of(
    sampler, warned: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(energy_module, "_warned", set())
    Phase(Offset(1e8), sampler, Noise(Gaussian(Space((2,)))), 3).sample(50, rng())
    assert ("the Metropolis test of MALA" in caplog.text) == warned


def test_the_gap_of_large_energies_is_their_difference() -> None:
    plus, minus = torch.full((1000,), 5e8 + 64), torch.full((1000,), 5e8)
    assert sides(plus, minus)["gap"] == 64


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(MLE_EXAMPLE, "budget.steps=1", watched_by(), out=tmp_path_factory.mktemp("runs") / "plain")


def test_an_event_of_another_shape_is_one_line(plain: Path) -> None:
    model = load(plain)
    for x, said in [
        (torch.zeros(3, 2), r"the shape is \[3, 2\], it must be \[rows, 1\]"),
        (torch.zeros(3), r"the shape is \[3\], it must be \[rows, 1\]"),
        (torch.zeros(3, 1, 1), r"the shape is \[3, 1, 1\]"),
    ]:
        with pytest.raises(UserError, match=said):
            model.energy(x)
    assert model.energy(torch.zeros(3, 1)).shape == (3,)
    with pytest.raises(UserError, match='"generator" is not one of its energies'):
        model.energy(torch.zeros(3, 1), player="generator")


def test_an_unconditional_model_takes_no_condition(plain: Path) -> None:
    model = load(plain)
    for use in (
        lambda: model.sample(3, condition=torch.zeros(3)),
        lambda: model.energy(torch.zeros(3, 1), torch.zeros(3)),
        lambda: model.sample(3, condition={"scene": torch.zeros(3)}),
    ):
        with pytest.raises(UserError, match="the model is unconditional"):
            use()


def test_a_condition_that_does_not_fit_is_one_line(tmp_path: Path) -> None:
    model = load(train(JOINT_EXAMPLE, "budget.steps=1", watched_by(), "metrics=[]", out=tmp_path / "run"))
    for condition, said in [
        (torch.zeros(3), "must be whole numbers"),
        (torch.tensor([0, 1, 99]), "the values are 0 to 99, they must be 0 to 1"),
        (torch.zeros(4, dtype=torch.long), "4 rows for 3 events"),
        (torch.zeros(3, 1, dtype=torch.long), r"it must be \[rows\]"),
    ]:
        with pytest.raises(UserError, match=said) as error:
            model.sample(3, condition=condition)
        assert "\n" not in str(error.value)
    assert len(model.sample(3, condition=torch.tensor([0, 1, 1]))) == 3


def test_energies_of_latent_vectors_are_given_these(tmp_path: Path) -> None:
    model = load(train(LATENT_EXAMPLE, "budget.steps=1", watched_by(), out=tmp_path / "run"))
    assert model.energy(torch.zeros(3, 2)).shape == (3,)
    with pytest.raises(UserError, match="these are not latent vectors of the model"):
        model.energy(torch.zeros(3, 5))
