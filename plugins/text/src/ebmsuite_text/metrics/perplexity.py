"""Reverse and forward perplexity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset
from ebmsuite.scores import Score
from ebmsuite_text.data.sentences import Split
from ebmsuite_text.metrics.judge import JudgeKind, Scorer, fitted, perplexity, totals, trained_lstm
from ebmsuite_text.metrics.samples import Of, drawn, facts_of, rows_of, sentences_of

if TYPE_CHECKING:
    from ebmsuite.model import Model

__all__ = ["Perplexity"]


@dataclass(frozen=True)
class Perplexity:
    """``reverse`` and ``forward`` perplexity of ``n`` sentences (Zhao et al., 2018).

    Reverse: a judge is trained on the sentences and scores the real sentences of the split ``against``. It is high for
    sentences that are wrong and for sentences that lack variety. It falls as n grows, so compare it for equal n only.
    Forward: a judge trained on the training set scores the sentences. Dull sentences make it low: below that of
    held-out sentences it is no merit. Both are exp(total negative log-likelihood / total tokens, including the ends),
    within the vocabulary of the data set, and are not comparable with those of another vocabulary.

    The ``judge`` is a trigram with Witten-Bell smoothing, or an LSTM; that of the training set is trained once and
    cached, and the protocol states its perplexity on ``against``. Intervals are 95%, from the spread of the scored
    sentences; they do not contain the spread over training runs.
    """

    of: Of = "model"
    judge: JudgeKind = "trigram"
    against: Split = "test"

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Mapping[str, Score]:
        train, real = sentences_of(data, "train"), sentences_of(data, self.against)
        x = drawn(model, data, rng, n, self.of)
        facts = facts_of(model, self.of, x, train) | {"judge": self.judge, "against": self.against, "n_real": len(real)}
        test = real.tokens.padded()
        of_train: Scorer
        quality: dict[str, Any]
        if self.judge == "lstm":
            of_train, quality = trained_lstm(train, real)
        else:
            of_train = fitted("trigram", train.tokens, train.event)
            quality = {"test_perplexity": perplexity(*totals(of_train, test))}
        reverse = totals(fitted(self.judge, rows_of(x), train.event), test)
        forward = totals(of_train, x)
        return {
            "reverse": _score(reverse, facts | {"metric": "reverse perplexity"}),
            "forward": _score(forward, facts | {"metric": "forward perplexity", "judge_of_train": quality}),
        }


def _score(of: tuple[Tensor, Tensor], facts: dict[str, Any]) -> Score:
    nats, tokens = of[0], of[1].double()
    value = perplexity(nats, tokens)
    # the delta method for the ratio of the sums
    residual = nats - math.log(value) * tokens
    error = float(residual.std(correction=0)) / (float(tokens.mean()) * math.sqrt(len(nats)))
    return Score(value, value * math.exp(-1.96 * error), value * math.exp(1.96 * error), facts)
