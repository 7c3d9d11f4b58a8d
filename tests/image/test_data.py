"""Data sets of pictures: digits, public ones, a user's folder, and torchvision that does not fit."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import struct
import types
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from ebmsuite.dataset import Dataset, rows
from ebmsuite.errors import DataError, MissingData, PluginError, RecipeError
from ebmsuite.pictures.raster import to_uint8
from ebmsuite.space import Space
from ebmsuite_image.data import Digits, Folder, Pictures, celeba, cifar10, fashion_mnist, mnist, svhn
from ebmsuite_image.data.one import One
from ebmsuite_image.data.pictures import coin
from ebmsuite_image.data.torchvision_pair import import_torchvision
from ebmsuite_image.noise import GreyNoise

SHARED = os.environ.get("EBMSUITE_DATA", "")
shared = pytest.mark.skipif(
    not (Path(SHARED) / "image" / "mnist.npz").is_file() or not SHARED,
    reason="EBMSUITE_DATA names no folder with image/mnist.npz",
)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty EBMSUITE_DATA from which nothing is downloaded."""
    (tmp_path / "data" / "image").mkdir(parents=True)
    monkeypatch.setenv("EBMSUITE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("EBMSUITE_OFFLINE", "1")
    return tmp_path / "data"


def arrays(n: int = 20, shape: tuple[int, ...] = (28, 28), seed: int = 0) -> dict[str, npt.NDArray[Any]]:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (2 * n, *shape), np.uint8)
    y = np.arange(2 * n, dtype=np.uint8) % 10
    return {"x_train": x[:n], "y_train": y[:n], "x_test": x[n:], "y_test": y[n:]}


def store(path: Path, stored: Mapping[str, npt.NDArray[Any]]) -> None:
    np.savez(path, **stored)  # type: ignore[arg-type]


def everything(dataset: Pictures) -> torch.Tensor:
    return torch.cat([to_uint8(batch.x) for batch in rows(dataset)])


# -- digits --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("split", "n"), [("train", 7000), ("valid", 1000), ("test", 2000)])
def test_digits_are_balanced_and_in_range(split: str, n: int) -> None:
    digits = Digits(split, labels=True)
    dataset: Dataset = digits
    assert isinstance(dataset, Dataset)
    assert (len(dataset), dataset.event.shape, dataset.event.range) == (n, (1, 28, 28), (-1.0, 1.0))
    assert dataset.condition is not None
    assert dataset.condition == Space((), kind="label", classes=10, names=tuple("0123456789"))
    batch = dataset.batch(torch.arange(n), torch.zeros(n, dtype=torch.int64))
    assert batch.x.dtype == torch.float32
    assert (float(batch.x.min()), float(batch.x.max())) == (-1, 1)
    assert isinstance(batch.condition, torch.Tensor)
    assert batch.condition.dtype == torch.int64
    turns = batch.condition.view(-1, 10).sort(1).values
    assert (turns == torch.arange(10)).all()  # so every prefix is balanced
    assert digits.note.startswith(f"{n:,} of ")


def test_digits_splits_share_no_picture() -> None:
    train, valid = Digits("train"), Digits("valid")
    assert len(set(train.rows.tolist()) | set(valid.rows.tolist())) == 8000
    pictures = {split: {p.numpy().tobytes() for p in everything(Digits(split))} for split in ("train", "valid")}
    assert len(pictures["train"] | pictures["valid"]) == 8000


def test_digits_without_labels_and_at_another_size() -> None:
    digits = Digits(size=32)
    assert digits.condition is None
    assert digits.event.shape == (1, 32, 32)
    assert digits.batch(torch.tensor([3]), torch.tensor([0])).condition is None
    with pytest.raises(RecipeError, match='split: "val" is not one of train, valid, test'):
        Digits("val")


@shared
def test_digits_are_the_pictures_of_mnist() -> None:
    with np.load(Path(SHARED) / "image" / "mnist.npz") as file:
        source = {key: torch.from_numpy(file[key]) for key in file.files}
    for split, part in (("train", "train"), ("valid", "train"), ("test", "test")):
        digits = Digits(split, labels=True)
        assert torch.equal(everything(digits)[:, 0], source[f"x_{part}"][digits.rows])
        assert digits.labels is not None
        assert torch.equal(digits.labels, source[f"y_{part}"][digits.rows].long())


# -- flips ---------------------------------------------------------------------------------------------------


def test_a_flip_belongs_to_the_seed_whatever_the_batch() -> None:
    images = torch.randint(0, 256, (50, 3, 4, 4), dtype=torch.uint8)
    pictures = Pictures(images, flip=True)
    index, seeds = torch.arange(50), torch.arange(50) * 7919
    whole = pictures.batch(index, seeds).x
    order = torch.randperm(50)
    assert torch.equal(pictures.batch(index[order], seeds[order]).x, whole[order])
    assert torch.equal(pictures.batch(index[7:8], seeds[7:8]).x, whole[7:8])
    plain = Pictures(images).batch(index, seeds).x
    mirrored = (whole != plain).flatten(1).any(1)
    assert torch.equal(whole[mirrored], plain[mirrored].flip(-1))
    assert 10 < mirrored.sum() < 40
    assert torch.equal(pictures.batch(index, torch.zeros_like(seeds)).x, plain)


def test_the_coin_is_fair_for_the_seeds_of_a_stream() -> None:
    index, epoch = torch.arange(1000)[:, None], torch.arange(50)
    seeds = (3 * 0x9E3779B1 + epoch * 0x85EBCA77 + index * 0xC2B2AE3D) & 0x7FFFFFFFFFFFFFFF
    heads = coin(seeds).double()
    assert abs(heads.mean() - 0.5) < 0.01
    assert (heads.mean(0) - 0.5).abs().max() < 0.08  # five standard deviations of 1000 tosses
    assert (heads.mean(1) - 0.5).abs().max() < 0.36  # and of 50
    agree = (heads[:, 1:] == heads[:, :-1]).double().mean()
    assert abs(agree - 0.5) < 0.02


# -- public data sets ----------------------------------------------------------------------------------------


@shared
@pytest.mark.parametrize(
    ("make", "counts", "notes"),
    [
        (mnist, (55_000, 5_000, 10_000), ("", "", "")),
        (
            fashion_mnist,
            (18_000, 2_000, 10_000),
            (
                "20,000 of 60,000 training images, 18,000 of them in train",
                "20,000 of 60,000 training images, 2,000 of them in valid",
                "",
            ),
        ),
        (
            cifar10,
            (9_000, 1_000, 2_000),
            (
                "10,000 of 50,000 training images, 9,000 of them in train",
                "10,000 of 50,000 training images, 1,000 of them in valid",
                "2,000 of 10,000 test images",
            ),
        ),
    ],
)
def test_shared_files_are_accepted_and_subsets_say_so(
    make: Callable[[str], Pictures], counts: tuple[int, ...], notes: tuple[str, ...]
) -> None:
    for split, n, note in zip(("train", "valid", "test"), counts, notes, strict=True):
        pictures = make(split)
        assert (len(pictures), pictures.note) == (n, note)


def test_valid_is_the_end_of_train_and_a_whole_wins_over_a_subset(data: Path) -> None:
    whole, part = arrays(50, seed=1), arrays(20, seed=2)
    store(data / "image" / "mnist_subset.npz", part)
    assert len(mnist()) == 18
    store(data / "image" / "mnist.npz", whole)
    train, valid, test = (mnist(split, labels=True) for split in ("train", "valid", "test"))
    together = torch.cat([everything(train), everything(valid)])[:, 0]
    assert torch.equal(together, torch.from_numpy(whole["x_train"]))
    assert torch.equal(everything(test)[:, 0], torch.from_numpy(whole["x_test"]))
    assert valid.labels is not None
    assert valid.labels.tolist() == whole["y_train"][45:].tolist()


def test_colours_sizes_and_who_is_flipped(data: Path) -> None:
    stored = arrays(20, (32, 32, 3))
    np.savez(data / "image" / "svhn_train.npz", x=stored["x_train"], y=stored["y_train"])
    np.savez(data / "image" / "svhn_test.npz", x=stored["x_test"], y=stored["y_test"])
    pictures = svhn("test", flip=True)
    assert pictures.event.shape == (3, 32, 32)
    assert pictures.flip is False
    assert svhn("train", flip=True).flip is True
    first = everything(pictures)[0]
    assert torch.equal(first.permute(1, 2, 0), torch.from_numpy(stored["x_test"][0]))
    assert svhn("test", size=16).event.shape == (3, 16, 16)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"y_train": None}, 'mnist.npz has no array "y_train"'),
        ({"x_train": np.zeros((20, 32, 32), np.uint8)}, r'mnist.npz: "x_train" has the shape \[20, 32, 32\]'),
        ({"x_train": np.zeros((20, 28, 28), np.float32)}, 'mnist.npz: "x_train" is float32'),
        ({"x_train": np.zeros((0, 28, 28), np.uint8)}, "N > 0"),
        ({"y_train": np.zeros(19, np.uint8)}, 'mnist.npz: "y_train" has the shape'),
        ({"y_train": np.full(20, 10)}, 'mnist.npz: "y_train" must hold whole numbers from 0 to 9'),
        ({"y_train": np.zeros(20)}, 'mnist.npz: "y_train" must hold whole numbers'),
        ({"x_train": np.array([{}] * 20, dtype=object)}, '"x_train" in .*mnist.npz cannot be read.*pickled'),
    ],
)
def test_a_wrong_file_is_named_with_its_key(
    data: Path,
    change: dict[str, npt.NDArray[Any] | None],
    problem: str,
) -> None:
    stored = {key: value for key, value in (arrays() | change).items() if value is not None}
    store(data / "image" / "mnist.npz", stored)
    with pytest.raises(DataError, match=problem):
        mnist()


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_a_damaged_zip_is_named(data: Path, keep: int) -> None:
    path = data / "image" / "mnist.npz"
    store(path, arrays())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"mnist\.npz cannot be read.*get it again"):
        mnist()


@pytest.mark.parametrize("make", [mnist, fashion_mnist, cifar10, svhn, celeba])
def test_missing_data_says_what_to_put_where(data: Path, make: Callable[[str], Pictures]) -> None:
    pytest.importorskip("scipy", reason="image/svhn is read with scipy")
    with pytest.raises(MissingData, match=r"not on this machine.*EBMSUITE_OFFLINE.*put .* into the folder") as e:
        make("train")
    assert str(data) in str(e.value)
    assert "\n" not in str(e.value)
    assert not (data / "torchvision").exists()


def test_a_wrong_environment_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EBMSUITE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"EBMSUITE_DATA names .*nowhere, which is not a folder"):
        mnist()


class FakeMNIST:
    """Stands for torchvision.datasets.MNIST: downloads nothing, or fails half-way."""

    fails = False

    def __init__(self, root: str, train: bool, download: bool) -> None:
        raw = Path(root) / "MNIST" / "raw"
        if download:
            raw.mkdir(parents=True)
            (raw / "train-images").touch()
            if self.fails:
                raise URLError("no route to host")
        if not raw.is_dir():
            raise RuntimeError("Dataset not found")
        stored = arrays()
        self.data, self.targets = torch.from_numpy(stored["x_train"]), torch.from_numpy(stored["y_train"])


def test_downloads_are_whole_or_absent(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EBMSUITE_OFFLINE")
    fake = types.SimpleNamespace(datasets=types.SimpleNamespace(MNIST=FakeMNIST))
    monkeypatch.setattr("ebmsuite_image.data.public.import_torchvision", lambda: fake)
    monkeypatch.setattr(FakeMNIST, "fails", True)
    with pytest.raises(MissingData, match=r"image/mnist is not on this machine.*no route to host"):
        mnist()
    assert list((data / "torchvision").iterdir()) == []
    monkeypatch.setattr(FakeMNIST, "fails", False)
    assert mnist().note == "20 of 60,000 training images, 18 of them in train"
    assert [p.name for p in (data / "torchvision").iterdir()] == ["MNIST"]


def test_the_layout_of_torchvision_is_read(data: Path) -> None:
    pytest.importorskip("torchvision")
    raw = data / "torchvision" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    with pytest.raises(DataError, match=r"raw is no complete copy of MNIST.*remove it"):
        mnist()
    stored = arrays()
    for part, prefix in (("train", "train"), ("test", "t10k")):
        x, y = stored[f"x_{part}"], stored[f"y_{part}"]
        header = struct.pack(">4i", 0x803, *x.shape), struct.pack(">2i", 0x801, len(y))
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(header[0] + x.tobytes())
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(header[1] + y.tobytes())
    test = mnist("test", labels=True)
    assert torch.equal(everything(test)[:, 0], torch.from_numpy(stored["x_test"]))
    assert test.labels is not None
    assert test.labels.tolist() == stored["y_test"].tolist()


def test_celeba_is_read_from_its_files(data: Path) -> None:
    folder = data / "torchvision" / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    with pytest.raises(DataError, match=r"list_eval_partition\.txt is missing"):
        celeba()
    (folder / "list_eval_partition.txt").write_text("000001.jpg 0\n000002.jpg 1\n000003.jpg 0\n000004.jpg 0\n")
    with pytest.raises(DataError, match="holds no picture of the test split"):
        celeba("test")
    for name in ("000001", "000002", "000003"):
        face = Image.new("RGB", (178, 218), "black")
        face.paste((255, 255, 255), (19, 39, 159, 179))  # the central 140 x 140
        face.save(folder / "img_align_celeba" / f"{name}.jpg", quality=100)
    faces = celeba(size=32)
    assert (len(faces), faces.note) == (2, "2 of 162,770 train images")
    batch = faces.batch(torch.tensor([1, 0]), torch.zeros(2, dtype=torch.int64))
    assert batch.x.shape == (2, 3, 32, 32)
    assert batch.x[..., 1:-1, 1:-1].min() > 0.95
    assert celeba(size=32, crop=178).batch(torch.tensor([0]), torch.tensor([0])).x.min() == -1
    assert len(celeba("valid")) == 1
    assert celeba("valid").skipped == {}
    Image.new("RGB", (178, 218)).save(folder / "img_align_celeba" / "000009.jpg")
    assert celeba().skipped == {"not in list_eval_partition.txt": ["000009.jpg"]}
    face = folder / "img_align_celeba" / "000001.jpg"
    face.write_bytes(face.read_bytes()[:-500])
    with pytest.raises(DataError, match=r"1 of 2 pictures cannot be read \(000001\.jpg: .*unpack"):
        celeba()
    for line, problem in (("000001.jpg 0\n000001.jpg 1", "names a file again"), ("000001.jpg 3", "names no split")):
        (folder / "list_eval_partition.txt").write_text(line + "\n")
        with pytest.raises(DataError, match=problem):
            celeba()
    (folder / "list_eval_partition.txt").write_text("000001.jpg zero\n")
    with pytest.raises(DataError, match="every line must be"):
        celeba()


# -- a user's own folder -------------------------------------------------------------------------------------


@pytest.fixture
def album(tmp_path: Path) -> Path:
    for i in range(120):
        path = tmp_path / "album" / f"trip{i % 3}" / f"{i:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 9), (i, i, 255 - i)).save(path)
    (tmp_path / "album" / "notes.txt").write_text("no picture")
    (tmp_path / "album" / "._000.png").write_text("no picture either")
    return tmp_path / "album"


def test_the_splits_of_a_folder_are_a_partition(album: Path) -> None:
    parts = {split: set(Folder(album, split).files.paths) for split in ("train", "valid", "test")}
    assert sum(map(len, parts.values())) == len(set.union(*parts.values())) == 120
    assert 95 < len(parts["train"]) < 119
    Image.new("RGB", (12, 9)).save(album / "another.png")
    for split, before in parts.items():
        assert before <= set(Folder(album, split).files.paths)


def test_a_folder_yields_pictures(album: Path) -> None:
    folder = Folder(str(album), size=8, channels=1)
    dataset: Dataset = folder
    assert (dataset.event.shape, dataset.condition) == ((1, 8, 8), None)
    assert list(folder.files.paths) == sorted(folder.files.paths)
    batch = dataset.batch(torch.tensor([5, 2]), torch.zeros(2, dtype=torch.int64))
    assert batch.x.shape == (2, 1, 8, 8)
    alone = dataset.batch(torch.tensor([2]), torch.zeros(1, dtype=torch.int64))
    assert torch.equal(batch.x[1:], alone.x)


def test_damage_that_only_decoding_sees_is_named_when_a_picture_is_read(album: Path) -> None:
    for path in sorted(album.rglob("[0-9]*.png")):
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)).save(path)
    broken = Folder(album).files.paths[4]
    data = bytearray(broken.read_bytes())
    data[9_000:10_000] = bytes(1000)
    broken.write_bytes(data)
    folder = Folder(album)
    folder.batch(torch.tensor([3]), torch.tensor([0]))
    with pytest.raises(DataError, match=rf"{broken.name} cannot be read as a picture \(.*remove or replace it"):
        folder.batch(torch.tensor([3, 4]), torch.tensor([0, 0]))


def test_folders_without_pictures_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere is not a folder"):
        Folder(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"contains no pictures; file endings can be \.png"):
        Folder(tmp_path)
    Image.new("L", (4, 4)).save(tmp_path / "one.png")
    with pytest.raises(DataError, match="none of its 1 pictures falls into the split"):
        [Folder(tmp_path, split) for split in ("train", "valid", "test")]


def test_sub_folders_named_like_splits_are_the_splits(tmp_path: Path) -> None:
    for split, n in (("train", 3), ("test", 2)):
        (tmp_path / split).mkdir()
        for i in range(n):
            Image.new("L", (4, 4)).save(tmp_path / split / f"{i}.png")
    assert (len(Folder(tmp_path)), len(Folder(tmp_path, "test"))) == (3, 2)
    assert Folder(tmp_path).note == 'the sub-folder "train"'
    with pytest.raises(DataError, match=r'divided into the sub-folders "test" and "train"; .* no picture of .* valid'):
        Folder(tmp_path, "valid")
    (tmp_path / "Validation").mkdir()
    with pytest.raises(DataError, match="no picture of the split valid"):
        Folder(tmp_path, "valid")
    Image.new("L", (4, 4)).save(tmp_path / "Validation" / "0.png")
    assert len(Folder(tmp_path, "valid")) == 1
    (tmp_path / "val").mkdir()
    with pytest.raises(DataError, match='two sub-folders for valid, "Validation" and "val"; join them'):
        Folder(tmp_path)


def fill(root: Path, counts: Mapping[str, int]) -> None:
    for folder, n in counts.items():
        (root / folder).mkdir(parents=True)
        for i in range(n):
            Image.new("L", (4, 4)).save(root / folder / f"{i}.png")


@pytest.mark.parametrize("name", ["train", "test", "Valid"])
def test_one_sub_folder_named_like_a_split_is_a_class(tmp_path: Path, name: str) -> None:
    fill(tmp_path, {name: 30, "bus": 30, "car": 30})
    parts = [Folder(tmp_path, split) for split in ("train", "valid", "test")]
    assert sum(map(len, parts)) == 90
    assert (
        parts[0].note == f"{len(parts[0])} of 90 pictures are in the split train, chosen by their names; "
        f'the sub-folder "{name}" is not taken as a split'
    )
    assert {path.parent.name for path in parts[0].files.paths} == {name, "bus", "car"}


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (
            {"train": 2, "test": 2, "bus": 1},
            r'"test" and "train", and pictures outside of them \(bus/0\.png and 0 more',
        ),
        ({"train": 2, "val": 2, ".": 3}, r"pictures outside of them \(0\.png and 2 more\)"),
        ({"test": 2, "valid": 2}, 'sub-folders "test" and "valid" but no "train"'),
        ({"train": 2, "val": 2, "valid": 2}, 'two sub-folders for valid, "val" and "valid"'),
    ],
)
def test_sub_folders_that_may_be_splits_or_not_are_an_error(
    tmp_path: Path, counts: dict[str, int], message: str
) -> None:
    fill(tmp_path / "album", {folder: n for folder, n in counts.items() if folder != "."})
    for i in range(counts.get(".", 0)):
        Image.new("L", (4, 4)).save(tmp_path / "album" / f"{i}.png")
    with pytest.raises(DataError, match=message):
        Folder(tmp_path / "album")


def test_names_in_either_unicode_composition_are_in_one_split_and_order(tmp_path: Path) -> None:
    names = [f"caf\N{LATIN SMALL LETTER E WITH ACUTE}-{i}.png" for i in range(40)] + ["zoë/1.png", "año.png", "가.png"]
    parts: dict[str, list[list[str]]] = {}
    for form in ("NFC", "NFD"):
        root = tmp_path / form
        for name in names:
            path = root / unicodedata.normalize(form, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (4, 4)).save(path)
        parts[form] = [
            [unicodedata.normalize("NFC", name) for name in Folder(root, split).files.found.names]
            for split in ("train", "valid", "test")
        ]
    assert parts["NFC"] == parts["NFD"]
    # two files whose names differ in composition only are two pictures of one split
    both = tmp_path / "both"
    both.mkdir()
    for form in ("NFC", "NFD"):
        for name in names[:40]:
            Image.new("L", (4, 4)).save(both / unicodedata.normalize(form, name))
    for split in ("train", "valid", "test"):
        found = [unicodedata.normalize("NFC", name) for name in Folder(both, split).files.found.names]
        assert found[::2] == found[1::2]


def test_names_that_are_not_utf8(album: Path) -> None:
    for name in (b"caf\xe9.png", b"na\xefve/\xff.png", b"\xe9t\xe9.txt"):
        path = album / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (4, 4)).save(path, format="PNG")
    parts = [Folder(album, split, size=4) for split in ("train", "valid", "test")]
    assert sum(map(len, parts)) == 122
    assert len({part.digest() for part in parts}) == 3
    for part in parts:
        assert part.batch(torch.arange(len(part)), torch.zeros(len(part))).x.shape[0] == len(part)
        json.dumps(part.skipped, ensure_ascii=False).encode()
    assert "\\xe9t\\xe9.txt" in parts[0].skipped["with an unsupported ending"]
    (album / os.fsdecode(b"caf\xe9.png")).write_bytes(b"")
    with pytest.raises(DataError) as error:
        Folder(album)
    assert "caf\\xe9.png: empty" in str(error.value)
    str(error.value).encode()


def test_damaged_pictures_are_one_error_or_left_out(album: Path) -> None:
    before = Folder(album).digest()
    damaged = sorted(album.rglob("00[1-8].png"))
    for path in damaged:
        path.write_bytes(path.read_bytes()[:40])
    for split in ("train", "valid", "test"):
        with pytest.raises(
            DataError, match=r'8 of 120 pictures.*trip0/003\.png: .*; \.\.\.\).*"invalid: skip"'
        ) as error:
            Folder(album, split)
        assert "\n" not in str(error.value)
    parts = [Folder(album, split, invalid="skip") for split in ("train", "valid", "test")]
    assert sum(map(len, parts)) == 112
    left_out = [path.relative_to(album).as_posix() for path in damaged]
    assert all(part.skipped["that cannot be read as pictures"] == sorted(left_out) for part in parts)
    assert parts[0].digest() != before


def test_the_digest_is_of_names_and_contents(album: Path, tmp_path: Path) -> None:
    before = Folder(album).digest()
    shutil.move(album, tmp_path / "moved")
    moved = Folder(tmp_path / "moved")
    assert moved.digest() == before
    first = moved.files.paths[0]
    data = first.read_bytes()
    Image.new("RGB", (12, 9), "red").save(first)
    changed = Folder(tmp_path / "moved").digest()
    assert changed != before
    first.write_bytes(data)
    assert Folder(tmp_path / "moved").digest() == before
    first.rename(first.with_name(first.name + ".png"))
    assert Folder(tmp_path / "moved").digest() != before


# -- torchvision ---------------------------------------------------------------------------------------------


NMS = RuntimeError("operator torchvision::nms does not exist")
SYMBOL = ImportError("undefined symbol: _ZN3c10")
ABSENT = ModuleNotFoundError("No module named 'torchvision'", name="torchvision")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (NMS, r"torchvision .*torch .*nms does not exist.*uv sync"),
        (SYMBOL, r"undefined symbol.*pip install --upgrade torch torchvision"),
        (ABSENT, "torchvision is not installed"),
    ],
)
def test_a_torchvision_that_does_not_fit_is_one_message(
    data: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    monkeypatch.delenv("EBMSUITE_OFFLINE")

    def broken(name: str, package: str | None = None) -> types.ModuleType:
        assert name == "torchvision"
        raise error

    monkeypatch.setattr(importlib, "import_module", broken)
    for needs_it in (import_torchvision, mnist):
        with pytest.raises(PluginError, match=message) as raised:
            needs_it()
        assert torch.__version__.split("+")[0] in str(raised.value)
    assert len(Digits("valid")) == 1000  # which does without


def test_one_picture_keeps_its_proportions_and_is_every_split(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 255, (30, 60, 3), dtype=np.uint8)
    Image.fromarray(array).save(tmp_path / "a.png")
    whole = One(str(tmp_path / "a.png"))
    assert whole.event.fixed == (3, 30, 60)
    x = whole.batch(torch.zeros(2, dtype=torch.long), torch.zeros(2, dtype=torch.long)).x
    assert torch.equal(to_uint8(x)[1], torch.from_numpy(array).permute(2, 0, 1))
    assert One(str(tmp_path / "a.png"), size=20, channels=1).event.fixed == (1, 10, 20)
    landscape = [One(split=split, size=72) for split in ("train", "valid", "test")]
    assert landscape[0].event.fixed == (3, 33, 72)
    assert all(torch.equal(landscape[0].images, other.images) for other in landscape[1:])
    with pytest.raises(DataError, match=r"none\.png: there is no such file"):
        One(str(tmp_path / "none.png"))
    with pytest.raises(RecipeError, match="at least one pixel"):
        One(size=0)


def test_grey_noise_is_uniform_and_grey() -> None:
    noise = GreyNoise(Space((3, 8, 8)), -1.0, 1.0)
    x = noise.sample(500, torch.Generator().manual_seed(0))
    assert torch.equal(x[:, 0], x[:, 2])
    assert x.std().item() == pytest.approx(3**-0.5, rel=0.02)
    assert torch.allclose(noise.log_prob(x[:2]), torch.full((2,), -64 * np.log(2.0)).float())
    x[0, 1, 0, 0] += 0.1
    assert noise.log_prob(x[:2]).isinf().tolist() == [True, False]
