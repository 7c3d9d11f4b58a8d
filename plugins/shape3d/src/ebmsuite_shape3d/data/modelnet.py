"""The data set ``shape3d/modelnet10-voxels``: ModelNet10 as occupancy grids of 30^3, cleaned."""

from __future__ import annotations

import functools
import zipfile
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from ebmsuite.dataset import InMemory
from ebmsuite.errors import DataError, MissingData, RecipeError
from ebmsuite.files import find
from ebmsuite.space import Space
from ebmsuite_shape3d.codec import VoxelCodec
from ebmsuite_shape3d.grids import resized

__all__ = ["CATEGORIES", "VoxelGrids", "cleaned", "modelnet10_voxels", "read_modelnet10"]

CATEGORIES = (
    "bathtub", "bed", "chair", "desk", "dresser", "monitor", "night_stand", "sofa", "table", "toilet",
)  # fmt: skip

FILE = "shape3d/modelnet10_vox30.npz"

Labelled: TypeAlias = tuple[NDArray[np.bool_], NDArray[np.int64]]
"""Grids bool [N, 30, 30, 30] and their labels [N]."""

Split: TypeAlias = Literal["train", "valid", "test"]


@dataclass(frozen=True)
class VoxelGrids:
    """Occupancy grids of one split, with their rows in the file and the rows that were left out, by reason."""

    grids: NDArray[np.bool_]
    labels: NDArray[np.int64]
    rows: NDArray[np.int64]
    skipped: dict[str, list[str]]


def modelnet10_voxels(
    split: Split = "train",
    categories: tuple[str, ...] = ("toilet",),
    size: int = 24,
    valid: float = 0.1,
    labels: bool = False,
) -> InMemory:
    """ModelNet10 grids of the ``categories`` (empty: all ten) at ``size`` voxels per side; the last axis points up.

    The objects lie within 24^3 of the stored 30^3. A ``size`` of 24 or more cuts or pads the empty margin; a ``size``
    that divides 24 averages blocks of voxels. The share ``valid`` of the distinct training grids of each category is
    the split valid. Not used are empty grids, test grids that are also training grids, repeated test grids, and
    training grids with several labels (`cleaned`). Events are occupancies less the mean of the training grids, as
    published. With ``labels``, the condition is the category.
    """
    unknown = [name for name in categories if name not in CATEGORIES]
    if unknown or len(set(categories)) < len(categories):
        raise RecipeError(f"categories: {unknown or list(categories)} must be different names of {list(CATEGORIES)}")
    if not 0 <= valid < 1:
        raise RecipeError(f"valid: must be a share from 0 to below 1, got {valid:g}")
    names = categories or CATEGORIES
    wanted = sorted(CATEGORIES.index(name) for name in names)
    training, testing = cleaned(*read_modelnet10(), wanted)
    held = _held_out(training, valid)
    mean = float(resized(training.grids[~held], size).mean())
    chosen = testing if split == "test" else training
    keep = held if split == "valid" else ~held if split == "train" else np.ones(len(testing.grids), bool)
    x = torch.from_numpy(resized(chosen.grids[keep], size))[:, None] - mean
    label = torch.from_numpy(np.searchsorted(wanted, chosen.labels[keep]))
    ordered = tuple(CATEGORIES[i] for i in wanted)
    side = "test" if split == "test" else "train"
    dataset = InMemory(
        x,
        label if labels else None,
        range=(-mean, 1 - mean),
        codec=VoxelCodec(size=size, mean=mean),
        condition_space=Space((), kind="label", classes=len(names), names=ordered) if labels else None,
        meta={"name": np.array([f"{ordered[y]}-{side}-{r}" for y, r in zip(label, chosen.rows[keep], strict=True)])},
    )
    dataset.skipped = chosen.skipped
    dataset.note = f"{len(x):,} {split} grids of ModelNet10 ({', '.join(ordered)}), cleaned, {size}^3"
    return dataset


def _held_out(part: VoxelGrids, share: float) -> NDArray[np.bool_]:
    """Which training grids are for validation: a share of the grids of each category that occur once."""
    held = np.zeros(len(part.grids), bool)
    keys = _keys(part.grids)
    counts = Counter(keys)
    once = np.array([counts[key] == 1 for key in keys], bool)
    for label in np.unique(part.labels):
        rows = np.flatnonzero(once & (part.labels == label))
        held[np.random.default_rng(0).permutation(rows)[: round(share * int((part.labels == label).sum()))]] = True
    return held


def cleaned(
    train: Labelled,
    test: Labelled,
    labels: list[int],
) -> tuple[VoxelGrids, VoxelGrids]:
    """Training and test grids of the given labels without those that would spoil a comparison.

    Left out are empty grids, training grids that occur under several labels, test grids that equal a training grid (of
    any label), and repeats within the test grids. Repeats within the training grids of one label stay.
    """
    train_keys, test_keys = _keys(train[0]), _keys(test[0])
    labels_of: dict[bytes, set[int]] = defaultdict(set)
    for key, label in zip(train_keys, train[1].tolist(), strict=True):
        labels_of[key].add(label)
    seen: set[bytes] = set()
    parts = []
    for name, (grids, y), keys in (("training", train, train_keys), ("test", test, test_keys)):
        skipped: dict[str, list[str]] = {}
        keep = []
        for row, (grid, label, key) in enumerate(zip(grids, y.tolist(), keys, strict=True)):
            why = ""
            if not grid.any():
                why = f"empty {name} grid"
            elif name == "training" and len(labels_of[key]) > 1:
                why = "training grid with several labels"
            elif name == "test" and key in labels_of:
                why = "test grid that is a training grid"
            elif name == "test" and key in seen:
                why = "repeated test grid"
            if label not in labels:
                pass
            elif why:
                skipped.setdefault(why, []).append(f"row {row}")
            else:
                keep.append(row)
            if name == "test":
                seen.add(key)
        rows = np.array(keep, np.int64)
        parts.append(VoxelGrids(grids[rows], y[rows], rows, skipped))
    return parts[0], parts[1]


def _keys(grids: NDArray[np.bool_]) -> list[bytes]:
    return [row.tobytes() for row in np.packbits(grids.reshape(len(grids), -1), axis=1)]


def read_modelnet10() -> tuple[Labelled, Labelled]:
    """Training and test grids, bool [N, 30, 30, 30], and their labels. Errors: `MissingData`, `DataError`."""
    try:
        path = find(FILE)
    except MissingData as error:
        raise MissingData(
            f"{error}; it holds the packed bits vox_train and vox_test [N, 3375] and the labels y_train and y_test"
        ) from error
    return _read(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _read(path: Path, _: int) -> tuple[Labelled, Labelled]:
    try:
        with np.load(path, allow_pickle=False) as file:
            parts = []
            for side in ("train", "test"):
                bits, y = file[f"vox_{side}"], file[f"y_{side}"].astype(np.int64)
                if bits.dtype != np.uint8 or bits.shape != (len(y), 3375):
                    raise DataError(f"{path}: vox_{side} must be uint8 [{len(y)}, 3375], got {bits.dtype} {bits.shape}")
                if len(y) == 0 or y.min() < 0 or y.max() >= len(CATEGORIES):
                    raise DataError(f"{path}: y_{side} must hold labels from 0 to {len(CATEGORIES) - 1}")
                parts.append((np.unpackbits(bits, axis=1)[:, :27000].reshape(-1, 30, 30, 30).astype(bool), y))
    except KeyError as error:
        raise DataError(f"{path}: the array {error} is missing") from error
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: it cannot be read ({error}); the file is damaged or incomplete") from error
    return parts[0], parts[1]
