"""Pictures of shapes: shaded surfaces of voxel grids and point clouds, seen from any angle about the vertical axis."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

__all__ = ["ANGLES", "draw_clouds", "draw_grids"]

ANGLES = 24
"""Number of views of a turntable."""
VIEW = 35.0
"""The angle of a single picture in degrees, counter-clockwise about the vertical axis."""
TILT = 25.0
"""How far the viewer looks down, in degrees."""
SIDE = 96
"""Side of a picture in pixels."""
NEAR, FAR = np.array([235.0, 150.0, 60.0]), np.array([60.0, 90.0, 160.0])
"""Colours of points: the nearest and the farthest of a cloud's box."""


def draw_grids(grids: Tensor, angle: float = VIEW, side: int = SIDE) -> Tensor:
    """Draw the voxels above 0.5 of grids [N, S, S, S], whose last axis points up: uint8 [N, side, side, 3]."""
    return _pictures([_grid(grid, angle, side) for grid in grids.nan_to_num().numpy() > 0.5], side)


def draw_clouds(clouds: Tensor, angle: float = VIEW, side: int = SIDE) -> Tensor:
    """Draw points [N, P, 3], whose last coordinate points up, in the cube [-1, 1]^3: uint8 [N, side, side, 3]."""
    clean = clouds.nan_to_num(nan=0.0, posinf=9.0, neginf=-9.0).double()
    return _pictures([_cloud(cloud, angle, side) for cloud in clean.numpy()], side)


def _pictures(drawn: list[NDArray[np.uint8]], side: int) -> Tensor:
    empty: NDArray[np.uint8] = np.zeros((0, side, side, 3), np.uint8)
    return torch.from_numpy(np.stack(drawn) if drawn else empty)


def _seen(points: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """Points or directions [P, 3] in the frame of the viewer: to the right, upwards and towards the viewer."""
    a, t = math.radians(angle), math.radians(TILT)
    right = np.array([math.cos(a), math.sin(a), 0])
    away = np.array([-math.sin(a), math.cos(a), 0])
    up = np.array([0, 0, math.cos(t)]) + math.sin(t) * away
    near = np.array([0, 0, math.sin(t)]) - math.cos(t) * away
    seen: NDArray[np.float64] = points @ np.stack([right, up, near], 1)
    return seen


def _splat(seen: NDArray[np.float64], colour: NDArray[np.float64], width: int, side: int) -> NDArray[np.uint8]:
    """Paint squares of ``width`` pixels at seen points in [-sqrt(3), sqrt(3)], near ones over far ones."""
    picture = np.full((side, side, 3), 255, np.uint8)
    order = np.argsort(seen[:, 2], kind="stable")
    seen, colour = seen[order], colour[order]
    scale = side / (2 * math.sqrt(3))
    column = np.floor(side / 2 + seen[:, 0] * scale - (width - 1) / 2).astype(np.int64)
    row = np.floor(side / 2 - seen[:, 1] * scale - (width - 1) / 2).astype(np.int64)
    steps = np.arange(width)
    rows = (row[:, None, None] + steps[:, None] + 0 * steps).ravel()
    columns = (column[:, None, None] + 0 * steps[:, None] + steps).ravel()
    inside = (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)
    painted = np.repeat(colour.round().clip(0, 255).astype(np.uint8), width * width, 0)
    picture[rows[inside], columns[inside]] = painted[inside]  # of equal pixels the last one stays: the nearest
    return picture


def _grid(solid: NDArray[np.bool_], angle: float, side: int) -> NDArray[np.uint8]:
    size = len(solid)
    outer = solid & ~ndimage.binary_erosion(solid)
    at = np.argwhere(outer)
    if len(at) == 0:
        return np.full((side, side, 3), 255, np.uint8)
    soft = ndimage.gaussian_filter(solid.astype(np.float64), 1.0, mode="constant")
    normal = -np.stack([g[outer] for g in np.gradient(soft)], 1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    light = _seen(normal, angle) @ (np.array([-0.4, 0.6, 0.7]) / np.linalg.norm([0.4, 0.6, 0.7]))
    shade = 0.35 + 0.65 * light.clip(0, 1)
    colour = shade[:, None] * np.array([150.0, 185.0, 235.0])
    points = ((at + 0.5) / size * 2 - 1) * 1.2  # objects leave a margin
    width = math.ceil(1.2 * 2 / size * side / (2 * math.sqrt(3)) * 1.3)
    return _splat(_seen(points, angle), colour, width, side)


def _cloud(cloud: NDArray[np.float64], angle: float, side: int) -> NDArray[np.uint8]:
    seen = _seen(cloud * 1.4, angle)
    depth = ((seen[:, 2:] + 1.2) / 2.4).clip(0, 1)
    return _splat(seen, depth * NEAR + (1 - depth) * FAR, max(2, side // 48), side)
