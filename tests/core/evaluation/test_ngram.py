"""The n-gram model against counts by hand and against a source whose entropy is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ebmsuite.evaluation.ngram import NGram
from ebmsuite.plugins.testing import rng
from ebmsuite.tokens import END, TokenRows, cut_off

FOLLOWS = {2: (0.8, 0.1, 0.1), 3: (0.1, 0.1, 0.8)}
"""Probabilities of end, 2 and 3 after two tokens, the older of which is the key: the source remembers two tokens."""


def source(n: int, seed: int) -> TokenRows:
    """Rows that start with two uniform symbols and go on by `FOLLOWS`, at most 20 tokens before their end."""
    draw = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        row = draw.integers(2, 4, 2).tolist()
        while row[-1] != END:
            row.append(int(draw.choice([1, 2, 3], p=FOLLOWS[row[-2]])) if len(row) < 20 else END)
        rows.append(row)
    return TokenRows.of(rows, np.uint8)


def test_probabilities_by_hand() -> None:
    model = NGram(TokenRows.of([[2, 3, 1], [2, 2, 1]]), classes=4, order=2)
    # unigrams: end 2, first symbol 3, second symbol 1 of 6; 3 kinds, mixed with 1/3 each
    end, c, n = (2 + 1) / 9, (3 + 1) / 9, (1 + 1) / 9
    after_start = [0, (0 + 1 * end) / 3, (2 + 1 * c) / 3, (0 + 1 * n) / 3]
    after_c = [0, (1 + 3 * end) / 6, (1 + 3 * c) / 6, (1 + 3 * n) / 6]
    p = model.probabilities(np.array([[0], [2]]))
    assert p == pytest.approx(np.array([after_start, after_c]))
    row = torch.tensor([[2, 1, 0]])
    assert float(model.log_prob(row)) == pytest.approx(math.log(after_start[2] * after_c[1]))


@pytest.mark.parametrize("order", [1, 3, 6])
def test_probabilities_sum_to_one_and_samples_follow_them(order: int) -> None:
    model = NGram(source(200, 0), 4, order)
    contexts = np.array([[0] * 5, [0, 0, 0, 2, 3], [2, 3, 2, 3, 3], [3, 2, 2, 2, 2]])[:, 6 - order :]
    p = model.probabilities(contexts)
    assert np.abs(p.sum(1) - 1).max() < 1e-12
    assert (p[:, 0] == 0).all()
    assert (p[:, 1:] > 0).all()
    for context, wanted in zip(contexts, p, strict=True):
        drawn = model._next(np.repeat(context[None], 20_000, 0), rng())
        share = np.bincount(drawn, minlength=model.classes) / 20_000
        assert np.abs(share - wanted).max() < 5 * 0.5 / math.sqrt(20_000)


def test_the_surprise_is_the_entropy_of_the_source_where_the_order_suffices() -> None:
    train, held = source(4000, 0), source(500, 1).padded()
    tokens = int((held > 0).sum())
    surprise = {order: -float(NGram(train, 4, order).log_prob(held).sum()) / tokens for order in (1, 2, 3)}
    truth = 0.0
    for row in held.tolist():
        row = [t for t in row if t]
        truth -= 2 * math.log(0.5)
        truth -= sum(math.log(FOLLOWS[row[i - 2]][row[i] - 1]) for i in range(2, len(row)) if i < 20)
    assert surprise[3] == pytest.approx(truth / tokens, abs=0.01)
    assert surprise[2] > 1.1 * surprise[3]
    assert surprise[1] > 1.1 * surprise[3]


def test_samples_are_rows_and_those_without_an_end_are_cut_off() -> None:
    model = NGram(source(500, 0), 4, 4)
    x = model.sample(50, 4, rng())
    assert x.shape == (50, 4)
    ended = (x == END).sum(1)
    assert ended.max() == 1
    assert 0 < int((ended == 0).sum()) < 50
    assert (x[ended == 0] > 1).all()
    assert torch.equal(cut_off(x), ended == 0)
    assert torch.equal(x, model.sample(50, 4, rng()))


@pytest.mark.parametrize(("classes", "order"), [(4, 32), (50_259, 5), (4, 0)])
def test_an_order_that_does_not_fit_is_refused(classes: int, order: int) -> None:
    with pytest.raises(ValueError, match="63 bits"):
        NGram(source(3, 0), classes, order)
