"""The task ``molecule/generate``: write samples to a file."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ebmsuite.errors import DataError, UserError
from ebmsuite_molecule import workers
from ebmsuite_molecule.codec import Strings, truncated
from ebmsuite_molecule.metrics.samples import split_of
from ebmsuite_molecule.metrics.validity import counted, training_forms
from ebmsuite_molecule.tasks.inputs import no_input

if TYPE_CHECKING:
    import torch

    from ebmsuite.model import Facts, Model

__all__ = ["Generate"]

_ROUNDS = 100


@dataclass(frozen=True)
class Generate:
    """Write ``n`` samples in the format given by the ending of ``out`` (see the codec).

    With ``check``, invalid strings are redrawn until there are ``n`` molecules, which are written in canonical form.
    Strings that were cut off before their end are invalid; without ``check`` they are written with a mark at the end.
    """

    n: int = 100
    check: bool = False

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        if self.n < 1:
            raise UserError(f"n: at least 1, got {self.n}")
        no_input(inputs, "generate")
        codec = model.codec_as(Strings)
        if not self.check:
            strings = codec.decode(model.sample(self.n, rng=rng))
            codec.write_strings(strings, out)
            return _facts_of(strings, model)
        found: list[str] = []
        drawn = cut = 0
        for _ in range(_ROUNDS):
            strings = codec.decode(model.sample(self.n, rng=rng))
            forms = workers.each("canonical", strings)
            drawn, cut = drawn + len(forms), cut + truncated(strings)
            found += [form for form in forms if form]
            if len(found) >= self.n:
                codec.write_strings(found[: self.n], out)
                return _facts_of(found[: self.n], model) | {"drawn": drawn, "truncated": cut}
        raise UserError(
            f"generate: of {drawn:,} strings {len(found):,} are molecules ({cut:,} were cut off), {self.n:,} are wanted"
        )


def _facts_of(strings: Sequence[str], model: Model) -> Facts:
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
