"""Meshes: files of triangles, their surface as points, their volume as voxels, and marching cubes the other way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ebmsuite.errors import DataError, MissingData
from ebmsuite.files import printable, replacing
from ebmsuite_shape3d.grids import voxels_of

__all__ = ["MESHES", "MOST", "Mesh", "Up", "read_mesh", "upright", "upright_grids", "write_mesh"]

MESHES = (".ply", ".obj", ".glb", ".stl", ".off")
"""The endings of files of meshes."""

MOST = 1_000_000
"""The largest number of triangles of a mesh that is read."""

BYTES = 250
"""The largest number of bytes per triangle in a file. A larger file is refused before it fills the memory."""

Up: TypeAlias = Literal["x", "y", "z"]
"""The axis of a file that points up."""

Real = TypeVar("Real", bound=np.floating[Any])

_ORDER: dict[str, tuple[int, int, int]] = {"x": (1, 2, 0), "y": (0, 2, 1), "z": (0, 1, 2)}
"""Which axis of the file becomes each axis, the last of which points up."""


def upright(points: NDArray[Real], up: Up) -> NDArray[Real]:
    """Coordinates [..., 3] turned, without reflection, so that the axis ``up`` becomes the last one."""
    turned = points[..., _ORDER[up]]
    if up == "y":
        turned[..., 1] *= -1  # an exchange of two axes alone would be a reflection
    return turned


def upright_grids(grids: NDArray[Real], up: Up) -> NDArray[Real]:
    """Grids [N, S, S, S] turned like `upright`."""
    turned = grids.transpose(0, *(1 + axis for axis in _ORDER[up]))
    return turned[:, :, ::-1] if up == "y" else turned


@dataclass(frozen=True)
class Mesh:
    """A surface of ``triangles`` [F, 3, 3], whose last coordinate points up, or points [P, 3] without faces.

    The box is centred at 0, and its longest side is 2. ``closed`` is False if the surface has a border:
    an edge of an odd number of triangles.
    """

    triangles: NDArray[np.float64]
    points: NDArray[np.float64]
    closed: bool

    def voxels(self, size: int) -> NDArray[np.bool_]:
        """The voxels [size, size, size] of [-1, 1]^3 that the surface crosses, and those that they enclose.

        Sampled at half the side of a voxel. The surface need not be closed: gaps below one voxel leave the inside
        filled, larger ones leave it hollow.
        """
        shell = voxels_of(self._lattice(1 / size)[None] if len(self.triangles) else self.points[None], size)[0]
        filled: NDArray[np.bool_] = ndimage.binary_fill_holes(shell) if len(self.triangles) else shell
        return filled

    def surface(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """``n`` points [n, 3]: uniform by area on the triangles, or drawn from the points of a mesh without faces."""
        if not len(self.triangles):
            return self.points[rng.choice(len(self.points), n, replace=len(self.points) < n)]
        corner, u, v = self.triangles[:, 0], *(self.triangles[:, i] - self.triangles[:, 0] for i in (1, 2))
        area = np.linalg.norm(np.cross(u, v), axis=1)
        chosen = rng.choice(len(area), n, p=area / area.sum())
        a, b = rng.random((2, n, 1))
        a, b = np.where(a + b > 1, 1 - a, a), np.where(a + b > 1, 1 - b, b)
        drawn: NDArray[np.float64] = corner[chosen] + a * u[chosen] + b * v[chosen]
        return drawn

    def _lattice(self, step: float) -> NDArray[np.float64]:
        """Points on all triangles, at most ``step`` apart."""
        edges = np.linalg.norm(self.triangles - np.roll(self.triangles, 1, 1), axis=2).max(1)
        parts = 2 ** np.ceil(np.log2(np.maximum(edges / step, 1))).astype(int)
        found = []
        for k in np.unique(parts):
            i, j = (index.ravel() for index in np.meshgrid(np.arange(k + 1), np.arange(k + 1)))
            weights = np.stack([i, j, k - i - j], 1)[i + j <= k] / k
            found.append((weights @ self.triangles[parts == k]).reshape(-1, 3))
        return np.concatenate(found)


def read_mesh(path: Path, up: Up = "z", most: int = MOST) -> Mesh:
    """Read a mesh or, from a file without faces, points. All parts of a scene are joined.

    Triangles without area are left out. Errors: `MissingData` without trimesh; `DataError`, which names the file, if it
    is damaged, empty or degenerate, or has more than ``most`` triangles.
    """
    shown = printable(path)
    try:
        import trimesh
    except ImportError as error:
        raise MissingData(f'{shown}: meshes need trimesh: pip install "ebmsuite-shape3d[meshes]"') from error
    if not path.is_file():
        raise DataError(f"{shown}: there is no such file")
    if (size := path.stat().st_size) > most * BYTES:
        raise DataError(
            f"{shown}: {size / 1e6:,.0f} MB is too large for a mesh of at most {most:,} triangles; simplify it"
        )
    try:
        scene = trimesh.load_scene(path, process=False)
        found = scene.to_mesh()
        vertices, faces = np.asarray(found.vertices, np.float64), np.asarray(found.faces, np.int64).reshape(-1, 3)
        if not len(faces):
            clouds = [g.vertices for g in scene.geometry.values() if isinstance(g, trimesh.PointCloud)]
            vertices = np.concatenate([vertices[:0], *clouds])
    except Exception as error:  # the parsers of trimesh raise whatever a damaged file makes them raise
        raise DataError(f"{shown}: it cannot be read as a mesh ({type(error).__name__}: {error})") from error
    if not len(vertices):
        raise DataError(f"{shown}: it is empty or damaged: it has neither triangles nor points")
    if len(faces) > most:
        raise DataError(f"{shown}: it has {len(faces):,} triangles, more than {most:,}; simplify it")
    used = vertices[faces] if len(faces) else vertices
    if not np.isfinite(used).all():
        raise DataError(f"{shown}: a coordinate is not finite")
    low, high = used.reshape(-1, 3).min(0), used.reshape(-1, 3).max(0)
    longest = float((high - low).max())
    placed = upright((used - (low + high) / 2) / (longest / 2 if longest > 0 else 1), up)
    if not len(faces):
        if longest == 0:
            raise DataError(f"{shown}: it is degenerate: all points are equal")
        return Mesh(np.zeros((0, 3, 3)), placed, closed=True)
    area = np.linalg.norm(np.cross(placed[:, 1] - placed[:, 0], placed[:, 2] - placed[:, 0]), axis=1)
    if not (area > 0).any():
        raise DataError(f"{shown}: it is degenerate: none of its {len(faces):,} triangles has an area")
    found.merge_vertices(merge_tex=True, merge_norm=True)
    shared = np.bincount(found.edges_unique_inverse)
    return Mesh(placed[area > 0], placed[:0, 0], closed=not (shared % 2).any())


def write_mesh(occupancy: NDArray[np.floating[Any]], path: Path, threshold: float) -> None:
    """Write the surface of a grid [S, S, S] where the occupancy is ``threshold``, scaled to the cube [-1, 1]^3.

    The last axis points up; in a .glb file, whose format defines it so, the second.

    Errors: `MissingData` without scikit-image and trimesh, `DataError` if nothing is above the threshold.
    """
    try:
        import trimesh
        from skimage.measure import marching_cubes
    except ImportError as error:
        raise MissingData(
            f'{printable(path)}: meshes need scikit-image and trimesh: pip install "ebmsuite-shape3d[meshes]"'
        ) from error
    if occupancy.max() <= threshold:
        raise DataError(f"{printable(path)}: no occupancy is above the threshold {threshold:g}, so there is no surface")
    padded = np.pad(occupancy.astype(np.float32), 1)
    corners, faces, _, _ = marching_cubes(padded, threshold)
    corners = (corners - 0.5) / len(occupancy) * 2 - 1
    if path.suffix.lower() == ".glb":
        corners = corners[:, (0, 2, 1)] * (1, 1, -1)
    mesh = trimesh.Trimesh(corners, faces)
    with replacing(path) as aside:
        mesh.export(str(aside), file_type=path.suffix.lower()[1:])
