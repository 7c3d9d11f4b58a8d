"""The maximum-likelihood family: gradients in closed form, fixed points, what is hidden, classifiers, FRAME."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ebmsuite.dataset import InMemory
from ebmsuite.density import Gaussian
from ebmsuite.energy import Energy
from ebmsuite.errors import DataError, RecipeError
from ebmsuite.learning import Optimiser, Players
from ebmsuite.learning.optimisers import adam, sgd
from ebmsuite.methods.improved_cd import ImprovedContrastiveDivergence, steepness
from ebmsuite.methods.incomplete import IncompleteLikelihood
from ebmsuite.methods.introspective import Introspective
from ebmsuite.methods.joint_classifier import JointClassifier
from ebmsuite.methods.mle import MaximumLikelihood
from ebmsuite.nets.frame import Frame, gabor_bank
from ebmsuite.nets.mlp import Constant, Quadratic, mlp_classes
from ebmsuite.plugins.testing import rng
from ebmsuite.sampling import Buffer, Data, Langevin, Memory, Noise, Phase
from ebmsuite.space import Batch, Space
from ebmsuite_toy.densities import Embedded, Signals, eight_gaussians

LINE = Space((1,))


def players(energy: Energy, lr: float = 1.0, make=sgd, **others: torch.nn.Module) -> Players:
    nets = {"energy": energy, **others}
    return Players(nets, dict.fromkeys(nets, Optimiser(make, lr)))


def moved(energy: Quadratic, trainer: MaximumLikelihood, x: Tensor) -> tuple[float, float]:
    """The gradients in a and log b that a step of SGD at rate 1 has taken."""
    a, b = energy.a.item(), energy.log_b.item()
    trainer.step(0, {"data": Batch(x)}, rng())
    return a - energy.a.item(), b - energy.log_b.item()


# -- terms of the loss -----------------------------------------------------------------------------------------------


def test_steepness_is_the_squared_gradient_and_can_be_learned_from() -> None:
    energy = Quadratic(Space((3,)))
    with torch.no_grad():
        energy.a.copy_(torch.tensor([0.5, -1.0, 2.0]))
    x = torch.randn(4, 3, generator=rng())
    slope = energy.a + 2 * energy.log_b.exp() * x
    value = steepness(energy, x)
    assert torch.allclose(value, slope.square().sum(1), atol=1e-5)
    (of_a,) = torch.autograd.grad(value.mean(), energy.a)
    assert torch.allclose(of_a, 2 * slope.mean(0), atol=1e-5)


@pytest.mark.parametrize("kl", [0.0, 1.0])
@pytest.mark.parametrize("entropy", [0.0, 0.3])
def test_improved_contrastive_divergence_learns_through_the_sampler(kl: float, entropy: float) -> None:
    """One step without noise from the data, w = 1/4: every term is a function of a and b in closed form."""
    x = torch.tensor([[-1.0], [0.5], [3.0]])
    energy = Quadratic(LINE)
    with torch.no_grad():
        energy.a.fill_(0.3)
        energy.log_b.fill_(math.log(0.7))
    phase = Phase(energy, Langevin(gradient_weight=0.25, noise_scale=0.0), Data(), 1)
    trainer = ImprovedContrastiveDivergence(players(energy), {"negative": phase}, kl=kl, entropy=entropy)
    found = moved(energy, trainer, x)

    a = torch.tensor(0.3, requires_grad=True)
    log_b = torch.tensor(math.log(0.7), requires_grad=True)
    b = log_b.exp()
    end = x - 0.25 * (a + 2 * b * x)
    held = end.detach()

    def value(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return (a * x + b * x.square()).mean()

    loss = value(x, a, b) - value(held, a, b) + kl * value(end, a.detach(), b.detach())
    away = [(end[i] - held[j]).abs() for i, j in ((0, 1), (1, 0), (2, 1))]  # each to its nearest, held still
    loss = loss - entropy * torch.stack(away).log().mean()
    expected = torch.autograd.grad(loss, [a, log_b])
    assert found == pytest.approx([float(e) for e in expected], abs=1e-5)


# -- what is hidden ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_langevin_dynamics_learn_the_density_of_what_is_never_whole() -> None:
    """Half of all coordinates hidden: mean and variance come out as those of whole data."""
    torch.manual_seed(0)
    event, n = Space((2,)), 2048
    truth = torch.tensor([1.0, -0.5]) + torch.tensor([0.5, 1.0]) * torch.randn(n, 2, generator=rng())
    data = InMemory(truth, known=torch.rand(n, 2, generator=rng(1)) < 0.5)
    energy = Quadratic(event)
    phases = {}
    trainer = IncompleteLikelihood(players(energy, 0.03, adam), phases, recovery_steps=100)
    given = trainer.energies(trainer.players)
    step = Langevin(step_size=0.3)
    phases["recovered"] = Phase(given["recovered"], step, Memory(Gaussian(event), n), 5)
    phases["negative"] = Phase(given["negative"], step, Buffer(Gaussian(event), 512, fresh=0.0), 5)
    draw = rng(2)
    for t in range(300):
        index = torch.randint(n, (512,), generator=draw)
        trainer.players.set_step(t)
        trainer.step(t, {"data": data.batch(index, index)}, draw)
    b = energy.log_b.exp().detach()
    mean, variance = -energy.a.detach() / (2 * b), 1 / (2 * b)
    assert mean.tolist() == pytest.approx([1.0, -0.5], abs=0.1)
    assert variance.tolist() == pytest.approx([0.25, 1.0], rel=0.15)
    batch = data.batch(torch.arange(500), torch.zeros(500))
    recovered = trainer.recover(batch, rng())
    assert torch.equal(recovered[batch.known], batch.x[batch.known])
    hidden = recovered[~batch.known[:, 0], 0]
    assert float(hidden.mean()) == pytest.approx(1.0, abs=0.1)
    with pytest.raises(DataError, match="mask of the known coordinates"):
        trainer.step(0, {"data": Batch(truth)}, draw)


# -- classifiers -------------------------------------------------------------------------------------------------------


def test_a_classifier_of_data_against_samples_gives_the_log_ratio_of_their_densities() -> None:
    """Data N(1, 1), the model N(0, 1): f = x - 1/2, so a = -1 and b stays 1/2 after one stage (tutorial)"""
    energy, c = Quadratic(LINE), Constant()
    phase = Phase(energy, Langevin(step_size=0.3), Noise(Gaussian(LINE)), 1)
    trainer = Introspective(players(energy, 0.02, adam, log_z=c), {"negative": phase}, stage=1000, pool=50_000)
    draw = rng(3)
    for t in range(600):
        trainer.players.set_step(t)
        trainer.step(t, {"data": Batch(1 + torch.randn(2048, 1, generator=draw))}, draw)
    assert energy.a.item() == pytest.approx(-1, abs=0.08)
    assert float(energy.log_b.exp()) == pytest.approx(0.5, abs=0.04)
    assert float(c.value) == pytest.approx(0.5, abs=0.05)  # log of the ratio of constants, exp(mu^2 / 2)


def test_introspective_stages_are_kept_for_a_resume() -> None:
    energy = Quadratic(LINE)
    phase = Phase(energy, Langevin(step_size=0.3), Noise(Gaussian(LINE)), 1)
    trainer = Introspective(players(energy, 0.02, adam), {"negative": phase}, stage=5, pool=8)
    trainer.step(0, {"data": Batch(torch.randn(4, 1))}, rng())
    other = Introspective(players(Quadratic(LINE), 0.02, adam), {"negative": phase}, stage=5, pool=8)
    other.restore(trainer.state())
    assert torch.equal(other.negatives.x, trainer.negatives.x)
    assert torch.equal(other.before.a, trainer.before.a)
    with pytest.raises(RecipeError, match="stage and pool"):
        Introspective(players(energy), {"negative": phase}, stage=0)


def test_a_joint_classifier_takes_both_gradients() -> None:
    """At rate 1 the weights move by the gradient of E+ - E- + w CE."""
    torch.manual_seed(0)
    event, label = Space((2,)), Space((), kind="label", classes=3)
    energy = mlp_classes(event, label, 8, 1, reference_sd=1.0)
    before = {n: p.detach().clone() for n, p in energy.named_parameters()}
    x, y = torch.randn(6, 2), torch.tensor([0, 1, 2, 0, 1, 2])
    phase = Phase(energy, Langevin(step_size=0.1), Data(), 0)  # no step: samples are the data, and the energies cancel
    trainer = JointClassifier(players(energy), {"negative": phase}, classification=0.5)
    trainer.step(0, {"data": Batch(x, y)}, rng())
    again = mlp_classes(event, label, 8, 1, reference_sd=1.0)
    again.load_state_dict(before)
    (0.5 * torch.nn.functional.cross_entropy(again.logits(x), y)).backward()
    for name, p in again.named_parameters():
        assert torch.allclose(before[name] - p.grad, dict(energy.named_parameters())[name], atol=1e-6)
    assert torch.equal(trainer.classify(x), energy.logits(x))
    with pytest.raises(RecipeError, match="an energy with logits"):
        JointClassifier(players(Quadratic(event)), {"negative": phase})


# -- FRAME -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_filters_have_norm_one_and_no_mean(axes: int) -> None:
    bank = gabor_bank(axes, (4.0, 6.0), 5).double()
    directions = {1: 1, 2: 5, 3: 5}[axes]
    assert bank.shape == (1 + 2 * 2 * directions, *[13] * axes)
    assert torch.allclose(bank.flatten(1).norm(dim=1), torch.ones(len(bank), dtype=torch.float64), atol=1e-6)
    assert float(bank[1:].flatten(1).sum(1).abs().max()) < 1e-5
    far = torch.cdist(bank.flatten(1), bank.flatten(1)) + 2 * torch.eye(len(bank))
    assert float(far.min()) > 0.1  # no two are the same


def test_a_sine_is_seen_by_the_filter_of_its_wavelength() -> None:
    frame = Frame(Space((1, 64)), scales=(4.0, 8.0, 16.0))
    x = torch.sin(2 * math.pi / 8 * torch.arange(64.0)).view(1, 1, 64)
    strength = frame.statistics(x)[0, 1:].view(3, 2).norm(dim=1)
    assert int(strength.argmax()) == 1
    shifted = frame.statistics(x.roll(3, -1))
    assert torch.allclose(shifted, frame.statistics(x), atol=1e-5)  # a texture has no place


@pytest.mark.parametrize("potential", ["abs", "histogram"])
@pytest.mark.parametrize("inhomogeneous", [False, True])
def test_the_gradient_of_the_potentials_is_the_difference_of_statistics(potential: str, inhomogeneous: bool) -> None:
    frame = Frame(Space((2, 16, 16)), (4.0,), 2, potential, 5, 3.0, inhomogeneous)
    x = torch.randn(3, 2, 16, 16, generator=rng())
    (gradient,) = torch.autograd.grad(frame(x).sum(), frame.weights)
    h = frame.statistics(x).sum(0)
    count = 1 if inhomogeneous else 256
    assert torch.allclose(gradient.flatten(), -count * h.flatten(), atol=1e-2, rtol=1e-4)
    if potential == "histogram":
        axis = 2
        inside = frame.responses(x).abs() < 3.0 - 1.5  # a bin from the outermost centre
        assert torch.allclose(frame.features(x).sum(axis)[inside], torch.ones(()), atol=1e-5)
    assert torch.allclose(frame(x), x.square().flatten(1).sum(1) / 2, atol=1e-3)  # nothing learned: the reference


def test_frame_learns_to_have_the_statistics_of_the_data() -> None:
    torch.manual_seed(0)
    density = Signals(length=32, wavelengths=(8.0,))
    data, event = density.sample(1000, rng()), Space((1, 32))
    frame = Frame(event, scales=(4.0, 8.0))
    phase = Phase(frame, Langevin(step_size=0.4), Buffer(Gaussian(event), 128, fresh=0.0), 5)
    trainer = MaximumLikelihood(players(frame, 0.03, adam), {"negative": phase})
    draw = rng(1)
    before = frame.statistics(torch.randn(2000, 1, 32, generator=draw)).mean(0)
    for t in range(150):
        trainer.players.set_step(t)
        index = torch.randint(1000, (128,), generator=draw)
        trainer.step(t, {"data": Batch(data[index])}, draw)
    wanted = frame.statistics(data).mean(0)
    got = frame.statistics(phase.chains.x).mean(0).detach()
    error, was = ((v - wanted).abs().sum() / wanted.sum() for v in (got, before))
    assert float(error) < 0.05 < 0.2 < float(was)


def test_what_frame_cannot_do_is_said() -> None:
    with pytest.raises(RecipeError, match=r"got \[3\]"):
        Frame(Space((3,)))
    with pytest.raises(RecipeError, match="need 33 samples, there are 20"):
        Frame(Space((1, 20)))
    with pytest.raises(RecipeError, match="at least 2 samples"):
        gabor_bank(1, (1.0,), 1)


# -- densities with known truth ---------------------------------------------------------------------------------


def test_signals_are_drawn_and_known_as_the_same_process() -> None:
    density = Signals(length=16, wavelengths=(8.0, 3.0))
    x, y = density.draw(20_000, rng())
    eye = torch.eye(16, dtype=torch.float64)
    for c in (0, 1):
        spectrum = density.given(c).spectra[0]
        covariance = torch.fft.irfft(torch.fft.rfft(eye, norm="ortho") * spectrum, n=16, norm="ortho")
        assert torch.allclose(covariance.diagonal(), torch.ones(16, dtype=torch.float64), atol=1e-9)
        mine = x[y == c][:, 0].double()
        assert float((mine.T @ mine / len(mine) - covariance).abs().max()) < 0.06
        exact = torch.distributions.MultivariateNormal(torch.zeros(16, dtype=torch.float64), covariance)
        assert torch.allclose(density.given(c).log_prob(x[:50].double()), exact.log_prob(x[:50, 0].double()))
    both = torch.stack([density.given(c).log_prob(x[:50].double()) for c in (0, 1)]).logsumexp(0) - math.log(2)
    assert torch.allclose(density.log_prob(x[:50].double()), both)
    assert Embedded(dim=4).classes == eight_gaussians().classes == 8
