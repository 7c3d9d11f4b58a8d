"""Conditions as one vector per row, the form in which the nets of the suite take them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ebmsuite.errors import RecipeError, UserError
from ebmsuite.space import ConditionSpace, Space
from ebmsuite.tree import Tree, structure

__all__ = ["SideBySide", "numbers_of", "width_of"]


def width_of(space: ConditionSpace, path: str = "condition") -> int:
    """The number of coordinates of `numbers_of`.

    Raises `RecipeError`, which names the leaf, if a length varies or if labels have no number of classes.
    """
    if space is None:
        return 0
    if isinstance(space, Space):
        if None in space.shape:
            raise RecipeError(
                f"{path}: its length varies, and the nets of the suite take conditions of fixed shapes; encode it in a "
                "net of your plugin"
            )
        if space.kind in ("label", "tokens") and not space.classes:
            raise RecipeError(f"{path}: the number of classes is unknown; state it in the space of the condition")
        each = space.classes or 1 if space.kind in ("label", "tokens") else 1
        return math.prod(space.fixed) * each + space.optional
    below = space.items() if isinstance(space, dict) else enumerate(space)
    return sum(width_of(leaf, f"{path}.{key}") for key, leaf in below)


def numbers_of(condition: Tree, space: ConditionSpace, like: Tensor) -> Tensor:
    """A condition as numbers [B, `width_of`], with the rows, dtype and device of ``like`` [B, ...].

    Real values are flattened, labels and tokens become one-hot vectors, and masks become 0 and 1. Values are 0 where
    their mask is False. An optional leaf is followed by a 1, and is all 0 if it is None. Raises `UserError`, which
    names the leaf, if the structure of the condition is not that of its space.
    """
    return torch.cat(_parts(condition, space, None, like, "condition"), 1)


def _parts(condition: Tree, space: ConditionSpace, mask: Tensor | None, like: Tensor, path: str) -> list[Tensor]:
    if space is None:
        return []
    if isinstance(space, Space):
        return _leaf(condition, space, mask, like, path)
    spaces: dict[Any, ConditionSpace] = space if isinstance(space, dict) else dict(enumerate(space))
    leaves: dict[Any, Tree] = dict(enumerate(condition)) if isinstance(condition, tuple) else condition
    if not isinstance(leaves, dict) or leaves.keys() != spaces.keys():
        wanted = ", ".join(map(str, spaces))
        raise UserError(
            f"this net is conditional: the {path} must have the leaves {wanted}, it is {structure(condition)}"
        )
    parts = []
    for key, below in spaces.items():
        known = leaves[below.mask] if isinstance(below, Space) and below.mask is not None else None
        parts += _parts(leaves[key], below, known, like, f"{path}.{key}")
    return parts


def _leaf(values: Tensor | None, space: Space, mask: Tensor | None, like: Tensor, path: str) -> list[Tensor]:
    if values is None:
        if not space.optional:
            raise UserError(f"this net is conditional: the condition is missing ({path})")
        return [like.new_zeros(len(like), width_of(space, path))]
    if space.kind in ("label", "tokens"):
        values = nn.functional.one_hot(values, space.classes or -1)
    if mask is not None:  # torch.where, because values that do not exist may be NaN
        values = torch.where(mask.view(*mask.shape, *[1] * (values.dim() - mask.dim())), values, 0)
    numbers = values.reshape(len(values), math.prod(values.shape[1:])).to(like)
    return [numbers, like.new_ones(len(like), 1)] if space.optional else [numbers]


class SideBySide(nn.Module):
    """``net`` applied to the concatenation of the flattened event and its condition: [B, size + width] -> [B, ...]."""

    def __init__(self, net: nn.Module, given: ConditionSpace) -> None:
        super().__init__()
        self.net, self.given = net, given

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        value: Tensor = self.net(torch.cat([x.flatten(1), numbers_of(condition, self.given, x)], 1))
        return value
