"""Functions shared by the tasks on molecules."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from ebmsuite.errors import DataError, UserError
from ebmsuite_molecule import workers
from ebmsuite_molecule.codec import Strings, truncated
from ebmsuite_molecule.metrics.distances import bit_rows, tanimoto
from ebmsuite_molecule.metrics.samples import split_of
from ebmsuite_molecule.metrics.validity import counted, training_forms

if TYPE_CHECKING:
    from ebmsuite.model import Facts, Model

__all__ = ["facts_of", "molecules", "no_input", "similarity"]


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


def similarity(one: str, other: str) -> float:
    """Return the Tanimoto similarity, 0 to 1, of the Morgan fingerprints of two molecules."""
    a, b = (bit_rows([on or []]) for on in workers.each("bits", [one, other]))
    return float(tanimoto(a, b))


def facts_of(strings: Sequence[str], model: Model) -> Facts:
    """Count truncated, valid, distinct and, if the training set is available, novel strings."""
    known: frozenset[str] | None = None
    with suppress(DataError):  # the data are not on this machine, or are not the training data of the model
        known = training_forms(split_of(model.data, "train").strings)
    found = counted(strings, known or frozenset())
    facts: Facts = {
        "samples": found.generated,
        "truncated": truncated(strings),
        "valid": found.valid,
        "distinct": found.distinct,
    }
    return facts if known is None else facts | {"novel": found.novel}
