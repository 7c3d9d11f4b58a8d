"""Dynamics rolled out as cumulative sums, against a loop over time."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ebmsuite.plugins.testing import rng
from ebmsuite_trajectory.dynamics import Bicycle, Dynamics, PointMass, Unicycle


def loop(dynamics: Dynamics, state: Tensor, controls: Tensor) -> Tensor:
    """The definition of each model, one step after the other."""
    dt, states = dynamics.dt, []
    for u in controls.unbind(1):
        if isinstance(dynamics, PointMass):
            x, y, vx, vy = state.unbind(-1)
            new = [x + dt * vx, y + dt * vy, vx + dt * u[:, 0], vy + dt * u[:, 1]]
        elif isinstance(dynamics, Unicycle):
            x, y, heading, v = state.unbind(-1)
            new = [x + dt * v * heading.cos(), y + dt * v * heading.sin(), heading + dt * u[:, 1], v + dt * u[:, 0]]
        else:
            assert isinstance(dynamics, Bicycle)
            x, y, heading, v, a, steer = state.unbind(-1)
            a, steer = a + u[:, 0], steer + u[:, 1]
            turn = torch.tan(dynamics.limit * torch.tanh(steer / dynamics.limit)) / dynamics.wheelbase
            new = [
                x + dt * v * heading.cos(), y + dt * v * heading.sin(), heading + dt * v * turn, v + dt * a, a, steer,
            ]  # fmt: skip
        state = torch.stack(new, -1)
        states.append(state)
    return torch.stack(states, 1)


@pytest.mark.parametrize("dynamics", [PointMass(0.2), Unicycle(0.2), Bicycle(0.2)])
def test_cumulative_sums_equal_a_loop(dynamics: Dynamics) -> None:
    start = torch.randn(5, len(dynamics.states), generator=rng(), dtype=torch.float64)
    controls = torch.randn(5, 30, 2, generator=rng(1), dtype=torch.float64, requires_grad=True)
    fast, slow = dynamics.rollout(start, controls), loop(dynamics, start, controls)
    torch.testing.assert_close(fast, slow)
    gradients = [torch.autograd.grad(states.square().sum(), controls)[0] for states in (fast, slow)]
    torch.testing.assert_close(*gradients)


def test_a_unicycle_drives_a_circle() -> None:
    turn, dt = 0.5, 0.01
    steps = round(2 * math.pi / turn / dt)
    controls = torch.tensor([0.0, turn], dtype=torch.float64).expand(1, steps, 2)
    path = Unicycle(dt).rollout(torch.tensor([[0.0, 0.0, 0.0, 2.0]], dtype=torch.float64), controls)
    assert float(path[0, -1, :2].norm()) < 0.05, "back at the start"
    assert abs(float(path[0, :, 1].max()) - 2 * 2.0 / turn) < 0.05, "the radius is speed / turning rate"
