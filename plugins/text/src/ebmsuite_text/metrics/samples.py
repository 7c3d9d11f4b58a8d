"""The sentences that a metric evaluates: samples of a model, real sentences, or samples of baselines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, split_of
from ebmsuite.errors import UserError
from ebmsuite.evaluation import protocol
from ebmsuite.evaluation.ngram import NGram
from ebmsuite.space import Batch
from ebmsuite.tokens import PAD, TokenRows, cut_off
from ebmsuite.tree import Tree
from ebmsuite_text.data.sentences import Sentences

if TYPE_CHECKING:
    from ebmsuite.model import Model

__all__ = ["ORDER", "Of", "drawn", "facts_of", "given_at_random", "rows_of", "sentences_of"]

Of: TypeAlias = Literal["model", "held-out", "training", "n-gram", "normal", "fitted-normal", "posterior"]
"""Whose sentences: of the ``model``; real ones, ``held-out`` (the split valid) or of the ``training`` set; of a trigram
model of the training sentences (``n-gram``); or those that the model's decoder makes of other latent vectors:

- ``normal``: of its latent density, usually N(0, I), instead of its energy;
- ``fitted-normal``: of a normal distribution with the mean and covariance of inferred vectors of training sentences;
- ``posterior``: inferred from training sentences, which bounds what any prior of these vectors can gain.
"""

ORDER = 3
"""Order of the n-gram model: each token depends on the two before it."""

_INFERRED = 5_000
"""Number of training sentences whose latent vectors determine the fitted normal distribution."""


def drawn(model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int, of: Of) -> Tensor:
    """Draw ``n`` sentences as rows of tokens [n, L] on the CPU; fewer if there are fewer real ones.

    Raises `UserError` if n is not positive, or the model has no decoder and inference where ``of`` needs them.
    """
    if n < 1:
        raise UserError(f"at least one sentence is needed, got n = {n}")
    if of == "model":
        return model.sample(n, rng=rng, condition=given_at_random(model, data, n, rng)).cpu()
    if of in ("held-out", "training"):
        return _random(sentences_of(data, "valid" if of == "held-out" else "train"), n, rng).x
    train = sentences_of(data, "train")
    if of == "n-gram":
        longest = train.event.longest or 1
        return NGram(train.tokens, train.event.classes or 0, ORDER).sample(n, longest, rng)
    if not model.has_latent:
        raise UserError(f"of: {model.recipe.recipe} has no latent vector, which {of} needs; leave that baseline out")
    if of == "normal":
        z = model.players["generator"].latent.sample(n, rng)
        return model.decode(z, rng).cpu()
    known = _random(train, n if of == "posterior" else _INFERRED, rng)
    z = model.infer(known, rng)
    if of == "posterior":
        return model.decode(z, rng, known.condition).cpu()
    flat = z.flatten(1).double()
    centre, spread = flat.mean(0), torch.linalg.cholesky(torch.cov(flat.T) + 1e-6 * torch.eye(flat.shape[1]).to(flat))
    noise = torch.randn(n, flat.shape[1], generator=rng, device=rng.device).double()
    return model.decode((centre + noise @ spread.T).to(z).view(n, *z.shape[1:]), rng).cpu()


def given_at_random(model: Model, data: Mapping[str, Dataset], n: int, rng: torch.Generator) -> Tree:
    """Return the classes of n random training sentences for a conditional model; None for other models."""
    if model.condition is None:
        return None
    train = sentences_of(data, "train")
    index = torch.randint(len(train), (n,), generator=rng, device=rng.device).cpu()
    return train.batch(index, torch.zeros_like(index)).condition


def _random(dataset: Sentences, n: int, rng: torch.Generator) -> Batch:
    """Random sentences of a data set, each at most once."""
    index = torch.randperm(len(dataset), generator=rng, device=rng.device)[:n].cpu()
    return dataset.batch(index, torch.zeros_like(index))


def sentences_of(data: Mapping[str, Dataset], name: str) -> Sentences:
    """Return the split ``name``. Raises `UserError` if it does not exist or does not contain sentences."""
    dataset = split_of(data, name)
    if not isinstance(dataset, Sentences):
        raise UserError(f"metrics of sentences need a data set of sentences, not {type(dataset).__name__}")
    return dataset


def rows_of(x: Tensor) -> TokenRows:
    """Store padded rows of tokens [N, L] without their padding."""
    return TokenRows(x[x != PAD].numpy(), torch.cat([torch.zeros(1), (x != PAD).sum(1).cumsum(0)]).long().numpy())


def facts_of(model: Model, of: Of, x: Tensor, train: Sentences) -> dict[str, Any]:
    """Return what every score reports about the evaluated sentences [N, L], and about the vocabulary."""
    facts = protocol.facts_of(model, of, len(x), train)
    if of == "n-gram":
        facts["order"] = ORDER
    return facts | {
        "decoding": "sampled at temperature 1",
        "truncated": int(cut_off(x).sum()),
        "n_train": len(train),
        "vocabulary": (train.event.classes or 0) - 2,
        "longest": (train.event.longest or 0) - 1,
        "unknown_words": train.unknown,
        "left_out": {reason: len(names) for reason, names in train.skipped.items()},
    }
