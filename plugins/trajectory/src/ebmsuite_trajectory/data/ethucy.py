"""ETH and UCY: eight recordings of pedestrians, the leave-one-out splits by scene, and the embedded recording."""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from ebmsuite.dataset import Dataset
from ebmsuite.errors import RecipeError
from ebmsuite.files import cache_folder, data_folder, download
from ebmsuite_trajectory.codec import Heading, TrackCodec
from ebmsuite_trajectory.data.windows import TrackWindows
from ebmsuite_trajectory.tracks import Tracks, Windows, cut_windows, read_tracks

__all__ = ["RECORDINGS", "SCENES", "Scene", "eth_ucy", "zara01"]

Scene = Literal["eth", "hotel", "univ", "zara1", "zara2"]
Split = Literal["train", "valid", "test"]

SCENES: dict[str, tuple[str, ...]] = {
    "eth": ("biwi_eth",),
    "hotel": ("biwi_hotel",),
    "univ": ("students001", "students003"),
    "zara1": ("crowds_zara01",),
    "zara2": ("crowds_zara02",),
}
"""The recordings of each test scene."""


class Recording(NamedTuple):
    """A recording: the frame at which its validation part starts, where its source has it, and its SHA-256."""

    valid_from: int
    test_of: str
    """Path of the complete file below `SOURCE`, without its ending; empty if there are only two parts."""
    sha256: str


RECORDINGS: dict[str, Recording] = {
    "biwi_eth": Recording(
        10240, "eth/test/biwi_eth", "cf8d3fd342a15f409ebc2a1fc76b91a0f06390bd21f1e11410f3859331ab082b"
    ),
    "biwi_hotel": Recording(
        14400, "hotel/test/biwi_hotel", "9caa771bb9153d6b809dd0916b6f86761b641e6bbb15e766c1de3133fbbb7fcf"
    ),
    "crowds_zara01": Recording(
        7110, "zara1/test/crowds_zara01", "1147a1962a09abfb86f28c6cddcac862e095a0cf129b3016385b69eacdd09d85"
    ),
    "crowds_zara02": Recording(
        8420, "zara2/test/crowds_zara02", "8a649d0f8c9ae75c87c4d23a85f892786b0aa30266e996c7be03e69dafff22ff"
    ),
    "crowds_zara03": Recording(6030, "", "16b3e899932c4baacd07f45013d5b921f90bc5a29eb2b0fe42f4d7c904ac3108"),
    "students001": Recording(
        3550, "univ/test/students001", "a6d87f278d94136fe39b8be91555487a29ac77259ae403b9dba2d5c18caf7b5b"
    ),
    "students003": Recording(
        4320, "univ/test/students003", "e25798b660634330aa89f8bb259425de720e84d0873902726c1d1f4ccff21d6c"
    ),
    "uni_examples": Recording(5940, "", "61f432c0ab3070ed0ef150fbeabcd7baf839cab5495a46e6105bd747f0a092a7"),
}

SOURCE = "https://raw.githubusercontent.com/abduallahmohamed/Social-STGCNN/master/datasets"


def eth_ucy(
    split: Split = "train",
    scene: Scene = "zara1",
    heading: Heading = "none",
    still: float = 0.2,
    scale: float = 1.0,
    flip: bool = False,
    turn: bool = False,
    stretch: float = 0.0,
) -> Dataset:
    """ETH and UCY, leave-one-out by scene: train on the other recordings, test on all windows of ``scene``.

    Windows have 8 observed and 12 predicted positions, 0.4 s apart, and step over missing frames, as in the published
    loaders (Gupta et al., CVPR 2018). The validation split is the last part of each training recording, so it does not
    show the shift to another scene. This version of the ETH recording has 5,492 rows; numbers on the version with 8,908
    rows cannot be compared. ``heading``, ``still`` and ``scale`` are those of `TrackCodec`; ``flip``, ``turn``
    and ``stretch`` augment the training split (`TrackWindows`).
    """
    if scene not in SCENES:
        raise RecipeError(f'scene: "{scene}" is not one of {", ".join(SCENES)}')
    codec = TrackCodec(heading=heading, still=still, scale=scale)
    held_out = SCENES[scene]
    names = held_out if split == "test" else [name for name in RECORDINGS if name not in held_out]
    windows = Windows.join([_windows(name, split, codec) for name in names])
    note = f"leave-one-out, scene {scene}, {split}: {windows.note}"
    return TrackWindows.of_split(windows, note, codec, split, flip, turn, stretch)


def _windows(name: str, split: Split, codec: TrackCodec) -> Windows:
    tracks, cut = _recording(name, _folder()), RECORDINGS[name].valid_from
    if split != "test":
        tracks = tracks.between(float("-inf"), cut) if split == "train" else tracks.between(cut, float("inf"))
    return cut_windows(tracks, codec.observed + codec.predicted, "cross")


@functools.lru_cache(maxsize=16)
def _recording(name: str, folder: Path) -> Tracks:
    return replace(read_tracks(folder / f"{name}.txt"), name=name)


def _folder() -> Path:
    """The folder with the eight recordings: in EBMSUITE_DATA, or in the cache, to which they are downloaded."""
    data = data_folder()
    if data is not None and (data / "trajectory/ethucy/all").is_dir():
        return data / "trajectory/ethucy/all"
    folder = cache_folder("ethucy")
    if not all((folder / f"{name}.txt").is_file() for name in RECORDINGS):
        wanted = f"trajectory/ethucy/all/{{{','.join(RECORDINGS)}}}.txt"
        download("trajectory/eth-ucy", folder, wanted, _fetch)
    return folder


def _fetch(folder: Path) -> None:
    import torch

    for name, recording in RECORDINGS.items():
        # recordings that no scene tests exist only as two parts, in the training folders of all scenes
        places = [recording.test_of] if recording.test_of else [f"eth/train/{name}_train", f"eth/val/{name}_val"]
        parts = []
        for place in places:
            path = folder / "part"
            torch.hub.download_url_to_file(f"{SOURCE}/{place}.txt", str(path), progress=False)
            parts.append(path.read_bytes().strip(b"\n"))
            path.unlink()
        content = b"\n".join(parts) + b"\n"
        if (found := hashlib.sha256(content).hexdigest()) != recording.sha256:
            raise OSError(f"{name}.txt has the SHA-256 {found[:12]}..., not {recording.sha256[:12]}...")
        (folder / f"{name}.txt").write_bytes(content)


def zara01(
    split: Split = "train",
    heading: Heading = "observed",
    still: float = 0.2,
    scale: float = 1.0,
    flip: bool = False,
    turn: bool = False,
    stretch: float = 0.0,
) -> Dataset:
    """The embedded recording UCY zara01, split by time: its first 60 % train, the next 20 % valid, the last 20 % test.

    No window crosses a boundary. All splits show the same street, so errors are smaller than in the leave-one-out
    protocol of `eth_ucy`. The settings are those of `eth_ucy`.
    """
    codec = TrackCodec(heading=heading, still=still, scale=scale)
    bounds = {"train": (0.0, 0.6), "valid": (0.6, 0.8), "test": (0.8, 1.01)}
    if split not in bounds:
        raise RecipeError(f'split: "{split}" is not one of train, valid, test')
    windows = cut_windows(_embedded().part(*bounds[split]), codec.observed + codec.predicted, "cross")
    note = f"embedded recording, {split} by time: {windows.note}"
    return TrackWindows.of_split(windows, note, codec, split, flip, turn, stretch)


@functools.cache
def _embedded() -> Tracks:
    with importlib.resources.as_file(importlib.resources.files(__package__) / "zara01.csv.gz") as path:
        return replace(read_tracks(path), name="zara01")
