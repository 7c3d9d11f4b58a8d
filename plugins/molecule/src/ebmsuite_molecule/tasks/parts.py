"""What the tasks on molecules share."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from torch import Tensor

from ebmsuite.errors import DataError, UserError
from ebmsuite.files import write_text
from ebmsuite_molecule import chemistry
from ebmsuite_molecule.codec import Strings
from ebmsuite_molecule.metrics.samples import split_of, strings_codec
from ebmsuite_molecule.metrics.validity import counted, training_forms

if TYPE_CHECKING:
    from ebmsuite.model import Model

__all__ = ["Facts", "codec_of", "facts_of", "molecules", "similarity", "write_csv"]

Facts: TypeAlias = dict[str, float | int | str]
"""What a task tells of what it did; the command line prints it."""


def codec_of(model: Model) -> Strings:
    """The model's codec, or `UserError` if it is not that of molecules."""
    return strings_codec(model.codec)


def molecules(model: Model, inputs: Path | None, n: int, task: str) -> tuple[Tensor, int]:
    """The first ``n`` molecules of a file as rows of tokens [n, L] on the model's device, and how many it has.

    Raises `UserError` when no input is given, and what the codec raises of a file.
    """
    if n < 1:
        raise UserError(f"n: at least 1, got {n}")
    if inputs is None:
        raise UserError(f"{task} works on molecules: give it a file of SMILES as input")
    x = codec_of(model).read(inputs).x
    if len(x) == 0:
        raise DataError(f"{inputs}: no molecules in it")
    return x[:n].to(model.device), len(x)


def similarity(one: str, other: str) -> float:
    """Tanimoto similarity of the Morgan fingerprints of two molecules, 0 to 1."""
    parsed = [chemistry.parse(s) for s in (one, other)]
    a, b = (set(chemistry.fingerprint(m)) if m is not None else set() for m in parsed)
    return len(a & b) / len(a | b) if a or b else 0.0


def write_csv(path: Path, head: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> None:
    """Write a table; `UserError` for a name that does not end in .csv."""
    if path.suffix.lower() != ".csv":
        raise UserError(f"{path}: a table is written; let the name end in .csv")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    write_text(path, text.getvalue())


def facts_of(strings: Sequence[str], model: Model) -> Facts:
    """How many strings are molecules, different, and new to the training set, where that is on this machine."""
    try:
        known = training_forms(split_of(model.data, "train").strings)
    except DataError:  # not here, or not those that the model learned from
        found = counted(strings, frozenset())
        return {"samples": found.generated, "valid": found.valid, "distinct": found.distinct}
    found = counted(strings, known)
    return {
        "samples": found.generated,
        "valid": found.valid,
        "distinct": found.distinct,
        "novel": found.novel,
    }
