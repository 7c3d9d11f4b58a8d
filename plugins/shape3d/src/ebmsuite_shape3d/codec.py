"""The codecs of voxel grids and point clouds: the user's files to events, and events to files and pictures."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebmsuite.errors import DataError
from ebmsuite.files import printable, replacing
from ebmsuite.space import Batch
from ebmsuite_shape3d.meshes import MESHES, Up, read_mesh, upright, upright_grids, write_mesh

__all__ = ["CloudCodec", "VoxelCodec"]


@dataclass(frozen=True)
class VoxelCodec:
    """Codec for occupancy grids of ``size``^3. The last axis points up; an event [1, S, S, S] is occupancy - ``mean``.

    ``read`` takes .npz and .npy files with one array [S, S, S] or [N, S, S, S] of occupancies from 0 to 1 (booleans
    too), and meshes, whose volume is filled with voxels (`meshes.Mesh.voxels`). A value between 0 and 1 is the share of
    a voxel that is occupied. For other numbers, such as counts, set ``occupied_above``: voxels above it are occupied,
    all others empty. ``up`` is the axis of the files that points up. ``write`` makes .npz files with the arrays
    ``voxels`` (uint8, occupancy above ``threshold``) and ``occupancy`` (float16), or one mesh (.ply, .obj, .glb, .stl,
    .off) of the surface where the occupancy is ``threshold``, by marching cubes.
    """

    name: ClassVar[str] = "shape3d/voxels"

    size: int = 24
    mean: float = 0.0
    threshold: float = 0.5
    up: Up = "z"
    occupied_above: float | None = None

    def occupancy(self, x: Tensor) -> Tensor:
        """Events [N, 1, S, S, S] as occupancies [N, S, S, S], not limited to 0 and 1."""
        return x[:, 0] + self.mean

    def events(self, occupancy: Tensor) -> Tensor:
        """The reverse of `occupancy`."""
        return occupancy[:, None].float() - self.mean

    def read(self, path: Path) -> Batch:
        if path.suffix.lower() in MESHES:
            mesh = read_mesh(path, self.up)
            solid = torch.from_numpy(mesh.voxels(self.size)[None].astype(np.float32))
            return Batch(self.events(solid), index=torch.arange(1), meta={"closed": np.array([mesh.closed])})
        array = _array(path, "voxels")
        grids = array[None] if array.ndim == 3 else array
        side = (self.size,) * 3
        if grids.ndim != 4 or grids.shape[1:] != side or len(grids) == 0:
            raise DataError(
                f"{printable(path)}: the array has the shape {list(array.shape)}; it must be {list(side)} or "
                f"{['N', *side]}"
            )
        values = grids.astype(np.float32)
        for row, grid in enumerate(values):
            if not np.isfinite(grid).all():
                raise DataError(f"{printable(path)}, grid {row}: a value is not finite")
            if self.occupied_above is not None:
                grid[:] = grid > self.occupied_above
            if grid.min() < 0 or grid.max() > 1:
                raise DataError(
                    f"{printable(path)}, grid {row}: occupancies must be from 0 to 1; for other numbers, set "
                    "occupied_above"
                )
            if grid.max() <= self.threshold:
                raise DataError(f"{printable(path)}, grid {row}: it is empty: no occupancy is above {self.threshold:g}")
        turned = np.ascontiguousarray(upright_grids(values, self.up))
        return Batch(self.events(torch.from_numpy(turned)), index=torch.arange(len(values)))

    def write(self, x: Tensor, path: Path, batch: Batch | None = None) -> None:
        occupancy = self.occupancy(x.detach().cpu()).clamp(0, 1)
        ending = path.suffix.lower()
        if ending == ".npz":
            with replacing(path) as aside, aside.open("wb") as file:
                solid = (occupancy > self.threshold).numpy().astype(np.uint8)
                np.savez_compressed(file, voxels=solid, occupancy=occupancy.numpy().astype(np.float16))
        elif ending in MESHES:
            if len(x) != 1:
                raise DataError(f"{printable(path)}: a mesh file holds one shape, got {len(x)}; see shape3d/generate")
            write_mesh(occupancy[0].numpy(), path, self.threshold)
        else:
            raise DataError(f'{printable(path)}: grids are written as .npz, {", ".join(MESHES)}, not "{path.suffix}"')

    def show(self, x: Tensor, batch: Batch | None = None) -> Tensor:
        """A shaded picture [N, 96, 96, 3] of the voxels that are more than half occupied."""
        from ebmsuite_shape3d.drawing import draw_grids

        return draw_grids(self.occupancy(x))

    def frames(self, x: Tensor) -> Tensor:
        """A turntable: the shape from 24 sides."""
        from ebmsuite_shape3d.drawing import ANGLES, draw_grids

        return torch.stack([draw_grids(self.occupancy(x), 360 * t / ANGLES) for t in range(ANGLES)], 1)


@dataclass(frozen=True)
class CloudCodec:
    """Codec for point clouds of ``points`` points in the cube [-1, 1]^3, whose last coordinate points up.

    ``read`` takes .npz and .npy files with one array [P, 3] or [N, P, 3], of which a fixed random subset of ``points``
    points is taken, and meshes, whose surface is sampled uniformly with a fixed seed. Shapes are centred on their
    bounding box and scaled so that its longest side is 2. ``up`` is the axis of the files that points up. ``write``
    makes .npz files with the array ``points`` and .ply files (text) of one cloud.
    """

    name: ClassVar[str] = "shape3d/clouds"

    points: int = 512
    up: Up = "z"

    def read(self, path: Path) -> Batch:
        if path.suffix.lower() in MESHES:
            mesh = read_mesh(path, self.up)
            cloud = torch.from_numpy(mesh.surface(self.points, np.random.default_rng(0))[None]).float()
            return Batch(cloud, index=torch.arange(1), meta={"closed": np.array([mesh.closed])})
        array = _array(path, "points")
        clouds = array[None] if array.ndim == 2 else array
        if clouds.ndim != 3 or clouds.shape[2] != 3 or len(clouds) == 0 or clouds.shape[1] < self.points:
            raise DataError(
                f"{printable(path)}: the array has the shape {list(array.shape)}; it must be [P, 3] or [N, P, 3] with "
                f"at least {self.points} points"
            )
        values = clouds.astype(np.float32)
        for row, cloud in enumerate(values):
            if not np.isfinite(cloud).all() or np.ptp(cloud, 0).max() == 0:
                raise DataError(f"{printable(path)}, cloud {row}: coordinates must be finite and not all equal")
        low, high = values.min(1, keepdims=True), values.max(1, keepdims=True)
        values = (values - (low + high) / 2) / ((high - low).max(2, keepdims=True) / 2)
        if values.shape[1] > self.points:
            values = values[:, np.random.default_rng(0).permutation(values.shape[1])[: self.points]]
        return Batch(torch.from_numpy(upright(values, self.up)), index=torch.arange(len(values)))

    def write(self, x: Tensor, path: Path, batch: Batch | None = None) -> None:
        clouds = x.detach().cpu().numpy().astype(np.float32)
        if path.suffix.lower() == ".npz":
            with replacing(path) as aside, aside.open("wb") as file:
                np.savez_compressed(file, points=clouds)
        elif path.suffix.lower() == ".ply":
            if len(clouds) != 1:
                raise DataError(f"{printable(path)}: a .ply file holds one cloud, got {len(clouds)}; write an .npz")
            lines = ["ply", "format ascii 1.0", f"element vertex {len(clouds[0])}"]
            lines += [*(f"property float {axis}" for axis in "xyz"), "end_header"]
            lines += [" ".join(f"{v:.6g}" for v in point) for point in clouds[0].tolist()]
            with replacing(path) as aside:
                aside.write_text("\n".join(lines) + "\n")
        else:
            raise DataError(f'{printable(path)}: clouds are written as .npz or .ply, not "{path.suffix}"')

    def show(self, x: Tensor, batch: Batch | None = None) -> Tensor:
        """A picture [N, 96, 96, 3] of the points, coloured by their distance from the viewer."""
        from ebmsuite_shape3d.drawing import draw_clouds

        return draw_clouds(x)

    def frames(self, x: Tensor) -> Tensor:
        """A turntable: the cloud from 24 sides."""
        from ebmsuite_shape3d.drawing import ANGLES, draw_clouds

        return torch.stack([draw_clouds(x, 360 * t / ANGLES) for t in range(ANGLES)], 1)


def _array(path: Path, key: str) -> NDArray[Any]:
    """The array of an .npy file, or that named ``key``, or the only one, of an .npz file."""
    if path.suffix.lower() not in (".npz", ".npy"):
        raise DataError(
            f'{printable(path)}: it must be .npz, .npy or a mesh ({", ".join(MESHES)}), not "{path.suffix}"'
        )
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            array = found
        else:
            with found:
                names = list(found.files)
                if key not in names and len(names) != 1:
                    raise DataError(f'{printable(path)}: no array "{key}" in it; it has {", ".join(names) or "none"}')
                array = found[key if key in names else names[0]]
    except FileNotFoundError as error:
        raise DataError(f"{printable(path)}: there is no such file") from error
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{printable(path)}: it cannot be read ({error}); the file is damaged or not an array"
        ) from error
    if array.dtype.kind not in "biuf":
        raise DataError(f"{printable(path)}: the array is {array.dtype}; it must hold numbers")
    numbers: NDArray[Any] = array
    return numbers
