"""Condition trees: tensors, dicts, tuples and None with batch-first leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

__all__ = ["Tree", "cat", "flatten", "per_row", "take", "to_host", "tree_map", "unflatten"]

Tree: TypeAlias = Any
"""Tensor | dict[str, Tree] | tuple[Tree, ...] | None."""


def tree_map(function: Callable[..., Tensor], tree: Tree, *others: Tree) -> Tree:
    """Apply ``function`` to every leaf (and to the matching leaves of ``others``)."""
    if tree is None:
        return None
    if isinstance(tree, dict):
        return {k: tree_map(function, v, *(o[k] for o in others)) for k, v in tree.items()}
    if isinstance(tree, tuple):
        return tuple(tree_map(function, v, *(o[i] for o in others)) for i, v in enumerate(tree))
    if isinstance(tree, Tensor):
        return function(tree, *others)
    raise TypeError(f"a condition is made of tensors, dicts, tuples and None, not {type(tree).__name__}")


def flatten(tree: Tree, prefix: str = "") -> dict[str, Tensor]:
    """Leaves by path, for safetensors. A path is ".key" per dict and ".#position" per tuple."""
    if tree is None:
        return {}
    if isinstance(tree, Tensor):
        return {prefix: tree}
    items = tree.items() if isinstance(tree, dict) else ((f"#{i}", v) for i, v in enumerate(tree))
    return {k: v for key, sub in items for k, v in flatten(sub, f"{prefix}.{key}").items()}


def unflatten(flat: dict[str, Tensor], prefix: str = "") -> Tree:
    """The inverse of `flatten`. Branches that held only None come back as None or are missing."""
    if prefix in flat:
        return flat[prefix]
    keys = dict.fromkeys(k[len(prefix) + 1 :].partition(".")[0] for k in flat if k.startswith(prefix + "."))
    if not keys:
        return None
    below = {k: unflatten(flat, f"{prefix}.{k}") for k in keys}
    if all(k.startswith("#") for k in below):
        size = 1 + max(int(k[1:]) for k in below)
        return tuple(below.get(f"#{i}") for i in range(size))
    return below


def to_host(tensor: Tensor) -> Tensor:
    """A contiguous CPU copy that owns its memory, as safetensors requires."""
    return tensor.detach().to("cpu", copy=True).contiguous()


def take(tree: Tree, rows: Tensor | slice) -> Tree:
    """Select these rows of every leaf."""
    return tree_map(lambda v: v[rows], tree)


def cat(trees: list[Tree]) -> Tree:
    """Concatenate along the batch."""
    return tree_map(lambda *parts: torch.cat(parts), trees[0], *trees[1:])


def per_row(v: Tensor, x: Tensor) -> Tensor:
    """Reshape v [B] so that it broadcasts against the rows of x."""
    return v.view(-1, *[1] * (x.dim() - 1))
