"""The data sets of tracks, and the codec that converts them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from ebmsuite.errors import DataError, MissingData, RecipeError
from ebmsuite.plugins.testing import rng
from ebmsuite_trajectory.baselines import constant_velocity
from ebmsuite_trajectory.codec import TrackCodec
from ebmsuite_trajectory.data.ethucy import eth_ucy, zara01
from ebmsuite_trajectory.data.tracks_file import tracks_file
from ebmsuite_trajectory.data.windows import TrackWindows
from ebmsuite_trajectory.tracks import cut_windows, read_tracks


def first(dataset: TrackWindows, n: int = 50, seed: int = 0):  # type: ignore[no-untyped-def]
    index = torch.arange(n)
    return dataset.batch(index, torch.full_like(index, seed))


def test_the_embedded_recording() -> None:
    parts = {name: zara01(name) for name in ("train", "valid", "test")}  # type: ignore[arg-type]
    assert "embedded recording, train by time: zara01" in parts["train"].note
    frames = [part.windows.frame for part in parts.values()]  # type: ignore[attr-defined]
    assert all(len(part) > 200 for part in parts.values())
    assert frames[0].max() < frames[1].min() < frames[1].max() < frames[2].min(), "no window crosses a boundary"


def test_constant_velocity_on_the_embedded_recording() -> None:
    from ebmsuite_trajectory.data.ethucy import _embedded

    windows = cut_windows(_embedded(), 20)
    xy = torch.from_numpy(windows.xy)
    error = (constant_velocity(xy[:, :8], 12) - xy[:, 8:]).norm(dim=-1)
    assert len(windows) == 2356
    assert [float(error.mean()), float(error[:, -1].mean())] == pytest.approx([0.427, 0.952], abs=1e-3)


@pytest.mark.parametrize("heading", ["none", "last", "observed"])
def test_coordinates_return_to_those_of_the_recording(heading: str) -> None:
    dataset = zara01("valid", heading=heading, scale=3.0)  # type: ignore[arg-type]
    batch, codec = first(dataset), dataset.codec  # type: ignore[arg-type]
    assert isinstance(codec, TrackCodec)
    xy = torch.from_numpy(dataset.windows.xy[:50])  # type: ignore[attr-defined]
    torch.testing.assert_close(codec.world(batch.condition["past"], batch), xy[:, :8], atol=1e-5, rtol=0)
    torch.testing.assert_close(codec.world(batch.x, batch), xy[:, 8:], atol=1e-5, rtol=0)
    assert float(batch.condition["past"][:, -1].abs().max()) == 0, "the last observation is the origin"


def test_heading_is_along_the_first_axis_unless_the_agent_stands() -> None:
    still = zara01("train", heading="observed", still=0.2)
    past = still.batch(torch.arange(len(still)), torch.zeros(len(still)).long()).condition["past"]
    way = past[:, -1] - past[:, 0]
    walks = way.norm(dim=1) >= 0.2
    assert 0 < (~walks).sum() < walks.sum()
    torch.testing.assert_close(way[walks, 1], torch.zeros(int(walks.sum())), atol=1e-5, rtol=0)
    assert (way[walks, 0] > 0).all()
    plain = zara01("train", heading="none")
    there = plain.batch(torch.arange(len(plain)), torch.zeros(len(plain)).long()).condition["past"]
    torch.testing.assert_close(past[~walks], there[~walks])


def test_augmentation_keeps_distances_and_depends_on_the_seed_only() -> None:
    plain, changed = zara01("train"), zara01("train", flip=True, turn=True)
    a, b, c = first(plain), first(changed, seed=7), first(changed, seed=8)  # type: ignore[arg-type]
    torch.testing.assert_close(a.x.norm(dim=-1), b.x.norm(dim=-1))
    assert not torch.allclose(a.x, b.x)
    assert not torch.allclose(b.x, c.x)
    assert torch.equal(b.x, first(changed, seed=7).x)  # type: ignore[arg-type]
    assert torch.equal(a.x, first(changed, seed=0).x), "evaluation is not augmented"  # type: ignore[arg-type]
    assert torch.equal(b.view["future"], b.x)
    assert b.meta is None, "an augmented window has no place in the recording"
    assert first(changed, seed=0).meta is not None  # type: ignore[arg-type]


def test_stretched_windows_are_slower_and_faster_agents() -> None:
    plain, changed = zara01("train"), zara01("train", stretch=0.5)
    a, b = first(plain), changed.batch(torch.arange(50), torch.arange(1, 51))  # type: ignore[arg-type]
    factor = b.x.norm(dim=-1)[:, -1] / a.x.norm(dim=-1)[:, -1]
    moved = a.x.norm(dim=-1)[:, -1] > 0.1
    assert 0.6 < float(factor[moved].min()) < 0.8
    assert 1.3 < float(factor[moved].max()) < 1.65
    torch.testing.assert_close(b.x[moved], a.x[moved] * factor[moved, None, None])
    torch.testing.assert_close(
        b.condition["past"][moved], a.condition["past"][moved] * factor[moved, None, None], atol=1e-5, rtol=1e-4
    )
    with pytest.raises(RecipeError, match="stretch: must be between 0 and 2"):
        zara01("train", stretch=3.0)


def tracks_csv(path: Path, steps: int = 100, agents: int = 3) -> Path:
    rows = [(10 * t, a, 0.4 * t + a, np.sin(0.1 * t) + a) for t in range(steps) for a in range(agents)]
    path.write_text("frame,id,x,y\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


def test_a_users_file_is_split_by_time(tmp_path: Path) -> None:
    path = tracks_csv(tmp_path / "mine.csv", steps=250)
    parts = [tracks_file(str(path), split) for split in ("train", "valid", "test")]  # type: ignore[arg-type]
    assert [len(part) for part in parts] == [3 * 181, 3 * 6, 3 * 6]
    with pytest.raises(DataError, match=r"no agent is seen in 400 successive frames \(3 agents, 750 rows"):
        tracks_file(str(path), predicted=392)
    with pytest.raises(RecipeError, match="split"):
        tracks_file(str(path), "all")  # type: ignore[arg-type]


def test_writing_keeps_the_users_coordinates(tmp_path: Path) -> None:
    path = tracks_csv(tmp_path / "mine.csv")
    codec = TrackCodec(heading="observed", scale=2.0)
    batch = codec.read(path)
    assert len(batch) == 3 * 81
    codec.write(batch.x.repeat_interleave(2, 0), tmp_path / "out.csv", batch.repeat_interleave(2))
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    tracks = read_tracks(path)
    true = {(a, int(f)): xy for a, f, xy in zip(tracks.agent, tracks.frame, tracks.xy, strict=True)}
    assert len(rows) == 2 * 12 * len(batch)
    assert {row["sample"] for row in rows} == {"0", "1"}
    for row in rows[:200]:
        assert np.allclose(true[row["agent"], int(row["frame"])], [float(row["x"]), float(row["y"])], atol=1e-4)
    with pytest.raises(DataError, match=r'as \.csv, not as "\.png"'):
        codec.write(batch.x, tmp_path / "out.png", batch)


def test_pictures_show_the_future() -> None:
    codec = TrackCodec()
    straight = torch.stack([torch.linspace(0.4, 4.8, 12), torch.zeros(12)], -1)[None]
    (picture,) = codec.show(straight)
    dark = (picture.float().mean(-1) < 200).nonzero()
    assert picture.shape == (128, 128, 3)
    assert 60 <= int(dark[:, 0].min()) <= int(dark[:, 0].max()) <= 68, "a horizontal line in the middle"
    assert int(dark[:, 1].min()) >= 62
    assert int(dark[:, 1].max()) > 110


def test_missing_recordings_are_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EBMSUITE_DATA", str(tmp_path))
    monkeypatch.setenv("EBMSUITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EBMSUITE_OFFLINE", "1")
    with pytest.raises(MissingData, match=r"trajectory/eth-ucy is not on this machine.*biwi_eth.*EBMSUITE_DATA"):
        eth_ucy()
    with pytest.raises(RecipeError, match="scene"):
        eth_ucy(scene="nowhere")  # type: ignore[arg-type]


def test_recordings_are_downloaded_once_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ebmsuite_trajectory.data import ethucy

    source = tmp_path / "source"
    place = source / "a/test/first.txt"
    place.parent.mkdir(parents=True)
    place.write_text("0\t1\t0\t0\n10\t1\t1\t0\n")
    good = "bcb1d51fe27adc0e6e2b0b7e03e2c4d0d0ba0cdf2e3d4ee9e3ee7ce1ee5be34e"
    monkeypatch.setattr(ethucy, "SOURCE", source.as_uri())
    monkeypatch.setattr(ethucy, "RECORDINGS", {"first": ethucy.Recording(10, "a/test/first", good)})
    monkeypatch.delenv("EBMSUITE_DATA", raising=False)
    monkeypatch.delenv("EBMSUITE_OFFLINE", raising=False)
    monkeypatch.setenv("EBMSUITE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(MissingData, match=r"first\.txt has the SHA-256"):
        ethucy._folder()
    assert not list((tmp_path / "cache/ethucy").iterdir()), "nothing half-written stays"
    import hashlib

    right = hashlib.sha256(place.read_bytes()).hexdigest()
    monkeypatch.setattr(ethucy, "RECORDINGS", {"first": ethucy.Recording(10, "a/test/first", right)})
    assert (ethucy._folder() / "first.txt").read_bytes() == place.read_bytes()


def test_random_constant_velocity_has_the_stated_spread() -> None:
    from ebmsuite_trajectory.baselines import random_constant_velocity

    past = torch.tensor([[[-1.0, 0.0], [0.0, 0.0]]])
    ends = random_constant_velocity(past, 12, 20_000, rng())[0, :, -1].double()
    angle, speed = torch.atan2(ends[:, 1], ends[:, 0]).rad2deg(), (ends.norm(dim=1) / 12).log()
    assert abs(float(angle.std()) - 25) < 0.5
    assert abs(float(speed.std()) - 0.3) < 0.01
    assert abs(float(angle.mean())) < 0.6
