"""Voxel grids: sizes, surfaces, and voxels of points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ebmsuite.errors import RecipeError

__all__ = ["OBJECT", "resized", "solid", "surface_points", "voxels_of"]

OBJECT = 24
"""The side of the cube that holds an object in a grid of 30^3."""


def resized(grids: NDArray[np.bool_], size: int) -> NDArray[np.float32]:
    """Occupancy grids [N, S, S, S] whose objects lie in the central 24^3, at another size: float32 [N, *(size,) * 3].

    A ``size`` of 24 or more cuts or pads the margin. A ``size`` that divides 24 averages blocks: a voxel is then the
    share of the block that is occupied.
    """
    if size < OBJECT and OBJECT % size:
        raise RecipeError(f"size: must be at least {OBJECT} or divide {OBJECT}, got {size}")
    n, side = grids.shape[:2]
    target = max(size, OBJECT)
    whole = np.zeros((n, target, target, target), np.float32)
    low = (target - side) // 2
    here = slice(max(low, 0), max(low, 0) + min(side, target))
    there = slice(max(-low, 0), max(-low, 0) + min(side, target))
    whole[:, here, here, here] = grids[:, there, there, there]
    if size >= OBJECT:
        return whole
    block = OBJECT // size
    averaged: NDArray[np.float32] = whole.reshape(n, size, block, size, block, size, block).mean((2, 4, 6))
    return averaged


def voxels_of(points: NDArray[np.floating], size: int) -> NDArray[np.bool_]:
    """The voxels of the cube [-1, 1]^3 that hold points [N, P, 3]: bool [N, *(size,) * 3]."""
    at = ((points + 1) / 2 * size).astype(np.int64).clip(0, size - 1)
    grids = np.zeros((len(points), size, size, size), bool)
    grids[np.arange(len(points))[:, None], at[..., 0], at[..., 1], at[..., 2]] = True
    return grids


def solid(shell: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A grid [S, S, S] of surface voxels with its gaps of one voxel closed and its inside filled."""
    closed = ndimage.binary_closing(np.pad(shell, 2))
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(closed)[2:-2, 2:-2, 2:-2]
    return filled


def surface_points(grid: NDArray[np.bool_], n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """``n`` points, uniform on the outer faces of the occupied voxels of a grid [S, S, S]: float32 [n, 3] in [-1, 1].

    The grid is centred on the bounding box of the object, whose longest side is 2. `ValueError` for an empty grid.
    """
    if not grid.any():
        raise ValueError("an empty grid has no surface")
    padded = np.pad(grid, 1)
    faces = []
    for axis in range(3):
        for way in (-1, 1):
            outer = np.argwhere(padded & ~np.roll(padded, -way, axis)) - 1.0
            centre = outer + 0.5
            centre[:, axis] += way / 2
            faces.append(np.concatenate([centre, np.full((len(centre), 1), axis)], 1))
    table = np.concatenate(faces)
    drawn = table[rng.integers(len(table), size=n)]
    offset = rng.random((n, 3)) - 0.5
    offset[np.arange(n), drawn[:, 3].astype(int)] = 0
    where = np.argwhere(grid)
    low, high = where.min(0), where.max(0) + 1
    points = drawn[:, :3] + offset - (low + high) / 2
    scaled: NDArray[np.float32] = (points / ((high - low).max() / 2)).astype(np.float32)
    return scaled
