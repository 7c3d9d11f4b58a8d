"""Data sets of sentences: real files, and the inputs that users get wrong."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import torch

from ebmsuite.errors import DataError, MissingData, RecipeError
from ebmsuite.tokens import END
from ebmsuite_text.codec import UNKNOWN
from ebmsuite_text.data.lines_file import lines
from ebmsuite_text.data.ptb import ptb
from ebmsuite_text.data.verses import GENRES, verses

TEXTS = [f"the {noun} {verb} ." for noun in ("cat", "dog", "bird", "fish") for verb in ("sleeps", "runs", "eats")]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some.txt"
    path.write_text("".join(f"{text}\n" for text in TEXTS))
    return path


def written(path: Path, content: bytes | str) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


# -- public data -----------------------------------------------------------------------------------------------------


def test_verses_are_inside_the_package_and_labelled() -> None:
    data = {split: verses(split) for split in ("train", "valid", "test")}
    assert [len(d) for d in data.values()] == [6408, 500, 500]
    assert len({text for d in data.values() for text in d.texts}) == 7408
    assert all(d.event.longest == 20 and d.event.classes == 3002 for d in data.values())
    test = verses("test", conditional=True)
    at = test.meta["reference"].tolist().index("Ge2:25")
    batch = test.batch(torch.tensor([at]), torch.zeros(1))
    assert batch.meta["reference"].tolist() == ["Ge2:25"]
    assert GENRES[int(batch.condition)] == "law"
    text = data["train"].codec.decode(batch.x)[0]
    assert text == "and they were both naked , the man and his wife , and were not ashamed ."
    assert "% of the words are <unk>" in data["test"].note


def test_ptb_reports_duplicates_and_sentences_of_the_training_set(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "text" / "ptb"
    folder.mkdir(parents=True)
    parts = {"train": [*TEXTS, TEXTS[0], "a <unk> N"], "valid": [TEXTS[1], "the cat N ."], "test": ["the N runs ."]}
    for name, texts in parts.items():
        (folder / f"ptb.{name}.txt.gz").write_bytes(gzip.compress("".join(f" {t} \n" for t in texts).encode()))
    monkeypatch.setenv("EBMSUITE_DATA", str(tmp_path))
    train, valid = ptb("train"), ptb("valid")
    assert len(train) == 14
    assert train.copies == 1
    assert "1 duplicate sentences" in train.note
    assert "1 sentences that the training set also has" in valid.note
    assert train.codec.decode(train.tokens.padded())[-1] == "a <unk> N"
    short = ptb("train", longest=3)
    assert len(short) == 1
    assert list(short.skipped) == ["longer than 3 tokens"]
    assert short.skipped["longer than 3 tokens"][:2] == ["line 1", "line 2"]
    (folder / "ptb.test.txt.gz").unlink()
    with pytest.raises(MissingData, match=r"ptb\.test\.txt\.gz"):
        ptb("train")


def test_ptb_names_the_missing_files(monkeypatch) -> None:
    monkeypatch.delenv("EBMSUITE_DATA", raising=False)
    with pytest.raises(MissingData, match="EBMSUITE_DATA"):
        ptb()


def test_the_vocabulary_is_that_of_the_chosen_training_sentences() -> None:
    data = verses("train", words=50, n=200, longest=12)
    assert data.event.classes == 52
    assert UNKNOWN in data.codec.vocabulary
    assert "the first 200 of" in data.note
    assert int(data.lengths.max()) <= 13
    assert data.unknown == pytest.approx(
        float((data.tokens.padded() == data.codec.numbers[UNKNOWN]).sum() / (data.lengths - 1).sum())
    )
    assert verses("test", words=50, n=200, longest=12).codec == data.codec


# -- the user's files ------------------------------------------------------------------------------------------------


def test_a_text_file_is_cut_into_three_splits(file: Path) -> None:
    data = {split: lines(str(file), split) for split in ("train", "valid", "test")}
    assert [len(d) for d in data.values()] == [10, 1, 1]
    assert sorted(text for d in data.values() for text in d.texts) == sorted(TEXTS)
    line = data["valid"].meta["line"][0]
    assert TEXTS[int(line) - 1] == data["valid"].texts[0]


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl"])
def test_columns_and_classes_of_tables(tmp_path: Path, ending: str) -> None:
    if ending == ".jsonl":
        content = "".join(json.dumps({"kind": t.split()[1], "body": t}) + "\n" for t in TEXTS)
    else:
        by = "," if ending == ".csv" else "\t"
        content = f"kind{by}body\n" + "".join(f'{t.split()[1]}{by}"{t}"\n' for t in TEXTS)
    data = lines(written(tmp_path / f"some{ending}", content), column="body", label="kind", conditional=True, seed=3)
    assert data.condition.names == ("bird", "cat", "dog", "fish")
    for text, label in zip(data.texts, data.labels.tolist(), strict=True):
        assert data.condition.names[label] in text


def test_a_byte_order_mark_and_other_line_ends_are_read(tmp_path: Path) -> None:
    marked = "\ufeff" + "".join(f"{t}\r\n" for t in TEXTS)
    data = lines(written(tmp_path / "some.txt", marked))
    assert set(data.texts) <= {*TEXTS}
    inside = "\n".join(t.replace(" ", "\u2028", 1) for t in TEXTS)  # a separator of lines for str.splitlines
    assert len(lines(written(tmp_path / "more.txt", inside))) == 10


def test_latin_1_is_an_error_with_the_line_unless_it_is_named(tmp_path: Path) -> None:
    content = "\n".join([*TEXTS, "le café dort ."]).encode("latin-1")
    path = written(tmp_path / "some.txt", content)
    marked = written(tmp_path / "marked.txt", b"\xef\xbb\xbf" + content)
    for file in (path, marked):
        with pytest.raises(DataError, match=r"line 13.*0xe9 is not UTF-8.*encoding: latin-1"):
            lines(file)
    with pytest.raises(DataError, match=r"line 13.*0xe9 is not ASCII"):
        lines(path, encoding="ascii")
    found = [t for split in ("train", "valid", "test") for t in lines(path, split, encoding="latin-1").texts]
    assert "le café dort ." in found
    with pytest.raises(DataError, match="encoding"):
        lines(path, encoding="latin-99")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_wide_encodings_are_errors(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(DataError, match="UTF-"):
        lines(written(tmp_path / "some.txt", "\n".join(TEXTS).encode(encoding)))


def test_empty_and_overlong_lines_are_reported_with_numbers(tmp_path: Path) -> None:
    huge = "word " * 400_000  # a line of 2 MB
    content = [*TEXTS[:3], "", huge, "   ", *TEXTS[3:]]
    data = lines(written(tmp_path / "some.txt", "\n".join(content)), longest=10)
    assert data.skipped == {"empty": ["line 4", "line 6"], "longer than 10 tokens": ["line 5"]}  # whatever its split
    with pytest.raises(DataError, match=r"no sentence of the split train .*longer than 3 tokens|at most 3 tokens"):
        lines(str(tmp_path / "some.txt"), longest=3)


def test_lines_that_exceed_every_training_sentence_are_reported_so(tmp_path: Path) -> None:
    texts = [f"word {i}" for i in range(20)]
    path = written(tmp_path / "some.txt", "\n".join([*texts, "four words are here"]))
    held = [s for s in range(40) if "four words are here" not in lines(path, seed=s).texts]
    assert held
    for seed in held[:2]:
        for split in ("train", "valid", "test"):
            skipped = lines(path, split, seed=seed, longest=10).skipped
            assert skipped == {"longer than every training sentence (2 tokens)": ["line 21"]}
    first = lines(path, n=5)
    assert len(first) == 5
    assert "the first 5 of 17 sentences" in first.note


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("same\n" * 50, r"1 different text \(50 lines\)"),
        ("a b\na  b\na\tb\n", r"1 different text \(3 lines\)"),
        ("one\ntwo\n", r"2 different texts \(2 lines\).*at least 3"),
        ("\n\n\n", "empty"),
        ("", "empty"),
    ],
)
def test_too_few_texts_are_an_error(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        lines(written(tmp_path / "some.txt", content))


@pytest.mark.parametrize(
    ("name", "content", "settings", "said"),
    [
        ("a.csv", "body,kind\nx,y\n", {}, 'no column "text"; the first line has: body, kind'),
        ("a.csv", "text,kind\nx,y\n", {"label": "class"}, 'no column "class"'),
        ("a.csv", "text,text\nx,y\n", {}, 'two columns "text"'),
        ("a.csv", "text,kind\nx,y\na,b,c\n", {}, "line 3: 3 columns"),
        ("a.csv", 'text\n"x\n', {}, "line 2"),
        ("a.tsv", "text\n", {}, "only a heading"),
        ("a.jsonl", '{"text": "x"}\n{"body": 1}\n', {}, 'line 2: no key "text"'),
        ("a.jsonl", '{"text": "x"}\n{"text": 7}\n', {}, "line 2.*not a text"),
        ("a.jsonl", '{"text": "x"}\n{text}\n', {}, "line 2: not a JSON value"),
        ("a.jsonl", '["x"]\n', {}, "line 1: not a JSON object"),
        ("a.jsonl", '{"text": "x"}\n', {"label": "kind"}, 'line 1: no key "kind"'),
        ("a.txt", "x\ny\nz\n", {"label": "kind"}, r'a \.txt file has no column "kind"'),
        ("a.pdf", "x\n", {}, r"\.txt, \.jsonl, \.csv, \.tsv"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, name: str, content: str, settings: dict, said: str) -> None:
    with pytest.raises(DataError, match=said):
        lines(written(tmp_path / name, content), **settings)


def test_texts_without_class_are_left_out_and_a_class_without_training_text_is_an_error(tmp_path: Path) -> None:
    rows = [f"{t},{'yes' if i % 2 else ''}" for i, t in enumerate(TEXTS)]
    path = written(tmp_path / "some.csv", "text,kind\n" + "\n".join(rows))
    data = lines(path, label="kind")
    assert data.skipped["without a class"] == [f"line {i}" for i in range(2, 14, 2)]
    rows = [f"{t},{'rare ' + '!' * (i == 0) if i == 0 else 'often'}" for i, t in enumerate(TEXTS)]
    path = written(tmp_path / "more.csv", "text,kind\n" + "\n".join(rows))
    rare = {"rare !"}
    held = [seed for seed in range(40) if rare.isdisjoint(_classes_of_training(path, seed))]
    assert held
    for seed in held:
        with pytest.raises(DataError, match="the class 'rare !' has no training sentence"):
            lines(path, label="kind", conditional=True, seed=seed)
    with pytest.raises(RecipeError, match="conditional"):
        lines(path, conditional=True)
    path = written(tmp_path / "none.csv", "text,kind\n" + "\n".join(f"{t}," for t in TEXTS))
    with pytest.raises(DataError, match=r"0 different texts \(12 lines, 12 without a class\)"):
        lines(path, label="kind")


def _classes_of_training(path: str, seed: int) -> set[str]:
    data = lines(path, label="kind", seed=seed)
    return {"rare !" if text == TEXTS[0] else "often" for text in data.texts}


@pytest.mark.parametrize("setting", ["words", "longest", "n"])
def test_settings_below_one(file: Path, setting: str) -> None:
    with pytest.raises(RecipeError, match=setting):
        lines(str(file), **{setting: 0})


def test_byte_pairs_need_the_bytes_and_encode_everything(file: Path) -> None:
    with pytest.raises(RecipeError, match="256"):
        lines(str(file), tokeniser="bpe", words=100)
    data = lines(str(file), tokeniser="bpe", words=300)
    assert data.codec.decode(data.tokens.padded()) == list(data.texts)
    assert bool((data.tokens.padded() == END).any(1).all())
    assert data.unknown == 0
