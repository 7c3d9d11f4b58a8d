"""Clips of films: cutting, splits, masks, folders and reports."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from ebmsuite.errors import DataError, MissingData, RecipeError
from ebmsuite.pictures.picture_files import write_png
from ebmsuite_video.codec import Frames
from ebmsuite_video.data.clip import Clip, Clips
from ebmsuite_video.data.ripples import Ripples
from ebmsuite_video.statistics import direction_lag, time_direction


def write(path: Path, frames: int = 12, height: int = 20, width: int = 30, fps: float = 10.0) -> Path:
    """A film of random pixels, lossless."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (1, 3, frames, height, width), generator=rng).float() / 127.5 - 1
    Frames((height, width), frames, 3, fps).write(x, path)
    return path


def test_the_embedded_clip_needs_no_other_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EBMSUITE_DATA", raising=False)
    clip = Clip(frames=8, size=(24, 32))
    assert clip.x.shape == (1, 3, 8, 24, 32)
    assert clip.codec is not None
    assert clip.codec.fps == 10
    assert abs(float(clip.x.mean())) < 1e-4  # the mean is subtracted
    with pytest.raises(MissingData):
        Clip("fire")


def test_splits_are_successive_parts_of_the_film(tmp_path: Path) -> None:
    path = str(write(tmp_path / "x.avi"))
    settings = {"frames": 4, "size": (20, 30), "start": 1}
    train, valid = Clip(path, **settings), Clip(path, split="valid", **settings)
    assert valid.meta is not None
    assert valid.meta["frame"].tolist() == [5]
    assert train.codec == valid.codec  # the mean is that of the training clip
    whole = Clip(path, frames=8, size=(20, 30), start=1)
    both = torch.cat([train.x + train.codec.mean, valid.x + train.codec.mean], 2)
    assert torch.allclose(both, whole.x + whole.codec.mean, atol=1e-5)
    assert len(Clip(path, frames=7, size=(20, 30), split="valid")) == 0


def test_odd_sizes_are_cropped_resized_and_reported(tmp_path: Path) -> None:
    clip = Clip(str(write(tmp_path / "x.avi", 4, 20, 30)), frames=4, size=(10, 10), filter="bicubic")
    assert "20x30, its centre 20x20, scaled to 10x10" in clip.note
    assert "10 per second" in clip.note
    grey = Clip(str(tmp_path / "x.avi"), frames=4, size=(10, 10), channels=1)
    assert grey.x.shape == (1, 1, 4, 10, 10)


def test_short_films_and_wrong_settings_are_refused(tmp_path: Path) -> None:
    path = str(write(tmp_path / "x.avi"))
    with pytest.raises(DataError, match="only 12 frames from frame 0"):
        Clip(path, frames=13)
    with pytest.raises(DataError, match="only 4 frames from frame 0, one in 3"):
        Clip(path, frames=5, every=3)
    with pytest.raises(RecipeError, match="at least 1"):
        Clip(path, frames=0)
    with pytest.raises(RecipeError, match="channels"):
        Clip(path, frames=4, channels=2)
    with pytest.raises(MissingData):
        Clip(str(tmp_path / "absent.avi"))


def test_a_variable_rate_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from PIL import Image

    pictures = [Image.fromarray(np.full((8, 8, 3), 40 * i, np.uint8)) for i in range(6)]
    durations = [20, 87, 33, 20, 20, 20]
    pictures[0].save(tmp_path / "x.webp", save_all=True, append_images=pictures[1:], duration=durations, lossless=True)
    with caplog.at_level(logging.WARNING):
        clip = Clip(str(tmp_path / "x.webp"), frames=6, size=(8, 8))
    assert "variable rate" in caplog.text
    assert "variable rate" in clip.note


def test_a_mask_that_follows_an_object_hides_its_part(tmp_path: Path) -> None:
    path = str(write(tmp_path / "x.avi", 4, 16, 16))
    mask = torch.zeros(4, 16, 16, dtype=torch.uint8)
    for t in range(4):
        mask[t, 4:8, t : t + 4] = 255
    np.savez(tmp_path / "mask.npz", x=mask.numpy())
    clip = Clip(path, frames=4, size=(16, 16), mask=str(tmp_path / "mask.npz"))
    assert clip.known is not None
    assert torch.equal(~clip.known[0], (mask > 0)[None].expand(3, -1, -1, -1))
    batch = clip.batch(torch.tensor([0]), torch.tensor([0]))
    assert float(batch.x[~batch.known].abs().max()) == 0
    assert len(Clip(path, frames=4, size=(16, 16), mask=str(tmp_path / "mask.npz"), split="valid")) == 0
    write_png(mask[0].numpy(), tmp_path / "mask.png")  # a picture hides the same part of all frames
    still = Clip(path, frames=4, size=(16, 16), mask=str(tmp_path / "mask.png"))
    assert torch.equal(~still.known[0, 0, 3], mask[0] > 0)


@pytest.mark.parametrize(("frames", "value", "message"), [(3, 255, "3 frames"), (4, 0, "hides nothing")])
def test_masks_that_do_not_fit_are_refused(tmp_path: Path, frames: int, value: int, message: str) -> None:
    path = str(write(tmp_path / "x.avi", 4, 16, 16))
    np.savez(tmp_path / "mask.npz", x=np.full((frames, 16, 16), value, np.uint8))
    with pytest.raises(DataError, match=message):
        Clip(path, frames=4, size=(16, 16), mask=str(tmp_path / "mask.npz"))


def test_a_folder_of_films_reports_what_it_leaves_out(tmp_path: Path) -> None:
    write(tmp_path / "a.avi", 8, 16, 16)
    write(tmp_path / "b.avi", 4, 16, 16, fps=20)
    write(tmp_path / "short.avi", 2, 16, 16)
    (tmp_path / "broken.mp4").write_text("no film")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match="invalid: skip"):
        Clips(str(tmp_path), frames=4, size=(16, 16))
    clips = Clips(str(tmp_path), frames=4, size=(16, 16), invalid="skip")
    assert clips.meta is not None
    assert clips.meta["name"].tolist() == ["a.avi", "b.avi"]
    assert list(clips.skipped) == ["not a film", "damaged or too short film"]
    assert len(clips.skipped["damaged or too short film"]) == 2
    assert "rates of 10, 20" in clips.note
    valid = Clips(str(tmp_path), frames=4, size=(16, 16), invalid="skip", split="valid")
    assert valid.meta is not None
    assert valid.meta["name"].tolist() == ["a.avi"]
    assert valid.codec == clips.codec
    with pytest.raises(DataError, match="one film"):
        Clips(str(tmp_path / "a.avi"))


def test_ripples_are_seeded_stationary_and_know_the_direction_of_time() -> None:
    train, again, test = Ripples(4), Ripples(2), Ripples(4, split="test")
    assert torch.allclose(train.x[:2] + train.codec.mean, again.x + again.codec.mean)
    assert not torch.equal(train.x, test.x)
    lag, _ = direction_lag(train.x, test.x)
    forwards, backwards = time_direction(train.x, lag), time_direction(train.x.flip(2), lag)
    assert float(forwards) == pytest.approx(-float(backwards))
    assert float(forwards) * float(time_direction(test.x, lag)) > 0
