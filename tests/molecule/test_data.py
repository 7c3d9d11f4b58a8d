"""Data sets of molecules: embedded, public and a user's own."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import torch

from ebmsuite.dataset import Dataset
from ebmsuite.errors import DataError, MissingData, RecipeError
from ebmsuite.experiment.provenance import describe, describe_stream, line
from ebmsuite.values import plain
from ebmsuite_molecule.codec import Strings
from ebmsuite_molecule.data import Molecules, moses, qm9, smiles_file, zinc250k
from ebmsuite_molecule.workers import each


def everything(dataset: Molecules) -> torch.Tensor:
    index = torch.arange(len(dataset))
    return dataset.batch(index, torch.zeros_like(index)).x


def codec_of(dataset: Molecules) -> Strings:
    assert isinstance(dataset.codec, Strings)
    return dataset.codec


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An EBMSUITE_DATA with an empty folder molecule."""
    (tmp_path / "data" / "molecule").mkdir(parents=True)
    monkeypatch.setenv("EBMSUITE_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "molecule"


def store(path: Path, strings: list[str]) -> None:
    path.write_bytes(gzip.compress(("\n".join(strings) + "\n").encode()))


# -- zinc ----------------------------------------------------------------------------------------------------


def test_the_embedded_part_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EBMSUITE_DATA", raising=False)
    train, valid, test = (zinc250k(s) for s in ("train", "valid", "test"))
    assert [len(d) for d in (train, valid, test)] == [50_000, 5_000, 5_000]
    assert train.note == "50,000 of 220,010 training molecules"
    assert valid.note == "5,000 of 24,445 validation molecules"
    assert test.note == ""
    assert len({*train.strings, *valid.strings, *test.strings}) == 60_000
    assert codec_of(train) == codec_of(valid) == codec_of(test)
    assert isinstance(train, Dataset)
    assert (train.event.shape, train.event.kind) == ((None,), "tokens")
    assert train.event.classes == codec_of(train).classes == int(everything(train).max()) + 1
    assert int(train.lengths.max()) == codec_of(train).longest == train.event.longest
    assert describe({"data": train}, None)["codec"]["longest"] == codec_of(train).longest


def test_a_batch_is_as_wide_as_its_longest_row() -> None:
    dataset = zinc250k("test", embedded=True)
    index = torch.tensor([7, 7, 3, 900])
    batch = dataset.batch(index, torch.zeros(4))
    assert batch.x.dtype == torch.int64
    assert batch.x.shape == (4, int(dataset.lengths[index].max()))
    assert batch.index is index
    assert batch.condition is None
    assert codec_of(dataset).decode(batch.x) == [dataset.strings[i] for i in index.tolist()]
    assert ((batch.x == 1).sum(1) == 1).all()
    after = (batch.x == 1).cumsum(1).bool() & (batch.x != 1)
    assert (batch.x[after] == 0).all()
    assert (batch.x[~after] > 0).all()


def test_the_first_n_have_the_vocabulary_of_all() -> None:
    few, all_ = zinc250k("train", n=50, embedded=True), zinc250k("train", embedded=True)
    assert few.strings == all_.strings[:50]
    assert codec_of(few) == codec_of(all_)
    assert few.note == "50,000 of 220,010 training molecules, the first 50 of 50,000"
    for bad in ({"split": "val"}, {"n": 0}, {"properties": ("qed", "qed")}):
        with pytest.raises(RecipeError):
            zinc250k(**bad, embedded=True)


def test_properties_are_standardised_by_the_training_set() -> None:
    train = zinc250k("train", properties=("weight", "logp"), n=200, embedded=True)
    test = zinc250k("test", properties=("weight", "logp"), n=50, embedded=True)
    assert train.condition is not None
    assert train.condition.shape == (2,)
    known = train.batch(torch.arange(200), torch.zeros(200)).condition
    assert isinstance(known, torch.Tensor)
    assert known.dtype == torch.float32
    assert known.mean(0).abs().max() < 1e-5
    assert (known.std(0, correction=0) - 1).abs().max() < 1e-5
    codec = codec_of(test)
    first = test.batch(torch.tensor([0]), torch.zeros(1)).condition
    assert isinstance(first, torch.Tensor)
    logp = each("logp", test.strings[:1])[0]
    assert float(first[0, 1]) * codec.sds[1] + codec.means[1] == pytest.approx(logp, abs=1e-4)
    assert codec.means != codec_of(train).means  # of the first 50 training molecules
    assert plain(codec)["properties"] == ["weight", "logp"]


def test_the_whole_is_used_where_it_is(data: Path) -> None:
    strings = zinc250k("test", embedded=True).strings
    store(data / "zinc250k.train.smi.gz", strings[:300])
    store(data / "zinc250k.valid.smi.gz", strings[300:340])
    with pytest.raises(DataError, match=r"zinc250k\.test\.smi\.gz is not there"):
        zinc250k("train")
    assert len(zinc250k("train", embedded=True)) == 50_000
    store(data / "zinc250k.test.smi.gz", strings[340:360])
    assert len(zinc250k("train")) == 300
    assert zinc250k("test").strings == strings[340:360]
    assert len(zinc250k("train", embedded=True)) == 50_000


def test_what_train_has_not_is_left_out_and_counted(data: Path) -> None:
    store(data / "zinc250k.train.smi.gz", ["CCO", "CCN"])
    store(data / "zinc250k.valid.smi.gz", ["CNO", "CS", "CCCCC"])
    store(data / "zinc250k.test.smi.gz", ["C"])
    valid = zinc250k("valid")
    assert valid.strings == ["CNO"]
    assert valid.note == "3 of 24,445 validation molecules"
    assert valid.skipped == {
        "with a symbol that no training molecule has": ["molecule 2 of valid"],
        "longer than every training molecule": ["molecule 3 of valid"],
    }
    assert line("valid", describe_stream(valid)) == (
        "valid: 1 examples (3 of 24,445 validation molecules); "
        "skipped 1 with a symbol that no training molecule has (molecule 2 of valid), "
        "1 longer than every training molecule (molecule 3 of valid)"
    )


# -- moses and qm9 -------------------------------------------------------------------------------------------


def test_moses_valid_is_carved_off_train(data: Path) -> None:
    strings = zinc250k("train", n=400, embedded=True).strings
    store(data / "moses.train.smi.gz", strings[:300])
    store(data / "moses.test.smi.gz", strings[300:350])
    store(data / "moses.test_scaffolds.smi.gz", strings[350:])
    train, valid = moses("train"), moses("valid")
    assert (len(train), len(valid)) == (270, 30)
    assert sorted(train.strings + valid.strings) == sorted(strings[:300])
    assert moses("valid").strings == valid.strings
    assert len(moses("test")) + len(moses("test_scaffolds")) <= 100
    assert train.note == ""
    with pytest.raises(RecipeError, match="test_scaffolds"):
        moses("scaffolds")  # type: ignore[arg-type]


def test_qm9_is_cut_with_a_seed(data: Path) -> None:
    strings = zinc250k("train", n=100, embedded=True).strings
    store(data / "qm9.smi.gz", strings)
    parts = [qm9(s, "characters") for s in ("train", "valid", "test")]
    assert len(parts[0]) == 80
    assert set(parts[0].strings).isdisjoint(parts[1].strings + parts[2].strings)
    assert parts[0].strings != sorted(parts[0].strings, key=strings.index)


def test_missing_data_say_where_they_must_lie(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingData, match=r"molecule/moses is not on this machine: put molecule/moses.train.smi.gz"):
        moses()
    monkeypatch.delenv("EBMSUITE_DATA")
    with pytest.raises(MissingData, match=r"molecule/qm9.smi.gz.*EBMSUITE_DATA"):
        qm9()
    monkeypatch.setenv("EBMSUITE_DATA", str(data / "nowhere"))
    with pytest.raises(DataError, match="not a folder"):
        zinc250k()


def test_a_damaged_file_is_named(data: Path) -> None:
    (data / "qm9.smi.gz").write_bytes(b"no gzip")
    with pytest.raises(DataError, match=r"qm9.smi.gz: it cannot be read"):
        qm9()
    (data / "qm9.smi.gz").write_bytes(gzip.compress("CCO\nCé\n".encode()))
    with pytest.raises(DataError, match=r"qm9.smi.gz, line 2: .* byte 0xc3 is not ASCII"):
        qm9()


# -- a user's file -------------------------------------------------------------------------------------------


def test_copies_of_a_molecule_come_into_the_same_split(tmp_path: Path) -> None:
    strings = zinc250k("test", n=60, embedded=True).strings
    file = tmp_path / "mine.smi"
    file.write_text("\n".join([*strings, *strings[:20], "OCC", "CCO"]))
    parts = [smiles_file(str(file), s) for s in ("train", "valid", "test")]
    left_out = [len(names) for p in parts for names in p.skipped.values()]
    assert sum(map(len, parts)) + sum(left_out) == 82
    assert all(p.note == "" for p in parts)
    forms = [set(each("canonical", p.strings)) for p in parts]
    assert all(a.isdisjoint(b) for a, b in ((forms[0], forms[1]), (forms[0], forms[2]), (forms[1], forms[2])))
    assert 55 <= sum(map(len, forms)) <= 61
    assert len(forms[0]) == 49
    other = smiles_file(str(file), "train", seed=1)
    assert set(other.strings) != set(parts[0].strings)


def test_bad_lines_stop_or_are_told(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("smiles,y\nCCO,1\nC1CC,2\nCCN,3\nCCC,4\n,5\nCCCO,5\n")
    with pytest.raises(DataError, match=r"2 of 6 lines .* line 3, 'C1CC': ring 1 is not closed; line 6, '': empty"):
        smiles_file(str(file))
    train = smiles_file(str(file), invalid="skip")
    assert train.note == ""
    assert train.skipped["that are no molecules"] == ["line 3", "line 6"]
    assert line("data", describe_stream(train)).endswith("skipped 2 that are no molecules (line 3, line 6)")
    assert sum(len(smiles_file(str(file), s, invalid="skip")) for s in ("train", "valid", "test")) <= 4
    with pytest.raises(MissingData, match="no such file"):
        smiles_file(str(tmp_path / "none.smi"))
    (tmp_path / "two.smi").write_text("CC\nCO\n")
    with pytest.raises(DataError, match="cannot be cut into three"):
        smiles_file(str(tmp_path / "two.smi"))


def test_a_column_is_named_or_numbered(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("smiles,Product,x\nC,CCO,1\nCC,CCN,2\nCCC,CCCO,3\nCCCC,CCCN,4\n")
    everything = {"CCO", "CCN", "CCCO", "CCCN"}
    for column in ("product", "Product", 2):
        parts = [smiles_file(str(file), s, column=column, tokeniser="characters") for s in ("train", "valid", "test")]
        assert {s for p in parts for s in p.strings} <= everything
        assert len(parts[0]) == 2
    assert {*smiles_file(str(file)).strings} <= {"C", "CC", "CCC", "CCCC"}
    with pytest.raises(
        DataError, match='no column "educt"; the first line, separated by commas, has: smiles, Product, x'
    ):
        smiles_file(str(file), column="educt")
    for number in (0, 4):
        with pytest.raises(DataError, match=f"no column {number}: the first line has 3, separated by commas"):
            smiles_file(str(file), column=number)
    bare = tmp_path / "bare.smi"
    bare.write_text("a CCO\nb CCN\nc CCCO\n")
    assert {*smiles_file(str(bare), column=2).strings} <= {"CCO", "CCN", "CCCO"}


def test_the_wrong_column_is_never_learned_from(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("name,structural formula\n" + "".join(f"mol{i},{'C' * i}O\n" for i in range(1, 30)) + "C,CCN\n" * 3)
    with pytest.raises(DataError, match=r"30 of 33 lines .* read from column 1, columns separated by commas") as error:
        smiles_file(str(file))
    assert "skip" not in str(error.value)
    with pytest.raises(DataError, match="If this is the wrong column"):
        smiles_file(str(file), invalid="skip")
    assert len(smiles_file(str(file), column="structural formula")) > 20
    for content in ("name;x\n" + "water;1\nsugar;2\nlead;3\n", "id smile_string\n1 CC\n2 CN\n3 CO\n"):
        other = tmp_path / "other.txt"
        other.write_text(content)
        with pytest.raises(DataError, match="wrong column"):
            smiles_file(str(other), invalid="skip")


def test_a_digest_is_of_strings_in_order_and_of_properties(tmp_path: Path) -> None:
    codec = Strings("atoms", ("C", "N", "O"), 9)
    assert Molecules(["CO", "CN"], codec).digest() == Molecules(["CO", "CN"], codec).digest()
    with_values = Strings("atoms", ("C", "N", "O"), 9, ("logp",), (0.0,), (1.0,))
    digests = {
        Molecules(["CO", "CN"], codec).digest(),
        Molecules(["CN", "CO"], codec).digest(),
        Molecules(["CO"], codec).digest(),
        Molecules(["CO", "NC"], codec).digest(),
        Molecules(["CO", "CN"], with_values, torch.tensor([[1.0], [2.0]]).double()).digest(),
        Molecules(["CO", "CN"], with_values, torch.tensor([[1.0], [2.5]]).double()).digest(),
    }
    assert len(digests) == 6


@pytest.mark.parametrize("content", ["CCO\nCN name\nC\n", "CCO\n\nC\n", "CCO\nC\x0bN\nC\n", "CCO\n CC\n"])
def test_a_public_file_has_one_smiles_per_line(content: str, data: Path) -> None:
    (data / "qm9.smi.gz").write_bytes(gzip.compress(content.encode()))
    with pytest.raises(DataError, match=r"qm9\.smi\.gz, line 2: .* is not one SMILES"):
        qm9()


def test_selfies_data(tmp_path: Path) -> None:
    pytest.importorskip("selfies")
    file = tmp_path / "mine.smi"
    file.write_text("\n".join(zinc250k("test", n=50, embedded=True).strings))
    train = smiles_file(str(file), tokeniser="selfies")
    assert each("canonical", codec_of(train).decode(everything(train))) == each("canonical", train.strings)
