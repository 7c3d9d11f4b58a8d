"""Point clouds: the embedded ``shape3d/points``, their grids ``shape3d/grids``, and surfaces of ModelNet10."""

from __future__ import annotations

import functools
import importlib.resources
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ebmsuite.dataset import InMemory
from ebmsuite.errors import RecipeError
from ebmsuite_shape3d.codec import CloudCodec, VoxelCodec
from ebmsuite_shape3d.data.modelnet import CATEGORIES, Split, modelnet10_voxels
from ebmsuite_shape3d.grids import solid, surface_points, voxels_of

__all__ = ["grids", "modelnet10_points", "points"]

SPLITS: dict[str, slice] = {"train": slice(0, 135), "valid": slice(135, 155), "test": slice(155, 175)}
"""The parts of a fixed random order of the embedded clouds."""

BOX = (-1.0, 1.0)


def points(split: Split = "train", count: int = 512, categories: tuple[str, ...] = ()) -> InMemory:
    """The embedded clouds [count, 3] of furniture: 135 train, 20 valid and 20 test, each from another model.

    ``categories`` keeps those of some categories only, such as [chair]; their labels are approximate.

    Clouds are centred on their bounding box, whose longest side is 2; the last coordinate points up. ``count`` of the
    512 stored points, the first ones, are used.
    """
    if not 1 <= count <= 512:
        raise RecipeError(f"count: the embedded clouds have 512 points, got {count}")
    clouds, names = _embedded(split, categories)
    dataset = InMemory(
        torch.from_numpy(clouds[:, :count]), range=BOX, codec=CloudCodec(points=count), meta={"name": names}
    )
    dataset.note = f"{len(names)} {split} clouds of 175 CC0 models of SweetHome3D{_of(categories)}"
    return dataset


def grids(split: Split = "train", size: int = 12, categories: tuple[str, ...] = ()) -> InMemory:
    """The embedded clouds as solid grids, events [1, size, size, size]: the voxels that hold points, and their inside.

    Events are occupancies less the mean of the training grids. ``categories`` is that of `points`.
    """
    if not 4 <= size <= 32:
        raise RecipeError(f"size: must be from 4 to 32 voxels for clouds of 512 points, got {size}")
    (clouds, names), (training, _) = _embedded(split, categories), _embedded("train", categories)
    mean = float(_solids(training, size).mean())
    dataset = InMemory(
        torch.from_numpy(_solids(clouds, size))[:, None] - mean,
        range=(-mean, 1 - mean),
        codec=VoxelCodec(size=size, mean=mean),
        meta={"name": names},
    )
    dataset.note = f"{len(names)} {split} grids of 175 CC0 models of SweetHome3D{_of(categories)}, {size}^3"
    return dataset


def _solids(clouds: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    shells = voxels_of(clouds, size)
    return np.stack([solid(shell) for shell in shells]).astype(np.float32) if len(shells) else shells.astype(np.float32)


def _of(categories: tuple[str, ...]) -> str:
    return f" ({', '.join(categories)})" if categories else ""


def modelnet10_points(
    split: Split = "train", category: str = "chair", count: int = 512, valid: float = 0.1
) -> InMemory:
    """Points [count, 3], uniform on the outer faces of the cleaned voxels (`modelnet10_voxels`) of one category.

    The points of a shape are drawn once, with a fixed seed. The resolution of the shapes is that of the 24^3 grid.
    """
    if category not in CATEGORIES:
        raise RecipeError(f'category: "{category}" must be one of {list(CATEGORIES)}')
    if count < 1:
        raise RecipeError(f"count: at least one point is needed, got {count}")
    voxels = modelnet10_voxels(split, (category,), valid=valid)
    assert isinstance(voxels.codec, VoxelCodec)
    assert voxels.meta is not None
    inside = voxels.codec.occupancy(voxels.x).numpy() > 0.5
    rows = [int(name.rpartition("-")[2]) for name in voxels.meta["name"]]
    clouds = [surface_points(grid, count, np.random.default_rng(row)) for grid, row in zip(inside, rows, strict=True)]
    x = torch.from_numpy(np.stack(clouds)) if clouds else torch.zeros(0, count, 3)
    dataset = InMemory(x, range=BOX, codec=CloudCodec(points=count), meta=voxels.meta)
    dataset.skipped = voxels.skipped
    dataset.note = f"{len(x):,} {split} surfaces of the 24^3 grids of ModelNet10 ({category}), cleaned, {count} points"
    return dataset


def _embedded(split: str, categories: tuple[str, ...]) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    """Clouds and the names of their models."""
    stored = _stored()
    if split not in SPLITS:
        raise RecipeError(f'split: "{split}" must be one of {list(SPLITS)}')
    known = stored["class_names"].tolist()
    if unknown := [name for name in categories if name not in known]:
        raise RecipeError(f"categories: {unknown} must be names of {known}")
    rows = np.random.default_rng(0).permutation(len(stored["points"]))[SPLITS[split]]
    wanted = [known.index(name) for name in categories or known]
    rows = rows[np.isin(stored["labels"][rows], wanted)]
    clouds: NDArray[np.float32] = stored["points"][rows].astype(np.float32) / np.float32(127)
    return clouds, stored["models"][rows]


@functools.cache
def _stored() -> dict[str, NDArray[Any]]:
    with (
        importlib.resources.files(__package__).joinpath("sweethome3d.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as stored,
    ):
        return dict(stored)
