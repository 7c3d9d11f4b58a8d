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
    "latin": ("a,b,größe\n1,2,3\n".encode("latin-1"), "not a readable csv file .*save it as UTF-8"),
    "semicolons": ("a;b\n1,5;2,5\n", "the columns are separated by semicolons; separate them by commas"),
    "quoted": ('"a";"b"\n"1";"2"\n', "the columns are separated by semicolons"),
    "tabs": ("a\tb\n1\t2\n", "the columns are separated by tabs"),
    "comma": ("a,b\n1,5,2,5\n", "row 1 has 4 cells and the header 2; write numbers with a point"),
    "quoted comma": ('a,b\n"1,5",2\n', '"1,5" is not a finite number; write it with a point'),
    "thousands": ('a,b\n1,"1,234.5"\n', '"1,234.5" is not a finite number; .*without commas'),
    "underscore": ("a,b\n1_000,2\n", '"1_000" is not a finite number'),
    "no cell": ("a,b\n1,2\n,\n", 'row 2, column "a": the cell is empty'),
    "nan": ("a,b\n1,NaN\n", 'row 1, column "b": "NaN" is not a finite number'),
    "na": ("a,b\n1,N/A\n3,4\nnull,?\n", 'row 1, column "b": "N/A" is not .*and 1 more rows.*"invalid: skip"'),
    "same name": ("a,b, a\n1,2,3\n", 'second column "a"'),
    "same letters": ("a,b,e\u0301,\u00e9\n1,2,3,4\n", "second column"),
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


def test_what_is_left_out_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.CSV"
    path.write_text(
        '\na,b,id,kind\n1,2,"x\n\ny",good\n\n3,NA,q,good\n   \n5,6,r,\n7,inf,s,\n8,9,t, bad \n\n\n'
    )
    table = read_table(path, ("a", "b"), "kind", "skip")
    assert table.values.tolist() == [[1, 2], [8, 9]]
    assert table.rows.tolist() == [0, 4]
    assert table.labels is not None
    assert table.labels.tolist() == ["good", "bad"]
    assert table.skipped == {
        "blank lines": ["line 1", "line 6", "line 8"],
        "columns that are not learned": ["id"],
        "rows with a cell that is no number": ["row 2", "row 4"],
        "rows without a label": ["row 3"],
    }
    with pytest.raises(DataError, match=r'row 2, column "b": "NA" is not .* \(and 2 more rows\)'):
        read_table(path, ("a", "b"), "kind")
    with pytest.raises(DataError, match='row 3, column "kind": the label is ""'):
        read_table(path, ("a",), "kind")
    arrays = {"x": np.array([[1, 2], [np.nan, 3], [4, 5]]), "y": [1.0, 0.0, np.nan], "note": np.zeros(7)}
    np.savez(tmp_path / "t.npz", allow_pickle=False, **arrays)
    table = read_table(tmp_path / "t.npz", ("x0",), "y", "skip")
    assert (table.values.tolist(), table.rows.tolist()) == ([[1]], [0])
    assert table.skipped == {
        "columns that are not learned": ["x1"],
        "arrays that are not read": ["note"],
        "rows with a cell that is no number": ["row 2"],
        "rows without a label": ["row 3"],
    }


def test_names_and_labels_of_bytes_and_of_either_composition(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "t.npz",
        x=np.ones((2, 2)),
        feature_names=np.array([b"a ", b"b"]),
        y=np.array([b"u", b"v "]),
    )
    table = read_table(tmp_path / "t.npz", ("a", "b"), "y")
    assert table.labels is not None
    assert table.labels.tolist() == ["u", "v"]
    (tmp_path / "t.csv").write_text("e\u0301,b\n1,2\n", encoding="utf-8")
    assert read_table(tmp_path / "t.csv", ("\u00e9",)).values.tolist() == [[1]]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"z": np.zeros((2, 2))}, 'needs an array "x" .*found none'),
        ({"x": np.zeros(3)}, r'needs an array "x" .*found float64 \[3\]'),
        ({"x": np.zeros((0, 2))}, r"found float64 \[0, 2\]"),
        ({"x": np.array([[1.0, np.nan]])}, 'row 1, column "x1": "nan" is not a finite number'),
        ({"x": np.zeros((2, 2)), "feature_names": ["a", "a"]}, "2 different names"),
        ({"x": np.zeros((2, 2)), "split": [0, 1, 2]}, r'"split" is \[3\] and must be \[2\]'),
        ({"x": np.zeros((2, 2)), "split": [0, 3]}, "must be 0 .train., 1"),
        ({"x": np.zeros((2, 2)), "split": [0.5, 1.0]}, "must be 0 .train., 1"),
        ({"x": np.zeros((2, 2)), "split": [True, False]}, "must be 0 .train., 1"),
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
