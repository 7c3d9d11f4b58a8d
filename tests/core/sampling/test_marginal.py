"""log p(x) of generators with a latent energy, against models whose log p(x) is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from ebmsuite.density import Density, Gaussian
from ebmsuite.errors import UserError
from ebmsuite.generator import NormalGenerator, Posterior
from ebmsuite.nets.mlp import Quadratic
from ebmsuite.nets.sequences.decoders import lstm
from ebmsuite.plugins.testing import rng
from ebmsuite.sampling import HMC, Langevin, Noise, Phase, Sampler
from ebmsuite.sampling.marginal import Infer, log_joint, log_probability, posterior_draws
from ebmsuite.space import Batch, Space

LATENT, SD = Space((2,)), 0.5
A, B = torch.tensor([0.6, -1.0]), torch.tensor([0.4, 2.0])
"""The latent energy is A z + B z^2: a normal of mean -A / 2B and variance 1 / 2B, not normalised."""

EXACT = Langevin(step_size=0.3)
COLD = Langevin(step_size=0.5, temperature=0.05)
"""As in learning: chains with less noise than the posterior has."""


def quadratic() -> Quadratic:
    energy = Quadratic(LATENT)
    energy.a.data, energy.log_b.data = A.clone(), B.log()
    return energy


def linear() -> NormalGenerator:
    """x = W z + bias + e, in three dimensions."""
    torch.manual_seed(0)
    return NormalGenerator(nn.Linear(2, 3), Gaussian(LATENT), SD)


def phase(energy: Quadratic | Posterior, sampler: Sampler = EXACT, steps: int = 30) -> Phase:
    return Phase(energy, sampler, Noise(Gaussian(LATENT)), steps)


def inference(posterior: Phase) -> Infer:
    def infer(batch: Batch, rng: torch.Generator) -> Tensor:
        known = () if batch.known is None else (batch.known,)
        return posterior.sample(len(batch), rng, (batch.x, batch.condition, *known))

    return infer


def truth(generator: NormalGenerator, x: Tensor, mean: Tensor, variance: Tensor, known: Tensor) -> Tensor:
    """log N of the known coordinates of each row, for z ~ N(mean, diag(variance))."""
    w, bias = generator.net.weight.detach().double(), generator.net.bias.detach().double()
    centre = w @ mean.double() + bias
    covariance = w @ variance.double().diag() @ w.T + SD**2 * torch.eye(3).double()
    values = []
    for row, seen in zip(x.double(), known, strict=True):
        normal = torch.distributions.MultivariateNormal(centre[seen], covariance[seen][:, seen])
        values.append(normal.log_prob(row[seen]))
    return torch.stack(values)


@pytest.mark.parametrize("sampler", [EXACT, COLD, HMC(0.3, leapfrog=3)])
def test_a_linear_generator_with_a_quadratic_latent_energy(sampler: Sampler) -> None:
    generator, x = linear(), 2 * torch.randn(5, 3, generator=rng())
    prior, posterior = phase(quadratic()), phase(Posterior(quadratic(), generator), sampler)
    found = log_probability(prior, posterior, Batch(x), inference(posterior), rng(), draws=500, betas=40)
    expected = truth(generator, x, -A / (2 * B), 1 / (2 * B), torch.ones(5, 3, dtype=torch.bool))
    assert found.log_p.dtype == torch.float64
    assert float((found.log_p - expected).abs().max()) < 0.15
    assert float(found.joint.ess.min()) > 100
    mass = float((A.square() / (4 * B)).sum() + (math.pi / B).log().sum() / 2)
    assert float(found.prior.log_z) == pytest.approx(mass, abs=0.05)
    again = log_probability(found.prior, posterior, Batch(x), inference(posterior), rng(), draws=500)
    assert torch.equal(found.log_p, again.log_p)


def test_coordinates_that_are_not_known_are_left_out() -> None:
    generator, x = linear(), 2 * torch.randn(4, 3, generator=rng())
    known = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 0, 1], [0, 1, 0]]).bool()
    prior, posterior = phase(quadratic()), phase(Posterior(quadratic(), generator))
    found = log_probability(
        prior, posterior, Batch(x * known, known=known), inference(posterior), rng(), draws=500, betas=40
    )
    expected = truth(generator, x, -A / (2 * B), 1 / (2 * B), known)
    assert float((found.log_p - expected).abs().max()) < 0.15


@pytest.mark.parametrize("sd", [1.0, 0.3])
def test_a_latent_density_is_normalised_exactly(sd: float) -> None:
    generator, x = linear(), torch.randn(4, 3, generator=rng())
    prior: Density = Gaussian(LATENT, 0.5, sd)
    posterior = phase(Posterior(prior, generator))
    found = log_probability(prior, posterior, Batch(x), inference(posterior), rng(), draws=500, betas=40)
    # a Gaussian's energy leaves out its constant
    assert float(found.prior.log_z) == pytest.approx(2 * math.log(sd) + math.log(2 * math.pi), abs=1e-5)
    assert float(found.prior.ess) == pytest.approx(200)
    expected = truth(generator, x, torch.full((2,), 0.5), torch.full((2,), sd**2), torch.ones(4, 3).bool())
    assert float((found.log_p - expected).abs().max()) < 0.15


def test_cold_chains_are_brought_to_temperature_one() -> None:
    """Without this their spread would be a fifth of that of the posterior, and few draws would count."""
    generator, x = linear(), torch.randn(3, 3, generator=rng())
    posterior = phase(Posterior(quadratic(), generator), COLD)
    z = posterior_draws(posterior, Batch(x), inference(posterior), rng(), chains=500)
    assert z.shape == (3, 500, 2)
    w = generator.net.weight.detach()
    covariance = torch.linalg.inv((2 * B).diag() + w.T @ w / SD**2)
    assert torch.allclose(z.var(1), covariance.diagonal().expand(3, 2), rtol=0.25)
    cold = posterior.sample(1500, rng(), (x.repeat_interleave(500, 0), None)).view(3, 500, 2)
    assert (cold.var(1) < 0.2 * covariance.diagonal()).all()


@pytest.mark.parametrize("share", [0.05, 1.0, 4.0])
def test_an_encoder_that_is_too_narrow_or_too_wide_loses_nothing(share: float) -> None:
    """At 0.05 of the right spread, importance samples of its draws would miss most of the integral."""
    generator, x = linear(), 2 * torch.randn(4, 3, generator=rng())
    w = generator.net.weight.detach()
    covariance = torch.linalg.inv((2 * B).diag() + w.T @ w / SD**2)
    sd = share * covariance.diagonal().sqrt()

    def encoder(batch: Batch, rng: torch.Generator) -> Tensor:
        mean = ((batch.x - generator.net.bias) @ w / SD**2 - A) @ covariance
        return mean.detach() + sd * torch.randn(mean.shape, generator=rng)

    found = log_probability(phase(quadratic()), Posterior(quadratic(), generator), Batch(x), encoder, rng(), betas=40)
    expected = truth(generator, x, -A / (2 * B), 1 / (2 * B), torch.ones(4, 3, dtype=torch.bool))
    assert float((found.log_p - expected).abs().max()) < 0.3
    assert float(found.joint.ess.min()) > 60


def test_a_decoder_of_tokens_against_quadrature() -> None:
    latent = Space((1,))
    torch.manual_seed(0)
    decoder = lstm(Space((None,), kind="tokens", classes=5), latent, 4, 6, 0.0, longest=6).eval()
    for parameter in decoder.parameters():
        parameter.data = torch.randn(parameter.shape)
    energy = Quadratic(latent)
    energy.a.data.fill_(0.7)
    x = torch.tensor([[2, 3, 1, 0], [4, 4, 2, 1], [1, 0, 0, 0]])
    grid = torch.linspace(-8, 8, 2001)[:, None]
    with torch.no_grad():
        log_z = torch.trapezoid((-energy(grid)).exp().double(), dx=0.008).log()
        given = [decoder.log_prob(row.expand(2001, -1), grid) - energy(grid) for row in x]
        expected = torch.stack([torch.trapezoid(v.exp().double(), dx=0.008).log() for v in given]) - log_z
    prior = Phase(energy, EXACT, Noise(Gaussian(latent)), 30)
    posterior = Phase(Posterior(energy, decoder), EXACT, Noise(Gaussian(latent)), 30)
    found = log_probability(prior, posterior, Batch(x), inference(posterior), rng(), draws=1000, betas=40)
    assert float((found.log_p - expected).abs().max()) < 0.15
    assert float(expected.max() - expected.min()) > 1  # rows differ by more than that


def test_what_cannot_be_estimated_is_refused() -> None:
    generator, x = linear(), torch.randn(3, 3, generator=rng())
    posterior = phase(Posterior(quadratic(), generator))
    labelled = Batch(x, torch.zeros(3, dtype=torch.int64))
    with pytest.raises(UserError, match="without a condition"):
        log_probability(phase(quadratic()), posterior, labelled, inference(posterior), rng())
    z = torch.randn(3, 8, 2, generator=rng())
    for lost, row in ((math.nan, 1), (math.inf, 2), (-math.inf, 3)):
        wild = z.clone()
        wild[row - 1, 4, 1] = lost
        with pytest.raises(UserError, match=rf"chains of row {row} of 3 diverged"):
            log_joint(posterior.energy, wild, (x, None), 10, rng())
    for chains, draws in ((1, 10), (8, 1)):
        with pytest.raises(UserError, match=rf"at least 2 chains and 2 draws per row, got {chains} and {draws}"):
            log_joint(posterior.energy, z[:, :chains], (x, None), draws, rng())


def test_dropout_is_off_and_the_mode_of_the_nets_is_kept() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5))
    noisy = NormalGenerator(net, Gaussian(LATENT), SD).train()
    energy, x = Posterior(quadratic(), noisy), torch.randn(2, 3, generator=rng())
    z = torch.randn(2, 8, 2, generator=rng())
    one, other = (log_joint(energy, z, (x, None), 50, rng()).log_z for _ in range(2))
    assert torch.equal(one, other)
    assert net.training
