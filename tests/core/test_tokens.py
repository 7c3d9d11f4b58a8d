"""Rows of tokens, data sets of them, and a codec of words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

from ebmsuite.dataset import Stream
from ebmsuite.errors import DataError
from ebmsuite.experiment.provenance import describe_stream
from ebmsuite.tokens import CUT, END, FIRST, TokenCodec, Tokenised, TokenRows, Unfit, cut_off

ROWS = [[2, 3, 1], [1], [4, 4, 4, 4, 1], [3, 1]]


@dataclass(frozen=True)
class Words(TokenCodec):
    """Words between single blanks."""

    name: ClassVar[str] = "test/words"

    vocabulary: tuple[str, ...]
    longest: int

    def encoded(self, texts: Sequence[str]) -> tuple[TokenRows, dict[int, Unfit]]:
        number = {word: i for i, word in enumerate(self.vocabulary, FIRST)}
        split = [text.split() for text in texts]
        rows = TokenRows.of([[*(number.get(word, 0) for word in words), END] for words in split])
        unknown = {i: next((w for w in words if w not in number), None) for i, words in enumerate(split)}
        unfit = {i: Unfit("word", f'the word "{w}" is not in the vocabulary') for i, w in unknown.items() if w}
        return rows, self.too_long(rows) | unfit

    def text(self, tokens: Sequence[int]) -> str:
        return " ".join(self.vocabulary[token - FIRST] for token in tokens)


CODEC = Words(("a", "cat", "sat", "the"), 5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
def test_rows_are_padded_to_the_longest_of_those_asked_for(dtype: type) -> None:
    rows = TokenRows.of(ROWS, dtype)
    assert rows.flat.dtype == dtype
    assert len(rows) == 4
    assert rows.lengths.tolist() == [3, 1, 5, 2]
    assert rows.padded().tolist() == [[*row, *[0] * (5 - len(row))] for row in ROWS]
    assert rows.padded().dtype == torch.int64
    some = torch.tensor([3, 0, 3])
    assert rows.padded(some).tolist() == [[3, 1, 0], [2, 3, 1], [3, 1, 0]]
    assert rows.padded(some[:0]).shape == (0, 0)
    assert TokenRows.of([]).padded().shape == (0, 0)


def test_a_data_set_of_rows() -> None:
    data = Tokenised(TokenRows.of(ROWS), classes=5)
    assert (len(data), data.event.kind, data.event.shape, data.event.classes) == (4, "tokens", (None,), 5)
    assert data.event.longest == 5
    assert Tokenised(TokenRows.of(ROWS), 5, longest=9).event.longest == 9
    index = torch.tensor([1, 3])
    batch = data.batch(index, torch.zeros(2))
    assert batch.x.tolist() == [[1, 0], [3, 1]]
    assert batch.index is index
    assert not data.event.misfit(batch.x)
    cut = Tokenised(TokenRows.of([[2, 2, 2], [2, 1]]), 3)  # a row without an end is one that was cut off
    assert cut_off(cut.tokens.padded()).tolist() == [True, False]
    assert describe_stream(data)["examples"] == 4


def test_a_stream_batches_rows_of_similar_length() -> None:
    draw = np.random.default_rng(0)
    data = Tokenised(TokenRows.of([[2] * int(k) + [1] for k in draw.integers(0, 50, 400)]), 3)
    stream = Stream(data, batch=20, seed=0)
    shares = [float((stream.batch(t).x > 0).double().mean()) for t in range(20)]
    stream.close()
    assert sum(shares) / 20 > 0.85  # random batches of these rows are half padding


def test_the_digest_is_of_the_rows_and_not_of_how_they_are_stored() -> None:
    digest = Tokenised(TokenRows.of(ROWS, np.int64), 5).digest()
    assert digest == Tokenised(TokenRows.of(ROWS, np.uint8), 5).digest()
    for other in (ROWS[::-1], ROWS[:3], [[2, 3], [1, 1][:1], *ROWS[2:]], [[2, 2, 1], *ROWS[1:]]):
        assert digest != Tokenised(TokenRows.of(other), 5).digest()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[2, 1], [5, 1]], "row 2 of 2 has a token of 5 or more, where the tokens are 0 to 4"),
        ([[700, 1]], "row 1 of 1 has a token of 5 or more"),
        ([[2, 1], [2, 1], [2, -3, 1]], "row 3 of 3 has a negative token"),
        ([[2, 1], [2, 0, 1]], r"row 2 of 2 has padding \(0\) among its tokens"),
        ([[2, 1, 0, 0], [2, 1]], r"row 1 of 2 has padding \(0\) among its tokens"),
        ([[2], [2, 1, 3]], r"row 2 of 2 has tokens after its end \(1\)"),
        ([[1, 1], [2, 1]], r"row 1 of 2 has tokens after its end \(1\)"),
        ([[2, 1], [], [2, 1]], r"row 2 of 3 has no tokens; an empty text is its end \(1\) alone"),
        ([[2, 1], []], "row 2 of 2 has no tokens"),
        ([[2, 1], [2, 2, 2, 2, 2, 2, 1]], "row 2 of 2 has more than 6 tokens"),
    ],
)
def test_rows_that_are_none_are_named(rows: list[list[int]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Tokenised(TokenRows.of(rows), 5, longest=6)


# -- codecs --------------------------------------------------------------------------------------------------------


def test_words_there_and_back() -> None:
    texts = ["the cat sat", "", "a cat"]
    x = CODEC.encode(texts)
    assert x.tolist() == [[5, 3, 4, 1], [1, 0, 0, 0], [2, 3, 1, 0]]
    assert CODEC.classes == 6
    assert CODEC.decode(x) == texts
    assert CODEC.decode(x[:0]) == []


def test_a_row_without_an_end_is_marked() -> None:
    x = torch.tensor([[2, 3, 4], [2, 1, 0], [2, 0, 1], [0, 0, 0], [3, 3, 1]])
    assert CODEC.decode(x) == [f"a cat sat{CUT}", "a", f"a{CUT}", CUT, "cat cat"]
    assert cut_off(x).tolist() == [True, False, True, True, False]
    assert cut_off(x[:, :0]).tolist() == [True] * 5


def test_symbols_are_joined_unless_the_codec_says_otherwise() -> None:
    class Letters(Words):
        text = TokenCodec.text

    assert Letters(("a", "b"), 5).decode(torch.tensor([[2, 3, 2, 1]])) == ["aba"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a cat", "the dog", "dog"], "string 2 of 3, 'the dog': the word \"dog\" is not in the vocabulary"),
        (["a a a a a"], "string 1 of 1, 'a a a a a': 6 tokens with the end, the most are 5"),
        (["a", "dog " * 40], "string 2 of 2, '" + "dog " * 14 + 'd...\': the word "dog"'),  # unknown before too long
    ],
)
def test_a_text_that_is_no_row_is_named(texts: list[str], message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        CODEC.encode(texts)
