"""Recovery of hidden voxels without learning: votes of visible voxels, and the nearest training shapes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

__all__ = ["box_vote", "gaussian_vote", "mirror_axis", "mirrored_vote", "nearest_shapes"]

Grids = NDArray[np.float32]
"""Occupancies [N, S, S, S], 0 where hidden."""
Known = NDArray[np.bool_]


def box_vote(visible: Grids, known: Known) -> Grids:
    """The mean of the visible voxels in a cube of 3^3 about each voxel."""
    return _vote(visible, known, lambda v: ndimage.uniform_filter(v, (0, 3, 3, 3), mode="constant"))


def gaussian_vote(visible: Grids, known: Known, sd: float = 0.8) -> Grids:
    """The mean of the visible voxels in a cube of 5^3, weighted by a Gaussian of ``sd`` voxels."""
    return _vote(
        visible, known, lambda v: ndimage.gaussian_filter(v, (0, sd, sd, sd), mode="constant", radius=(0, 2, 2, 2))
    )


def mirrored_vote(visible: Grids, known: Known, axis: int, sd: float = 0.6) -> Grids:
    """`gaussian_vote` after hidden voxels took the value of their mirror image, where that is visible.

    ``axis`` (0, 1 or 2) is perpendicular to the plane of the mirror, so this baseline knows the symmetry of the shapes.
    """
    there, image = np.flip(known, axis + 1), np.flip(visible, axis + 1)
    return gaussian_vote(np.where(known, visible, image * there), known | there, sd)


def mirror_axis(grids: Grids) -> int:
    """The horizontal axis along which shapes [N, S, S, S] are most nearly their own mirror image."""
    return int(np.argmin([np.abs(grids - np.flip(grids, axis + 1)).mean() for axis in (0, 1)]))


def nearest_shapes(visible: Grids, known: Known, shapes: Grids, k: int = 1) -> Grids:
    """The mean of the k of ``shapes`` [M, S, S, S] that differ least from each grid at its visible voxels."""
    seen, there = (torch.from_numpy(np.ascontiguousarray(a, np.float32)).flatten(1) for a in (visible, known))
    bank = torch.from_numpy(np.ascontiguousarray(shapes, np.float32)).flatten(1)
    squares = there @ bank.square().T - 2 * (seen * there) @ bank.T
    nearest: Tensor = squares.topk(min(k, len(bank)), largest=False, sorted=True).indices
    mean: Grids = bank[nearest].mean(1).view(visible.shape).numpy()
    return mean


def _vote(visible: Grids, known: Known, smooth: Callable[[Grids], Grids]) -> Grids:
    counted = smooth((visible * known).astype(np.float32)), smooth(known.astype(np.float32))
    votes: Grids = (counted[0] / np.maximum(counted[1], 1e-6)).astype(np.float32)
    return votes
