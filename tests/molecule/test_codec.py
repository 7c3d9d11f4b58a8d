"""Strings to tokens and back, and the files of a user."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ebmsuite.dataset import Codec
from ebmsuite.errors import DataError, PluginError, RecipeError
from ebmsuite.pictures.events import draw
from ebmsuite.plugins import conformance
from ebmsuite.space import Batch
from ebmsuite.values import conform, plain
from ebmsuite_molecule import selfies_words
from ebmsuite_molecule.chemistry import parse
from ebmsuite_molecule.codec import Strings, truncated
from ebmsuite_molecule.data import zinc250k
from ebmsuite_molecule.tokens import Tokeniser, encode, split, vocabulary_of
from ebmsuite_molecule.workers import JOBS, each

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


def test_a_row_without_an_end_is_no_molecule_anywhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = torch.tensor([[7, 7, 9], [7, 1, 0], [12, 7, 7], [7, 7, 1]])
    strings = CODEC.decode(rows)
    assert strings == ["CCN…", "C", "cCC…", "CC"]
    assert truncated(strings) == 2
    assert [bool(form) for form in each("canonical", strings)] == [False, True, False, True]
    CODEC.write(rows, tmp_path / "s.smi")
    assert "s.smi: 2 of 4 strings were cut off before their end" in caplog.text
    with pytest.raises(DataError, match=r"line 1, 'CCN…': the character '\\u2026'"):
        CODEC.read(tmp_path / "s.smi")
    caplog.clear()
    CODEC.write(rows[[1, 3]], tmp_path / "s.smi")
    assert not caplog.text


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
    assert "line 4, 'CC[Se]C': the symbol \"[Se]\" is not in the vocabulary" in text
    assert "and 2 more" in text


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.sdf").write_text("CC")
    (tmp_path / "empty.smi").write_text("\n\n")
    (tmp_path / "heading.csv").write_text("smiles,name\n")
    (tmp_path / "none.smi").write_bytes(b"")
    (tmp_path / "utf16.smi").write_bytes("CCO\nCN\n".encode("utf-16"))
    (tmp_path / "utf16.csv").write_bytes("CCO\nCN\n".encode("utf-16-le"))
    (tmp_path / "zero.smi").write_bytes(b"CCO\nC\0C\n")
    (tmp_path / "latin.smi").write_bytes("CCO\r\nCN\r\nCC caf\xe9\r\n".encode("latin-1"))
    (tmp_path / "mac.txt").write_bytes(b"CCO\rCN x\xff\r")
    (tmp_path / "a.smi.gz").write_bytes(b"no gzip")
    (tmp_path / "half.csv.gz").write_bytes(gzip.compress(b"CCO\nCN\n" * 99)[:-9])
    (tmp_path / "packed.smi").write_bytes(gzip.compress(b"CCO\n"))
    (tmp_path / "long.csv").write_text("CCO\n" + "C" * 200_000 + ",x\n")
    (tmp_path / "quote.csv").write_text('CCO,a\nCN,"b\nCC,c\nCO,d\n')
    (tmp_path / "return.smi").write_bytes(b"CCO\nCN\rCC\nCO\n")
    (tmp_path / "folder.smi").mkdir()
    for name, text in [
        ("heading.csv", r"heading\.csv: no molecules in it, only a heading"),
        ("none.smi", "it is empty"),
        ("utf16.smi", r"utf16\.smi: .* UTF-16; save it as UTF-8"),
        ("utf16.csv", r"utf16\.csv, line 1: .* a byte 0; save it as UTF-8"),
        ("zero.smi", r"zero\.smi, line 2: .* a byte 0"),
        ("latin.smi", r"latin\.smi, line 3: .* byte 0xe9 is not UTF-8"),
        ("mac.txt", r"mac\.txt, line 2: .* byte 0xff is not UTF-8"),
        ("half.csv.gz", "cannot be read .*; the file is damaged or incomplete"),
        ("packed.smi", r"let the name end in \.gz"),
        ("quote.csv", r"quote\.csv, line 2: no row of a \.csv file"),
        ("return.smi", r"return\.smi, line 2: a carriage return inside"),
        ("folder.smi", "a folder, not a file"),
        ("a.sdf", 'not read from ".sdf"'),
        ("absent.smi", "no such file"),
        ("empty.smi", "no molecules in it"),
        ("a.smi.gz", "cannot be read"),
        ("long.csv", r"long\.csv, line 2: no row of a \.csv file"),
    ]:
        with pytest.raises(DataError, match=text):
            CODEC.read(tmp_path / name)


def read(path: Path, content: str | bytes) -> list[str]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return CODEC.decode(CODEC.read(path).x)


@pytest.mark.parametrize("content", ["CCO\n\tCN\nCO", "CCO\n CN\nCO", "CCO a\n \t CN b\nCO c", "CCO\tx\n\tCN\nCO\ty"])
def test_an_empty_first_column_is_a_bad_line(content: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1 of 3 lines .* line 2, '': empty"):
        read(tmp_path / "a.smi", content)


@pytest.mark.parametrize("content", ["CCO,1\n,CN\n", "smiles;x\nCCO;1\n;CN\n", "CCO,1\nCC,2\n,CN"])
def test_an_empty_cell_is_a_bad_line_at_the_end_too(content: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line \d, '': empty"):
        read(tmp_path / "a.csv", content)


@pytest.mark.parametrize("odd", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("ending", [".smi", ".csv"])
def test_only_line_feeds_end_a_line(odd: str, ending: str, tmp_path: Path) -> None:
    by = {".smi": "\t", ".csv": ","}[ending]
    assert read(tmp_path / f"a{ending}", f"CCO{by}a{odd}CN\nCC{by}b\n") == ["CCO", "CC"]
    assert read(tmp_path / f"a{ending}", f"CCO{by}a{odd}CN\r\nCC{by}b\r\n") == ["CCO", "CC"]
    with pytest.raises(DataError, match="line 2"):
        read(tmp_path / f"a{ending}", f"CCO\nCC{odd}CN\nCO\n")


def test_a_file_of_carriage_returns_has_lines(tmp_path: Path) -> None:
    assert read(tmp_path / "a.smi", "CCO a\rCN b\r") == ["CCO", "CN"]
    assert read(tmp_path / "a.csv", "name,smiles\ra,CCO\rb,CN\r") == ["CCO", "CN"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "name,smiles\nethanol,CCO\nN,CN\n"),
        ("a.csv", "N,Canonical SMILES,x\n1,CCO,5\n2,CN,6\n"),  # N is ammonia, and a heading
        ("a.csv", "id;SMILES;logP\nC1;CCO;0,3\nC2;CN;0,4\n"),
        ("a.csv", "CCO;0,3\nCN;0,4\n"),
        ("a.csv", "id\tisomeric_smiles\n1\tCCO\n2\tCN\n"),
        ("a.tsv", "id\tsmi\n1\tCCO\n2\tCN\n"),
        ("a.tsv", "CCO\tethanol\nCN\t\n"),
        ("a.smi", "name\tsmiles\nethyl alcohol\tCCO\nx\tCN\n"),
        ("a.txt", "name SMILES\nethanol CCO\nx CN\n"),
        ("a.smi", "CCO mol 1\nCN mol 2\n"),  # a name, and no heading
        ("a.smi", "CCO smi\nCN smi\n"),
        ("a.csv", "canonical_smiles,smiles\nOCC,CCO\nNC,CN\n"),
        ("a.csv", 'mol,name\nCCO,"two\nlines"\nCN,x\n,\n'),
    ],
)
def test_the_column_is_found_by_its_heading(name: str, content: str, tmp_path: Path) -> None:
    assert read(tmp_path / name, content) == ["CCO", "CN"]


def test_a_separator_too_many_is_a_bad_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1 of 2 lines .* line 3, 3 columns, the first line has 2"):
        read(tmp_path / "a.csv", "name,smiles\nx,CCO\n1,1-C,CN\n")
    with pytest.raises(DataError, match=r"1 of 2 lines .* line 3, 3 columns, the first line has 2"):
        read(tmp_path / "a.txt", "name smiles\nx CCO\ncarbon C CN\n")
    with pytest.raises(DataError, match="columns 1 and 3 are both called"):
        read(tmp_path / "a.csv", "smiles,x,SMILES\nCCO,1,CN\n")


@pytest.mark.parametrize(
    ("name", "content", "where"),
    [
        ("a.csv", "title,structural\nethanol,CCO\nname,CN\n", "column 1, columns separated by commas"),
        ("a.csv", "a;b\nethanol;CCO\nname;CN\n", "column 1, columns separated by commas"),
        ("a.smi", "ethanol CCO\nname CN\n", "column 1, columns separated by blanks"),
        ("a.txt", "CCO,ethanol\nCN,name\n", "column 1, columns separated by blanks"),
        ("a.tsv", "smiles\tmol\nmethane\tC\nethane\tCC\n", r'column 1 \("smiles"\), columns separated by tabs'),
    ],
)
def test_a_wrong_column_is_said_to_be_one(name: str, content: str, where: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"line 2, .* read from {where}\. If this is the wrong column") as error:
        read(tmp_path / name, content)
    assert "skip" not in str(error.value)


def test_a_column_of_selfies_is_read_as_selfies(tmp_path: Path) -> None:
    pytest.importorskip("selfies")
    assert read(tmp_path / "a.csv", "id,SELFIES\n1,[C][C][O]\n2,[C][N]\n") == ["CCO", "CN"]
    with pytest.raises(DataError, match=r"line 3, 'CN': no SELFIES; line 4, '\[foo\]': no SELFIES; line 5, '': no"):
        read(tmp_path / "a.csv", "id,selfies\n1,[C][C][O]\n2,CN\n3,[foo]\n4,\n")


@pytest.mark.parametrize("smiles", ["C" * 20_000, "C(" * 9_000 + "C" + ")" * 9_000, "C1CC1" * 4_000, "c1ccccc1" * 600])
def test_strings_too_long_for_rdkit_are_named_and_end_no_process(smiles: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2, '.*\.\.\.': [\d,]+ characters, of at most 2,000"):
        read(tmp_path / "a.smi", f"CCO\n{smiles}\n")
    for job in JOBS:
        if job not in ("anatomy", "selfies"):
            assert not each(job, [smiles])[0]


@pytest.mark.parametrize("smiles", ["*", "*C", "[*:1]CC", "[#0]C", "C~C", "CCé", "C\u2026", "C\xa0"])
def test_what_rdkit_takes_for_a_molecule_and_is_none_is_a_bad_line(smiles: str, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"1 of 2 lines .* line 2, .*(dummy atom|any order|which no SMILES has|a blank inside)"
    ):
        read(tmp_path / "a.smi", f"CCO\n{smiles}\n")


@pytest.mark.parametrize("ending", [".smi", ".txt", ".csv"])
def test_what_is_written_is_read_again(ending: str, tmp_path: Path) -> None:
    x = CODEC.encode(["CCO", "c1ccccc1", "CN"])
    CODEC.write(x, tmp_path / f"out{ending}")
    assert torch.equal(CODEC.read(tmp_path / f"out{ending}").x, x)


def test_a_table_keeps_the_facts_of_its_rows(tmp_path: Path) -> None:
    x = CODEC.encode(["CCO", "CN"])
    meta = {"name": np.array(["ethanol", "amine, simple"]), "number": np.array([7, 9])}
    CODEC.write(x, tmp_path / "out.csv", Batch(torch.empty(2, 0), meta=meta))
    assert (tmp_path / "out.csv").read_text() == 'smiles,name,number\nCCO,ethanol,7\nCN,"amine, simple",9\n'
    assert torch.equal(CODEC.read(tmp_path / "out.csv").x, x)
    CODEC.write(x, tmp_path / "out.smi", Batch(torch.empty(2, 0), meta=meta))
    assert (tmp_path / "out.smi").read_text() == "CCO\nCN\n"


def test_molecules_are_drawn_one_by_one() -> None:
    x = CODEC.encode(["CCO", "c1ccccc1", "CCO"])
    drawn = draw(CODEC, x)
    assert drawn.shape == (3, 150, 180, 3)
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[1:2], draw(CODEC, x[1:2]))
    red = (drawn[0, ..., 0] > 200) & (drawn[0, ..., 1:].amax(-1) < 60)  # the oxygen
    assert red.any()
    broken = draw(CODEC, x[:1, :1])  # cut off before its end: no molecule
    assert broken.shape == (1, 150, 180, 3)
    assert (broken < 255).any()
    conformance._pictures_are_sound(CODEC, Batch(x))


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
    random = torch.nn.functional.pad(torch.randint(2, codec.classes, (20, 30)), (0, 1), value=1)
    assert all(parse(s) is not None for s in codec.decode(random) if s)
    assert not any(each("canonical", codec.decode(random[:, :-1])))  # cut off


def test_selfies_not_installed_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise PluginError('pip install "ebmsuite-molecule[selfies]"')

    monkeypatch.setattr(selfies_words, "library", none)
    with pytest.raises(PluginError, match=r"ebmsuite-molecule\[selfies\]"):
        Strings("selfies", ("[C]",), 9).encode(["C"])
