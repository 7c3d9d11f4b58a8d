"""Condition trees: tensors, dicts, tuples and None with batch-first leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ebmsuite.errors import DataError

__all__ = ["Tree", "cat", "flatten", "per_row", "structure", "take", "to_host", "tree_map", "unflatten"]

Tree: TypeAlias = Any
"""Tensor | dict[str, Tree] | tuple[Tree, ...] | None."""

NONE = "#none"
"""The last part of the path of a None that `flatten` stores."""


def tree_map(function: Callable[..., Tensor], tree: Tree, *others: Tree) -> Tree:
    """Apply ``function`` to every leaf (and to the matching leaves of ``others``).

    Raises `DataError` if the trees have different structures.
    """
    try:
        return _map(function, tree, *others)
    except _Different:
        raise DataError(
            "the conditions of some rows have the structure "
            + ", those of others ".join(dict.fromkeys(map(structure, (tree, *others))))
            + "; rows that are used together must have the same leaves: use a mask for values that some rows lack"
        ) from None


class _Different(Exception):
    pass


def _map(function: Callable[..., Tensor], tree: Tree, *others: Tree) -> Tree:
    if any(_node(other) != _node(tree) for other in others):
        raise _Different
    if tree is None:
        return None
    if isinstance(tree, dict):
        return {k: _map(function, v, *(o[k] for o in others)) for k, v in tree.items()}
    if isinstance(tree, tuple):
        return tuple(_map(function, v, *(o[i] for o in others)) for i, v in enumerate(tree))
    if isinstance(tree, Tensor):
        return function(tree, *others)
    raise TypeError(f"a condition is made of tensors, dicts, tuples and None, not {type(tree).__name__}")


def _node(tree: Tree) -> object:
    """What two nodes must have in common to be mapped together."""
    if isinstance(tree, dict):
        return tree.keys()
    return len(tree) if isinstance(tree, tuple) else tree is None


def structure(tree: Tree) -> str:
    """The structure of a tree in words, for messages: {past: tensor, map: None}."""
    if isinstance(tree, dict):
        return f"{{{', '.join(f'{k}: {structure(v)}' for k, v in tree.items())}}}"
    if isinstance(tree, tuple):
        return f"({', '.join(map(structure, tree))})"
    return "None" if tree is None else "tensor" if isinstance(tree, Tensor) else type(tree).__name__


def flatten(tree: Tree, prefix: str = "", none: Tensor | None = None) -> dict[str, Tensor]:
    """Leaves by path, for safetensors. A path is ".key" per dict and ".#position" per tuple.

    ``none``, if given, stands for every None below the root, so that `unflatten` restores the exact structure.
    """
    if tree is None:
        return {}
    if isinstance(tree, Tensor):
        return {prefix: tree}
    flat: dict[str, Tensor] = {}
    for key, below in tree.items() if isinstance(tree, dict) else ((f"#{i}", v) for i, v in enumerate(tree)):
        path = f"{prefix}.{key}"
        flat |= {f"{path}.{NONE}": none} if below is None and none is not None else flatten(below, path, none)
    return flat


def unflatten(flat: dict[str, Tensor], prefix: str = "") -> Tree:
    """The inverse of `flatten`. Without ``none``, branches that held only None come back as None or are missing."""
    if prefix in flat:
        return flat[prefix]
    keys = dict.fromkeys(k[len(prefix) + 1 :].partition(".")[0] for k in flat if k.startswith(prefix + "."))
    if not keys or NONE in keys:
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
