"""The data sets of lanes: scenes with known costs, and experts drawn from exp(-cost).

Experts that minimise the cost would have no finite maximum-likelihood weights. These are exact draws in the linear
world, and draws of long, checked Hamiltonian chains in the world with obstacles.
"""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, digest_of
from ebmsuite.errors import RecipeError
from ebmsuite.space import Batch, Space
from ebmsuite_trajectory.controls import ControlCodec, Whitening
from ebmsuite_trajectory.costs import FeatureName, features_of
from ebmsuite_trajectory.dynamics import DYNAMICS

__all__ = ["LINEAR", "ROAD", "Scenes", "World", "lanes", "linear_normal", "make_scenes"]

Scene = Mapping[str, Tensor]


@dataclass(frozen=True)
class World:
    """A family of scenes with a known cost: sum_k weight_k sum_t phi_k(t), weights per unit of the raw features."""

    dynamics: Literal["point-mass", "unicycle"]
    dt: float
    steps: int
    weights: Mapping[FeatureName, float]
    obstacles: int = 0
    """The largest number of obstacles of a scene."""


LINEAR = World("point-mass", 0.2, 20, {"lane": 0.3, "speed": 0.15, "drift": 0.4, "acceleration": 0.6, "turning": 2.0})
"""Linear dynamics and a quadratic cost: exp(-cost) is a normal distribution, which is drawn exactly."""

ROAD = World(
    "unicycle", 0.2, 20,
    {"lane": 0.3, "speed": 0.15, "drift": 0.2, "acceleration": 0.6, "turning": 150.0, "obstacles": 1.5}, 2,
)  # fmt: skip
"""A vehicle that steers among up to two standing obstacles: exp(-cost) is not normal and can have several modes."""


def make_scenes(world: World, n: int, rng: torch.Generator) -> dict[str, Tensor]:
    """``n`` random scenes: initial states and wanted speeds (8 to 14 m/s), and obstacles 8 to 45 m ahead."""

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand((n, *shape), generator=rng)

    start, speed, wanted = uniform(-1.5, 1.5), uniform(8.0, 14.0), uniform(8.0, 14.0)
    slope = uniform(-0.08, 0.08)
    last = [speed, speed * slope] if world.dynamics == "point-mass" else [slope, speed]
    count = world.obstacles
    ahead = torch.stack([uniform(8.0, 45.0, count), uniform(-2.0, 2.0, count)], -1)
    present = torch.rand((n, count), generator=rng) < 0.6
    return {
        "state": torch.stack([torch.zeros(n), start, *last], 1),
        "speed": wanted,
        "obstacles": ahead * present[..., None],
        "present": present,
    }


def linear_normal(world: World, scene: Scene) -> tuple[Tensor, Tensor]:
    """Mean [N, T * 2] and covariance [T * 2, T * 2] of the controls of the linear world, in float64.

    The cost is quadratic in the controls with a Hessian H that no scene changes: the mean is -H^-1 g(scene), where g is
    the gradient at zero controls, and the covariance is H^-1. The rows of H are differences of gradients.
    """
    if world.dynamics != "point-mass" or world.obstacles:
        raise RecipeError("only the linear world has a normal distribution of controls")
    scene = {k: v.double() if v.is_floating_point() else v for k, v in scene.items()}

    def gradient(u: Tensor, scene: Scene) -> Tensor:
        u = u.requires_grad_()
        return torch.autograd.grad(raw_cost(world, u.view(len(u), -1, 2), scene).sum(), u)[0]

    size = world.steps * 2
    at_zero = gradient(torch.zeros(len(scene["speed"]), size, dtype=torch.float64), scene)
    first = {k: v[:1].expand(size, *v.shape[1:]) for k, v in scene.items()}
    hessian = gradient(torch.eye(size, dtype=torch.float64), first) - at_zero[0]
    covariance: Tensor = torch.linalg.inv(hessian)
    return -at_zero @ covariance, covariance


def raw_cost(world: World, controls: Tensor, scene: Scene) -> Tensor:
    """The true cost [B] of controls [B, T, 2] in physical units."""
    dynamics = DYNAMICS[world.dynamics](dt=world.dt)
    states = dynamics.rollout(scene["state"], controls)
    sums = features_of(tuple(world.weights), states, controls, scene, dynamics).sum(1)
    return sums @ sums.new_tensor([*world.weights.values()])


class Scenes(Dataset):
    """Whitened experts' controls [T, 2] given their scenes. Scales and whitening are fitted to the training split."""

    def __init__(self, controls: Tensor, scene: Scene, codec: ControlCodec, note: str) -> None:
        self.controls, self.scene, self.codec, self.note = controls, scene, codec, note
        self.x = codec.whitening.whiten(controls, scene)
        self.event = Space(tuple(self.x.shape[1:]))
        self.condition = {
            "state": Space(tuple(scene["state"].shape[1:])),
            "speed": Space(()),
            "obstacles": Space(tuple(scene["obstacles"].shape[1:]), mask="present"),
            "present": Space(tuple(scene["present"].shape[1:]), kind="mask"),
        }

    def __len__(self) -> int:
        return len(self.x)

    def digest(self) -> str:
        """A digest of all experts and scenes."""
        return digest_of(self.x, *self.scene.values())

    def batch(self, index: Tensor, seeds: Tensor) -> Batch:
        meta = {"scene": index.numpy()}
        return Batch(self.x[index], {k: v[index] for k, v in self.scene.items()}, index, meta=meta)


SIZES = {"train": 2000, "valid": 200, "test": 200}


def lanes(split: Literal["train", "valid", "test"] = "train", world: Literal["road", "linear"] = "road") -> Scenes:
    """Experts on a road with known costs: 2,000 train, 200 valid and 200 test scenes of 20 steps of 0.2 s.

    ``world: road``: a unicycle among up to two standing obstacles; the experts come with the package and were drawn by
    Hamiltonian Monte Carlo (``tools/make_lanes.py`` states its checks). ``world: linear``: a point mass without
    obstacles, whose experts are exact draws from a normal distribution.
    """
    if split not in SIZES:
        raise RecipeError(f'split: "{split}" is not one of {", ".join(SIZES)}')
    controls, scene, codec = _experts(world)
    first = {"train": 0, "valid": SIZES["train"], "test": SIZES["train"] + SIZES["valid"]}[split]
    part = slice(first, first + SIZES[split])
    return Scenes(controls[part], {k: v[part] for k, v in scene.items()}, codec, f"{world} world, {split}")


@functools.cache
def _experts(world: Literal["road", "linear"]) -> tuple[Tensor, dict[str, Tensor], ControlCodec]:
    """All experts, their scenes, and the codec fitted to those of the training split."""
    controls, scene = _road() if world == "road" else _linear()
    known, train = {"road": ROAD, "linear": LINEAR}[world], slice(SIZES["train"])
    return controls, scene, codec_of(known, controls[train], {k: v[train] for k, v in scene.items()})


def codec_of(world: World, controls: Tensor, scene: Scene) -> ControlCodec:
    """The codec fitted to experts: feature scales, whitening, and the true weights of the scaled features."""
    dynamics = DYNAMICS[world.dynamics](dt=world.dt)
    states = dynamics.rollout(scene["state"], controls)
    sums = features_of(tuple(world.weights), states, controls, scene, dynamics).sum(1)
    scales = tuple(float(f"{s:.7g}") for s in sums.double().std(0).tolist())
    white = Whitening.fit(controls, scene)
    weights = tuple(w * s for w, s in zip(world.weights.values(), scales, strict=True))
    return ControlCodec(world.dynamics, world.dt, tuple(world.weights), scales, white.regression, white.root, weights)


def _linear() -> tuple[Tensor, dict[str, Tensor]]:
    rng = torch.Generator().manual_seed(0)
    scene = make_scenes(LINEAR, sum(SIZES.values()), rng)
    mean, covariance = linear_normal(LINEAR, scene)
    noise = torch.randn(mean.shape, generator=rng, dtype=torch.float64)
    controls = mean + noise @ torch.linalg.cholesky(covariance).T
    return controls.float().view(-1, LINEAR.steps, 2), scene


def _road() -> tuple[Tensor, dict[str, Tensor]]:
    with (importlib.resources.files(__package__) / "lanes.npz").open("rb") as file, np.load(file) as arrays:
        scene = {k: torch.from_numpy(arrays[k]) for k in ("state", "speed", "obstacles", "present")}
        return torch.from_numpy(arrays["controls"].astype(np.float32)), scene
