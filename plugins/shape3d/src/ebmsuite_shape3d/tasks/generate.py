"""The task ``shape3d/generate``: new shapes as arrays, meshes and pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

from ebmsuite.errors import UserError
from ebmsuite.files import output
from ebmsuite.pictures.events import write_events
from ebmsuite.pictures.neighbours import beside_nearest
from ebmsuite.pictures.picture_files import write_png
from ebmsuite.space import Batch
from ebmsuite_shape3d.codec import CloudCodec, VoxelCodec

if TYPE_CHECKING:
    from ebmsuite.model import Facts, Model

__all__ = ["Generate"]


@dataclass(frozen=True)
class Generate:
    """Draw ``n`` shapes from a model of grids or clouds and write them to ``out``, an .npz file.

    Beside it are written a sheet of the shapes with their ``neighbours`` nearest training shapes (.png), a turntable
    (.gif) and, with ``meshes``, one file per shape in the folder of the same name: of grids, the surface where the
    occupancy is ``threshold``; of clouds, a .ply of the points. A grid without any such voxel is counted as empty and
    gets no file.
    """

    n: int = 16
    neighbours: int = 1
    turntable: bool = True
    meshes: Literal["", "ply", "obj", "glb", "stl", "off"] = ""
    threshold: float = 0.5

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        path = output(out, ".npz", "generate")
        if inputs is not None:
            raise UserError("shape3d/generate draws new shapes: leave out the input")
        if self.n < 1 or self.neighbours < 0:
            raise UserError(f"n must be at least 1 and neighbours not negative, got {self.n}, {self.neighbours}")
        if not 0 < self.threshold < 1:
            raise UserError(f"threshold: must be an occupancy between 0 and 1, got {self.threshold:g}")
        codec = model.codec
        if not isinstance(codec, VoxelCodec | CloudCodec):
            raise UserError("shape3d/generate needs a model of voxel grids or point clouds")
        if isinstance(codec, VoxelCodec):
            codec = replace(codec, threshold=self.threshold)
        elif self.meshes not in ("", "ply"):
            raise UserError(f"meshes: clouds have no surface, so they are written as ply, not as {self.meshes}")
        x = model.sample(self.n, rng=rng).cpu()
        codec.write(x, path)
        facts: Facts = {"shapes": len(x)}
        picture = path.with_suffix(".png")
        if self.neighbours:
            drawn, distances = beside_nearest(model, Batch(x), self.neighbours, 4)
            write_png(drawn, picture)
            facts |= distances
        else:
            write_events(codec, x, picture)
        if self.turntable:
            write_events(codec, x, path.with_suffix(".gif"))
        if self.meshes:
            folder = path.with_suffix("")
            folder.mkdir(exist_ok=True)
            empty = 0
            for i, shape in enumerate(x):
                if isinstance(codec, VoxelCodec) and float(codec.occupancy(shape[None]).max()) <= self.threshold:
                    empty += 1
                else:
                    codec.write(shape[None], folder / f"{i:03d}.{self.meshes}")
            facts |= {"meshes": str(folder), "empty": empty}
        return facts
