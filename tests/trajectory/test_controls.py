"""Inverse optimal control: the linear-quadratic problem with its exact solution, whitening and costs."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ebmsuite.errors import DataError, RecipeError
from ebmsuite.plugins.testing import rng
from ebmsuite.sampling import MALA, Langevin, run, target_of
from ebmsuite_trajectory.controls import ControlCodec, Controls, Whitening, controls_energy
from ebmsuite_trajectory.costs import LinearCost, features_of
from ebmsuite_trajectory.data.lanes import LINEAR, ROAD, lanes, linear_normal, make_scenes, raw_cost
from ebmsuite_trajectory.metrics.weights import angle


def known_energy(codec: ControlCodec) -> Controls:
    """The energy with the true weights."""
    data = lanes("valid", "linear" if codec.dynamics == "point-mass" else "road")
    energy = controls_energy(data.event, codec, data.condition)
    assert isinstance(energy.cost, LinearCost)
    with torch.no_grad():
        energy.cost.log_weights.copy_(torch.tensor(codec.weights).log())
    return energy


def test_the_true_energy_is_that_of_the_exact_normal() -> None:
    data = lanes("valid", "linear")
    codec, batch = data.codec, data.batch(torch.arange(20), torch.zeros(20).long())
    assert isinstance(codec, ControlCodec)
    energy = known_energy(codec)
    mean, covariance = linear_normal(LINEAR, batch.condition)
    u = energy.controls(batch.x, batch.condition).flatten(1).double() - mean
    exact = (u @ torch.linalg.inv(covariance) * u).sum(1) / 2
    lowest = raw_cost(LINEAR, mean.view(20, -1, 2), {k: v.double() for k, v in batch.condition.items()})
    torch.testing.assert_close(energy(batch.x, batch.condition).double(), exact + lowest, rtol=1e-4, atol=1e-3)


def test_whitening_by_residuals_gives_a_small_condition_number() -> None:
    data = lanes("train", "linear")
    codec = data.codec
    assert isinstance(codec, ControlCodec)
    _, covariance = linear_normal(LINEAR, data.scene)

    def condition_number(root: Tensor) -> float:
        half = torch.linalg.solve_triangular(root, covariance, upper=False)
        eigenvalues = torch.linalg.eigvalsh(torch.linalg.solve_triangular(root, half.T, upper=False))
        return float(eigenvalues[-1] / eigenvalues[0])

    assert condition_number(torch.tensor(codec.root, dtype=torch.float64)) < 2
    marginal = torch.linalg.cholesky(data.controls.flatten(1).double().T.cov())
    assert condition_number(marginal) > 5, "whitening by the controls' own covariance leaves more"


def test_whitening_and_back() -> None:
    data = lanes("valid", "linear")
    codec = data.codec
    assert isinstance(codec, ControlCodec)
    batch = data.batch(torch.arange(50), torch.zeros(50).long())
    torch.testing.assert_close(
        codec.whitening.controls(batch.x, batch.condition), data.controls[:50], atol=1e-4, rtol=0
    )
    whole = lanes("train", "linear").x.flatten(1).double()
    torch.testing.assert_close(whole.T.cov(), torch.eye(40).double(), atol=0.03, rtol=0)
    with pytest.raises(DataError, match="too few to whiten"):
        Whitening.fit(data.controls[:30], {k: v[:30] for k, v in data.scene.items()})


@pytest.mark.parametrize(("sampler", "inflation"), [(MALA(0.5), 1.0), (Langevin(0.5), None)])
def test_chains_have_the_exact_moments(sampler: MALA | Langevin, inflation: float | None) -> None:
    """In whitened coordinates; Langevin without a test has the variance 1 / (1/s^2 - h^2 / 4 s^4) per eigenvalue."""
    data = lanes("valid", "linear")
    codec = data.codec
    assert isinstance(codec, ControlCodec)
    energy, n = known_energy(codec), 3000
    scene = {k: v[:1].expand(n, *v.shape[1:]) for k, v in data.scene.items()}
    x = torch.randn(n, 20, 2, generator=rng())
    state, _ = run(sampler, target_of(energy, x, scene), x, 60, rng(1))
    drawn = state.x.flatten(1).double()
    mean, covariance = linear_normal(LINEAR, {k: v[:1] for k, v in data.scene.items()})
    root = torch.tensor(codec.root, dtype=torch.float64)
    half = torch.linalg.solve_triangular(root, covariance, upper=False)
    exact = torch.linalg.solve_triangular(root, half.T, upper=False)
    centre = codec.whitening.whiten(mean.view(1, 20, 2), {k: v[:1].double() for k, v in data.scene.items()}).flatten()
    if inflation is None:  # the stationary covariance of x <- x - h^2/2 P x + h e
        h = 0.5
        eigenvalues, vectors = torch.linalg.eigh(torch.linalg.inv(exact))
        exact = vectors @ torch.diag(1 / (eigenvalues * (1 - h**2 * eigenvalues / 4))) @ vectors.T
    error = exact.diagonal().sqrt() / n**0.5
    assert ((drawn.mean(0) - centre).abs() < 4.5 * error).all()
    spread = (drawn.T.cov() - exact).diagonal() / exact.diagonal()
    assert float(spread.abs().mean()) < 2 * (2 / n) ** 0.5
    assert abs(float(spread.mean())) < 3 * (2 / n / 40) ** 0.5, "no bias beyond the known one"


def test_the_embedded_experts_are_draws_of_the_true_energy() -> None:
    """Chains of the true energy that start at draws of it keep the mean of every feature."""
    data = lanes("train", "road")
    codec, scene = data.codec, data.scene
    assert isinstance(codec, ControlCodec)
    state, info = run(MALA(0.6), target_of(known_energy(codec), data.x, scene), data.x, 60, rng())
    assert 0.4 < float(info.acceptance.mean()) < 0.95

    def features(x: Tensor) -> Tensor:
        u = codec.whitening.controls(x, scene)
        return features_of(codec.features, codec.motion.rollout(scene["state"], u), u, scene, codec.motion).sum(1)

    before, after = features(data.x).double(), features(state.x).double()
    change = after - before
    errors = change.mean(0) / (change.std(0) / len(change) ** 0.5)
    assert float(errors.abs().max()) < 3.5
    # the chains moved far
    assert float((state.x - data.x).square().mean()) > 1.0
    # experts of another cost are noticed
    wrong = features(0.8 * data.x).double()
    assert float(((wrong - after).mean(0) / ((wrong - after).std(0) / len(wrong) ** 0.5)).abs().max()) > 10


def test_obstacles_that_are_absent_cost_nothing() -> None:
    scene = make_scenes(ROAD, 40, rng())
    controls = 0.1 * torch.randn(40, 20, 2, generator=rng(1))
    moved = {**scene, "obstacles": torch.where(scene["present"][..., None], scene["obstacles"], 9.0)}
    torch.testing.assert_close(raw_cost(ROAD, controls, scene), raw_cost(ROAD, controls, moved))
    none = {**scene, "present": torch.zeros_like(scene["present"])}
    some = scene["present"].any(1)
    assert (raw_cost(ROAD, controls, scene) >= raw_cost(ROAD, controls, none)).all()
    assert (raw_cost(ROAD, controls, scene) > raw_cost(ROAD, controls, none))[some].float().mean() > 0.5


def test_costs_need_their_data() -> None:
    data = lanes("valid", "linear")
    with pytest.raises(RecipeError, match="needs data with the codec trajectory/controls"):
        controls_energy(data.event, None, data.condition)
    assert isinstance(data.codec, ControlCodec)
    lane_only = replace(data.codec, features=("lane",), scales=(1.0,))
    with pytest.raises(RecipeError, match="needs the features acceleration and turning"):
        controls_energy(data.event, lane_only, data.condition, cost="neural")


def test_neural_costs_are_at_least_the_effort() -> None:
    data = lanes("valid", "linear")
    energy = controls_energy(data.event, data.codec, data.condition, cost="neural", width=8)
    batch = data.batch(torch.arange(10), torch.zeros(10).long())
    far = energy(100 * batch.x, batch.condition)
    assert (far > energy(batch.x, batch.condition)).all()
    (gradient,) = torch.autograd.grad(energy(x := batch.x.requires_grad_(), batch.condition).sum(), x)
    assert gradient.isfinite().all()


def test_angle() -> None:
    assert angle(torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1.0])) == pytest.approx(45.0)
    assert angle(torch.tensor([2.0, 1.0]), torch.tensor([4.0, 2.0])) == pytest.approx(0.0, abs=1e-4)


def test_controls_are_written_with_the_states_they_lead_to(tmp_path: Path) -> None:
    data = lanes("valid", "road")
    batch = data.batch(torch.tensor([3, 5]), torch.zeros(2).long()).repeat_interleave(2)
    data.codec.write(batch.x, tmp_path / "u.csv", batch)
    with (tmp_path / "u.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["scene"], row["sample"]) for row in rows[::20]] == [("3", "0"), ("3", "1"), ("5", "0"), ("5", "1")]
    assert float(rows[0]["speed, m/s"]) == pytest.approx(
        float(data.scene["state"][3, 3]) + 0.2 * float(rows[0]["acceleration, m/s^2"]), abs=1e-3
    )
    written = torch.tensor([[float(row["acceleration, m/s^2"]), float(row["turning rate, rad/s"])] for row in rows])
    torch.testing.assert_close(written.view(4, 20, 2)[::2], data.controls[[3, 5]], atol=1e-3, rtol=1e-3)
