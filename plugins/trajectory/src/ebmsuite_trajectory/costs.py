"""Costs of driving: features of states and controls, and costs with learned weights or a learned net.

A scene is a dict: ``state`` [B, S], the initial state of the dynamics; ``speed`` [B], the wanted speed in m/s;
``obstacles`` [B, N, 2], positions of standing obstacles in metres, and ``present`` [B, N], True where there is one. The
road runs along the first axis and the centre of the wanted lane is y = 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ebmsuite.errors import RecipeError
from ebmsuite.nets.mlp import mlp
from ebmsuite_trajectory.dynamics import Dynamics

__all__ = ["FEATURES", "Cost", "FeatureName", "LinearCost", "NeuralCost", "features_of"]

FeatureName = Literal["lane", "speed", "drift", "acceleration", "turning", "obstacles"]

LENGTH, WIDTH = 4.0, 1.0
"""Standard deviations in metres of the cost around an obstacle, along and across the road."""


def _velocity(states: Tensor, dynamics: Dynamics) -> tuple[Tensor, Tensor]:
    """Speed along and across the road [B, T]."""
    if dynamics.states[2].startswith("v_x"):
        return states[..., 2], states[..., 3]
    return states[..., 3] * states[..., 2].cos(), states[..., 3] * states[..., 2].sin()


def _obstacles(states: Tensor, controls: Tensor, scene: Mapping[str, Tensor], dynamics: Dynamics) -> Tensor:
    away = states[:, :, None, :2] - scene["obstacles"][:, None]
    near = (-(away[..., 0] / LENGTH).square() / 2 - (away[..., 1] / WIDTH).square() / 2).exp()
    return (near * scene["present"][:, None]).sum(-1)


Feature = Callable[[Tensor, Tensor, Mapping[str, Tensor], Dynamics], Tensor]

FEATURES: Mapping[str, Feature] = {
    "lane": lambda states, controls, scene, dynamics: states[..., 1].square(),
    "speed": lambda states, controls, scene, dynamics: (
        _velocity(states, dynamics)[0] - scene["speed"][:, None]
    ).square(),
    "drift": lambda states, controls, scene, dynamics: _velocity(states, dynamics)[1].square(),
    "acceleration": lambda states, controls, scene, dynamics: controls[..., 0].square(),
    "turning": lambda states, controls, scene, dynamics: controls[..., 1].square(),
    "obstacles": _obstacles,
}
"""Features per step [B, T]: squared distance to the lane's centre, squared difference to the wanted speed, squared
speed across the road, squares of the two controls, and closeness to obstacles (1 at their centre)."""


def features_of(
    names: Sequence[str], states: Tensor, controls: Tensor, scene: Mapping[str, Tensor], dynamics: Dynamics
) -> Tensor:
    """The features per step [B, T, K]."""
    return torch.stack([FEATURES[name](states, controls, scene, dynamics) for name in names], -1)


class Cost(nn.Module):
    """C(states [B, T, S], controls [B, T, C], scene) -> [B]: low where the agent wants to be."""

    def forward(self, states: Tensor, controls: Tensor, scene: Mapping[str, Any]) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} defines no forward")


class LinearCost(Cost):
    """A positive weight per feature, summed over time: C = sum_k w_k sum_t phi_k / s_k (Xu et al., ICRA 2022).

    ``scales`` s_k are the standard deviations over experts of the features' sums over time, so that weights of 1 mean
    costs of about one nat. Weights are positive (learned as logarithms), so exp(-C) stays normalisable.
    """

    def __init__(self, names: Sequence[str], scales: Sequence[float], dynamics: Dynamics, weight: float = 1.0) -> None:
        super().__init__()
        self.names, self.dynamics = tuple(names), dynamics
        self.register_buffer("scales", torch.tensor([*map(float, scales)]), persistent=False)
        self.scales: Tensor
        self.log_weights = nn.Parameter(torch.full((len(self.names),), float(weight)).log())

    @property
    def weights(self) -> Tensor:
        """The weights per unit of the scaled features [K]."""
        return self.log_weights.exp()

    def forward(self, states: Tensor, controls: Tensor, scene: Mapping[str, Any]) -> Tensor:
        sums = features_of(self.names, states, controls, scene, self.dynamics).sum(1)
        cost: Tensor = (sums / self.scales) @ self.weights
        return cost


class NeuralCost(Cost):
    """A net of the features per step, summed over time, on top of quadratic costs of the controls.

    C = sum_t f(log(1 + T phi_t / s)) + sum_t |u_t|^2 / s_u. The second term keeps exp(-C) normalisable, because f, the
    softplus of an MLP, is at least 0.
    """

    def __init__(
        self, names: Sequence[str], scales: Sequence[float], dynamics: Dynamics, width: int, depth: int
    ) -> None:
        super().__init__()
        if not {"acceleration", "turning"} <= set(names):
            raise RecipeError('cost: "neural" needs the features acceleration and turning, which bound the controls')
        self.names, self.dynamics = tuple(names), dynamics
        self.register_buffer("scales", torch.tensor([*map(float, scales)]), persistent=False)
        self.scales: Tensor
        self.net = mlp([len(self.names), *[width] * depth, 1])
        self.effort = [self.names.index("acceleration"), self.names.index("turning")]

    def forward(self, states: Tensor, controls: Tensor, scene: Mapping[str, Any]) -> Tensor:
        scaled = features_of(self.names, states, controls, scene, self.dynamics) / self.scales
        cost = nn.functional.softplus(self.net((states.shape[1] * scaled).log1p())).squeeze(-1)
        return cost.sum(1) + scaled[..., self.effort].sum((1, 2))
