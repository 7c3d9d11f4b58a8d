"""Reading and writing of films: round trips, frame rates and bad files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ebmsuite.errors import DataError
from ebmsuite.pictures.picture_files import write_film, write_png
from ebmsuite_video.codec import Frames
from ebmsuite_video.media import read_film


def clip(n: int = 1, frames: int = 6, size: int = 16, channels: int = 3) -> torch.Tensor:
    """Clips of smooth moving colours, whose values are bytes."""
    t, y, x = torch.meshgrid(torch.arange(frames), torch.arange(size), torch.arange(size), indexing="ij")
    base = torch.stack([(t * 20 + x * 5), (y * 9 + t * 10), (x * 3 + y * 3 + t)])[:channels]
    pixels = torch.stack([(base + 40 * i) % 200 for i in range(n)]).float()
    return pixels / 127.5 - 1


CODEC = Frames((16, 16), 6, 3, 10.0, 0.0)


@pytest.mark.parametrize("ending", [".avi", ".mkv", ".webp", ".npz"])
def test_lossless_formats_keep_pixels_and_rate(tmp_path: Path, ending: str) -> None:
    x, path = clip(), tmp_path / f"x{ending}"
    CODEC.write(x, path)
    film = read_film(path)
    assert film.fps == pytest.approx(10)
    assert torch.equal(torch.from_numpy(film.frames), CODEC.frames(x)[0])
    assert torch.allclose(CODEC.read(path).x, x, atol=1e-6)


@pytest.mark.parametrize(("ending", "error"), [(".mp4", 0.1), (".gif", 0.06)])
def test_lossy_formats_keep_the_rate_and_nearly_the_pixels(tmp_path: Path, ending: str, error: float) -> None:
    x, path = clip(size=32), tmp_path / f"x{ending}"
    Frames((32, 32), 6, 3, 12.5).write(x, path)
    film = read_film(path)
    assert len(film.frames) == 6
    assert film.fps == pytest.approx(12.5)
    back = torch.from_numpy(film.frames).permute(3, 0, 1, 2).float() / 127.5 - 1
    assert float((back - x[0]).abs().mean()) < error


@pytest.mark.parametrize("ending", [".gif", ".webp", ".mp4"])
def test_rates_that_are_no_whole_number_of_milliseconds_are_kept_on_average(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x{ending}"
    write_film(list(Frames((16, 16), 12).frames(clip(frames=12))[0].numpy()), path, 1000 / 30, 1000 / 30)
    assert read_film(path).fps == pytest.approx(30, rel=0.04)


def test_a_folder_of_frames_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    for t in (0, 2, 10, 1):
        write_png(np.full((8, 8), t * 10, np.uint8), tmp_path / f"frame{t}.png")
    assert read_film(tmp_path).frames[:, 0, 0, 0].tolist() == [0, 10, 20, 100]
    assert read_film(tmp_path, 1, 2, 2).frames[:, 0, 0, 0].tolist() == [10, 100]
    CODEC.write(clip(), tmp_path / "out")
    assert torch.allclose(CODEC.read(tmp_path / "out").x, clip(), atol=1e-6)


def test_several_clips_are_one_film_and_an_array_of_clips(tmp_path: Path) -> None:
    CODEC.write(clip(3), tmp_path / "x.avi")
    assert read_film(tmp_path / "x.avi").frames.shape == (6, 2 * 18 + 2, 2 * 18 + 2, 3)
    CODEC.write(clip(3), tmp_path / "x.npz")
    assert np.load(tmp_path / "x.npz")["x"].shape == (3, 6, 16, 16, 3)
    with pytest.raises(DataError, match="cannot be written"):
        CODEC.write(clip(), tmp_path / "x.txt")


def test_frames_are_cut_by_start_count_and_every(tmp_path: Path) -> None:
    CODEC.write(clip(frames=12), tmp_path / "x.avi")
    whole = read_film(tmp_path / "x.avi").frames
    part = read_film(tmp_path / "x.avi", 2, 3, 4)
    assert np.array_equal(part.frames, whole[[2, 6, 10]])
    assert part.fps == pytest.approx(2.5)
    assert CODEC.read(tmp_path / "x.avi").x.shape == (2, 3, 6, 16, 16)


def _variable(path: Path) -> None:
    pictures = [Image.fromarray(p) for p in CODEC.frames(clip())[0].numpy()]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[40, 40, 90, 57, 40, 40], lossless=True)


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_frames_that_stand_still_are_kept(tmp_path: Path, ending: str) -> None:
    x = clip()[:, :, [0, 0, 1, 1, 1, 2]]
    Frames((16, 16), 6, 3, 10.0).write(x, tmp_path / f"x{ending}")
    film = read_film(tmp_path / f"x{ending}")
    assert len(film.frames) == 6
    assert film.fps == pytest.approx(10)


def test_a_variable_rate_is_stated(tmp_path: Path) -> None:
    _variable(tmp_path / "x.webp")
    film = read_film(tmp_path / "x.webp")
    assert "variable rate, 40 to 90 ms" in film.note
    assert film.fps == pytest.approx(5 / 0.267)


def _bad(path: Path, kind: str) -> Path:
    """A bad file of each kind."""
    good = path / "good.avi"
    CODEC.write(clip(), good)
    if kind == "empty":
        target = path / "x.mp4"
        target.write_bytes(b"")
    elif kind == "text":
        target = path / "x.mp4"
        target.write_text("no film")
    elif kind == "cut":
        target = path / "x.avi"
        target.write_bytes(good.read_bytes()[:40])
    elif kind == "gif":
        target = path / "x.gif"
        target.write_bytes(b"GIF89a" + bytes(8))
    elif kind == "ending":
        target = path / "x.txt"
        target.write_text("")
        target.write_text("x")
    elif kind == "floats":
        target = path / "x.npy"
        np.save(target, np.zeros((4, 8, 8)))
    elif kind == "axes":
        target = path / "x.npy"
        np.save(target, np.zeros((8, 8), np.uint8))
    elif kind == "names":
        target = path / "x.npz"
        np.savez(target, a=np.zeros(1), b=np.zeros(1))
    elif kind == "no frames":
        target = path / "folder"
        target.mkdir()
    elif kind == "sizes":
        target = path / "folder"
        for i in (4, 6):
            write_png(np.zeros((i, i), np.uint8), target / f"{i}.png")
    else:
        target = path / "absent.mp4"
    return target


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("empty", "empty"),
        ("text", "cannot be read as a film"),
        ("cut", "cannot be read as a film"),
        ("gif", "cannot be read as a film"),
        ("ending", "films are not read from"),
        ("floats", "uint8"),
        ("axes", r"\[frames, height, width\]"),
        ("names", 'no array "x"'),
        ("no frames", "no frames"),
        ("sizes", "size differs"),
        ("absent", "no such file"),
    ],
)
def test_bad_files_are_one_line(tmp_path: Path, kind: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        read_film(_bad(tmp_path, kind))
    assert "\n" not in str(error.value)


def test_a_film_shorter_than_a_clip_is_refused(tmp_path: Path) -> None:
    CODEC.write(clip(frames=5), tmp_path / "x.avi")
    with pytest.raises(DataError, match="5 frames are too few"):
        CODEC.read(tmp_path / "x.avi")
    with pytest.raises(DataError, match="no frame 9"):
        read_film(tmp_path / "x.avi", 9)
