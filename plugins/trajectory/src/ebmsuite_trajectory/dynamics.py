"""Known dynamics: from an initial state and a sequence of controls to a sequence of states.

Each model is rolled out for a whole batch by cumulative sums, without a loop over agents or time, which is about five
times faster than a loop and is differentiable in controls and initial state. Steps follow the explicit Euler scheme of
Xu et al. (ICRA 2022): positions and headings of step t are those of step t-1 plus the velocities of step t-1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

__all__ = ["DYNAMICS", "Bicycle", "Dynamics", "PointMass", "Unicycle"]


class Dynamics(Protocol):
    """x_t = F(x_{t-1}, u_t): ``rollout`` maps an initial state [B, S] and controls [B, T, C] to states [B, T, S]."""

    states: ClassVar[tuple[str, ...]]
    """Names and units of the S numbers of a state. The first two are the position in metres."""
    controls: ClassVar[tuple[str, ...]]
    """Names and units of the C numbers of a control."""

    @property
    def dt(self) -> float:
        """Seconds per step."""

    def rollout(self, start: Tensor, controls: Tensor) -> Tensor: ...


def _before(values: Tensor, start: Tensor) -> Tensor:
    """The values of the steps before: [start, values_1, ..., values_{T-1}]."""
    return torch.cat([start[:, None], values[:, :-1]], 1)


def _integrate(start: Tensor, rates: Tensor) -> Tensor:
    """start + cumulative sum of ``rates`` over time: [B], [B, T] -> [B, T]."""
    return start[:, None] + rates.cumsum(1)


@dataclass(frozen=True)
class PointMass:
    """A point that accelerates in the plane: state (x, y, v_x, v_y) in m and m/s, controls (a_x, a_y) in m/s^2."""

    states: ClassVar[tuple[str, ...]] = ("x, m", "y, m", "v_x, m/s", "v_y, m/s")
    controls: ClassVar[tuple[str, ...]] = ("a_x, m/s^2", "a_y, m/s^2")

    dt: float = 0.1

    def rollout(self, start: Tensor, controls: Tensor) -> Tensor:
        """start [B, 4], controls [B, T, 2] -> states [B, T, 4]."""
        velocity = start[:, None, 2:] + self.dt * controls.cumsum(1)
        position = start[:, None, :2] + self.dt * _before(velocity, start[:, 2:]).cumsum(1)
        return torch.cat([position, velocity], -1)


@dataclass(frozen=True)
class Unicycle:
    """A vehicle that turns on the spot: state (x, y, heading, speed), controls (acceleration, turning rate).

    Units: m, m, rad, m/s; m/s^2, rad/s.
    """

    states: ClassVar[tuple[str, ...]] = ("x, m", "y, m", "heading, rad", "speed, m/s")
    controls: ClassVar[tuple[str, ...]] = ("acceleration, m/s^2", "turning rate, rad/s")

    dt: float = 0.1

    def rollout(self, start: Tensor, controls: Tensor) -> Tensor:
        """start [B, 4], controls [B, T, 2] -> states [B, T, 4]."""
        x, y, heading, speed = start.unbind(-1)
        speeds = _integrate(speed, self.dt * controls[..., 0])
        headings = _integrate(heading, self.dt * controls[..., 1])
        return _planar(x, y, speed, heading, speeds, headings, self.dt)


@dataclass(frozen=True)
class Bicycle:
    """The kinematic bicycle: state (x, y, heading, speed, acceleration, steering angle).

    The controls are the changes of acceleration and of steering angle per step. Units: m, m, rad, m/s, m/s^2, rad;
    m/s^2 and rad per step. ``wheelbase`` is in metres. The steering angle is limited smoothly to ``limit`` rad.
    """

    states: ClassVar[tuple[str, ...]] = (
        "x, m", "y, m", "heading, rad", "speed, m/s", "acceleration, m/s^2", "steering angle, rad",
    )  # fmt: skip
    controls: ClassVar[tuple[str, ...]] = ("change of acceleration, m/s^2", "change of steering angle, rad")

    dt: float = 0.1
    wheelbase: float = 2.7
    limit: float = 0.6

    def rollout(self, start: Tensor, controls: Tensor) -> Tensor:
        """start [B, 6], controls [B, T, 2] -> states [B, T, 6]."""
        x, y, heading, speed, acceleration, steering = start.unbind(-1)
        accelerations = _integrate(acceleration, controls[..., 0])
        steerings = _integrate(steering, controls[..., 1])
        speeds = _integrate(speed, self.dt * accelerations)
        # tanh keeps the tangent finite and its gradient alive, where a clamp would not
        turn = (self.limit * (steerings / self.limit).tanh()).tan() / self.wheelbase
        headings = _integrate(heading, self.dt * _before(speeds, speed) * turn)
        planar = _planar(x, y, speed, heading, speeds, headings, self.dt)
        return torch.cat([planar, accelerations[..., None], steerings[..., None]], -1)


def _planar(
    x: Tensor, y: Tensor, speed: Tensor, heading: Tensor, speeds: Tensor, headings: Tensor, dt: float
) -> Tensor:
    """States (x, y, heading, speed) [B, T, 4] from speeds and headings [B, T]."""
    before, towards = _before(speeds, speed), _before(headings, heading)
    easts, norths = _integrate(x, dt * before * towards.cos()), _integrate(y, dt * before * towards.sin())
    return torch.stack([easts, norths, headings, speeds], -1)


DYNAMICS: Mapping[str, Callable[..., Dynamics]] = {"point-mass": PointMass, "unicycle": Unicycle, "bicycle": Bicycle}
