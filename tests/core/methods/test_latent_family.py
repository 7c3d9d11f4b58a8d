"""A generator without an energy of events: back-propagation, scores of latent vectors, symbol-vector coupling."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ebmsuite.builtin.examples import ABP_EXAMPLE, LATENT_REFINE_EXAMPLE, LATENT_SCORE_EXAMPLE, SYMBOLS_EXAMPLE
from ebmsuite.dataset import NormalSamples
from ebmsuite.density import Encoder, Gaussian
from ebmsuite.errors import RecipeError, UserError
from ebmsuite.experiment.stored import load_tensors
from ebmsuite.experiment.train import train
from ebmsuite.generator import Generator, NormalGenerator, Posterior
from ebmsuite.learning import Optimiser, Players
from ebmsuite.learning.optimisers import adam, sgd
from ebmsuite.methods.abp import AlternatingBackpropagation
from ebmsuite.methods.latent_dsm import LatentScoreMatching
from ebmsuite.methods.latent_refine import LatentRefinement
from ebmsuite.methods.symbol_vector import SymbolVector, mutual_information
from ebmsuite.model import load
from ebmsuite.nets.mlp import Quadratic, mlp_classes, mlp_encoder, mlp_generator
from ebmsuite.plugins.testing import rng
from ebmsuite.sampling import Bank, Langevin, Memory, Noise, Phase, Start, target_of
from ebmsuite.space import Batch, Space

PLANE = Space((2,))


# -- alternating back-propagation ---------------------------------------------------------------------------------


def linear(examples: int, steps: int, sd: float = 0.8) -> tuple[AlternatingBackpropagation, nn.Linear]:
    """x = W z + b + e, z in the plane and x in three dimensions."""
    torch.manual_seed(0)
    net = nn.Linear(2, 3)
    generator = NormalGenerator(net, Gaussian(PLANE), sd)
    players = Players({"generator": generator}, {"generator": Optimiser(sgd, lr=1.0)})
    energies = AlternatingBackpropagation.energies(players)
    phase = Phase(energies["posterior"], Langevin(step_size=0.15), Memory(Gaussian(PLANE), examples), steps)
    return AlternatingBackpropagation(players, {"posterior": phase}), net


@pytest.mark.parametrize("hidden", [False, True])
def test_the_gradient_is_that_of_the_marginal_likelihood(hidden: bool) -> None:
    """E_{p(z | x)}[d log p(x | z)] = d log p(x), which a linear model has in closed form; of what is known alone."""
    n = 40_000
    trainer, net = linear(n, steps=300)
    x = torch.tensor([[1.5, -0.5, 0.7]]).expand(n, 3)
    known = torch.tensor([[True, True, not hidden]]).expand(n, 3)
    w, b = (p.detach().clone().requires_grad_() for p in (net.weight, net.bias))
    covariance = w @ w.T + 0.8**2 * torch.eye(3)
    seen = [0, 1] if hidden else [0, 1, 2]
    marginal = torch.distributions.MultivariateNormal(b[seen], covariance[seen][:, seen])
    (-marginal.log_prob(x[0, seen])).backward()
    batch = Batch(x * known, index=torch.arange(n), known=known if hidden else None)
    trainer.step(0, {"data": batch}, rng())
    assert torch.allclose(w.detach() - net.weight, w.grad, atol=0.02)
    assert torch.allclose(b.detach() - net.bias, b.grad, atol=0.02)


def test_what_is_hidden_is_not_looked_at() -> None:
    known = torch.rand(16, 3, generator=rng(1)) > 0.4
    x = torch.randn(16, 3, generator=rng(2))
    ends = []
    for other in (0.0, 7.0):
        trainer, net = linear(16, steps=3)
        batch = Batch(torch.where(known, x, other), index=torch.arange(16), known=known)
        trainer.step(0, {"data": batch}, rng())
        recovered = trainer.recover(batch, rng())
        assert torch.equal(recovered[known], x[known])
        ends.append((net.weight.detach().clone(), recovered))
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


def test_the_likelihood_of_what_is_known_is_a_marginal() -> None:
    generator = NormalGenerator(nn.Linear(2, 3), Gaussian(PLANE), 0.5)
    x, z = torch.randn(5, 3), torch.randn(5, 2)
    known = torch.tensor([[True, False, True]] * 4 + [[False] * 3])
    each = torch.distributions.Normal(generator(z), 0.5).log_prob(x)
    assert torch.allclose(generator.log_prob(x, z, None, known), (each * known).sum(1))
    energy = Posterior(generator.latent, generator)
    assert torch.allclose(energy(z, (x, None, known)), energy.prior(z) - (each * known).sum(1))
    assert torch.allclose(energy(z, (x, None)), energy.prior(z) - each.sum(1))


@pytest.mark.slow
def test_alternating_learning_recovers_the_distribution_of_hidden_values(tmp_path) -> None:
    """Coordinates are independent, so the best estimate of a hidden one is the mean, with an error of one sd.

    Hidden coordinates are 0 in a batch. A generator that learned from them would estimate 0.7 of the mean.
    """
    mean, sd = 3.0, 0.5
    recipe = ABP_EXAMPLE | {
        "data": {"data": {"name": "normal", "n": 1000, "dim": 4, "mean": mean, "sd": sd, "hidden": 0.3}},
        "latent": 1,
        "players": {"generator": {"name": "mlp", "width": 16, "depth": 1, "sd": sd}},
        "optimisers": {"generator": {"name": "adam", "lr": 1e-2}},
        "budget": {"steps": 300, "batch": 200},
        "watch": [{"name": "log"}],
    }
    model = load(train(recipe, "posterior.steps=10", "posterior.sampler.step_size=0.08", out=tmp_path / "run"))
    index = torch.arange(500)
    batch = model.data["test"].batch(index, index)
    truth = NormalSamples("test", 1000, 4, mean, sd).batch(index, index).x
    hidden = ~batch.known
    guess = torch.stack([model.trainer.recover(batch, model.generator(k)) for k in range(4)]).mean(0)
    assert not batch.x[hidden].any()
    assert guess[hidden].mean().item() == pytest.approx(mean, abs=0.1)
    assert (guess - truth)[hidden].square().mean().sqrt().item() == pytest.approx(sd, rel=0.25)


def test_other_generators_are_told_that_they_cannot_leave_coordinates_out() -> None:
    class Other(Generator):
        def __init__(self) -> None:
            super().__init__(Gaussian(PLANE))
            self.net = nn.Linear(2, 3)

    players = Players({"generator": Other()}, {"generator": Optimiser(sgd, lr=1.0)})
    energy = AlternatingBackpropagation.energies(players)["posterior"]
    trainer = AlternatingBackpropagation(
        players, {"posterior": Phase(energy, Langevin(step_size=0.1), Memory(Gaussian(PLANE), 4), 1)}
    )
    x = torch.zeros(4, 3)
    with pytest.raises(UserError, match="only a generator with normal noise"):
        trainer.step(0, {"data": Batch(x, index=torch.arange(4), known=x == 0)}, rng())


# -- denoising score matching of latent vectors -------------------------------------------------------------------


def two_stages(first: int, **how: float) -> LatentScoreMatching:
    """z ~ N(W x, 0.3^2) with W = diag(2, 0.5), of which the energy is a quadratic function."""
    torch.manual_seed(0)
    net = nn.Linear(2, 4)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[2.0, 0.0], [0.0, 0.5], [0.0, 0.0], [0.0, 0.0]]))
        net.bias.copy_(torch.tensor([0.0, 0.0, math.log(0.3), math.log(0.3)]))
    nets = {
        "energy": Quadratic(PLANE),
        "generator": NormalGenerator(nn.Linear(2, 2), Gaussian(PLANE), 0.5),
        "encoder": Encoder(net, PLANE),
    }
    players = Players(nets, dict.fromkeys(nets, Optimiser(adam, lr=0.02, **how)))  # type: ignore[arg-type]
    phase = Phase(nets["energy"], Langevin(step_size=0.3), Noise(Gaussian(PLANE)), 200)
    return LatentScoreMatching(players, {"prior": phase}, first=first, sigma=0.4, denoise=True)


def test_stages_leave_each_others_nets_alone() -> None:
    trainer, data = two_stages(first=1), {"data": Batch(torch.randn(64, 2, generator=rng(1)))}

    def weights() -> dict[str, list[Tensor]]:
        return {name: [p.detach().clone() for p in net.parameters()] for name, net in trainer.players.items()}

    for t, learning in ((0, {"generator", "encoder"}), (1, {"energy"})):
        before = weights()
        trainer.step(t, data, rng())
        now = weights()
        moved = {k for k in now if any(not torch.equal(a, b) for a, b in zip(before[k], now[k], strict=True))}
        assert moved == learning


@pytest.mark.slow
def test_the_energy_is_the_density_of_what_is_inferred_with_the_noise() -> None:
    trainer, source = two_stages(first=0), rng(2)
    mean, sd = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 1.0])
    steps, late = 1200, []
    for t in range(steps):
        trainer.players.set_step(t)
        trainer.step(t, {"data": Batch(mean + sd * torch.randn(500, 2, generator=source))}, source)
        if t >= steps // 2:  # the mean of the way, as the rate does not fall
            energy = trainer.players["energy"]
            b = energy.log_b.detach().exp()
            late.append((-energy.a.detach() / (2 * b), 1 / (2 * b)))
    centre, variance = (torch.stack(each).mean(0) for each in zip(*late, strict=True))
    w = torch.tensor([2.0, 0.5])
    assert torch.allclose(centre, w * mean, atol=0.05)
    assert torch.allclose(variance, (w * sd).square() + 0.3**2 + 0.4**2, rtol=0.05)
    # samples are drawn from it, and decoded after a step that takes the noise off
    z = trainer.phases["prior"].sample(4000, rng(3))
    assert torch.allclose(z.mean(0), centre, atol=0.06)
    assert torch.allclose(z.var(0), variance, rtol=0.1)
    energy = trainer.players["energy"]
    clean = z - 0.4**2 * (energy.a + 2 * energy.log_b.exp() * z)
    assert torch.allclose(trainer.sample(4000, rng(3)), trainer.players["generator"](clean), atol=1e-5)


def test_the_second_stage_has_schedules_of_its_own_and_the_averages_of_the_first() -> None:
    trainer, data = two_stages(first=3, warm_up=10, ema=0.9), {"data": Batch(torch.randn(64, 2, generator=rng(1)))}
    for t in range(5):
        trainer.players.set_step(t)
        trainer.step(t, data, rng())
    assert trainer.players.lr("energy") == pytest.approx(0.02 * 2 / 10)
    assert trainer.players.lr("generator") == pytest.approx(0.02 * 5 / 10)
    # what is inferred is what the encoder in use infers
    seen = []
    trainer.matching.loss = lambda data, rng: (seen.append(data.x) or trainer.players["energy"].a.sum(), {})  # type: ignore[method-assign]
    trainer.step(5, data, rng(7))
    averaged = trainer.players.ema["encoder"]
    assert torch.equal(seen[0], averaged.sample(64, rng(7), data["data"].x))
    assert not torch.equal(seen[0], trainer.players["encoder"].sample(64, rng(7), data["data"].x))


def test_an_energy_of_events_refines_the_samples_of_the_latent_energy(tmp_path: Path) -> None:
    run = train(LATENT_REFINE_EXAMPLE, out=tmp_path / "run")
    model = load(run)
    trainer, prior, negative = model.trainer, model.phases["prior"], model.phases["negative"]
    assert isinstance(trainer, LatentRefinement)
    # a sample is a chain on the energy of events from a decoded sample of the latent energy
    z = prior.sample(6, rng(1))
    assert torch.equal(model.starts(6, rng(1)), model.players["generator"](z))
    source = rng(1)
    start = model.starts(6, source)
    assert torch.equal(model.sample(6, rng=rng(1)), negative.refine(Start(start), source, negative.steps))
    # the bank has samples of the averaged players, which the third stage keeps
    assert negative.chains.state()["x"].shape == (32, 2)
    players = load_tensors(run / "checkpoints" / "step-00000012" / "players.safetensors")
    averages = load_tensors(run / "checkpoints" / "step-00000012" / "ema.safetensors")
    same: dict[str, list[bool]] = {name.partition("/")[0]: [] for name in averages}
    for name, value in averages.items():
        same[name.partition("/")[0]].append(torch.equal(players[name], value))
    assert all(same["prior"])
    assert not all(same["energy"])
    with pytest.raises(RecipeError, match=r"trainer\.second: .* at least 0, got -1"):
        train(LATENT_REFINE_EXAMPLE, "trainer.second=-1", out=tmp_path / "other")


def test_each_stage_of_the_refinement_learns_its_own_players() -> None:
    torch.manual_seed(0)
    nets = {
        "energy": Quadratic(PLANE),
        "prior": Quadratic(PLANE),
        "generator": NormalGenerator(nn.Linear(2, 2), Gaussian(PLANE), 0.5),
        "encoder": Encoder(nn.Linear(2, 4), PLANE),
    }
    players = Players(nets, dict.fromkeys(nets, Optimiser(adam, lr=0.02, warm_up=10)))
    phases = {
        "prior": Phase(nets["prior"], Langevin(step_size=0.3), Noise(Gaussian(PLANE)), 2),
        "negative": Phase(nets["energy"], Langevin(step_size=0.3), Bank(size=20), 2),
    }
    trainer = LatentRefinement(players, phases, first=1, second=1, sigma=0.4)
    data = {"data": Batch(torch.randn(16, 2, generator=rng(1)))}
    for t, learning in enumerate(({"generator", "encoder"}, {"prior"}, {"energy"}, {"energy"})):
        before = {name: [p.detach().clone() for p in net.parameters()] for name, net in players.items()}
        players.set_step(t)
        trainer.step(t, data, rng(t))
        assert learning == {
            name
            for name, net in players.items()
            if any(not torch.equal(a, b) for a, b in zip(before[name], net.parameters(), strict=True))
        }
    assert players.lr("energy") == pytest.approx(0.02 * 2 / 10)  # schedules count from the stage


def test_an_energy_of_latent_vectors_is_told_the_noise_too(tmp_path: Path) -> None:
    """All levels of it in learning, three on the way down, and then the noise of the least off; in bf16 as well."""
    told = "players.energy={name: mlp-levels, of: latent, low: 0.2, high: 1.5, width: 8}"
    run = train(
        LATENT_SCORE_EXAMPLE, told, "trainer={name: latent-dsm, first: 6, denoise: true, anneal: 3}",
        "compute.precision=bf16", out=tmp_path / "run",
    )  # fmt: skip
    model = load(run)
    energy, phase = model.players["energy"], model.phases["prior"]
    assert energy.autocast == torch.bfloat16
    z = torch.randn(5, 2, generator=rng())
    assert energy(z).dtype == torch.float32
    again, levels = rng(7), (1.5, (0.2 * 1.5) ** 0.5, 0.2)
    z = phase.sample(5, again, torch.full((5,), levels[0]))
    for level in levels[1:]:
        z = phase.refine(Start(z, torch.full((5,), level)), again)
    clean = z - 0.2**2 * target_of(energy, z).value_and_grad(z)[1]
    torch.testing.assert_close(model.sample_latent(5, rng(7)), clean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model.sample(5, rng=rng(7)), model.trainer.decode(clean, rng()), rtol=1e-4, atol=1e-4)
    with pytest.raises(UserError, match="the model is unconditional; it takes no condition"):
        model.sample(5, condition=torch.ones(5))


@pytest.mark.parametrize(
    "change", ["trainer.first=-1", "trainer.sigma=0", "trainer.sigma=null", "players.energy.of=event"]
)
def test_two_stages_that_cannot_be_are_one_error(change: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=change.partition("=")[0]):
        train(LATENT_SCORE_EXAMPLE, change, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


# -- symbol-vector coupling ---------------------------------------------------------------------------------------


def test_mutual_information_of_classes() -> None:
    sure = 50 * torch.eye(4).repeat(8, 1)
    assert mutual_information(sure).item() == pytest.approx(math.log(4), abs=1e-4)
    assert mutual_information(sure[:1].expand(32, 4)).item() == pytest.approx(0, abs=1e-4)
    assert mutual_information(torch.randn(1, 4).expand(32, 4)).item() == pytest.approx(0, abs=1e-6)
    joint = torch.tensor([[0.3, 0.2], [0.05, 0.45]])  # p(z, y), z of two values alike
    independent = joint.sum(1, keepdim=True) * joint.sum(0)
    assert mutual_information(joint.log()).item() == pytest.approx((joint * (joint / independent).log()).sum().item())


def test_the_coupling_reaches_energy_and_encoder_and_not_the_generator() -> None:
    torch.manual_seed(0)
    given = Space((), kind="label", classes=3)
    nets = {
        "energy": mlp_classes(PLANE, given, 8, 1, reference_sd=1.0),
        "generator": mlp_generator(Space((4,)), PLANE, 8, 1),
        "encoder": mlp_encoder(Space((4,)), PLANE, 8, 1),
    }
    weights = {k: {n: v.clone() for n, v in net.state_dict().items()} for k, net in nets.items()}
    batches = {"data": Batch(torch.randn(64, 4)), "labelled": Batch(torch.randn(64, 4), torch.arange(64) % 3)}
    moved = {}
    for told, information in ((0.0, 0.0), (2.0, 0.0), (0.0, 3.0)):
        for k, net in nets.items():
            net.load_state_dict(weights[k])
        players = Players(nets, dict.fromkeys(nets, Optimiser(sgd, lr=1.0)))
        phase = Phase(nets["energy"], Langevin(step_size=0.3), Noise(Gaussian(PLANE)), 3)  # type: ignore[arg-type]
        SymbolVector(players, {"prior": phase}, told, information).step(0, batches, rng())
        moved[told, information] = {
            k: torch.cat([(weights[k][n] - p.detach()).flatten() for n, p in net.named_parameters()])
            for k, net in nets.items()
        }
        for k, net in nets.items():
            net.load_state_dict(weights[k])
    energy, encoder = nets["energy"], nets["encoder"]
    x, y = batches["labelled"].x, batches["labelled"].condition
    told = torch.nn.functional.cross_entropy(energy.logits(encoder.moments(x)[0]), y)
    z = encoder.sample(64, rng(), batches["data"].x)
    information = mutual_information(energy.logits(z))
    for loss, weight, key in ((told, 2.0, (2.0, 0.0)), (-information, 3.0, (0.0, 3.0))):
        for k in ("energy", "encoder"):
            parameters = list(nets[k].parameters())
            gradient = torch.autograd.grad(loss, parameters, retain_graph=True, materialize_grads=True)
            more = moved[key][k] - moved[0.0, 0.0][k]
            assert torch.allclose(more, weight * torch.cat([g.flatten() for g in gradient]), atol=1e-4)
            assert more.abs().max() > 1e-3
        assert torch.equal(moved[key]["generator"], moved[0.0, 0.0]["generator"])


@pytest.mark.slow
def test_a_few_labels_teach_the_classes(tmp_path) -> None:
    """The label says whether the first coordinate is positive; samples drawn for a label have that sign."""
    points = {"name": "normal", "dim": 2}
    recipe = SYMBOLS_EXAMPLE | {
        "data": {"data": {**points, "n": 1000}, "labelled": {**points, "n": 50, "labels": True}},
        "players": {"energy": {"name": "mlp-classes", "of": "latent", "width": 32, "depth": 1, "reference_sd": 1.0},
                    "generator": {"name": "mlp", "width": 32, "depth": 1, "sd": 0.15},
                    "encoder": {"name": "mlp-encoder", "width": 32, "depth": 1}},
        "phases": {"prior": {"chains": {"name": "noise", "density": {"name": "gaussian"}},
                   "sampler": {"name": "langevin", "step_size": 0.4}, "steps": 10}},
        "optimisers": {k: {"name": "adam", "lr": 5e-3} for k in ("energy", "generator", "encoder")},
        "budget": {"steps": 300, "batch": 100}, "watch": [{"name": "log"}],
    }  # fmt: skip
    model = load(train(recipe, out=tmp_path / "run"))
    x = torch.randn(1000, 2, generator=rng(5))
    assert ((model.trainer.classify(x).argmax(1) == 1) == (x[:, 0] > 0)).double().mean() > 0.9
    y = torch.arange(400) % 2
    x = model.sample(400, condition=y)
    assert ((x[:, 0] > 0) == (y == 1)).double().mean() > 0.85


def test_the_nets_that_it_needs_are_named() -> None:
    given = Space((), kind="label", classes=3)
    encoder = Encoder(nn.Linear(4, 4), PLANE)
    with pytest.raises(RecipeError, match=r"players.energy: this component has no logits; use mlp-classes"):
        SymbolVector(Players({"energy": Gaussian(PLANE), "encoder": encoder}, {}), {})
    with pytest.raises(RecipeError, match=r"players.encoder: this component has no moments"):
        SymbolVector(Players({"energy": mlp_classes(PLANE, given), "encoder": Gaussian(PLANE)}, {}), {})
