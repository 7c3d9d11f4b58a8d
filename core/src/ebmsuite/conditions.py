"""Conditions for the samples of a conditional model: rows of its data, or a user's file."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ebmsuite.dataset import fixed_batch, fixed_subset, split_of
from ebmsuite.errors import DataError, UserError
from ebmsuite.files import printable
from ebmsuite.model import Model
from ebmsuite.space import Batch, ConditionSpace, Space
from ebmsuite.tree import Tree, flatten, unflatten

__all__ = ["Conditions", "chosen", "from_file", "from_split", "or_name_the_options"]

TENSORS = (".safetensors", ".npy", ".npz")


class Conditions(NamedTuple):
    """Conditions that a user chose."""

    batch: Batch
    """One row per condition, with its ``meta``. Its ``x`` are the events of the data, or empty [rows, 0]."""
    source: str
    """Where they are from, in words, with the number of rows."""


def chosen(model: Model, split: str | None, file: Path | None, n: int | None) -> Conditions | None:
    """The conditions of a split or of a file: ``n`` of them, or all if it is None. None if neither is given."""
    if split is not None and file is not None:
        raise UserError("--from and --condition are two sources of conditions; give one of them")
    if split is not None:
        return from_split(model, split, n)
    return None if file is None else from_file(model, file, n)


@contextmanager
def or_name_the_options(model: Model) -> Iterator[None]:
    """Wrap code that uses a model without a condition.

    If a conditional model cannot do so, any error becomes a `UserError` that names the options for conditions.
    """
    try:
        yield
    except Exception as error:
        if model.condition is None:
            raise
        raise UserError(
            f"{model.recipe.recipe}: the model is conditional; give conditions with --from SPLIT (such as test) or "
            f"--condition FILE (without them: {error})"
        ) from error


def from_split(model: Model, split: str, n: int | None = None) -> Conditions:
    """The conditions of ``n`` examples of a split of the model's data, a fixed random subset (`fixed_subset`).

    Errors: `UserError` when the model takes no condition, or the data have no such split.
    """
    _check_conditional(model)
    dataset = split_of(model.data, split)
    batch = fixed_batch(dataset, len(dataset) if n is None else n)
    if batch.condition is None:
        raise UserError(f"{model.recipe.recipe}: the examples of its data have no condition; use --condition FILE")
    return Conditions(batch, f"{len(batch):,} of {len(dataset):,} examples of the split {split}")


def from_file(model: Model, path: Path, n: int | None = None) -> Conditions:
    """The conditions in a user's file: ``n`` rows of it, a fixed random subset in their order, or all if it is None.

    A .npy file holds the condition as one array. A .npz or .safetensors file holds it as one array of any name or, if
    the condition is a tree, its leaves by path: the keys of dicts and the positions of tuples, joined by dots, such as
    "scene.neighbours" or "#0.speed". The first dimension of every array is the row. The model's codec reads every other
    file, and the condition is that of the batch that it reads.

    Floats become float32 and whole numbers int64. Errors: `UserError` when the model takes no condition; `DataError`,
    which names the file, when the file cannot be read, leaves are missing or unknown, or one does not fit the model.
    """
    _check_conditional(model)
    shown = printable(path)
    if not path.exists():
        raise DataError(f"{shown}: there is no such file or folder")
    if path.suffix.lower() in TENSORS:
        condition = _as_tree(model.condition, _leaves(path), shown)
        batch = Batch(torch.empty(_rows(condition, shown), 0), condition)
    else:
        batch = _by_codec(model, path)
    total = len(batch)
    try:
        model._checked(batch.condition, total)
    except UserError as error:
        raise DataError(f"{shown}: {error}") from error
    if n is not None and n < total:
        batch = batch.take(fixed_subset(range(total), n))
    return Conditions(batch, f"{len(batch):,} of {total:,} rows of {shown}")


def _check_conditional(model: Model) -> None:
    own = any(role.condition is not None for role in model.trainer.roles.values())
    if model.condition is None and not own:
        raise UserError(f"{model.recipe.recipe}: the model is unconditional; leave out --from, --condition and given")


def _by_codec(model: Model, path: Path) -> Batch:
    shown = printable(path)
    if model.codec is None:
        known = ", ".join(TENSORS)
        raise DataError(f'{shown}: conditions are read from {known} files, not from "{path.suffix}"')
    batch = model.codec.read(path)
    if batch.condition is None:
        raise DataError(
            f'{shown}: the codec "{model.codec.name}" reads events without a condition from this file; give the '
            f"condition as {', '.join(TENSORS)}"
        )
    return batch


def _leaves(path: Path) -> dict[str, Tensor]:
    """The arrays of a file by name; that of a .npy file has the name ""."""
    shown = printable(path)
    try:
        if path.suffix.lower() == ".safetensors":
            return {name: _converted(leaf) for name, leaf in load_file(path).items()}
        read = np.load(path, allow_pickle=False)
        arrays = {"": read} if isinstance(read, np.ndarray) else {name: read[name] for name in read.files}
        return {name: _converted(torch.from_numpy(_known(array))) for name, array in arrays.items()}
    except (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile, SafetensorError) as error:
        raise DataError(f"{shown}: cannot be read as arrays of numbers ({error})") from error


def _known(array: np.ndarray) -> np.ndarray:
    """The array in a type that torch has; a `TypeError` for text and other types."""
    return array.astype(np.int64) if array.dtype.kind in "iu" else array


def _converted(leaf: Tensor) -> Tensor:
    if leaf.is_complex():
        raise TypeError("an array of complex numbers")
    if leaf.is_floating_point():
        return leaf.float()
    return leaf if leaf.dtype == torch.bool else leaf.long()


def _as_tree(space: ConditionSpace, leaves: dict[str, Tensor], shown: str) -> Tree:
    """The condition with the structure of ``space``; with that of the names if the space is not known."""
    if space is None:
        only = len(leaves) == 1
        return next(iter(leaves.values())) if only else unflatten({f".{name}": leaf for name, leaf in leaves.items()})
    spaces = _spaces(space)
    if len(spaces) == 1 and len(leaves) == 1 and (spaces.keys() <= {""} or leaves.keys() <= {""}):
        leaves = dict(zip(spaces, leaves.values(), strict=True))
    missing = [name for name, leaf in spaces.items() if name not in leaves and not leaf.optional]
    unknown = [name for name in leaves if name not in spaces]
    if missing or unknown:
        words = [f"{w} {', '.join(names)}" for w, names in (("missing", missing), ("unknown", unknown)) if names]
        if "" in spaces:
            raise DataError(f"{shown}: the condition is one array, but the file has {', '.join(leaves) or 'none'}")
        named = ", ".join(spaces)
        raise DataError(f"{shown}: the arrays of the condition are {named}; {'; '.join(words)}")
    return _mapped(lambda path, _: leaves.get(path), space)


def _spaces(space: ConditionSpace) -> dict[str, Space]:
    """The spaces of the leaves by path."""
    found: dict[str, Space] = {}
    _mapped(found.setdefault, space)
    return found


def _mapped(function: Callable[[str, Space], Any], space: ConditionSpace, path: str = "") -> Any:
    """``function`` of the path and the space of every leaf, in the structure of ``space``.

    Paths are those of `tree.flatten` without the first dot.
    """
    dot = f"{path}." if path else ""
    if isinstance(space, dict):
        return {key: _mapped(function, inner, f"{dot}{key}") for key, inner in space.items()}
    if isinstance(space, tuple):
        return tuple(_mapped(function, inner, f"{dot}#{i}") for i, inner in enumerate(space))
    return None if space is None else function(path, space)


def _rows(condition: Tree, shown: str) -> int:
    """The number of rows of a condition. Raises a `DataError` if there is none, or if arrays have different numbers."""
    counts = {path.removeprefix("."): len(leaf) if leaf.dim() else 0 for path, leaf in flatten(condition).items()}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise DataError(f"{shown}: every array must have the same number of rows, but {said}")
    rows = next(iter(counts.values()), 0)
    if rows == 0:
        raise DataError(f"{shown}: the file has no rows; the first dimension of every array is the row")
    return rows
