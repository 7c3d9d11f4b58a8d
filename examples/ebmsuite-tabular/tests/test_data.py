"""Splits are disjoint and repeatable, train is normal and standardised, the codec goes there and back."""

import os
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from ebmsuite.errors import DataError, RecipeError
from ebmsuite.space import Batch
from ebmsuite_tabular.codec import Columns
from ebmsuite_tabular.data import Table, breast_cancer, split_rows

SPLITS: tuple[Literal["train", "valid", "test"], ...] = ("train", "valid", "test")


def test_breast_cancer_is_split_70_10_20_of_the_benign() -> None:
    parts = [Table(split) for split in SPLITS]
    assert [(len(t), int(t.anomalous.sum())) for t in parts] == [(250, 0), (107, 71), (212, 141)]
    rows = torch.cat([t.rows for t in parts]).tolist()
    assert sorted(rows) == list(range(569))
    labels = breast_cancer().labels
    assert labels is not None
    for t in parts:
        assert (labels[t.rows.numpy()] == "malignant").tolist() == t.anomalous.tolist()
    assert torch.equal(Table("test").rows, parts[2].rows)
    assert not torch.equal(Table("test", seed=1).rows, parts[2].rows)
    assert parts[0].rows[:4].tolist() == Table("train").rows[:4].tolist()


def test_statistics_are_those_of_train() -> None:
    train, test = Table("train"), Table("test")
    torch.testing.assert_close(train.x.mean(0), torch.zeros(30), atol=1e-5, rtol=0)
    torch.testing.assert_close(train.x.std(0, correction=0), torch.ones(30), atol=1e-5, rtol=0)
    assert train.codec == test.codec
    assert train.event.shape == (30,)
    assert train.condition is None


def test_a_file_decides_where_it_has_a_split() -> None:
    anomalous = np.array([False, True, False, True, False, True])
    parts = split_rows(anomalous, 0, np.array([0, 0, 1, 1, 2, 2]))
    assert [sorted(part.tolist()) for part in parts] == [[0], [2, 3], [4, 5]]


def test_anomalous_rows_that_a_file_puts_into_train_are_named(tmp_path: Path) -> None:
    arrays = {"x": np.arange(12.0).reshape(6, 2), "y": [0, 1, 0, 1, 0, 1], "split": [0, 0, 1, 1, 2, 2]}
    np.savez(tmp_path / "t.npz", allow_pickle=False, **arrays)
    for split in SPLITS:
        table = Table(split, str(tmp_path / "t.npz"), "y", 1)
        assert table.skipped == {"anomalous rows of train": ["row 2"]}
    arrays["x"][0, 0] = np.nan
    arrays |= {
        "x": np.concatenate([arrays["x"], arrays["x"][2:]]),
        "y": [0, 1] * 5,
        "split": [0, 0, 0, 1, 1, 2, 0, 1, 2, 2],
    }
    np.savez(tmp_path / "t.npz", allow_pickle=False, **arrays)
    table = Table("train", str(tmp_path / "t.npz"), "y", 1, invalid="skip")
    assert table.skipped == {
        "rows with a cell that is no number": ["row 1"],
        "anomalous rows of train": ["row 2"],
    }
    assert sorted(table.rows.tolist()) == [2, 6]
    assert Table("train").skipped == {}
    with pytest.raises(RecipeError, match="invalid: without a path"):
        Table("train", invalid="skip")


@pytest.mark.parametrize("label", ["Bad", "b ad", "BA\N{FULLWIDTH LATIN CAPITAL LETTER D}"])
def test_labels_that_are_almost_the_anomaly_are_an_error(label: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "a,kind\n" + "".join(f"{i},{'good' if i % 4 else 'bad'}\n" for i in range(40)) + f"1,{label}\n"
    )
    with pytest.raises(DataError, match=f'rows have the label "{label}", which is like the anomaly "bad"'):
        Table("train", str(path), "kind", "bad")
    path.write_text(path.read_text().replace(label, "not so good").replace("bad", "not good"))
    assert int(Table("test", str(path), "kind", " not good").anomalous.sum()) == 7


def test_settings_and_labels_that_make_no_sense(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "a,kind,id\n" + "".join(f"{i},{'bad' if i % 4 == 0 else 'good'},r{i}\n" for i in range(40))
    )
    table = Table("test", str(path), "kind", "bad", ("a",))
    assert (len(table), int(table.anomalous.sum())) == (13, 7)
    with pytest.raises(DataError, match='no row has the label "worse"; the labels are bad, good'):
        Table("test", str(path), "kind", "worse", ("a",))
    with pytest.raises(DataError, match='row 1, column "id"'):
        Table("test", str(path), "kind", "bad")
    with pytest.raises(RecipeError, match="anomaly: name the target"):
        Table("test", str(path), None, "bad")
    with pytest.raises(RecipeError, match="target and columns: without a path"):
        Table("test", target="colour")
    path.write_text("a\n1\n2\n")
    with pytest.raises(DataError, match="no normal row is left for"):
        Table("train", str(path))


@pytest.mark.parametrize("ending", ["csv", "npz"])
def test_codec_there_and_back(ending: str, tmp_path: Path) -> None:
    data = Table("valid")
    assert isinstance(data.codec, Columns)
    data.codec.write(data.x, tmp_path / f"t.{ending}")
    back = data.codec.read(tmp_path / f"t.{ending}")
    torch.testing.assert_close(back.x, data.x, atol=2e-5, rtol=1e-5)
    assert back.index is not None
    assert back.index.tolist() == list(range(len(data)))
    values = data.codec.original(data.x)
    np.testing.assert_allclose(values, breast_cancer().values[data.rows.numpy()], rtol=1e-4, atol=1e-5)


def test_a_table_keeps_the_facts_of_its_rows(tmp_path: Path) -> None:
    codec = Columns.fitted(("a", "b"), np.array([[1.0, 5.0], [3.0, 7.0]]))
    x = codec.standardised(np.array([[1.0, 5.0], [3.0, 6.0]]))
    meta = {"patient": np.array(["x1", "x2"]), "visit": np.array([1, 4])}
    codec.write(x, tmp_path / "t.csv", Batch(torch.empty(2, 0), meta=meta))
    assert (tmp_path / "t.csv").read_text().splitlines() == ["a,b,patient,visit", "1,5,x1,1", "3,6,x2,4"]
    torch.testing.assert_close(codec.read(tmp_path / "t.csv").x, x)


def test_codec_refuses(tmp_path: Path) -> None:
    codec = Columns.fitted(("a", "b"), np.array([[1.0, 5.0], [3.0, 5.0]]))
    assert codec == Columns(("a", "b"), (2.0, 5.0), (1.0, 1.0))
    with pytest.raises(DataError, match=r"as .csv or .npz"):
        codec.write(torch.zeros(1, 2), tmp_path / "t.xlsx")
    with pytest.raises(DataError, match="cannot be written"):
        codec.write(torch.zeros(1, 2), Path(__file__) / "t.csv")
    with pytest.raises(RecipeError, match="equally many"):
        Columns(("a",), (0.0,), (0.0,))


@pytest.mark.skipif(
    not Path(os.environ.get("EBMSUITE_DATA", "-"), "tabular/magic_gamma.npz").is_file(),
    reason="no shared data",
)
def test_shared_tables() -> None:
    parts = [Table(split, "tabular/magic_gamma.npz", "y", 0) for split in SPLITS]
    assert [len(t) for t in parts[1:]] == [1902, 1902]
    assert not parts[0].anomalous.any()
    assert 0.3 < float(parts[2].anomalous.float().mean()) < 0.4
    assert [len(Table(split, "tabular/protein_casp.npz", "y")) for split in SPLITS] == [36584, 4573, 4573]
