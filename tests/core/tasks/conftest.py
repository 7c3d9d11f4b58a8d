"""A latent-variable model that is known exactly: x = W z + b + e with z ~ N(0, I) and e ~ N(0, sd^2 I)."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from ebmsuite.density import Encoder, Gaussian
from ebmsuite.generator import NormalGenerator, Posterior
from ebmsuite.methods.latent import LatentPrior
from ebmsuite.model import Model
from ebmsuite.sampling import Langevin, Noise, Phase
from ebmsuite.space import Batch, Space
from ebmsuite.tree import Tree

LATENT = Space((2,))


class Double(Gaussian):
    """The normal density in float64."""

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return super().sample(n, rng, condition).double()


class Linear(Model):
    """The model, in float64, whose prior energy is that of N(0, I)."""

    def __init__(self, event: tuple[int, ...], sd: float = 0.5, encoder: bool = False) -> None:
        rng = torch.Generator().manual_seed(1)
        size = math.prod(event)
        self.w, self.b = (torch.randn(size, n, generator=rng, dtype=torch.float64) for n in (2, 1))
        layer = nn.Linear(2, size, dtype=torch.float64)
        layer.load_state_dict({"weight": self.w, "bias": self.b[:, 0]})
        prior = Double(LATENT)
        generator = NormalGenerator(nn.Sequential(layer, nn.Unflatten(1, event)), prior, sd)
        self.players = {"energy": prior, "generator": generator}
        langevin = Langevin(step_size=0.2)
        self.phases = {
            "posterior": Phase(Posterior(prior, generator), langevin, Noise(prior), 5),
            "prior": Phase(prior, langevin, Noise(prior), 5),
        }
        self.trainer = LatentPrior(self.players, self.phases)  # type: ignore[arg-type]
        if encoder:
            net = nn.Sequential(nn.Flatten(), nn.Linear(size, 4, dtype=torch.float64))
            self.players["encoder"] = Encoder(net, LATENT)
        self.recipe = SimpleNamespace(recipe="linear", latent=(2,), players={"energy": {"of": "latent"}})  # type: ignore[assignment]
        self.event, self.condition, self.codec, self.device = Space(event), None, None, torch.device("cpu")
        self.sd = sd

    def mode(self, x: Tensor) -> Tensor:
        """The mode, and mean, of p(z | x): [B, 2]."""
        precision = torch.eye(2, dtype=torch.float64) + self.w.T @ self.w / self.sd**2
        return torch.linalg.solve(precision, self.w.T @ (x.flatten(1) - self.b[:, 0]).T / self.sd**2).T


@pytest.fixture(params=[(5,), (2, 3, 2)], ids=["rank-1", "rank-3"])
def linear(request: pytest.FixtureRequest) -> Linear:
    return Linear(request.param)


@pytest.fixture
def batch(linear: Linear) -> Batch:
    """Four events of the model's shape."""
    shape = (4, *linear.event.fixed)
    return Batch(torch.randn(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64))


@pytest.fixture
def encoded() -> Linear:
    """The model of events [5] with an encoder."""
    return Linear((5,), encoder=True)
