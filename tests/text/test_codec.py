"""Texts and rows of tokens."""

from __future__ import annotations

import csv
import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from ebmsuite.errors import DataError
from ebmsuite.space import Batch
from ebmsuite.tokens import CUT, END, FIRST
from ebmsuite_text.codec import UNKNOWN, Pieces, Words, fit_pieces, fit_words, split

TEXTS = ["The cat sleeps.", "the DOG's tail, again!", "naïve 東京 🙂"]


def words(longest: int = 20) -> Words:
    return Words(fit_words(TEXTS, "words", None), longest, "words")


def test_words_and_marks_are_split() -> None:
    assert split("The DOG's tail, again! <unk>", "words") == ["the", "dog's", "tail", ",", "again", "!", "<unk>"]
    assert split(" The  DOG's, ", "spaces") == ["The", "DOG's,"]


def test_the_most_frequent_words_make_the_vocabulary_and_the_others_are_unknown() -> None:
    assert fit_words(["b a a", "c b a"], "spaces", 3) == ("a", "b", UNKNOWN)
    assert fit_words(["b a a", "c b a"], "spaces", None) == ("a", "b", "c", UNKNOWN)
    assert fit_words(["<unk> <unk> a"], "spaces", 1) == (UNKNOWN,)
    codec = Words(("a", UNKNOWN), 5)
    assert codec.encode(["a z"]).tolist() == [[FIRST, FIRST + 1, END]]
    with pytest.raises(DataError, match="'z' is not in the vocabulary"):
        Words(("a",), 5).encode(["a z"])


def test_round_trips() -> None:
    plain = [" ".join(split(text, "words")) for text in TEXTS]
    assert words().decode(words().encode(TEXTS)) == plain
    symbols, merges = fit_pieces(TEXTS, 280)
    codec = Pieces(symbols, 60, merges)
    assert codec.decode(codec.encode([*TEXTS, "an unseen Wörd\t!"])) == [*TEXTS, "an unseen Wörd\t!"]
    assert fit_pieces(TEXTS, 280) == (symbols, merges)


def test_bytes_that_are_no_text_decode_to_something() -> None:
    codec = Pieces(*(lambda s, m: (s, 60, m))(*fit_pieces(TEXTS, 280)))
    rows = torch.randint(FIRST, codec.classes, (20, 10), generator=torch.Generator().manual_seed(0))
    assert all(text.endswith(CUT) for text in codec.decode(rows))


def test_reading_files(tmp_path: Path, caplog) -> None:
    file = tmp_path / "some.txt"
    file.write_text("the cat sleeps .\nthe mouse sleeps .\n")
    with caplog.at_level(logging.WARNING):
        batch = words().read(file)
    assert words().decode(batch.x) == ["the cat sleeps .", "the <unk> sleeps ."]
    assert "1 of 8 words are not in the vocabulary" in caplog.text
    file.write_text("the cat\n\nthe cat sleeps sleeps sleeps\n")
    with pytest.raises(DataError, match=r"2 of 3 lines.*line 2, '': no words; line 3.*6 tokens with the end"):
        words(5).read(file)


def test_writing_files(tmp_path: Path, caplog) -> None:
    codec = words()
    x = torch.nn.functional.pad(codec.encode(["the cat", "tail"]), (0, 1))
    batch = Batch(x, meta={"line": np.array(["4", "7"])})
    codec.write(x, tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text() == "the cat\ntail\n"
    codec.write(x, tmp_path / "a.csv", batch)
    assert list(csv.reader((tmp_path / "a.csv").open())) == [["text", "line"], ["the cat", "4"], ["tail", "7"]]
    codec.write(x, tmp_path / "a.jsonl", batch)
    assert json.loads((tmp_path / "a.jsonl").read_text().split("\n")[1]) == {"text": "tail", "line": "7"}
    with pytest.raises(DataError, match=r"\.txt, \.jsonl, \.csv"):
        codec.write(x, tmp_path / "a.doc")
    with caplog.at_level(logging.WARNING):
        codec.write(torch.tensor([[FIRST, FIRST]]), tmp_path / "b.txt")
    assert "1 of 1 texts were cut off" in caplog.text
    assert (tmp_path / "b.txt").read_text().endswith(CUT + "\n")


def test_pictures_depend_on_their_own_row_and_show_the_text() -> None:
    codec = words()
    x = codec.encode(["the cat sleeps", "", "naïve 東京 🙂"])
    shown = codec.show(x)
    assert shown.dtype == torch.uint8
    assert torch.equal(codec.show(x[[2, 0]]), shown[[2, 0]])
    assert bool((shown[0] < 255).any())
    assert bool((shown[1] == 255).all())
    long = codec.encode(["the cat sleeps again " * 4])
    assert codec.show(long).shape[1:] == shown.shape[1:]
