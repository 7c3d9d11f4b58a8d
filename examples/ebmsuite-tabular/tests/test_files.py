"""Bad files are named with the row and the column; good ones are read in any order of columns."""

from pathlib import Path

import numpy as np
import pytest

from ebmsuite.errors import DataError, MissingData
from ebmsuite.files import find
from ebmsuite_tabular.files import read_table

BAD: dict[str, tuple[str | bytes, str]] = {
    "ragged": ("a,b\n1,2\n3\n", "row 2 has 1 cells and the header 2"),
    "word": ("a,b\n1,2\n3,abc\n", 'row 2, column "b": "abc" is not a finite number'),
    "blank": ("a,b\n1,2\n,4\n", 'row 2, column "a": the cell is empty'),
    "infinite": ("a,b\n1,inf\n3,4\n", 'row 1, column "b": "inf" is not a finite number'),
    "empty": ("", "the file is empty"),
    "header": ("a,b\n", "no rows below the header"),
    "numbers": ("1,2\n3,4\n", "the first line must name the columns"),
    "twice": ("a,a\n1,2\n", 'second column "a"'),
    "nameless": ("a,\n1,2\n", "column 2 without a name"),
    "column": ("a,c\n1,2\n", 'no column "b"; its columns are a, c'),
    "bytes": (b"\xff\xfe\x00a", "not a readable csv file"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_csv_is_named(name: str, tmp_path: Path) -> None:
    text, message = BAD[name]
    path = tmp_path / f"{name}.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=message) as error:
        read_table(path, ("a", "b"))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_csv_columns_by_name_labels_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('﻿b, a ,kind,id\n2,1,"x, y",p\n\n4,3,z,q\n')
    table = read_table(path, ("a", "b"), "kind")
    assert table.names == ("a", "b")
    assert table.values.tolist() == [[1, 2], [3, 4]]
    assert table.labels is not None
    assert table.labels.tolist() == ["x, y", "z"]
    with pytest.raises(DataError, match='column "id": "p"'):
        read_table(path, target="kind")


def test_npz_by_name(tmp_path: Path) -> None:
    path, x = tmp_path / "t.npz", np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    np.savez(path, x=x, y=[0, 1], feature_names=["a", "b"], split=np.array([0, 2], np.uint8))
    table = read_table(path, ("b", "a"), "y")
    assert table.values.tolist() == [[2, 1], [4, 3]]
    assert table.labels is not None
    assert table.labels.tolist() == ["0", "1"]
    assert table.split is not None
    assert table.split.tolist() == [0, 2]
    assert read_table(path, target="b").names == ("a",)
    for columns, target, message in (
        (("c",), None, 'no column "c"'),
        (None, "z", "its arrays are feature_names"),
    ):
        with pytest.raises(DataError, match=message):
            read_table(path, columns, target)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"z": np.zeros((2, 2))}, 'needs an array "x" .*found none'),
        ({"x": np.zeros(3)}, r'needs an array "x" .*found float64 \[3\]'),
        ({"x": np.zeros((0, 2))}, r"found float64 \[0, 2\]"),
        ({"x": np.array([[1.0, np.nan]])}, 'row 1, column "x1": nan is not finite'),
        ({"x": np.zeros((2, 2)), "feature_names": ["a", "a"]}, "2 different names"),
        ({"x": np.zeros((2, 2)), "split": [0, 1, 2]}, r'"split" is \[3\] and must be \[2\]'),
        ({"x": np.zeros((2, 2)), "split": [0, 3]}, "must be 0 .train., 1"),
    ],
)
def test_a_bad_npz_is_named(arrays: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    np.savez(path, allow_pickle=False, **arrays)
    with pytest.raises(DataError, match=message) as error:
        read_table(path)
    assert str(path) in str(error.value)


def test_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.npz").write_bytes(b"PK nothing")
    for path, message in (
        (tmp_path / "broken.npz", "not a readable npz"),
        (tmp_path / "t.xlsx", ".csv or an .npz"),
    ):
        with pytest.raises(DataError, match=message):
            read_table(path)
    monkeypatch.delenv("EBMSUITE_DATA", raising=False)
    with pytest.raises(MissingData, match="EBMSUITE_DATA names no folder"):
        find("tabular/nowhere.npz")
    (tmp_path / "t.csv").write_text("a\n1\n")
    monkeypatch.setenv("EBMSUITE_DATA", str(tmp_path))
    assert find("t.csv") == tmp_path / "t.csv"
    with pytest.raises(MissingData, match=r"nowhere.npz: there is no such file here nor below"):
        find("tabular/nowhere.npz")
