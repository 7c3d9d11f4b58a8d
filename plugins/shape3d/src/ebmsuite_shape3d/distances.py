"""Distances between point clouds: Chamfer, and the earth mover's by exact assignment."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import KDTree
from torch import Tensor

__all__ = ["chamfer", "earth_mover", "jensen_shannon"]


def chamfer(a: Tensor, b: Tensor) -> Tensor:
    """The Chamfer distances [n, m] of clouds a [n, P, 3] and b [m, Q, 3]: the mean squared distance to the nearest
    point of the other cloud, added over both ways."""
    ours, theirs = ([(x, KDTree(x)) for x in clouds.double().cpu().numpy()] for clouds in (a, b))
    found = [[_nearest(x, other) + _nearest(y, tree) for y, other in theirs] for x, tree in ours]
    return torch.tensor(found, dtype=torch.float64)


def _nearest(points: NDArray[np.float64], tree: KDTree) -> float:
    """The mean squared distance from points to the nearest point of a tree."""
    return float(np.square(tree.query(points)[0]).mean())


def earth_mover(a: Tensor, b: Tensor) -> Tensor:
    """The earth mover's distances [n, m] of clouds a [n, P, 3] and b [m, P, 3]: the smallest mean distance of a
    one-to-one assignment, exact. The time grows about as P^3."""
    found = torch.empty(len(a), len(b), dtype=torch.float64)
    for i, one in enumerate(a.double()):
        for j, other in enumerate(b.double()):
            cost = torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist").cpu().numpy()
            rows, columns = linear_sum_assignment(cost)
            found[i, j] = float(cost[rows, columns].mean())
    return found


def jensen_shannon(a: Tensor, b: Tensor, cells: int = 28) -> float:
    """The Jensen-Shannon divergence, in nats, of the points of all clouds of a and of b, counted in ``cells``^3
    cells of the cube [-1, 1]^3."""
    p, q = (_histogram(x, cells) for x in (a, b))
    middle = (p + q) / 2
    divergences = [torch.where(h > 0, h * (h / middle).log(), 0).sum() for h in (p, q)]
    return float(sum(divergences)) / 2


def _histogram(clouds: Tensor, cells: int) -> Tensor:
    at = ((clouds.reshape(-1, 3).double() + 1) / 2 * cells).long().clamp(0, cells - 1)
    counts = torch.bincount((at[:, 0] * cells + at[:, 1]) * cells + at[:, 2], minlength=cells**3).double()
    return counts / counts.sum()
