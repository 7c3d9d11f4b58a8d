"""Metrics of sentences against values that are known exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ebmsuite.evaluation.ngram import NGram
from ebmsuite.tokens import END, PAD, TokenRows
from ebmsuite_text.data.verses import verses
from ebmsuite_text.features import Bag
from ebmsuite_text.metrics import judge as judges
from ebmsuite_text.metrics.judge import fitted, perplexity, totals, trained_lstm
from ebmsuite_text.metrics.samples import drawn, rows_of
from ebmsuite_text.metrics.variety import distinct, ngrams, self_bleu


@pytest.fixture(scope="module")
def data():
    return {split: verses(split, n=400, words=300) for split in ("train", "valid", "test")}


def test_rows_without_padding() -> None:
    x = torch.tensor([[2, 3, END, PAD], [END, PAD, PAD, PAD], [4, 4, 4, 4]])
    rows = rows_of(x)
    assert rows.lengths.tolist() == [3, 1, 4]
    assert torch.equal(rows.padded(), x)


class Uniform:
    """Every token has the same probability."""

    def log_prob(self, x: torch.Tensor) -> torch.Tensor:
        return -math.log(7) * (x != PAD).sum(1)


def test_perplexity_of_a_uniform_judge_is_the_number_of_tokens() -> None:
    x = torch.tensor([[2, 3, END], [END, PAD, PAD]])
    nats, tokens = totals(Uniform(), x, size=1)
    assert tokens.tolist() == [3, 1]
    assert perplexity(nats, tokens) == pytest.approx(7)


def test_perplexity_of_the_trigram_judge_is_that_of_its_probabilities(data) -> None:
    ngram = fitted("trigram", data["train"].tokens, data["train"].event)
    assert isinstance(ngram, NGram)
    row = data["test"].tokens.padded()[:1]
    total, context = 0.0, np.zeros((1, 2), np.int64)
    for token in row[0].tolist():
        if token == PAD:
            break
        total -= math.log(ngram.probabilities(context)[0, token])
        context = np.array([[context[0, 1], token]])
    nats, tokens = totals(ngram, row)
    assert float(nats) == pytest.approx(total)
    assert int(tokens) == int((row != PAD).sum())


def test_a_judge_of_more_real_sentences_predicts_better(data) -> None:
    test = data["test"].tokens.padded()
    values = []
    for n in (25, 100, 400):
        rows = rows_of(data["train"].tokens.padded()[:n])
        values.append(perplexity(*totals(fitted("trigram", rows, data["train"].event), test)))
    assert values == sorted(values, reverse=True)


def test_the_lstm_judge_is_cached_and_states_its_perplexity(data, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("EBMSUITE_CACHE", str(tmp_path))
    monkeypatch.setattr(judges, "SETTINGS", judges.SETTINGS | {"embedding": 8, "width": 8, "epochs": 2})
    net, facts = trained_lstm(data["train"], data["test"])
    value = perplexity(*totals(net, data["test"].tokens.padded()))
    assert facts["test_perplexity"] == pytest.approx(value, rel=1e-4)
    assert value < data["train"].event.classes - 1  # better than the uniform distribution
    monkeypatch.setattr(judges, "_learn", lambda *_: pytest.fail("the judge was trained again"))
    assert trained_lstm(data["train"], data["test"])[1] == facts


def test_the_lstm_judge_of_samples_depends_on_the_samples_only(data, monkeypatch) -> None:
    monkeypatch.setattr(judges, "SETTINGS", judges.SETTINGS | {"embedding": 8, "width": 8, "epochs": 1})
    rows = rows_of(data["train"].tokens.padded()[:64])
    x = data["test"].tokens.padded()[:32]
    torch.manual_seed(1)
    one = fitted("lstm", rows, data["train"].event).log_prob(x)
    torch.manual_seed(2)
    assert torch.equal(one, fitted("lstm", rows, data["train"].event).log_prob(x))


def test_real_and_trigram_sentences(data) -> None:
    rng = torch.Generator().manual_seed(0)
    real = drawn(None, data, rng, 50, "held-out")
    known = {tuple(row) for row in data["valid"].tokens.padded().tolist()}
    assert len(real) == 50
    assert {tuple(row[: len(next(iter(known)))]) for row in real.tolist()} <= {row[: real.shape[1]] for row in known}
    made = drawn(None, data, rng, 50, "n-gram")
    assert made.shape == (50, data["train"].event.longest)


def test_ngrams_and_distinct() -> None:
    assert ngrams((1, 2, 3), 2) == [(1, 2), (2, 3)]
    assert ngrams((1,), 2) == []
    assert distinct([(1, 2, 1), (1, 2)], 1) == pytest.approx(2 / 5)
    assert distinct([(1, 2, 1), (1, 2)], 2) == pytest.approx(2 / 3)
    assert distinct([(1,)], 2) == 0


def test_self_bleu_of_copies_is_100_and_of_strangers_is_low() -> None:
    assert self_bleu([(2, 3, 4, 5)] * 3) == pytest.approx(100)
    assert self_bleu([tuple(range(i, i + 8)) for i in (10, 20, 30)]) < 5
    assert self_bleu([(2, 3)]) == 0


def test_distances_of_bags_of_words(data) -> None:
    bag = Bag()
    bag.prepare(data)
    x = torch.tensor([[5, 6, 7, END], [7, 5, 6, END], [8, 9, END, PAD]])
    features = bag(x).features
    assert torch.cdist(features, features)[0].tolist() == pytest.approx([0, 0, math.sqrt(2)], abs=1e-3)
    rare = data["train"].event.classes - 2  # the last but one; the last is "<unk>"
    common = torch.tensor([[2, rare, END]])
    assert bag(common).features[0, rare - 2] > bag(common).features[0, 0]


def test_rows_stored_as_bytes_are_scored_alike() -> None:
    rows = [[2, 3, END], [3, END]]
    small, large = (NGram(TokenRows.of(rows, t), 4, 3) for t in (np.uint8, np.int64))
    x = torch.tensor([[2, 3, END], [3, END, PAD]])
    assert torch.equal(small.log_prob(x), large.log_prob(x))
