"""Models with a latent vector: learning, inference, importance sampling, and what carries them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import nn

from ebmsuite.builtin.examples import LATENT_EXAMPLE, LIKELIHOOD_EXAMPLE, VAE_EXAMPLE
from ebmsuite.dataset import Dataset, Stream
from ebmsuite.density import Encoder, Gaussian
from ebmsuite.errors import RecipeError, UserError
from ebmsuite.experiment.recipe import read_recipe
from ebmsuite.experiment.train import train
from ebmsuite.generator import NormalGenerator, Posterior
from ebmsuite.learning import Optimiser, Players
from ebmsuite.model import load
from ebmsuite.plugins.registry import Registry
from ebmsuite.sampling.importance import integral
from ebmsuite.space import Batch, Space

DECAY = {"start": 1e-2, "end": 1e-4, "over": 600, "shape": "cosine"}
DATA = {"data": {"name": "normal", "n": 4096, "dim": 2, "mean": 1.0, "sd": 0.5}}


def linear(sd: float = 0.5, dim: int = 2) -> tuple[NormalGenerator, torch.Tensor]:
    """x = W z + e: everything about it is known."""
    torch.manual_seed(0)
    net = nn.Linear(dim, 3).double()
    return NormalGenerator(net, Gaussian(Space((dim,))), sd), net.weight.detach()


def test_importance_sampling_gives_the_marginal_of_a_linear_model() -> None:
    generator, w = linear()
    bias = generator.net.bias.detach()
    z = torch.randn(5, 2, dtype=torch.float64)
    x = w.new_tensor(torch.randn(5, 3).tolist())
    covariance = w @ w.T + 0.25 * torch.eye(3, dtype=torch.float64)
    truth = torch.distributions.MultivariateNormal(bias, covariance).log_prob(x)
    posterior = Posterior(Gaussian(Space((2,))), generator)
    precision = torch.eye(2, dtype=torch.float64) + w.T @ w / 0.25
    mean = (torch.linalg.inv(precision) @ w.T @ (x - bias).T / 0.25).T
    sd = torch.linalg.inv(precision).diagonal().sqrt().expand_as(mean) * 1.3
    found = integral(posterior, mean, sd, 4000, torch.Generator().manual_seed(0), (x, None), batch=1500)
    # the prior's energy leaves out log (2 pi)^(d/2)
    assert torch.allclose(found.log_z - math.log(2 * math.pi), truth, atol=0.03)
    assert (found.ess > 400).all()
    far = integral(posterior, mean + 3, sd * 0.1, 100, torch.Generator().manual_seed(0), (x, None))
    assert (far.ess < 20).all()  # and it says so
    assert z.shape == mean.shape


@pytest.mark.slow
@pytest.mark.parametrize("learns", ["end", "bound"])
def test_the_latent_prior_learns_the_spread_of_the_data(learns: str, tmp_path) -> None:
    """Data N(1, 0.5^2 I), observation noise 0.3: means of the generator must vary by 0.5^2 - 0.3^2 = 0.16."""
    recipe = LATENT_EXAMPLE | {
        "data": DATA,
        "trainer": {"name": "latent", "encoder_learns": learns},
        "players": {
            "energy": {"name": "mlp", "of": "latent", "width": 16, "depth": 1, "reference_sd": 1.0},
            "generator": {"name": "mlp", "width": 32, "depth": 1, "sd": 0.3},
            "encoder": {"name": "mlp-encoder", "width": 32, "depth": 1},
        },
        "phases": {
            "posterior": {"chains": {"name": "proposal"},
                          "sampler": {"name": "langevin", "step_size": 0.3}, "steps": 10},
            "prior": {"chains": {"name": "noise", "density": {"name": "gaussian"}},
                      "sampler": {"name": "langevin", "step_size": 0.4}, "steps": 20},
        },
        "optimisers": {"energy": {"name": "adam", "lr": 1e-3}}
        | {k: {"name": "adam", "lr": DECAY} for k in ("generator", "encoder")},
        "budget": {"steps": 600, "batch": 128},
        "watch": [{"name": "log"}],
    }  # fmt: skip
    model = load(train(recipe, out=tmp_path / "run"))
    x = model.sample(4000)
    assert torch.allclose(x.mean(0), torch.ones(2), atol=0.1)
    covariance = torch.cov(x.T)
    assert torch.allclose(covariance.diagonal(), torch.full((2,), 0.16), atol=0.05)
    assert abs(float(covariance[0, 1])) < 0.04
    test = model.data["test"].x[:512]
    batch = Batch(test)
    z = model.trainer.infer(batch, model.generator(0))
    again = model.trainer.decode(z, model.generator(0))
    other = model.trainer.decode(z.roll(1, 0), model.generator(0))
    assert (test - again).square().mean() < 0.5 * (test - other).square().mean()


@pytest.mark.slow
def test_the_autoencoder_and_plain_likelihood_learn_the_same_data(tmp_path) -> None:
    vae = VAE_EXAMPLE | {
        "data": DATA,
        "players": {
            "generator": {"name": "mlp", "width": 32, "depth": 1, "sd": 0.3},
            "encoder": {"name": "mlp-encoder", "width": 32, "depth": 1},
        },
        "optimisers": {k: {"name": "adam", "lr": DECAY} for k in ("generator", "encoder")},
        "budget": {"steps": 600, "batch": 128},
        "watch": [{"name": "log"}],
    }
    x = load(train(vae, out=tmp_path / "vae")).sample(4000)
    assert torch.allclose(torch.cov(x.T).diagonal(), torch.full((2,), 0.16), atol=0.05)
    likelihood = LIKELIHOOD_EXAMPLE | {
        "optimisers": {"density": {"name": "adam", "lr": 2e-2}},
        "budget": {"steps": 300, "batch": 256},
        "watch": [{"name": "log"}],
    }
    model = load(train(likelihood, out=tmp_path / "likelihood"))
    density, data = model.players["density"], model.data["train"].x
    assert torch.allclose(density.mean, data.mean(0), atol=0.01)
    assert torch.allclose(density.log_sd.exp(), data.std(0, correction=0), atol=0.01)


def test_with_joint_negatives_are_of_the_marginal() -> None:
    """Prior chains see the condition, or not; the gap is E(z+, c) - E(z-) then."""
    seen: list[object] = []

    class Watching(nn.Module):
        def forward(self, z, condition=None):
            seen.append(None if condition is None else condition.shape)
            return z.square().sum(1)

    from ebmsuite.energy import Energy
    from ebmsuite.methods.latent import LatentPrior
    from ebmsuite.sampling import Langevin, Noise, Phase

    class Prior(Energy):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.weight = Watching(), nn.Parameter(torch.ones(()))

        def forward(self, x, condition=None):
            return self.weight * self.net(x, condition)

    class Ignoring(NormalGenerator):
        def forward(self, z, condition=None):
            return self.net(z)

    latent = Space((2,))
    for joint, expected in ((True, None), (False, torch.Size([4, 1]))):
        prior, generator = Prior(), Ignoring(nn.Linear(2, 3), Gaussian(latent), 0.5)
        how = Optimiser(torch.optim.Adam, 1e-3)
        players = Players({"energy": prior, "generator": generator}, {"energy": how, "generator": how})
        noise = Noise(Gaussian(latent))
        phases = {k: Phase(e, Langevin(0.1), noise, 2) for k, e in LatentPrior.energies(players).items()}
        trainer = LatentPrior(players, phases, joint=joint)
        seen.clear()
        trainer.step(0, {"data": Batch(torch.randn(4, 3), torch.randn(4, 1))}, torch.Generator().manual_seed(0))
        of_prior = seen[2:4]
        assert of_prior == [expected, expected]
        assert seen[:2] == [torch.Size([4, 1])] * 2
        assert seen[-2:] == [torch.Size([4, 1]), expected]


def test_an_encoder_that_would_start_no_chain_is_refused(tmp_path: Path) -> None:
    posterior = {**LATENT_EXAMPLE["phases"]["posterior"], "chains": LATENT_EXAMPLE["phases"]["prior"]["chains"]}
    recipe = {**LATENT_EXAMPLE, "phases": {**LATENT_EXAMPLE["phases"], "posterior": posterior}}
    with pytest.raises(RecipeError, match=r"players.encoder: no chain starts from it; .*=\{name: proposal\}"):
        train(recipe, out=tmp_path / "run")


def test_players_that_share_a_loss_get_the_same_gradients_as_alone() -> None:
    def made() -> tuple[Players, nn.Module, nn.Module]:
        torch.manual_seed(0)
        a, b = nn.Linear(2, 2), nn.Linear(2, 1)
        how = Optimiser(lambda params: torch.optim.SGD(params, lr=0.0), 0.1)
        return Players({"a": a, "b": b}, {"a": how, "b": how}), a, b

    x = torch.randn(8, 2)
    players, a, b = made()
    loss = b(a(x)).square().mean()
    players.update({"a": loss, "b": loss})
    again, c, d = made()
    again.update({"a": d(c(x)).square().mean(), "b": d(c(x)).square().mean()})
    for one, other in zip([*a.parameters(), *b.parameters()], [*c.parameters(), *d.parameters()], strict=True):
        assert torch.equal(one, other)


def test_an_encoder_is_a_density_that_can_be_differentiated() -> None:
    net = nn.Linear(3, 4)
    encoder = Encoder(net, Space((2,)))
    x = torch.randn(5, 3)
    mean, log_sd = encoder.moments(x)
    z = encoder.sample(5, torch.Generator().manual_seed(0), x)
    truth = torch.distributions.Normal(mean, log_sd.exp()).log_prob(z).sum(1)
    assert torch.allclose(encoder.log_prob(z, x), truth, atol=1e-5)
    z.sum().backward()
    assert net.weight.grad.abs().sum() > 0


# -- recipes and data ---------------------------------------------------------------------------------------------


def test_a_player_may_be_left_out_where_its_trainer_says_so() -> None:
    registry = Registry()
    without = {k: v for k, v in LATENT_EXAMPLE["players"].items() if k != "encoder"}
    rates = {k: v for k, v in LATENT_EXAMPLE["optimisers"].items() if k != "encoder"}
    recipe = read_recipe(LATENT_EXAMPLE | {"players": without, "optimisers": rates}, registry)
    assert set(recipe.players) == {"energy", "generator"}
    with pytest.raises(RecipeError, match=r"optimisers.encoder: the trainer needs the player"):
        read_recipe(LATENT_EXAMPLE | {"optimisers": rates}, registry)
    with pytest.raises(RecipeError, match=r"players.generator: the trainer needs"):
        read_recipe(LATENT_EXAMPLE | {"players": {"energy": without["energy"]}}, registry)


def test_proposals_without_an_encoder_are_refused(tmp_path) -> None:
    without = {k: v for k, v in LATENT_EXAMPLE["players"].items() if k != "encoder"}
    rates = {k: v for k, v in LATENT_EXAMPLE["optimisers"].items() if k != "encoder"}
    with pytest.raises(UserError, match="gives no starts"):
        train(LATENT_EXAMPLE | {"players": without, "optimisers": rates}, out=tmp_path / "run")


class Words(Dataset):
    """Examples of varying length, for the stream alone."""

    event = Space((None,), kind="tokens", classes=3)

    def __init__(self, n: int) -> None:
        self.lengths = torch.randint(1, 100, (n,), generator=torch.Generator().manual_seed(0))

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, index, seeds):
        return Batch(self.lengths[index][:, None], index=index)


def test_examples_of_like_length_share_a_batch_and_every_epoch_has_all() -> None:
    n, size = 1003, 20
    data = Words(n)
    stream = Stream(data, size, seed=3)
    batches = [stream.batch(t) for t in range(4 * n // size)]
    spread = torch.stack([(b.x.max() - b.x.min()).float() for b in batches])
    assert spread.median() < 6  # at random it is about 90
    # each epoch is a permutation, wherever the batches are cut
    seen = torch.cat([b.index for b in batches])
    for epoch in range(3):
        assert sorted(seen[epoch * n : (epoch + 1) * n].tolist()) == list(range(n))
    # batches come in no order of length
    means = torch.stack([b.x.float().mean() for b in batches[:50]])
    assert abs(float(torch.corrcoef(torch.stack([means, torch.arange(50.0)]))[0, 1])) < 0.5
    # a function of step alone, and shared between processes
    again = Stream(data, size, seed=3, rank=1, world=2)
    assert torch.equal(again.batch(77).index, batches[77].index[size // 2 :])
    stream.close()
    again.close()


def test_tokens_are_observed_and_not_sampled(tmp_path) -> None:
    from ebmsuite.builtin.examples import MLE_EXAMPLE
    from ebmsuite.experiment.build import Experiment

    registry = Registry()
    recipe = read_recipe(MLE_EXAMPLE, registry)
    with pytest.raises(RecipeError, match="no sampler moves tokens"):
        Experiment(recipe, registry, Space((4,), kind="tokens", classes=3), None, None, 4, torch.device("cpu"))


@dataclass(frozen=True)
class Fitted:
    mean: float
    name: ClassVar[str] = "fitted"


def test_data_that_are_read_otherwise_than_in_learning_are_refused(monkeypatch) -> None:
    """A vocabulary or a fitted mean that differs would be a wrong number everywhere, and no error."""
    from ebmsuite.errors import DataError
    from ebmsuite.experiment.build import Splits

    registry = Registry()
    spec = {"name": "normal", "split": "train", "n": 8, "dim": 1, "mean": 0.0, "sd": 1.0}
    splits = Splits(spec, registry, Fitted(1.0))
    assert len(splits["test"]) == 8  # a data set without a codec cannot be checked

    from ebmsuite.dataset import InMemory

    monkeypatch.setattr(registry, "build", lambda kind, spec: InMemory(torch.zeros(3, 1), codec=Fitted(2.0)))
    with pytest.raises(DataError, match=r"normal: the data on this machine are not the data that.*EBMSUITE_DATA"):
        Splits(spec, registry, Fitted(1.0))["test"]
    assert len(Splits(spec, registry, Fitted(2.0))["test"]) == 3
