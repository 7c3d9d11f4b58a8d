"""The data set ``shape3d/folder``: a folder of the user's meshes, point clouds and grids."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch

from ebmsuite.dataset import InMemory, drawn_split
from ebmsuite.errors import DataError, MissingData, RecipeError
from ebmsuite.files import find, printable
from ebmsuite.space import Batch
from ebmsuite_shape3d.codec import CloudCodec, VoxelCodec
from ebmsuite_shape3d.data.clouds import BOX
from ebmsuite_shape3d.data.modelnet import Split
from ebmsuite_shape3d.meshes import MESHES, Up

__all__ = ["Form", "codec_of", "folder", "read_shapes", "shapes_of"]

log = logging.getLogger("ebmsuite")

READ = (*MESHES, ".npz", ".npy")
"""The endings of files that are read."""

Form: TypeAlias = Literal["voxels", "points"]


def folder(
    path: str,
    up: Up,
    form: Form = "voxels",
    size: int = 24,
    count: int = 512,
    occupied_above: float | None = None,
    invalid: Literal["error", "skip"] = "error",
    split: Split = "train",
) -> InMemory:
    """The shapes in the files of a folder and its sub-folders: grids of ``size``^3 or clouds of ``count`` points.

    ``form`` chooses. ``up`` is the axis of the files that points up, which formats do not state (.glb files should have
    "y"). Meshes are centred and scaled so that the longest side of their box spans the grid, or [-1, 1]; they are
    voxelised with their inside, or sampled uniformly by area. An .npz or .npy file has one or more shapes: grids of
    ``size``^3, with ``occupied_above`` as in `VoxelCodec`, or clouds of at least ``count`` points.

    A file that is damaged, empty, degenerate or too large (`meshes.MOST`) is an error that names it; with ``invalid``
    "skip" it is left out and reported. Meshes that are not closed are used and named in a warning: an inside that is
    open by more than a voxel stays empty.

    The name of a file decides its split (`ebmsuite.dataset.drawn_split`).
    """
    root = find(path)
    if not root.is_dir():
        raise DataError(f"{printable(root)}: it is not a folder; path must name a folder of shapes")
    codec = codec_of(form, size, count, up, occupied_above)
    shapes, skipped = read_shapes(root, codec, invalid)
    splits = {name: drawn_split(name) for name in shapes}
    dataset = shapes_of(root, shapes, splits, split, codec)
    dataset.skipped = skipped
    dataset.note += ", by their names"
    return dataset


def codec_of(form: Form, size: int, count: int, up: Up, occupied_above: float | None = None) -> VoxelCodec | CloudCodec:
    """The codec of grids of ``size``^3 or of clouds of ``count`` points."""
    if min(size, count) < 1:
        raise RecipeError(f"size and count must be at least 1, got {size} and {count}")
    if form == "points":
        return CloudCodec(points=count, up=up)
    return VoxelCodec(size=size, up=up, occupied_above=occupied_above)


def shapes_of(
    root: Path, shapes: Mapping[str, Batch], splits: Mapping[str, str], split: Split, codec: VoxelCodec | CloudCodec
) -> InMemory:
    """The shapes of one split as a data set, less the mean of the training split if they are grids.

    ``shapes`` and ``splits`` are those of each file, by its name below ``root``.
    """
    chosen = {name: batch for name, batch in shapes.items() if splits[name] == split}
    ajar = [printable(name) for name, batch in chosen.items() if batch.meta is not None and not batch.meta["closed"][0]]
    if ajar:
        log.warning("%s: %d meshes are not closed: %s", printable(root), len(ajar), ", ".join(ajar))
    training = [batch.x for name, batch in shapes.items() if splits[name] == "train"]
    if not training:
        raise DataError(f"{printable(root)}: none of its {len(shapes)} files falls into the split train; add files")
    x = torch.cat([training[0][:0], *(batch.x for batch in chosen.values())])
    bounds = BOX
    if isinstance(codec, VoxelCodec):
        mean = float(torch.cat(training).mean())
        x, codec, bounds = x - mean, replace(codec, mean=mean), (-mean, 1 - mean)
    names = [printable(name) for name, batch in chosen.items() for _ in range(len(batch))]
    dataset = InMemory(x, range=bounds, codec=codec, meta={"name": np.array(names, np.str_)})
    dataset.note = f"{len(x):,} {split} shapes of {len(shapes):,} files"
    if ajar:
        dataset.note += f"; {len(ajar)} meshes are not closed"
    return dataset


def read_shapes(
    root: Path, codec: VoxelCodec | CloudCodec, invalid: Literal["error", "skip"]
) -> tuple[dict[str, Batch], dict[str, list[str]]]:
    """The shapes of each file by its name below ``root``, and what was left out, by reason."""
    shapes: dict[str, Batch] = {}
    skipped: dict[str, list[str]] = {}
    for file in sorted(entry for entry in root.rglob("*") if entry.is_file()):
        name = file.relative_to(root).as_posix()
        if file.suffix.lower() not in READ:
            skipped.setdefault("not a file of shapes", []).append(printable(name))
            continue
        try:
            shapes[name] = codec.read(file)
        except MissingData:
            raise
        except DataError as error:
            if invalid == "error":
                raise DataError(f'{error}; or leave such files out by "invalid: skip"') from error
            skipped.setdefault("files of shapes that cannot be used", []).append(str(error))
    if not shapes:
        left_out = "; ".join(f"{len(names)} {why} ({names[0]}...)" for why, names in skipped.items())
        raise DataError(
            f"{printable(root)}: no shapes in it; file endings can be {', '.join(READ)}"
            + (f" (left out: {left_out})" if left_out else "")
        )
    return shapes, skipped
