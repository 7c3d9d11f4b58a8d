"""Files of tracks and the windows cut from them."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from ebmsuite.errors import DataError, UserError
from ebmsuite_trajectory.baselines import constant_velocity
from ebmsuite_trajectory.data.ethucy import eth_ucy
from ebmsuite_trajectory.tracks import Windows, cut_windows, last_windows, read_tracks

ROWS = "".join(f"{10 * t}\t{a}\t{a + 0.5 * t}\t{2.0 * a}\n" for t in range(25) for a in (1.0, 2.0))


def write(folder: Path, text: str, name: str = "tracks.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("four.txt", ROWS),
        (
            "named.csv",
            "y,x,ped_id,frame\n" + "".join(f"{2 * a},{a + t / 2},{a},{10 * t}\n" for a in (1, 2) for t in range(25)),
        ),
        ("semicolons.csv", "Frame ID;Track-ID;X;Y\n" + ROWS.replace("\t", ";")),
        ("obsmat.txt", "".join(f"{10 * t} {a}.0 {a + 0.5 * t} 0 {2.0 * a} 0 0 0\n" for t in range(25) for a in (1, 2))),
        ("windows.txt", ROWS.replace("\n", "\r\n")),
        ("unsorted.txt", "".join(reversed(ROWS.splitlines(keepends=True)))),
    ],
)  # fmt: skip
def test_layouts_give_the_same_tracks(tmp_path: Path, name: str, text: str) -> None:
    tracks = read_tracks(write(tmp_path, text, name))
    assert sorted(set(tracks.agent.tolist())) == ["1", "2"]
    assert tracks.frame[:25].tolist() == [10 * t for t in range(25)]
    np.testing.assert_allclose(tracks.xy[25:], [(2 + 0.5 * t, 4.0) for t in range(25)])
    assert tracks.frame_step == 10


def test_columns_can_be_named_and_numbered(tmp_path: Path) -> None:
    path = write(tmp_path, "id,when,a,b\n7,0,1.0,2.0\n7,1,1.5,2.0\n", "odd.csv")
    assert read_tracks(path, columns="when id a b").xy.tolist() == [[1.0, 2.0], [1.5, 2.0]]
    assert read_tracks(path, columns="2 1 3 4").agent.tolist() == ["7", "7"]
    with pytest.raises(DataError, match=r'no column "c" \(it has: id, when, a, b\)'):
        read_tracks(path, columns="when id a c")


def test_a_compressed_file(tmp_path: Path) -> None:
    path = tmp_path / "tracks.txt.gz"
    path.write_bytes(gzip.compress(ROWS.encode()))
    assert len(read_tracks(path).frame) == 50


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("30\t1\tnan\t2", "line 51: the position"),
        ("30\t1\tinf\t2", "line 51: the position"),
        ("30\t9\tx\t2", "line 51: the position"),
        ("30.5\t9\t1\t2", "line 51: the frame"),
        ("30\t\t1\t2", "line 51: the agent is empty"),
        ("30\t9", "line 51: too few columns"),
        ("30\t1\t1\t2", "line 51: a second position of agent 1 at frame 30, after line 7"),
        ("30\t1.0\t1\t2", "line 51: a second position of agent 1 at frame 30"),
    ],
)
def test_a_bad_row_is_named_or_skipped(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path, ROWS + line + "\n")
    with pytest.raises(DataError, match=message):
        read_tracks(path)
    tracks = read_tracks(path, invalid="skip")
    assert len(tracks.frame) == 50
    assert [*tracks.skipped.values()] == [["line 51"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no tracks in it; it is empty"),
        ("frame,id,x,y\n", "only a heading"),
        ("frame,id,x\n1,2,3\n", 'no column for "y"'),
        ("1 2 3\n", "3 columns without a heading"),
        ("frame,id,x,y\na,b,c,d\n", "no row is a position of an agent; line 2: the frame"),
    ],
)
def test_a_file_without_tracks_is_one_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_tracks(write(tmp_path, text, "bad.csv"))


def test_units(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, ROWS)
    np.testing.assert_allclose(read_tracks(path, "feet").xy, 0.3048 * read_tracks(path).xy)
    np.testing.assert_allclose(read_tracks(path, "pixels", 0.02).xy, 0.02 * read_tracks(path).xy)
    with pytest.raises(UserError, match="metres_per_pixel"):
        read_tracks(path, "pixels")
    assert "faster than" not in caplog.text
    read_tracks(path, seconds=0.01)
    assert "are the units and the frame rate right?" in caplog.text


def test_windows_of_a_known_recording(tmp_path: Path) -> None:
    windows = cut_windows(read_tracks(write(tmp_path, ROWS)), 20)
    assert len(windows) == 2 * 6
    assert windows.xy.shape == (12, 20, 2)
    assert windows.frame[0].tolist() == [10 * t for t in range(20)]
    assert windows.agent[:3].tolist() == ["1", "2", "1"], "sorted by frame, then agent"
    assert len(cut_windows(read_tracks(write(tmp_path, ROWS)), 20, stride=5)) == 4


def test_gaps(tmp_path: Path) -> None:
    lines = [line for line in ROWS.splitlines(keepends=True) if not line.startswith("100\t")]
    tracks = read_tracks(write(tmp_path, "".join(lines)))
    assert len(cut_windows(tracks, 20, "cross")) == 2 * 5, "frames that no row has are stepped over"
    assert len(cut_windows(tracks, 20, "split")) == 0
    assert len(cut_windows(tracks, 10, "split")) == 2 * (1 + 5)
    single = read_tracks(write(tmp_path, ROWS + "500\t9\t0\t0\n", "single.txt"))
    (names,) = cut_windows(single, 20).skipped.values()
    assert names == ["agent 9"], "tracks that are too short are reported"


def test_last_windows(tmp_path: Path) -> None:
    short = "".join(f"{10 * t}\t3\t0\t0\n" for t in range(20, 25))
    windows = last_windows(read_tracks(write(tmp_path, ROWS + short)), 8)
    assert windows.agent.tolist() == ["1", "2"]
    assert windows.frame[:, -1].tolist() == [240, 240]
    assert [*windows.skipped.values()] == [["agent 3"]]


FOLDER = Path(os.environ.get("EBMSUITE_DATA", "nowhere")) / "trajectory/ethucy/all"
SCENES = {
    "eth": (364, 1.075, 2.282), "hotel": (1197, 0.319, 0.614), "univ": (24334, 0.524, 1.165),
    "zara1": (2356, 0.427, 0.952), "zara2": (5910, 0.324, 0.724),
}  # fmt: skip


@pytest.mark.skipif(not FOLDER.is_dir(), reason="EBMSUITE_DATA names no folder with trajectory/ethucy/all")
@pytest.mark.parametrize("scene", SCENES)
def test_constant_velocity_on_eth_and_ucy(scene: str) -> None:
    test = eth_ucy("test", scene)  # type: ignore[arg-type]
    windows: Windows = test.windows  # type: ignore[attr-defined]
    past, future = torch.from_numpy(windows.xy[:, :8]), torch.from_numpy(windows.xy[:, 8:])
    error = (constant_velocity(past, 12) - future).norm(dim=-1)
    found = len(windows), round(float(error.mean()), 3), round(float(error[:, -1].mean()), 3)
    assert found == SCENES[scene]
