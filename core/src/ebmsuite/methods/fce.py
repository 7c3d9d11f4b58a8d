"""Flow contrastive estimation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ebmsuite.errors import RecipeError
from ebmsuite.learning.trainer import Draws, Logs, Role, Trainer
from ebmsuite.methods.nce import log_ratio
from ebmsuite.sampling import Start
from ebmsuite.sampling.kernel import normal_like
from ebmsuite.sampling.phase import propose
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["FlowContrast"]


@dataclass
class FlowContrast(Trainer):
    """Noise contrastive estimation with a flow as noise, which learns to approach the energy (Gao et al., CVPR 2020).

        min_q max_p V = E_data[log p / (p + q)] + E_q[log q / (p + q)],    log p = -E - c

    For ``flow_first`` steps the flow q learns by likelihood. For ``energy_first`` steps the energy learns by V against
    it. Then they alternate: a step updates the flow if the energy classified data and samples with an accuracy above
    ``threshold`` at the step before (averaged over processes), otherwise the energy. This keeps them balanced. The
    accuracy is the only value for which learning synchronises with the device.

    c = log Z is the player ``log_z``, as in `nce`. The ``flow`` is any density with differentiable samples. No chain
    runs in learning. When the model is sampled, the chains of ``negative`` start from samples of the flow
    (``chains: {name: proposal}``).

    ``data_noise`` is the standard deviation of the noise added to the examples. Values from a finite set, such as grey
    levels, need it: their density is unbounded, and the classifier would see the grid of the values.
    """

    flow_first: int = 1000
    energy_first: int = 1000
    threshold: float = 0.6
    data_noise: float = 0.0

    roles: ClassVar[Mapping[str, Role]] = {
        "energy": Role("energy"),
        "log_z": Role("energy", optional=True),
        "flow": Role("density"),
    }
    draws: ClassVar[Mapping[str, Draws]] = {"negative": Draws("event")}

    def __post_init__(self) -> None:
        if not 0.5 <= self.threshold < 1:
            raise RecipeError(f"trainer.threshold: must be at least 0.5 and below 1, got {self.threshold:g}")
        self.accuracy = torch.tensor(0.5)
        propose(self.phases, "negative", self._proposed)

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, flow = batches["data"], self.players["flow"]
        x = data.x + self.data_noise * normal_like(data.x, rng) if self.data_noise else data.x
        if t < self.flow_first:
            return self.players.update({"flow": -flow.log_prob(x, data.condition).mean()})
        of_flow = t >= self.flow_first + self.energy_first and bool(self.accuracy > self.threshold)
        # the value function; a step of the energy needs no gradient through the flow
        with torch.set_grad_enabled(of_flow):
            samples = flow.sample(len(data), rng, data.condition)
        plus = log_ratio(self.players, flow, x, data.condition)
        minus = log_ratio(self.players, flow, samples, data.condition)
        value = logsigmoid(plus).mean() + logsigmoid(-minus).mean()
        ours = [name for name in self.players if name != "flow"]
        loss = -value
        logs = self.players.update({"flow": value} if of_flow else dict.fromkeys(ours, loss))
        self.accuracy = self.players.mean(((plus > 0).float().mean() + (minus < 0).float().mean()) / 2)
        return {
            "accuracy": self.accuracy,
            "value": value.detach(),
            "logit/data": plus.detach().mean(),
            "logit/flow": minus.detach().mean(),
            **logs,
        }

    @torch.no_grad()
    def _proposed(self, n: int, rng: torch.Generator, condition: Tree) -> Start:
        return Start(self.players["flow"].sample(n, rng, condition), condition)

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.phases["negative"].sample(n, rng, condition)

    def state(self) -> dict[str, Tensor]:
        return {"accuracy": self.accuracy}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.accuracy = state["accuracy"]
