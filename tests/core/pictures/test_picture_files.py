"""Files of pictures and films, read back."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ebmsuite.errors import DataError, MissingData
from ebmsuite.pictures.picture_files import write_film, write_png

RNG = np.random.default_rng(0)
COLOUR = list(RNG.integers(0, 256, (3, 9, 7, 3), dtype=np.uint8))
GREY = [np.full((9, 7), value, np.uint8) for value in (0, 100, 255)]


def read(path: Path) -> tuple[list[np.ndarray], list[int], int]:
    with Image.open(path) as film:
        frames, times = [], []
        for i in range(film.n_frames):
            film.seek(i)
            film.load()
            frames.append(np.array(film.convert("RGB")))
            times.append(film.info["duration"])
        return frames, times, film.info["loop"]


@pytest.mark.parametrize("pictures", [GREY, COLOUR], ids=["grey", "colour"])
def test_a_webp_holds_every_colour(pictures: list[np.ndarray], tmp_path: Path) -> None:
    write_film(pictures, tmp_path / "x.webp", frame=50, rest=900)
    frames, times, loop = read(tmp_path / "x.webp")
    assert (times, loop) == ([50, 50, 900], 0)
    for frame, picture in zip(frames, pictures, strict=True):
        np.testing.assert_array_equal(frame, picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, 2))


def test_a_gif_is_exact_up_to_256_colours(tmp_path: Path) -> None:
    write_film(GREY, tmp_path / "x.GIF")
    frames, times, loop = read(tmp_path / "x.GIF")
    assert (times, loop) == ([80, 80, 1600], 0)
    assert [frame[0, 0].tolist() for frame in frames] == [[v] * 3 for v in (0, 100, 255)]
    write_film(COLOUR, tmp_path / "c.gif")
    np.testing.assert_array_equal(read(tmp_path / "c.gif")[0][1], COLOUR[1])


def test_an_mp4_plays_and_rests(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    write_film(GREY, tmp_path / "x.mp4", frame=100, rest=400)
    with av.open(str(tmp_path / "x.mp4")) as film:
        assert film.streams.video[0].average_rate == 10
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(frames) == 2 + 4
    assert {frame.shape for frame in frames} == {(10, 8, 3)}  # even, with white at the edges
    for frame, value in zip(frames, (0, 100, 255, 255, 255, 255), strict=True):
        assert np.abs(frame[2:6, 2:5].astype(int) - value).max() <= 4


@pytest.mark.parametrize("name", ["x.png", "x.gif", "x.webp"])
def test_without_pillow_the_extra_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingData, match=r'Pillow: pip install "ebmsuite\[pictures\]"'):
        write_png(GREY[0], tmp_path / name) if name == "x.png" else write_film(GREY, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_without_av_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingData, match=r'av: pip install "ebmsuite\[video\]"; or write a \.webp'):
        write_film(GREY, tmp_path / "x.mp4")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x.avi", "x", "x.png"])
def test_other_endings_are_errors(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"films are written as \.gif, \.webp, \.mp4"):
        write_film(GREY, tmp_path / name)


@pytest.mark.parametrize("ending", [".webp", ".mp4"])
def test_equal_pictures_give_equal_files(ending: str, tmp_path: Path) -> None:
    for name in "ab":
        write_film(COLOUR, tmp_path / f"{name}{ending}")
    assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()


@pytest.mark.parametrize(("ending", "unit"), [(".gif", 10), (".webp", 1)])
def test_durations_are_rounded_so_that_their_sum_is_right(tmp_path: Path, ending: str, unit: int) -> None:
    pictures = [np.full((4, 4, 3), 20 * i, np.uint8) for i in range(9)]
    write_film(pictures, tmp_path / f"x{ending}", frame=1000 / 30, rest=1000 / 30)
    with Image.open(tmp_path / f"x{ending}") as film:
        durations = []
        for i in range(9):
            film.seek(i)
            film.load()
            durations.append(film.info["duration"])
    assert all(d % unit == 0 and abs(d - 1000 / 30) <= unit for d in durations)
    assert sum(durations) == 300
