"""The input of the tasks on molecules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from ebmsuite.errors import DataError, UserError
from ebmsuite_molecule.codec import Strings

if TYPE_CHECKING:
    from ebmsuite.model import Model

__all__ = ["molecules", "no_input"]


def molecules(model: Model, inputs: Path | None, n: int, task: str) -> tuple[Tensor, int]:
    """Return the first ``n`` molecules of a file as tokens [n, L] on the model's device, and their total number.

    Raises `UserError` if there is no input, and the errors of `Strings.read`.
    """
    if n < 1:
        raise UserError(f"n: at least 1, got {n}")
    if inputs is None:
        raise UserError(f"{task} works on molecules: give it a file of SMILES as input")
    x = model.codec_as(Strings).read(inputs).x
    if len(x) == 0:
        raise DataError(f"{inputs}: no molecules in it")
    return x[:n].to(model.device), len(x)


def no_input(inputs: Path | None, task: str) -> None:
    """Raise `UserError` if a task that takes no input gets an input file."""
    if inputs is not None:
        raise UserError(f"{task} takes no input: it draws molecules from the model; leave out {inputs}")
