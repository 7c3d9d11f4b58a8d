"""Energies over control sequences: a cost of the states that known dynamics make of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import torch
from torch import Tensor

from ebmsuite.dataset import Codec
from ebmsuite.energy import Energy
from ebmsuite.errors import DataError, RecipeError
from ebmsuite.files import printable, write_csv
from ebmsuite.space import Batch, Space
from ebmsuite.tree import Tree
from ebmsuite_trajectory.costs import Cost, FeatureName, LinearCost, NeuralCost
from ebmsuite_trajectory.dynamics import DYNAMICS, Dynamics
from ebmsuite_trajectory.tracks import numbered

__all__ = ["ControlCodec", "Controls", "Whitening", "controls_energy", "scene_numbers"]

Rows: TypeAlias = tuple[tuple[float, ...], ...]


def scene_numbers(scene: Mapping[str, Tensor]) -> Tensor:
    """A scene as numbers [B, D], in the order of its keys; absent obstacles count as 0."""
    parts = [scene["state"], scene["speed"][:, None]]
    if scene["present"].shape[1]:
        present = scene["present"].to(scene["state"])
        parts += [(scene["obstacles"] * present[..., None]).flatten(1), present]
    return torch.cat(parts, 1)


def _controls(x: Tensor, scene: Mapping[str, Tensor], regression: Tensor, root: Tensor) -> Tensor:
    """u = A (1, scene) + L x, [B, T, C]: see `Whitening`."""
    return (_mean(scene, regression) + x.flatten(1) @ root.T).view_as(x)


def _mean(scene: Mapping[str, Tensor], regression: Tensor) -> Tensor:
    """A (1, scene), [B, T * C]."""
    return regression[:, 0] + scene_numbers(scene).to(regression) @ regression[:, 1:].T


@dataclass(frozen=True)
class Whitening:
    """u = A (1, scene) + L x: controls from whitened coordinates x ~ (0, I).

    A is the least-squares regression of the experts' controls on their scenes, L the Cholesky factor of the covariance
    of the *residuals*. Whitening by the covariance of the controls themselves would leave the variation between scenes
    in the condition number: 22 instead of 1.7 on a linear-quadratic problem.
    """

    regression: Rows
    """A, [T * C, 1 + D]."""
    root: Rows
    """L, [T * C, T * C], lower triangular."""

    @classmethod
    def fit(cls, controls: Tensor, scene: Mapping[str, Tensor]) -> Whitening:
        """Fit to experts' controls [N, T, C] and their scenes. `DataError` for fewer than 2 T C + D experts."""
        u = controls.flatten(1).double()
        numbers = scene_numbers(scene).double()
        numbers = torch.cat([torch.ones_like(numbers[:, :1]), numbers], 1)
        if len(u) < 2 * u.shape[1] + numbers.shape[1]:
            raise DataError(f"{len(u)} experts are too few to whiten {u.shape[1]} controls")
        weights: Tensor = torch.linalg.lstsq(numbers, u, driver="gelsd").solution
        residuals = u - numbers @ weights
        covariance = residuals.T @ residuals / (len(u) - numbers.shape[1])
        root = torch.linalg.cholesky(covariance)
        return cls(_rows(weights.T), _rows(root))

    def controls(self, x: Tensor, scene: Mapping[str, Tensor]) -> Tensor:
        """Controls [B, T, C] of whitened coordinates x [B, T, C]."""
        return _controls(x, scene, x.new_tensor(self.regression), x.new_tensor(self.root))

    def whiten(self, controls: Tensor, scene: Mapping[str, Tensor]) -> Tensor:
        """Whitened coordinates [B, T, C] of controls [B, T, C]."""
        u = controls.flatten(1).double()
        offset = u - _mean(scene, u.new_tensor(self.regression))
        x: Tensor = torch.linalg.solve_triangular(u.new_tensor(self.root), offset.T, upper=False).T
        return x.to(controls.dtype).view_as(controls)


def _rows(matrix: Tensor) -> Rows:
    return tuple(tuple(float(f"{v:.9g}") for v in row) for row in matrix.tolist())


@dataclass(frozen=True)
class ControlCodec:
    """Codec of control sequences: the dynamics, the features of the cost with their scales, and the whitening.

    An event is a whitened control sequence [T, 2]; `Whitening` maps it to controls. ``weights`` are the true weights of
    the scaled features where the data were made with known ones, for metrics; no energy reads them.
    """

    name: ClassVar[str] = "trajectory/controls"

    dynamics: Literal["point-mass", "unicycle", "bicycle"]
    dt: float
    features: tuple[FeatureName, ...]
    scales: tuple[float, ...]
    regression: Rows
    root: Rows
    weights: tuple[float, ...] = ()

    @property
    def motion(self) -> Dynamics:
        return DYNAMICS[self.dynamics](dt=self.dt)

    @property
    def whitening(self) -> Whitening:
        return Whitening(self.regression, self.root)

    def states(self, x: Tensor, scene: Mapping[str, Tensor]) -> Tensor:
        """States [B, T, S] of whitened controls x [B, T, 2]."""
        return self.motion.rollout(scene["state"].to(x), self.whitening.controls(x, scene))

    def read(self, path: Path) -> Batch:
        raise DataError(f"{printable(path)}: scenes of the lane world are not read from files")

    def write(self, x: Tensor, path: Path, batch: Batch | None = None) -> None:
        """Write control sequences as a .csv. With ``batch``, in physical units with the states that they lead to."""
        if path.suffix.lower() != ".csv":
            raise DataError(f'{printable(path)}: controls are written as .csv, not as "{path.suffix}"')
        x = x.detach().cpu()
        if batch is None:
            rows = [(n, t, *at) for n, track in enumerate(x.tolist()) for t, at in enumerate(track, 1)]
            write_csv(path, ("sample", "step", "whitened control 1", "whitened control 2"), rows)
            return
        motion, scene = self.motion, batch.condition
        numbers = range(len(x)) if batch.meta is None else batch.meta["scene"].tolist()
        values = torch.cat([self.states(x, scene), self.whitening.controls(x, scene)], -1)
        rows = [
            (number, sample, t, *(f"{v:.5g}" for v in at))
            for track, number, sample in zip(values.tolist(), numbers, numbered(numbers), strict=True)
            for t, at in enumerate(track, 1)
        ]
        write_csv(path, ("scene", "sample", "step", *motion.states, *motion.controls), rows)

    def show(self, x: Tensor, batch: Batch | None = None) -> Tensor:
        """A picture [N, 60, 480, 3] per event: the lane, the obstacles and the path that the controls lead to."""
        from ebmsuite_trajectory.drawing import draw_lanes

        if batch is None:
            raise DataError("a control sequence has no path without its scene")
        scene = {k: v.cpu() for k, v in batch.condition.items()}
        return draw_lanes(self.states(x.detach().cpu(), scene), scene)


class Controls(Energy):
    """E(x | scene) = C(states(u), u, scene) with u = ``whitening``(x): inverse optimal control (Xu et al., ICRA 2022).

    x is a whitened control sequence [B, T, 2]; its states follow from the scene's initial state under ``dynamics``, and
    the gradient is back-propagated through time. p(u | scene) is proportional to exp(-C); whitening is linear given the
    scene, so it changes the energy by a constant only.
    """

    passes_condition: ClassVar[bool] = True

    def __init__(self, cost: Cost, dynamics: Dynamics, whitening: Whitening) -> None:
        super().__init__()
        self.cost, self.dynamics = cost, dynamics
        self.register_buffer("regression", torch.tensor(whitening.regression), persistent=False)
        self.register_buffer("root", torch.tensor(whitening.root), persistent=False)
        self.regression: Tensor
        self.root: Tensor

    def controls(self, x: Tensor, scene: Mapping[str, Tensor]) -> Tensor:
        """Controls in physical units [B, T, 2]."""
        return _controls(x, scene, self.regression, self.root)

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        u = self.controls(x, condition)
        cost: Tensor = self.cost(self.dynamics.rollout(condition["state"].to(x), u), u, condition)
        return cost


def controls_energy(
    event: Space,
    codec: Codec | None,
    condition: Any,
    cost: Literal["linear", "neural"] = "linear",
    width: int = 64,
    depth: int = 2,
) -> Controls:
    """The energy of controls given a scene, for data with the codec `ControlCodec`.

    ``cost: linear`` learns one weight per feature; ``neural`` is an MLP of the features per step with ``depth`` hidden
    layers of ``width`` units.
    """
    if not isinstance(codec, ControlCodec):
        raise RecipeError("trajectory/controls: this energy needs data with the codec trajectory/controls")
    motion = codec.motion
    made: Cost = (
        LinearCost(codec.features, codec.scales, motion)
        if cost == "linear"
        else NeuralCost(codec.features, codec.scales, motion, width, depth)
    )
    return Controls(made, motion, codec.whitening)
