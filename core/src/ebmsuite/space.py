"""The spaces that events and conditions live in, and the batches that a data set yields."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from ebmsuite.tree import Tree, tree_map

__all__ = ["TIME_EMBEDDING", "Batch", "ConditionSpace", "Space", "time_embedding"]


@dataclass(frozen=True)
class Space:
    """The set that an event, a latent vector or a condition lives in.

    ``shape`` leaves out the batch; None marks a varying length. ``range`` is the interval of data values, or None when
    they are unbounded. ``classes`` is the number of labels of an integer condition, or the number of tokens of a
    vocabulary. Token sequences are int64 [B, L] with 1 at the end of a row and 0 as padding after it. Tokens are only
    observed; samplers move real or one-hot events. ``longest`` is the largest length when a length varies and is
    bounded; for tokens it includes the end token.
    """

    shape: tuple[int | None, ...]
    range: tuple[float, float] | None = None
    kind: Literal["real", "one-hot", "label", "tokens", "mask"] = "real"
    classes: int | None = None
    longest: int | None = None

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
        if self.kind in ("label", "tokens"):
            if x.is_floating_point():
                return f"the values are {str(x.dtype).removeprefix('torch.')}, they must be whole numbers (int64)"
            if self.classes and x.numel() and not 0 <= int(x.min()) <= int(x.max()) < self.classes:
                return f"the values are {int(x.min())} to {int(x.max())}, they must be 0 to {self.classes - 1}"
        return ""


ConditionSpace: TypeAlias = Space | dict[str, "ConditionSpace"] | tuple["ConditionSpace", ...] | None
"""The space of a condition: a tree with the structure of the condition."""


@dataclass(frozen=True)
class Batch:
    """A batch of examples; the batch is the first dimension.

    ``x`` [B, *event] holds the events, ``condition`` is a tree, ``index`` [B] holds the example numbers. ``known`` is a
    boolean tensor like x, True where observed. ``view`` is another representation of the same examples, for an encoder.
    """

    x: Tensor
    condition: Tree = None
    index: Tensor | None = None
    known: Tensor | None = None
    view: Tree = None
    truth: Tree = None

    def __len__(self) -> int:
        return self.x.shape[0]

    @property
    def encoder_input(self) -> Tree:
        """The input of an encoder: the view if there is one, otherwise the events."""
        return self.x if self.view is None else self.view

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        return self._each(lambda v: v.to(device, non_blocking=True))

    def take(self, rows: slice | Tensor) -> Batch:
        """These rows."""
        return self._each(lambda v: v[rows])

    def parts(self, size: int) -> Iterator[Batch]:
        """Its rows in order, as batches of at most ``size``."""
        for i in range(0, len(self), size):
            yield self._each(lambda v, i=i: v[i : i + size])

    def repeat_interleave(self, times: int) -> Batch:
        """Every row ``times`` times, one after the other."""
        return self._each(lambda v: v.repeat_interleave(times, 0))

    def _each(self, function: Callable[..., Tensor]) -> Batch:
        return Batch(**{f.name: tree_map(function, getattr(self, f.name)) for f in dataclasses.fields(self)})


TIME_EMBEDDING = Space((8,), (-1.0, 1.0))
"""The space of the noise-level embedding that nets get: see `time_embedding`."""


def time_embedding(place: Tensor) -> Tensor:
    """cos(pi k u) for k = 1 to 8, [B, 8]. ``place`` u [B] is the noise level, from 0 (least noise) to 1 (most)."""
    return torch.cos(math.pi * place[:, None] * torch.arange(1, TIME_EMBEDDING.size + 1, device=place.device))
