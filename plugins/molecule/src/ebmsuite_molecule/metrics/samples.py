"""The molecules that a metric evaluates: samples of a model, held-out molecules, or samples of an n-gram baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import torch

from ebmsuite.dataset import Codec, Dataset, fixed_subset
from ebmsuite.dataset import split_of as dataset_of
from ebmsuite.errors import UserError
from ebmsuite.evaluation.ngram import NGram
from ebmsuite.evaluation.protocol import SampleSource
from ebmsuite_molecule.codec import Strings, truncated
from ebmsuite_molecule.data.molecules import Molecules

__all__ = [
    "ORDER",
    "Of",
    "Split",
    "TokenSource",
    "drawn",
    "facts_of",
    "facts_of_data",
    "fixed_part",
    "split_of",
    "strings_codec",
]

Of = Literal["samples", "held-out", "n-gram"]
"""``samples``: of the model. ``held-out``: held-out molecules, the best result that a model can reach up to sampling
error. ``n-gram``: samples of an n-gram model of the training tokens (see `ebmsuite.evaluation.ngram`)."""

Split = Literal["train", "valid", "test", "test_scaffolds"]

ORDER = 6
"""Order of the n-gram model: each token depends on the five before it."""


class TokenSource(SampleSource, Protocol):
    """Samples as rows of tokens [n, L], and their codec."""

    @property
    def codec(self) -> Codec | None: ...


def drawn(
    model: TokenSource, data: Mapping[str, Dataset], rng: torch.Generator, n: int, of: Of, against: str
) -> list[str]:
    """Draw ``n`` strings in one call. Strings that were cut off end in `ebmsuite.tokens.CUT`.

    Held-out molecules come from "valid", or from "test" if the reference ``against`` is "valid". There are fewer than
    ``n`` if the split is smaller.
    """
    if n < 1:
        raise UserError(f"at least one sample is needed, got n = {n}")
    if of == "samples":
        with torch.no_grad():
            return strings_codec(model.codec).decode(model.sample(n, rng=rng))
    if of == "held-out":
        held = split_of(data, "test" if against == "valid" else "valid")
        order = torch.randperm(len(held), generator=rng, device=rng.device)[:n]
        return [held.strings[i] for i in order.tolist()]
    train = split_of(data, "train")
    codec = strings_codec(train.codec)
    ngram = NGram(train.tokens, codec.classes, ORDER)
    return codec.decode(ngram.sample(n, codec.longest, rng))


def strings_codec(codec: Codec | None) -> Strings:
    """Return the codec if it is one of molecules. Raises `UserError` otherwise."""
    if not isinstance(codec, Strings):
        raise UserError("metrics of molecules evaluate rows of tokens with the codec molecule/strings")
    return codec


def split_of(data: Mapping[str, Dataset], name: str) -> Molecules:
    """Return the split ``name``. Raises `UserError` if it does not exist or does not contain molecules."""
    dataset = dataset_of(data, name)
    if not isinstance(dataset, Molecules):
        raise UserError(f"metrics of molecules need a data set of molecules, not {type(dataset).__name__}")
    return dataset


def facts_of_data(dataset: Molecules) -> dict[str, Any]:
    """Return what every score reports on the reference data: the part of the source, and what was left out."""
    facts: dict[str, Any] = {"data": dataset.note} if dataset.note else {}
    if dataset.skipped:
        facts["left_out"] = {reason: len(names) for reason, names in dataset.skipped.items()}
    return facts


def fixed_part(strings: list[str], n: int) -> list[str]:
    """Return all strings if there are at most ``n``, else a fixed random subset of ``n``."""
    return [strings[i] for i in fixed_subset(strings, n).tolist()]


def facts_of(model: TokenSource, of: Of, strings: Sequence[str]) -> dict[str, Any]:
    """Return what every score reports about the evaluated strings."""
    facts: dict[str, Any] = {"of": of, "n_samples": len(strings), "truncated": truncated(strings)}
    if of == "n-gram":
        facts["order"] = ORDER
    if isinstance(model.codec, Strings):
        facts["tokeniser"] = model.codec.tokeniser
    describe = getattr(model, "describe", None)
    if of == "samples" and describe is not None:
        facts["model"] = dict(describe())
    return facts
