"""Conditions of examples, for the pictures of conditional models, and their labels as captions."""

from __future__ import annotations

from torch import Tensor

from ebmsuite.conditions import from_split
from ebmsuite.errors import UserError
from ebmsuite.evaluation.protocol import Split
from ebmsuite.model import Model
from ebmsuite.space import Space
from ebmsuite.tree import Tree

__all__ = ["conditions", "labels"]


def conditions(model: Model, given: Split | None, n: int, what: str) -> Tree:
    """The conditions of ``n`` examples of a split, a fixed random subset; None if ``given`` is None.

    ``what`` is the name of a component, for messages. `UserError` if the split has fewer examples or no condition.
    """
    if given is None:
        return None
    found = from_split(model, given, n).batch.to(model.device)
    if len(found) < n:
        raise UserError(f'{what}: there are {len(found)} conditions in "{given}" for n = {n} events; lower n')
    return found.condition


def labels(space: object, condition: Tree, what: str) -> list[str]:
    """The class names of labels [N], or their numbers if the space has no names. `UserError` for other conditions."""
    if not isinstance(space, Space) or space.kind != "label" or not isinstance(condition, Tensor):
        raise UserError(f'{what}: captions="label" needs a model whose condition is a label, and given="test"')
    return [space.names[label] if space.names else str(label) for label in condition.tolist()]
