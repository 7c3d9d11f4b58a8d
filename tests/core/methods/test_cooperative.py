"""An energy with a generator and an encoder: cooperative learning, its variational form, the divergence triangle."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, kl_divergence

from ebmsuite.density import Encoder, Gaussian
from ebmsuite.energy import Energy
from ebmsuite.errors import RecipeError
from ebmsuite.generator import NormalGenerator
from ebmsuite.learning import Optimiser, Players, Trainer
from ebmsuite.learning.optimisers import adam, sgd
from ebmsuite.methods.cooperative import Cooperative
from ebmsuite.methods.divergence_triangle import DivergenceTriangle
from ebmsuite.methods.joint_vae import JointVAE
from ebmsuite.methods.variational_cooperative import VariationalCooperative
from ebmsuite.nets.mlp import Quadratic, mlp_encoder, mlp_energy, mlp_generator
from ebmsuite.plugins.testing import rng
from ebmsuite.sampling import Draw, Langevin, Phase, Proposal
from ebmsuite.space import Batch, Space
from ebmsuite.tree import Tree

LINE, PLANE = Space((1,)), Space((2,))


class Trio:
    """Linear and normal throughout: E(x) = a x + b x^2, x = w z + v + e, q(z | x) = N(u x + t, s^2)."""

    def __init__(self) -> None:
        self.energy = Quadratic(LINE)
        self.net, self.back = nn.Linear(1, 1), nn.Linear(1, 2)
        with torch.no_grad():
            self.energy.a.fill_(0.3)
            self.net.weight.fill_(0.8), self.net.bias.fill_(-0.4)
            self.back.weight.copy_(torch.tensor([[0.5], [0.0]])), self.back.bias.copy_(torch.tensor([0.2, -0.3]))
        self.generator = NormalGenerator(self.net, Gaussian(LINE), 0.6)
        self.encoder = Encoder(self.back, LINE)
        nets = {"energy": self.energy, "generator": self.generator, "encoder": self.encoder}
        self.players = Players(nets, dict.fromkeys(nets, Optimiser(sgd, lr=1.0)))

    def phase(self, energy: nn.Module, steps: int = 5) -> tuple[Phase, list[Draw]]:
        """A phase that starts at the proposal, and what it draws."""
        phase, drawn = Phase(energy, Langevin(step_size=0.3), Proposal(), steps), []  # type: ignore[arg-type]
        draw = phase.draw
        phase.draw = lambda *a, **k: drawn.append(draw(*a, **k)) or drawn[-1]  # type: ignore[method-assign]
        return phase, drawn

    def gradients(self) -> dict[str, list[Tensor]]:
        """What the parameters have moved by since this was last asked, at a rate of 1."""
        now = {k: [p.detach().clone() for p in net.parameters()] for k, net in self.players.items()}
        before, self._before = getattr(self, "_before", now), now
        return {k: [b - n for b, n in zip(before[k], now[k], strict=True)] for k in now}


def close(found: list[Tensor], wanted: list[Tensor], **tolerance: float) -> bool:
    return all(torch.allclose(f, w, **tolerance) for f, w in zip(found, wanted, strict=True))


@pytest.mark.parametrize("inferring", [False, True])
def test_the_generator_learns_what_the_chains_made_of_its_draw(inferring: bool) -> None:
    trio, x = Trio(), torch.randn(64, 1, generator=rng(1)) + 1
    energies = Cooperative.energies(trio.players)
    negative, refined = trio.phase(energies["negative"])
    inference, inferred = trio.phase(energies["inference"])
    phases = {"negative": negative, **({"inference": inference} if inferring else {})}
    trio.gradients()
    logs = Cooperative(trio.players, phases).step(0, {"data": Batch(x)}, rng())
    moved = trio.gradients()
    s, z = refined[0], inferred[0].x if inferring else refined[0].start.latent
    assert torch.allclose(s.start.x, 0.8 * s.start.latent - 0.4)  # G0: chains start at what the generator shows
    assert close(moved["energy"], [(x - s.x).mean(0), 0.5 * (x.square() - s.x.square()).mean(0)])
    error = (0.8 * z - 0.4 - s.x) / 0.6**2  # d/d mean of the squared error / 2 sd^2
    assert close(moved["generator"], [(error * z).mean(0, keepdim=True), error.mean(0)])
    assert all(torch.equal(m, torch.zeros_like(m)) for m in moved["encoder"])
    assert logs["gap"].dim() == 0
    if inferring:
        assert torch.equal(inferred[0].start.x, s.start.latent)
        assert not torch.equal(z, s.start.latent)


def test_the_initialiser_learns_from_what_is_observed_as_well() -> None:
    trio, x = Trio(), torch.randn(64, 1, generator=rng(1)) + 1
    negative, refined = trio.phase(trio.energy)
    trio.gradients()
    Cooperative(trio.players, {"negative": negative}, observed=0.2).step(0, {"data": Batch(x)}, rng())
    mean = refined[0].start.x
    slope = 0.8 * (mean - refined[0].x) / 0.6**2 + 0.2 * (mean - x).sign()
    assert torch.allclose(trio.gradients()["generator"][1], slope.mean(0))


def test_a_variational_teacher_raises_the_bound_of_the_refined() -> None:
    trio, x = Trio(), torch.randn(20_000, 1, generator=rng(1)) + 1
    negative, refined = trio.phase(trio.energy, steps=2)
    trainer = VariationalCooperative(trio.players, {"negative": negative}, kl_weight=2.0)
    w, v, u, t, log_s = (torch.tensor(k, requires_grad=True) for k in (0.8, -0.4, 0.5, 0.2, -0.3))
    trio.gradients()
    trainer.step(0, {"data": Batch(x)}, rng())
    moved, s = trio.gradients(), refined[0].x
    z = u * s + t
    variance = (2 * log_s).exp()
    error = ((s - w * z - v).square() + w**2 * variance) / (2 * 0.6**2)
    kl = (z.square() + variance - 1) / 2 - log_s  # closed form; the trainer draws z
    (error + 2 * kl).mean().backward()
    assert close(moved["generator"], [w.grad.view(1, 1), v.grad.view(1)], atol=0.03)
    wanted = [u.grad.view(1), torch.stack([t.grad, log_s.grad])]
    assert close([moved["encoder"][0][0], moved["encoder"][1]], wanted, atol=0.05)


@pytest.mark.parametrize("means", [False, True])
def test_the_triangle_is_one_of_three_divergences(means: bool) -> None:
    """The losses' gradients are those of KL(Q || P) + KL(P || Pi) - KL(Q || Pi), which normals have in closed form.

    With ``means``, the x of P in the second term have no observation noise.
    """
    mean, sd, noise = 1.0, 0.7, 0.6
    drawn = 0.0 if means else noise
    data = mean + sd * torch.randn(400_000, 1, generator=rng(1))
    trio = Trio()
    trio.gradients()
    DivergenceTriangle(trio.players, {}, means=means).step(0, {"data": Batch(data)}, rng())
    moved = trio.gradients()
    a, log_b, w, v, u, t, log_s = (
        torch.tensor(k, requires_grad=True) for k in (0.3, math.log(0.5), 0.8, -0.4, 0.5, 0.2, -0.3)
    )
    b, variance = log_b.exp(), (2 * log_s).exp()

    def energy(m: Tensor | float, var: Tensor | float) -> Tensor:
        return a * m + b * (m**2 + var)

    z, spread = u * mean + t, u**2 * sd**2 + variance
    q_p = -log_s + (z**2 + spread) / 2
    q_p = q_p + ((mean - w * z - v) ** 2 + (1 - w * u) ** 2 * sd**2 + w**2 * variance) / (2 * noise**2)
    p_pi = energy(v, w**2 + drawn**2) + log_s
    p_pi = p_pi + ((u * v + t) ** 2 + (1 - u * w) ** 2 + u**2 * drawn**2) / (2 * variance)
    triangle = q_p + p_pi - energy(mean, sd**2)  # log Z is in both of Pi
    triangle.backward()
    tolerance = {"atol": 0.03}
    assert close(moved["energy"], [-a.grad.view(1), -log_b.grad.view(1)], **tolerance)  # the energy's is a maximum
    assert close(moved["generator"], [w.grad.view(1, 1), v.grad.view(1)], **tolerance)
    wanted = [u.grad.view(1), torch.stack([t.grad, log_s.grad])]
    assert close([moved["encoder"][0][0], moved["encoder"][1]], wanted, **tolerance)


@pytest.mark.parametrize("method", [DivergenceTriangle, JointVAE])
@pytest.mark.parametrize("means", [False, True])
def test_a_model_shows_the_events_that_its_energy_sees(
    method: type[DivergenceTriangle] | type[JointVAE], means: bool
) -> None:
    trio = Trio()
    trainer = method(trio.players, {}, means=means)
    z, x = trainer.generate(4000, rng(2), None)
    assert (x - (0.8 * z - 0.4)).std().item() == pytest.approx(0.0 if means else 0.6, abs=0.02)
    assert torch.equal(trainer.sample(4000, rng(2)), x)


class OfPairs(Energy):
    """E(x, z) = a . v + |L^T v|^2 / 2 of v = (x, z)."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([0.3, -0.2]))
        self.L = nn.Parameter(torch.tensor([[1.2, 0.0], [-0.5, 0.9]]))

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        v = torch.cat([x, condition], 1)
        return v @ self.a + (v @ self.L).square().sum(1) / 2


def test_the_joint_energy_closes_a_triangle_of_pairs() -> None:
    """The gradients are those of KL(Q || P) + KL(P || Pi) - KL(Q || Pi), all normal distributions of (x, z)."""
    mean, sd, noise = 1.0, 0.7, 0.6
    data = mean + sd * torch.randn(400_000, 1, generator=rng(1))
    trio = Trio()
    energy = OfPairs()
    nets = {"energy": energy, "generator": trio.generator, "encoder": trio.encoder}
    trio.players = Players(nets, dict.fromkeys(nets, Optimiser(sgd, lr=1.0)))
    trio.gradients()
    a, L = (p.detach().clone().requires_grad_() for p in (energy.a, energy.L))
    JointVAE(trio.players, {}, entropy=0.0).step(0, {"data": Batch(data)}, rng())
    moved = trio.gradients()
    w, v, u, t, log_s = (torch.tensor(k, requires_grad=True) for k in (0.8, -0.4, 0.5, 0.2, -0.3))

    def normal(mean: list[Tensor | float], cov: list[list[Tensor | float]]) -> MultivariateNormal:
        stacked = [torch.stack([torch.as_tensor(k) for k in row]) for row in cov]
        return MultivariateNormal(torch.stack([torch.as_tensor(k) for k in mean]), torch.stack(stacked))

    s2, n2 = sd**2, noise**2
    q = normal([mean, u * mean + t], [[s2, u * s2], [u * s2, u**2 * s2 + (2 * log_s).exp()]])
    p = normal([v, 0.0], [[w**2 + n2, w], [w, 1.0]])
    precision = L @ L.T
    pi = MultivariateNormal(-torch.linalg.solve(precision, a), precision_matrix=precision)
    (kl_divergence(q, p) + kl_divergence(p, pi) - kl_divergence(q, pi)).backward()
    tolerance = {"atol": 0.03}
    assert close(moved["energy"], [-a.grad, -L.grad], **tolerance)  # the energy's is a maximum
    assert close(moved["generator"], [w.grad.view(1, 1), v.grad.view(1)], **tolerance)
    wanted = [u.grad.view(1), torch.stack([t.grad, log_s.grad])]
    assert close([moved["encoder"][0][0], moved["encoder"][1]], wanted, **tolerance)


@pytest.mark.slow
def test_where_generator_and_encoder_fit_the_joint_energy_has_nothing_left_to_say() -> None:
    """Data N(1, 0.81), x = w z + v + e of var 0.36: w^2 = 0.45, q(z | x) the posterior, and E flat."""
    trio, energy = Trio(), OfPairs()
    nets = {"energy": energy, "generator": trio.generator, "encoder": trio.encoder}
    players = Players(nets, dict.fromkeys(nets, Optimiser(lambda p: adam(p, betas=(0.5, 0.999)), lr=0.01)))
    trainer, source = JointVAE(players, {}), rng(3)
    for t in range(1500):
        trainer.step(t, {"data": Batch(1 + 0.9 * torch.randn(256, 1, generator=source))}, source)
    w, v = trio.net.weight.item(), trio.net.bias.item()
    assert (w**2, v) == pytest.approx((0.45, 1.0), abs=0.04)
    gain = 0.45**0.5 / 0.81
    assert trio.back.weight[0].item() == pytest.approx(gain, abs=0.04)
    assert trio.back.bias.exp()[1].item() == pytest.approx((0.36 / 0.81) ** 0.5, abs=0.04)
    with torch.no_grad():
        assert (energy.L @ energy.L.T).abs().max() < 0.2  # 1.44 at first


@pytest.mark.parametrize(
    ("kind", "steps"), [(Cooperative, 200), (VariationalCooperative, 200), (DivergenceTriangle, 400)]
)
def test_a_normal_is_the_fixed_point(kind: type[Trainer], steps: int) -> None:
    """E = a x + b x^2 settles at -a / 2b = 1 and 1 / 2b = 0.49, from 0 and 1; a generator with an encoder too."""
    nets = {
        "energy": Quadratic(PLANE),
        "generator": mlp_generator(PLANE, PLANE, 16, 1, sd=0.2),
        "encoder": mlp_encoder(PLANE, PLANE, 16, 1),
    }
    energy, generator = nets["energy"], nets["generator"]
    players = Players(nets, dict.fromkeys(nets, Optimiser(lambda p: adam(p, betas=(0.5, 0.999)), lr=0.03)))
    phase = Phase(energy, Langevin(step_size=0.4), Proposal(), 20)  # type: ignore[arg-type]
    trainer, source, late = kind(players, {"negative": phase} if kind.draws else {}), rng(3), []
    for t in range(steps):
        trainer.step(t, {"data": Batch(1 + 0.7 * torch.randn(256, 2, generator=source))}, source)
        if t >= steps * 2 // 3:
            b = energy.log_b.exp().detach()
            late.append(torch.stack([-energy.a.detach() / (2 * b), 1 / (2 * b)]))
    mean, variance = torch.stack(late).mean(0)
    # a chain of step h settles at precision p - h^2 p^2 / 4: what is learned is the p that gives the data's
    wanted = 0.49 if kind is DivergenceTriangle else 0.49 + 0.4**2 / 4
    assert torch.allclose(mean, torch.ones(2), atol=0.08)
    assert torch.allclose(variance, torch.full((2,), wanted), atol=0.12)
    with torch.no_grad():
        x = generator.draw(generator.latent.sample(20_000, rng()), rng(1))
    assert torch.allclose(x.mean(0), torch.ones(2), atol=0.12)
    # that learns E[x~ | z] of chains that forget z, and shows no more than the mode: it is the chains that spread
    assert torch.allclose(x.var(0), torch.full((2,), 0.04 if kind is Cooperative else 0.55), atol=0.1)


def test_a_condition_reaches_initialiser_and_solver() -> None:
    """Both are of p(x | c): labels at -2 and 2 are told apart by samples, and by the energy."""
    given = Space((), kind="label", classes=2)
    torch.manual_seed(0)
    energy = mlp_energy(LINE, 32, 2, reference_sd=2.0, condition=given)
    generator = mlp_generator(LINE, Space((1,)), 32, 1, condition=given)
    nets = {"energy": energy, "generator": generator}
    players = Players(nets, dict.fromkeys(nets, Optimiser(torch.optim.Adam, lr=5e-3)))
    trainer = Cooperative(players, {"negative": Phase(energy, Langevin(step_size=0.2), Proposal(), 10)})
    source, y = rng(1), torch.arange(128) % 2
    for t in range(200):
        x = (4.0 * y - 2)[:, None] + 0.3 * torch.randn(128, 1, generator=source)
        trainer.step(t, {"data": Batch(x, y)}, source)
    x = trainer.sample(128, rng(), y).squeeze(1)
    assert ((x > 0) == (y == 1)).all()
    at = torch.full((2, 1), 2.0)
    with torch.no_grad():
        wrong, right = energy(at, torch.tensor([0, 1])).tolist()
    assert right < wrong - 3


def test_settings_that_cannot_be() -> None:
    with pytest.raises(RecipeError, match=r"trainer.observed: must be between 0 and 1, got 1.5"):
        Cooperative(Trio().players, {}, observed=1.5)
