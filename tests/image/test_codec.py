"""The codec ``image/pixels``, the helpers under it, and augmentations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from ebmsuite.dataset import Codec
from ebmsuite.errors import DataError, RecipeError
from ebmsuite.pictures.raster import decode, fit
from ebmsuite.plugins import conformance
from ebmsuite.space import Batch
from ebmsuite.values import conform, plain
from ebmsuite_image.augment import Flip, Shift
from ebmsuite_image.codec import Pixels, from_uint8, to_uint8


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def save(path: Path, size: tuple[int, int] = (8, 8), colour: tuple[int, int, int] = (255, 0, 0)) -> Path:
    Image.new("RGB", size, colour).save(path)
    return path


def test_bytes_and_floats_are_exact_reverses() -> None:
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(from_uint8(every)), every)
    assert from_uint8(every)[[0, -1]].tolist() == [-1, 1]
    extreme = torch.tensor([-7.0, 7.0, float("nan"), float("inf"), 0.0])
    assert to_uint8(extreme).tolist() == [0, 255, 0, 255, 128]


def test_the_codec_is_plain_values_that_a_run_stores() -> None:
    codec = Pixels((32, 48), 1)
    assert isinstance(codec, Codec)
    assert codec.name == "image/pixels"
    stored = json.loads(json.dumps(plain(codec)))
    assert conform(stored, Pixels, "codec") == codec
    with pytest.raises(RecipeError, match="channels: 2"):
        Pixels((8, 8), 2)
    with pytest.raises(RecipeError, match="size"):
        Pixels((0, 8), 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_of_pngs_comes_back_within_one_level(tmp_path: Path, channels: int) -> None:
    x, codec = noise(12, channels, 7, 5), Pixels((7, 5), channels)
    codec.write(x, tmp_path / "samples")
    assert sorted(p.name for p in (tmp_path / "samples").iterdir())[::11] == ["0000.png", "0011.png"]
    batch = codec.read(tmp_path / "samples")
    assert batch.index is not None
    assert batch.index.tolist() == list(range(12))
    assert batch.x.dtype == torch.float32
    assert (batch.x - x).abs().max() <= 1 / 255 + 1e-6


def test_arrays_come_back_exactly_even_outside_the_range(tmp_path: Path) -> None:
    x, codec = noise(3, 3, 6, 6) * 1.5, Pixels((6, 6), 3)
    codec.write(x, tmp_path / "x.npy")
    codec.write(x, tmp_path / "x.safetensors")
    assert torch.equal(codec.read(tmp_path / "x.npy").x, x)
    assert torch.equal(load_file(tmp_path / "x.safetensors")["x"], x)
    assert torch.equal(codec.read(tmp_path / "x.safetensors").x, x)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.npy", "x.safetensors"]


def test_png_is_the_picture_or_a_sheet_of_several(tmp_path: Path) -> None:
    codec = Pixels((4, 4), 1)
    codec.write(noise(1, 1, 4, 4), tmp_path / "one.png")
    assert Image.open(tmp_path / "one.png").size == (4, 4)
    codec.write(noise(5, 1, 4, 4), tmp_path / "sheet.png")
    sheet = Image.open(tmp_path / "sheet.png")
    assert (sheet.mode, sheet.size) == ("L", (3 * 6 + 2, 2 * 6 + 2))


def test_pictures_are_shown_as_their_bytes() -> None:
    codec, bytes_ = Pixels((2, 3), 3), torch.arange(36, dtype=torch.uint8).view(2, 3, 2, 3)
    assert torch.equal(codec.show(from_uint8(bytes_)), bytes_.permute(0, 2, 3, 1))
    assert torch.equal(codec.show(from_uint8(bytes_[:, :1])), bytes_[:, 0])
    assert codec.show(torch.full((1, 1, 1, 2), torch.nan)).tolist() == [[[0, 0]]]
    conformance._pictures_are_sound(codec, Batch(from_uint8(bytes_)))
    for shape in ((2, 2, 4, 4), (4, 4)):
        with pytest.raises(DataError, match=r"pictures are \[N, 1 or 3, height, width\], not"):
            codec.show(torch.zeros(shape))


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = Pixels((4, 4), 1)
    codec.write(torch.zeros(1, 1, 4, 4), tmp_path / "x.npy")
    before = (tmp_path / "x.npy").read_bytes()

    def broken(file: object, array: object, allow_pickle: bool) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("ebmsuite_image.codec.np.save", broken)
    with pytest.raises(OSError, match="disk full"):
        codec.write(torch.ones(1, 1, 4, 4), tmp_path / "x.npy")
    assert [p.name for p in tmp_path.iterdir()] == ["x.npy"]
    assert (tmp_path / "x.npy").read_bytes() == before


def test_unknown_endings_list_the_known(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\.tiff.*\.png, \.npy, \.safetensors"):
        Pixels((4, 4), 1).write(noise(1, 1, 4, 4), tmp_path / "x.tiff")
    (tmp_path / "x.txt").write_text("hello")
    with pytest.raises(DataError, match=r"x\.txt.*\.png.*\.npz"):
        Pixels((4, 4), 1).read(tmp_path / "x.txt")
    with pytest.raises(DataError, match="no such file"):
        Pixels((4, 4), 1).read(tmp_path / "absent.png")


def truncated(path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "bmp", "webp"])
def test_a_broken_picture_in_a_folder_is_named(tmp_path: Path, ending: str) -> None:
    save(tmp_path / "good.png")
    truncated(tmp_path / f"holiday.{ending}")
    with pytest.raises(DataError, match=rf"1 of 2 pictures cannot be read \(holiday\.{ending}: .*remove or replace"):
        Pixels((8, 8), 3).read(tmp_path)


def test_files_that_are_no_pictures_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    with pytest.raises(DataError, match=r"empty\.png.*\(empty\)"):
        Pixels((8, 8), 3).read(tmp_path / "empty.png")
    (tmp_path / "text.jpg").write_text("not a picture")
    with pytest.raises(DataError, match=r"text\.jpg"):
        Pixels((8, 8), 3).read(tmp_path / "text.jpg")
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match=r"none contains no pictures"):
        Pixels((8, 8), 3).read(tmp_path / "none")


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (np.full((2, 4, 4), 255.0), r"holds floats from 255 to 255: scale them to \[-1, 1\]"),
        (np.linspace(-2.1, 2.6, 32).reshape(2, 4, 4), r"holds floats from -2.1 to 2.6: scale them"),
        (np.linspace(0, 8, 32, dtype=np.float32).reshape(2, 4, 4), "holds floats from 0 to 8: scale them"),
        (np.linspace(0, 1, 32).reshape(2, 4, 4), r"in \[0, 1\] or in \[-1, 1\]\? Say scale=unit or scale=signed"),
        (np.linspace(-0.05, 1.05, 32).reshape(2, 4, 4), "Say scale=unit or scale=signed"),
        (np.full((2, 4, 4), 0.5, np.float16), "Say scale=unit or scale=signed"),
        (np.full((2, 4, 4), np.nan), "not numbers"),
        (np.zeros((2, 4, 4), np.int64), "is int64, whose scale is unknown; save it as uint8"),
        (np.zeros((2, 4, 4), np.int16), "is int16, whose scale is unknown"),
        (np.zeros((2, 4, 4), np.uint16), "is uint16, whose scale is unknown"),
        (np.zeros((2, 4, 4), bool), "is bool, whose scale is unknown"),
        (np.zeros((3, 32, 3), np.uint8), r"\[3, 32, 3\]: three grey pictures or one in colours\?"),
        (np.zeros((3, 4, 4), np.uint8), r"\[3, 4, 4\]: three grey pictures or one in colours\?"),
        (np.zeros((5, 3, 8, 3), np.uint8), r"\[5, 3, 8, 3\]: is the second axis the colours or the last"),
        (np.zeros((5, 1, 8, 1), np.uint8), r"\[5, 1, 8, 1\]: is the second axis"),
        (np.zeros((2, 4, 4, 4)), r"\[2, 4, 4, 4\]"),
        (np.zeros((0, 1, 4, 4)), "N > 0"),
        (np.array([{"a": 1}], dtype=object), "cannot be read"),
    ],
)
def test_wrong_arrays_are_named(tmp_path: Path, array: npt.NDArray[Any], problem: str) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(DataError, match=rf"x\.npy.*{problem}"):
        Pixels((4, 4), 1).read(tmp_path / "x.npy")


def test_a_scale_that_is_given_counts(tmp_path: Path) -> None:
    codec, unit = Pixels((4, 4), 1), np.linspace(0, 1, 16, dtype=np.float32).reshape(1, 1, 4, 4)
    np.save(tmp_path / "x.npy", unit)
    assert torch.equal(codec.inputs(tmp_path / "x.npy", "unit").x, torch.from_numpy(2 * unit - 1))
    assert torch.equal(codec.inputs(tmp_path / "x.npy", "signed").x, torch.from_numpy(unit))
    np.save(tmp_path / "far.npy", unit * 6 - 3)
    assert torch.equal(codec.inputs(tmp_path / "far.npy", "signed").x, torch.from_numpy(unit * 6 - 3))
    with pytest.raises(DataError, match=r"far\.npy holds floats from -3 to 3: with scale"):
        codec.inputs(tmp_path / "far.npy", "unit")
    np.save(tmp_path / "bytes.npy", np.zeros((1, 4, 4), np.uint8))
    save(tmp_path / "a.png")
    for name, problem in (("bytes.npy", "is uint8: scale"), ("a.png", "picture files have a scale"), ("", "picture")):
        with pytest.raises(DataError, match=problem):
            codec.inputs(tmp_path / name, "unit")


def test_axes_are_read_by_one_rule(tmp_path: Path) -> None:
    shapes = {
        (4, 4): (1, 1, 4, 4),
        (1, 4, 4): (1, 1, 4, 4),
        (7, 4, 4): (7, 1, 4, 4),
        (4, 4, 3): (1, 3, 4, 4),
        (4, 4, 1): (1, 1, 4, 4),
        (7, 3, 4, 4): (7, 3, 4, 4),
        (7, 4, 4, 3): (7, 3, 4, 4),
    }
    for shape, expected in shapes.items():
        array = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
        np.save(tmp_path / "x.npy", array)
        x = to_uint8(Pixels((4, 4), expected[1]).read(tmp_path / "x.npy").x).numpy()
        channels_first = array if shape[-1] == 4 else np.moveaxis(array, -1, -3)
        np.testing.assert_array_equal(x, channels_first.reshape(expected))
    np.save(tmp_path / "x.npy", np.zeros((5, 3, 2, 3), np.uint8))
    assert Pixels((2, 3), 3).read(tmp_path / "x.npy").x.shape == (5, 3, 2, 3)  # the pictures of this very codec


def test_byte_orders_and_arrays_beside_x(tmp_path: Path) -> None:
    x = noise(2, 1, 4, 4)
    np.savez(tmp_path / "x.npz", x=x.numpy().astype(">f4"), y=np.zeros(2), names=np.zeros(2))
    found = Pixels((4, 4), 1).inputs(tmp_path / "x.npz")
    assert torch.equal(found.x, x)
    assert found.names == ("x.npz[0]", "x.npz[1]")
    assert found.skipped == {'other than "x"': ["names", "y"]}


def test_npz_takes_x_or_its_only_array(tmp_path: Path) -> None:
    picture = np.arange(16, dtype=np.uint8).reshape(1, 4, 4)
    np.savez(tmp_path / "a.npz", anything=picture)
    np.savez(tmp_path / "b.npz", x=picture, y=np.zeros(1))
    np.savez(tmp_path / "c.npz", images=picture, y=np.zeros(1))
    codec = Pixels((4, 4), 1)
    assert torch.equal(codec.read(tmp_path / "a.npz").x, codec.read(tmp_path / "b.npz").x)
    with pytest.raises(DataError, match=r'c\.npz has no array "x" \(it has images, y\)'):
        codec.read(tmp_path / "c.npz")


def test_layouts_and_modes(tmp_path: Path) -> None:
    np.save(tmp_path / "hwc.npy", np.zeros((5, 4, 4, 3), np.uint8))
    assert Pixels((4, 4), 3).read(tmp_path / "hwc.npy").x.shape == (5, 3, 4, 4)
    assert Pixels((4, 4), 1).read(tmp_path / "hwc.npy").x.shape == (5, 1, 4, 4)
    save(tmp_path / "red.png")
    grey = Pixels((8, 8), 1).read(tmp_path / "red.png").x
    assert set(to_uint8(grey).flatten().tolist()) == {76}  # the luma of pure red
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert Pixels((8, 8), 3).read(tmp_path / "clear.png").x.min() == 1
    Image.fromarray(np.full((8, 8), 65535, np.uint16)).save(tmp_path / "deep.png")
    assert Pixels((8, 8), 1).read(tmp_path / "deep.png").x.min() == 1
    Image.fromarray(np.full((8, 8), 128 * 257, np.uint16)).save(tmp_path / "deep.png")
    assert set(decode(tmp_path / "deep.png", 3).flatten().tolist()) == {128}
    Image.fromarray(np.full((8, 8), 128 * 257, np.uint16)).save(tmp_path / "deep.tif")
    assert set(decode(tmp_path / "deep.tif", 3).flatten().tolist()) == {128}


def test_other_sizes_are_cut_around_the_centre_and_scaled(tmp_path: Path) -> None:
    wide = Image.new("RGB", (40, 20), "black")
    wide.paste((255, 255, 255), (10, 0, 30, 20))  # the central square
    wide.save(tmp_path / "wide.png")
    x = Pixels((10, 10), 3).read(tmp_path / "wide.png").x
    assert x.shape == (1, 3, 10, 10)
    assert x.min() == 1
    stripes = torch.arange(16).remainder(4).eq(0).mul(255).to(torch.uint8).expand(1, 1, 16, 16)
    middle = fit(stripes, (4, 4)).float()[..., 1:3]
    assert (middle - 255 / 4).abs().max() < 8  # antialiased: between the stripes it would be 0


def test_flip_and_shift_draw_from_rng_alone() -> None:
    x = noise(64, 3, 6, 6)
    for augment in (Flip(), Shift(2)):
        torch.manual_seed(0)
        first = augment(x, torch.Generator().manual_seed(5))
        torch.manual_seed(1)
        assert torch.equal(first, augment(x, torch.Generator().manual_seed(5)))
        assert not torch.equal(first, augment(x, torch.Generator().manual_seed(6)))
        assert first.shape == x.shape
    flipped = Flip()(x, torch.Generator().manual_seed(5))
    same = (flipped == x).flatten(1).all(1)
    assert torch.equal(flipped[~same], x[~same].flip(-1))
    assert 16 < same.sum() < 48


def test_shift_moves_whole_pixels_and_repeats_the_border() -> None:
    x = noise(200, 2, 5, 7)
    moved = Shift(1)(x, torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(x, (1, 1, 1, 1), mode="replicate")
    places = [padded[..., i : i + 5, j : j + 7] for i in range(3) for j in range(3)]
    matches = torch.stack([(moved == p).flatten(1).all(1) for p in places])
    assert matches.any(0).all()
    assert matches.any(1).all()  # every one of the nine moves occurs
    assert torch.equal(Shift(0)(x, torch.Generator()), x)
    with pytest.raises(RecipeError, match="pixels: -1"):
        Shift(-1)


def test_resized_pictures_are_counted(tmp_path: Path) -> None:
    for name, size in (("a", (64, 64)), ("b", (64, 64)), ("c", (28, 28))):
        Image.new("L", size).save(tmp_path / f"{name}.png")
    codec = Pixels((28, 28), 1)
    assert codec.inputs(tmp_path).resized == "2 pictures from 64x64 to 28x28"
    Image.new("L", (40, 30)).save(tmp_path / "d.png")
    assert codec.inputs(tmp_path).resized == "3 pictures from 2 sizes to 28x28"
    assert codec.inputs(tmp_path / "d.png").resized == "1 picture from 30x40 to 28x28"
    assert codec.inputs(tmp_path / "c.png").resized == ""
    np.save(tmp_path / "x.npy", np.zeros((5, 32, 32), np.uint8))
    assert codec.inputs(tmp_path / "x.npy").resized == "5 pictures from 32x32 to 28x28"
