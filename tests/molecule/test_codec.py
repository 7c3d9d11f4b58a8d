"""Strings to tokens and back, and the files of a user."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from ebmsuite.dataset import Codec
from ebmsuite.errors import DataError, PluginError, RecipeError
from ebmsuite.values import conform, plain
from ebmsuite_molecule import selfies_words
from ebmsuite_molecule.chemistry import parse
from ebmsuite_molecule.codec import Strings
from ebmsuite_molecule.data import zinc250k
from ebmsuite_molecule.tokens import Tokeniser, encode, split, vocabulary_of
from ebmsuite_molecule.workers import each

CODEC = Strings("atoms", ("(", ")", "1", "=", "Br", "C", "Cl", "N", "O", "[nH]", "c"), 20)


@pytest.mark.parametrize(
    ("string", "symbols"),
    [
        ("CCl", ["C", "Cl"]),
        ("BrCC#N", ["Br", "C", "C", "#", "N"]),
        ("c1cc[nH]c1", ["c", "1", "c", "c", "[nH]", "c", "1"]),
        ("C[C@@H](O)[O-]", ["C", "[C@@H]", "(", "O", ")", "[O-]"]),
        ("[Cl-].[13CH4]", ["[Cl-]", ".", "[13CH4]"]),
        ("C%12CC%12", ["C", "%12", "C", "C", "%12"]),
        ("F/C=C\\F", ["F", "/", "C", "=", "C", "\\", "F"]),
        ("[NH", ["[", "N", "H"]),  # what is not closed is no bracket atom
    ],
)
def test_symbols_are_atoms_bonds_and_rings(string: str, symbols: list[str]) -> None:
    assert split("atoms", string) == symbols
    assert split("characters", string) == list(string)


@pytest.mark.parametrize("tokeniser", ["atoms", "characters"])
def test_round_trip_of_every_embedded_string(tokeniser: Tokeniser) -> None:
    for part in ("train", "valid", "test"):
        dataset = zinc250k(part, tokeniser, embedded=True)
        codec = dataset.codec
        assert isinstance(codec, Strings)
        x = dataset.batch(torch.arange(len(dataset)), torch.zeros(len(dataset))).x
        assert codec.decode(x) == dataset.strings
        assert "left out" not in dataset.note
        assert torch.equal((x != 0).sum(1), dataset.lengths)


def test_rows_end_with_one_and_zeros() -> None:
    x = CODEC.encode(["CCl", "", "c1ccc[nH]1"])
    assert x.dtype == torch.int64
    assert x.tolist()[:2] == [[7, 8, 1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0]]
    assert x.tolist()[2] == [12, 4, 12, 12, 12, 11, 4, 1]
    assert CODEC.classes == 13
    assert CODEC.decode(x) == ["CCl", "", "c1ccc[nH]1"]
    assert CODEC.decode(torch.tensor([[7, 7, 9]])) == ["CCN"]  # a row without an end, whole


def test_encoding_names_the_string_and_the_symbol() -> None:
    with pytest.raises(DataError, match=r"string 2 of 3, 'CC\[Se\]': the symbol \"\[Se\]\" is not in the vocabulary"):
        CODEC.encode(["C", "CC[Se]", "F"])
    with pytest.raises(DataError, match=r"string 1 of 1, .*: 26 tokens with the end, the most are 20"):
        CODEC.encode(["C" * 25])
    for odd in ("C\nC", "Cé", "C\0"):
        with pytest.raises(DataError, match="string 2 of 2"):
            CODEC.encode(["C", odd])


def test_more_than_256_symbols_need_two_bytes() -> None:
    words = [f"[{i}X]" for i in range(300)]
    vocabulary = vocabulary_of("atoms", words)
    encoded = encode("atoms", vocabulary, words)
    assert encoded.flat.dtype.itemsize == 2
    assert sorted(encoded.flat[::2].tolist()) == list(range(2, 302))


def test_a_run_can_store_the_codec() -> None:
    codec = Strings("atoms", ("C", "N"), 9, ("logp", "qed"), (1.5, 0.7), (0.5, 0.1))
    stored = json.loads(json.dumps(plain(codec)))
    assert conform(stored, Strings, "codec") == codec
    assert isinstance(codec, Codec)
    with pytest.raises(RecipeError, match="need a mean"):
        Strings("atoms", ("C",), 9, ("logp",))


# -- files ---------------------------------------------------------------------------------------------------


def test_reading_smi_txt_csv_and_gz(tmp_path: Path) -> None:
    lines = ["CCO ethanol 46", "c1ccccc1\tbenzene", "CN"]
    (tmp_path / "a.smi").write_text("\n".join(lines) + "\n\n")
    (tmp_path / "a.txt").write_text("SMILES name\n" + "\n".join(lines))
    (tmp_path / "a.csv").write_text('\ufeffsmiles,name\nCCO,"ethanol, 46"\nc1ccccc1,benzene\nCN,x\n')
    (tmp_path / "b.smi.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    for name in ("a.smi", "a.txt", "a.csv", "b.smi.gz"):
        batch = CODEC.read(tmp_path / name)
        assert CODEC.decode(batch.x) == ["CCO", "c1ccccc1", "CN"], name
        assert batch.index is not None
        assert batch.index.tolist() == [0, 1, 2]


def test_bad_lines_are_named_with_number_and_reason(tmp_path: Path) -> None:
    file = tmp_path / "bad.smi"
    file.write_text("CCO\nC1CC\n\nCC[Se]C\n" + "c1cccc1\n" * 4 + "CN\n")
    with pytest.raises(DataError) as error:
        CODEC.read(file)
    text = str(error.value)
    assert f"{file}: 7 of 9 lines are no molecules of this model" in text
    assert "line 2, 'C1CC': ring 1 is not closed" in text
    assert "line 3, '': empty" in text
    assert 'line 4, the symbol "[Se]" is not in the vocabulary' in text
    assert "and 2 more" in text


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.sdf").write_text("CC")
    (tmp_path / "empty.smi").write_text("\n\n")
    (tmp_path / "bytes.smi").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "a.smi.gz").write_bytes(b"no gzip")
    (tmp_path / "long.csv").write_text("CCO\n" + "C" * 200_000 + ",x\n")
    for name, text in [
        ("a.sdf", 'not read from ".sdf"'),
        ("none.smi", "no such file"),
        ("empty.smi", "no molecules in it"),
        ("bytes.smi", "cannot be read"),
        ("a.smi.gz", "cannot be read"),
        ("long.csv", r"long\.csv, line 2: no row of a \.csv file"),
    ]:
        with pytest.raises(DataError, match=text):
            CODEC.read(tmp_path / name)


@pytest.mark.parametrize("ending", [".smi", ".txt", ".csv"])
def test_what_is_written_is_read_again(ending: str, tmp_path: Path) -> None:
    x = CODEC.encode(["CCO", "c1ccccc1", "CN"])
    CODEC.write(x, tmp_path / f"out{ending}")
    assert torch.equal(CODEC.read(tmp_path / f"out{ending}").x, x)


def test_pictures_of_molecules_and_of_none(tmp_path: Path) -> None:
    x = CODEC.encode(["CCO", "C1CC", "", "c1ccccc1", "CN", "CC", "CCC"])
    CODEC.write(x, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.size == (5 * 180, 2 * 150)
        ink = picture.convert("L").point(lambda v: 255 * (v < 200))
        assert ink.crop((0, 0, 180, 150)).getbbox()
        assert ink.crop((180, 0, 360, 150)).getbbox()  # says that it is no molecule
        assert ink.crop((720, 150, 900, 300)).getbbox() is None
    CODEC.write(x, tmp_path / "out.svg")
    assert "<svg" in (tmp_path / "out.svg").read_text()
    with pytest.raises(DataError, match="1 to 400 molecules"):
        CODEC.write_strings([], tmp_path / "none.png")
    with pytest.raises(DataError, match=r'not written as "\.pdf"'):
        CODEC.write(x, tmp_path / "out.pdf")
    assert not (tmp_path / "none.png").exists()


# -- SELFIES -------------------------------------------------------------------------------------------------


def test_selfies_round_trip_gives_the_same_molecules() -> None:
    pytest.importorskip("selfies")
    strings = zinc250k("test", n=100, embedded=True).strings
    words = each("selfies", strings)
    codec = Strings("selfies", vocabulary_of("selfies", words), 200)
    assert all(symbol.startswith("[") for symbol in codec.vocabulary)
    x = codec.encode(strings)
    assert each("canonical", codec.decode(x)) == each("canonical", strings)
    random = torch.randint(2, codec.classes, (20, 30))
    assert all(parse(s) is not None for s in codec.decode(random) if s)


def test_selfies_not_installed_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise PluginError('pip install "ebmsuite-molecule[selfies]"')

    monkeypatch.setattr(selfies_words, "library", none)
    with pytest.raises(PluginError, match=r"ebmsuite-molecule\[selfies\]"):
        Strings("selfies", ("[C]",), 9).encode(["C"])
