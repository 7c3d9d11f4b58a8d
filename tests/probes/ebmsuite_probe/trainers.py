"""A probe: a trainer of at most 30 lines, with no special case anywhere in the core."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch

from ebmsuite.learning import Draws, Role, Trainer
from ebmsuite.sampling import Start


@dataclass
class Cooperative(Trainer):
    """The generator starts the chain and learns from where it ends (Xie et al., AAAI 2018)."""

    roles: ClassVar[Mapping] = {"energy": Role("energy"), "generator": Role("generator")}
    draws: ClassVar[Mapping] = {"negative": Draws("event")}

    def step(self, t, batches, rng):
        data, energy, g = batches["data"], self.players["energy"], self.players["generator"]
        z = g.latent.sample(len(data), rng)
        proposal = Start(g(z).detach(), latent=z)
        revised = self.phases["negative"].draw(data, rng, proposal=proposal)
        gap = (energy(data.x) - energy(revised.x)).mean()
        teach = -g.log_prob(revised.x, revised.start.latent).mean()
        return {"gap": gap.detach(), **self.players.update({"energy": gap, "generator": teach})}

    @torch.no_grad()
    def sample(self, n, rng, condition=None):
        g = self.players["generator"]
        return self.phases["negative"].sample(n, rng, proposal=Start(g.sample(n, rng)))


@dataclass(frozen=True)
class MeanDistance:
    """Distance between the means of n samples and of the test data. It takes ``seconds``."""

    seconds: float = 0.0

    def __call__(self, model, data, rng, n):
        from ebmsuite.scores import Score

        time.sleep(self.seconds)
        test = data["test"].x
        return Score(float((model.sample(n, rng=rng).mean(0) - test.mean(0)).norm()), protocol={"n": n})


@dataclass(frozen=True)
class NeedsFile:
    """Reads ``path`` before training, and notes the splits that it was given."""

    path: str

    def prepare(self, data):
        from ebmsuite.errors import MissingData

        if not Path(self.path).is_file():
            raise MissingData(f"{self.path}: missing")
        Path(self.path).write_text(" ".join(data))

    def __call__(self, model, data, rng, n):
        from ebmsuite.scores import Score

        return Score(0.0)


@dataclass(frozen=True)
class Count:
    """Writes n samples as text, after the lines of the input."""

    n: int = 3

    def __call__(self, model, inputs, out, rng):
        lines = [] if inputs is None else inputs.read_text().splitlines()
        lines += [str(x) for x in model.sample(self.n, rng=rng).flatten().tolist()]
        out.write_text("\n".join(lines))
        return {"lines": len(lines), "step": model.step}


@dataclass(frozen=True)
class Silent:
    def __call__(self, model, inputs, out, rng):
        return None
