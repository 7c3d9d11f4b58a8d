"""The spaces that events and conditions live in, and the batches that a data set yields."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebmsuite.tree import Tree, cat, structure, tree_map

__all__ = [
    "TIME_EMBEDDING",
    "Batch",
    "ConditionSpace",
    "Space",
    "condition_misfit",
    "space_problem",
    "time_embedding",
]


@dataclass(frozen=True)
class Space:
    """The set that an event, a latent vector or a condition lives in.

    ``shape`` leaves out the batch; None marks a varying length. ``range`` is the interval of data values, or None when
    they are unbounded. ``classes`` is the number of labels of an integer condition, or the number of tokens of a
    vocabulary. Token sequences are int64 [B, L] with 1 at the end of a row and 0 as padding after it. Tokens are only
    observed; samplers move real or one-hot events. ``longest`` is the largest length when a length varies and is
    bounded; for tokens it includes the end token. ``names`` are the names of the classes of labels or tokens.

    The last two fields are for the leaves of a condition. ``mask`` names the leaf of the same dict, of kind "mask",
    that is True where values of this leaf exist; its shape is the shape of this leaf or the beginning of it. An
    ``optional`` leaf may be None in the condition of a batch, for all its rows.
    """

    shape: tuple[int | None, ...]
    range: tuple[float, float] | None = None
    kind: Literal["real", "one-hot", "label", "tokens", "mask"] = "real"
    classes: int | None = None
    longest: int | None = None
    names: tuple[str, ...] | None = None
    mask: str | None = None
    optional: bool = False

    @property
    def size(self) -> int:
        """Number of coordinates. Raises `ValueError` if a length varies."""
        return math.prod(self.fixed)

    @property
    def fixed(self) -> tuple[int, ...]:
        """The shape. Raises `ValueError` if a length varies."""
        if any(n is None for n in self.shape):
            raise ValueError(f"the shape {self.shape} has a varying length")
        return tuple(n for n in self.shape if n is not None)

    def misfit(self, x: Tensor) -> str:
        """Why x [B, *shape] does not belong to this space, in words; empty if it does."""
        fits = x.dim() == 1 + len(self.shape) and all(
            n is None or n == m for n, m in zip(self.shape, x.shape[1:], strict=True)
        )
        if not fits:
            wanted = ", ".join("length" if n is None else str(n) for n in self.shape)
            return f"the shape is {list(x.shape)}, it must be [{', '.join(filter(None, ['rows', wanted]))}]"
        if self.kind in ("real", "one-hot") and not x.is_floating_point():
            return f"the values are {str(x.dtype).removeprefix('torch.')}, they must be real numbers (float32)"
        if self.kind in ("label", "tokens"):
            if x.is_floating_point() or x.dtype == torch.bool:
                return f"the values are {str(x.dtype).removeprefix('torch.')}, they must be whole numbers (int64)"
            if self.classes and x.numel() and not 0 <= int(x.min()) <= int(x.max()) < self.classes:
                return f"the values are {int(x.min())} to {int(x.max())}, they must be 0 to {self.classes - 1}"
        if self.kind == "mask" and x.dtype != torch.bool:
            return f"the values are {str(x.dtype).removeprefix('torch.')}, they must be booleans"
        return ""


ConditionSpace: TypeAlias = Space | dict[str, "ConditionSpace"] | tuple["ConditionSpace", ...] | None
"""The space of a condition: a tree with the structure of the condition. None is the space of no condition."""


def condition_misfit(space: ConditionSpace, condition: Tree, n: int, path: str = "condition") -> str:
    """Why ``condition`` is not a condition of ``n`` events in ``space``, in words; empty if it is.

    The text begins with the path of the leaf: "condition.scene.neighbours: the shape is ..., it must be ...".
    """
    if isinstance(space, dict):
        if not isinstance(condition, dict) or condition.keys() != space.keys():
            return f"{path}: is {structure(condition)}, it must be a dict with the keys {', '.join(space)}"
        for key, below in space.items():
            if why := condition_misfit(below, condition[key], n, f"{path}.{key}"):
                return why
            if isinstance(below, Space) and below.mask is not None and condition[key] is not None:
                values, mask = condition[key], condition[below.mask]
                if mask is None or mask.shape != values.shape[: mask.dim()]:
                    found = "None" if mask is None else f"of shape {list(mask.shape)}"
                    return f"{path}.{below.mask}: is {found}, but it is the mask of {key}, {list(values.shape)}"
        return ""
    if isinstance(space, tuple):
        if not isinstance(condition, tuple) or len(condition) != len(space):
            return f"{path}: is {structure(condition)}, it must be a tuple of {len(space)}"
        parts = (
            condition_misfit(s, c, n, f"{path}.{i}") for i, (s, c) in enumerate(zip(space, condition, strict=True))
        )
        return next(filter(None, parts), "")
    if condition is None:
        return "" if space is None or space.optional else f"{path}: is missing"
    if not isinstance(condition, Tensor):
        return f"{path}: must be a tensor, not {structure(condition)}"
    if space is None:
        return f"{path}: must be None, these events have no such condition"
    why = space.misfit(condition)
    if not why and len(condition) != n:
        why = f"there are {len(condition)} rows for {n} events"
    return f"{path}: {why}" if why else ""


def space_problem(space: ConditionSpace, path: str = "condition") -> str:
    """What is wrong with the space of a condition itself, in words; empty if nothing is."""
    if isinstance(space, tuple):
        return next(filter(None, (space_problem(s, f"{path}.{i}") for i, s in enumerate(space))), "")
    if isinstance(space, Space):
        if space.names is not None and len(space.names) != space.classes:
            return f"{path}: there are {len(space.names)} names for {space.classes} classes"
        return "" if space.mask is None else f'{path}: its mask "{space.mask}" must be a leaf of the same dict'
    for key, below in (space or {}).items():
        at = f"{path}.{key}"
        if not isinstance(key, str) or not key or "." in key or key.startswith("#"):
            return f'{at}: a key must be a text without "." that does not begin with "#"'
        if isinstance(below, Space) and below.mask is not None:
            mask = (space or {}).get(below.mask)
            if not isinstance(mask, Space) or mask.kind != "mask":
                return f'{at}: its mask "{below.mask}" must be a leaf of the same dict, of kind mask'
            if mask.shape != below.shape[: len(mask.shape)]:
                return f"{at}: the shape {below.shape} does not begin with that of its mask, {mask.shape}"
            below = dataclasses.replace(below, mask=None)
        if problem := space_problem(below, at):
            return problem
    return ""


@dataclass(frozen=True)
class Batch:
    """A batch of examples; the batch is the first dimension.

    ``x`` [B, *event] holds the events, ``condition`` is a tree, ``index`` [B] holds the example numbers. ``known`` is a
    boolean tensor like x, True where observed. ``view`` is another representation of the same examples, for an encoder.
    ``truth`` is a tree of hidden values for metrics; trainers never read it. ``meta`` holds facts that no net sees
    (origin, frame, name), by name: arrays with one entry per row, which stay on the host.
    """

    x: Tensor
    condition: Tree = None
    index: Tensor | None = None
    known: Tensor | None = None
    view: Tree = None
    truth: Tree = None
    meta: Mapping[str, NDArray[Any]] | None = None

    def __len__(self) -> int:
        return self.x.shape[0]

    @property
    def encoder_input(self) -> Tree:
        """The input of an encoder: the view if there is one, otherwise the events."""
        return self.x if self.view is None else self.view

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device; ``meta`` stays on the host."""
        return self._each(lambda v: v.to(device, non_blocking=True), lambda v: v)

    def take(self, rows: slice | Tensor) -> Batch:
        """These rows: a slice, or row numbers on the device of the batch."""
        of_meta = rows if isinstance(rows, slice) else rows.cpu().numpy()
        return self._each(lambda v: v[rows], lambda v: v[of_meta])

    def parts(self, size: int) -> Iterator[Batch]:
        """Its rows in order, as batches of at most ``size``."""
        for i in range(0, len(self), size):
            yield self.take(slice(i, i + size))

    def repeat_interleave(self, times: int) -> Batch:
        """Every row ``times`` times, one after the other."""
        return self._each(lambda v: v.repeat_interleave(times, 0), lambda v: v.repeat(times, 0))

    @staticmethod
    def cat(batches: Sequence[Batch]) -> Batch:
        """The rows of all batches, in order. Raises `DataError` if their trees have different structures."""
        trees = {name: cat([getattr(b, name) for b in batches]) for name in TREES}
        facts = batches[0].meta
        meta = None if facts is None else {k: np.concatenate([(b.meta or {})[k] for b in batches]) for k in facts}
        return Batch(**trees, meta=meta)

    def _each(self, of_trees: Callable[..., Tensor], of_meta: Callable[[NDArray[Any]], NDArray[Any]]) -> Batch:
        trees = {name: tree_map(of_trees, getattr(self, name)) for name in TREES}
        return Batch(**trees, meta=None if self.meta is None else {k: of_meta(v) for k, v in self.meta.items()})


TREES = tuple(f.name for f in dataclasses.fields(Batch) if f.name != "meta")


TIME_EMBEDDING = Space((8,), (-1.0, 1.0))
"""The space of the noise-level embedding that nets get: see `time_embedding`."""


def time_embedding(place: Tensor) -> Tensor:
    """cos(pi k u) for k = 1 to 8, [B, 8]. ``place`` u [B] is the noise level, from 0 (least noise) to 1 (most)."""
    return torch.cos(math.pi * place[:, None] * torch.arange(1, TIME_EMBEDDING.size + 1, device=place.device))
