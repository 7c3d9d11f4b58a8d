"""`ebm diagnose`: what is measured is true, and what is said follows from it."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch

import ebmsuite
from ebmsuite.builtin.examples import LATENT_EXAMPLE, MLE_EXAMPLE, VAE_EXAMPLE
from ebmsuite.cli import main
from ebmsuite.density import Gaussian
from ebmsuite.diagnosis import diagnose
from ebmsuite.diagnosis.long_run import energy_distance, long_run, one_step
from ebmsuite.diagnosis.words import as_json, findings, verdict
from ebmsuite.errors import UserError
from ebmsuite.nets.mlp import Quadratic
from ebmsuite.sampling import Langevin, Noise, Phase, Start
from ebmsuite.space import Space


@pytest.fixture(scope="module")
def convergent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Gaussian, learned with persistent chains."""
    torch.manual_seed(0)
    changes = ("budget.steps=300", "batch=64", "chains.size=256", "negative.steps=20", "optimisers.energy.lr=0.03")
    return ebmsuite.train(MLE_EXAMPLE, *changes, out=tmp_path_factory.mktemp("runs") / "convergent", quiet=True)


@pytest.fixture(scope="module")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same data, learned with ten steps from far away, with noise for a temperature near zero."""
    torch.manual_seed(0)
    changes = (
        "players.energy={name: mlp, width: 32, depth: 2}", "chains={name: noise, density: {name: gaussian, sd: 0.2}}",
        "negative.sampler={name: langevin, gradient_weight: 0.1, noise_scale: 0.01}", "negative.steps=10",
        "budget.steps=400", "budget.batch=64", "optimisers.energy.lr=2e-3",
    )  # fmt: skip
    return ebmsuite.train(MLE_EXAMPLE, *changes, out=tmp_path_factory.mktemp("runs") / "short", quiet=True)


@pytest.mark.slow
def test_a_convergent_run_and_its_likelihood(convergent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["diagnose", str(convergent), "--times", "100"])
    assert exit.value.code == 0
    out = capsys.readouterr().out
    assert "The chains have converged: -E can be read as a log-density" in out
    numbers = json.loads((convergent / "diagnosis.json").read_text())
    assert numbers["rhat"] < 1.01
    assert [m["times"] for m in numbers["runs"][0]["moments"]] == [0, 1, 3, 10, 30, 100]
    energy = ebmsuite.load(convergent).players["energy"]
    a, b = energy.a.item(), energy.log_b.exp().item()
    exact = math.log(math.pi / b) / 2 + a * a / (4 * b)
    forward, reverse = numbers["log_z"]["forward"], numbers["log_z"]["reverse"]
    assert forward["log_z"] == pytest.approx(exact, abs=0.02)
    assert min(forward["low"], reverse["low"]) < exact < max(forward["high"], reverse["high"])
    x = ebmsuite.load(convergent).data["test"].x[:1000, 0].double()
    truth = (-(a * x + b * x * x)).mean().item() - exact
    likelihood = numbers["log_likelihood"]
    assert likelihood["value"] == pytest.approx(truth, abs=0.02)
    assert likelihood["low"] <= truth <= likelihood["high"]
    text = (convergent / "diagnosis.html").read_text()
    assert text.count("<svg") == 3
    assert "Held-out log-likelihood" in text


@pytest.mark.slow
def test_a_short_run_says_so(short_run: Path) -> None:
    d, page = diagnose(short_run, log_z=False, chains=32)
    assert d.fresh.moments[0].distance > 0.2
    assert d.fresh.moments[1].distance < 0.05
    assert not d.stays
    assert verdict(d).title == "Short-run sampler: do not read this energy as a log-density"
    assert "Short-run sampler" in page.read_text()
    assert d.temperature == pytest.approx(0.01**2 / 0.2)
    assert any("away from the data" in f.text for f in findings(d))
    assert "Use --log-z to estimate it" in findings(d)[-1].text
    again, _ = diagnose(short_run, log_z=False, chains=32)
    assert as_json(again) == as_json(d)


@pytest.mark.slow
def test_each_verdict(convergent: Path) -> None:
    d, _ = diagnose(convergent, log_z=False, chains=32)
    assert verdict(d).kind == "good"
    stuck = dataclasses.replace(d, rhat=1.4)
    assert verdict(stuck).title == "The chains stay near the data but do not mix"
    cold = dataclasses.replace(d, step=d.step._replace(temperature=0.5))
    assert "T = 0.5" in verdict(cold).title
    learning, data = d.runs
    off = [m._replace(nearest=3.0) for m in learning.moments]
    unlearned = dataclasses.replace(d, runs=(dataclasses.replace(learning, moments=tuple(off)), data))
    assert verdict(unlearned).title == "The chains of this model do not reach the data"
    left = (*data.moments[:-1], data.moments[-1]._replace(distance=0.4))
    leaves = dataclasses.replace(d, runs=(learning, dataclasses.replace(data, moments=left)))
    assert "Short-run sampler" in verdict(leaves).title
    memorised = dataclasses.replace(d, energies={**d.energies, "training data": d.energies["training data"] - 5})
    assert any("memorised" in f.text for f in findings(memorised))


def test_what_cannot_be_diagnosed_is_said(convergent: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'no phase "prior" draws from a model; those are: negative'):
        diagnose(convergent, phase="prior")
    with pytest.raises(UserError, match="at least 8 chains"):
        diagnose(convergent, chains=2)
    with pytest.raises(UserError, match="not a run folder"):
        diagnose(tmp_path)


@pytest.mark.slow
def test_the_prior_of_a_latent_vector_is_diagnosed_against_what_is_inferred(tmp_path: Path) -> None:
    run = ebmsuite.train(LATENT_EXAMPLE, "budget.steps=1", "energy.lr=1e-9", out=tmp_path / "run", quiet=True)
    found, page = diagnose(run, times=[3], chains=32)
    assert found.phase == "prior"
    assert found.volume is not None
    side = torch.linspace(-7, 7, 401)
    energy = ebmsuite.load(run).energy(torch.cartesian_prod(side, side)).double()
    truth = float((-energy).logsumexp(0)) + 2 * math.log(14 / 400)
    assert float(found.volume.sandwich.low) - 0.01 < truth < float(found.volume.sandwich.high) + 0.01
    assert page.is_file()
    with pytest.raises(UserError, match=r'no phase "posterior" draws from a model; those are: prior'):
        diagnose(run, phase="posterior")
    vae = ebmsuite.train(VAE_EXAMPLE, "budget.steps=1", out=tmp_path / "vae", quiet=True)
    with pytest.raises(UserError, match="no chains to compare"):
        diagnose(vae)


def test_the_energy_distance_is_zero_for_one_distribution_and_one_far_away() -> None:
    rng = torch.Generator().manual_seed(0)
    x, y = torch.randn(400, 3, generator=rng), torch.randn(400, 3, generator=rng)
    assert abs(energy_distance(x, y)) < 0.01
    assert energy_distance(x, y + 1) > 0.05
    assert energy_distance(x, y + 1000) == pytest.approx(1.0, abs=0.01)


def test_one_step_of_langevin_is_measured_against_its_noise() -> None:
    energy = Quadratic(Space((2,)))  # a standard normal
    phase = Phase(energy, Langevin(step_size=0.1), Noise(Gaussian(Space((2,)))), 5)
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(4000, 2, generator=rng)
    step = one_step(phase, x, None, rng)
    assert step.temperature == pytest.approx(1.0)
    assert step.drift == pytest.approx(0.05 * math.sqrt(math.pi / 4), rel=0.02)  # h/2 E|g| / sqrt(2), |g| Rayleigh
    assert step.acceptance > 0.99
    cold = Phase(energy, Langevin(gradient_weight=1.0, noise_scale=0.1), Noise(Gaussian(Space((2,)))), 5)
    assert one_step(cold, x, None, rng).temperature == pytest.approx(0.005)


def test_nothing_held_out_is_nothing_to_compare_with() -> None:
    phase = Phase(Quadratic(Space((2,))), Langevin(step_size=0.1), Noise(Gaussian(Space((2,)))), 2)
    one = torch.ones(1, 2)
    with pytest.raises(UserError, match="the held-out examples are the training examples"):
        long_run(phase, Start(torch.zeros(8, 2)), "learning", (1,), one, one, torch.Generator())
