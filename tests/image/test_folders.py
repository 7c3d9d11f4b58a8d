"""Which files of a folder are pictures, which are damaged, and what is said of the others."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ebmsuite.errors import DataError
from ebmsuite.pictures.raster import ENDINGS, decode
from ebmsuite_image.codec import Pixels
from ebmsuite_image.data import Folder
from ebmsuite_image.folders import find
from ebmsuite_image.structure import ends

RANDOM = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
FORMATS = {
    ".png": "PNG", ".apng": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".bmp": "BMP",
    ".gif": "GIF", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF",
}  # fmt: skip


def save(path: Path, picture: Image.Image = RANDOM, **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, format=FORMATS[path.suffix.lower()], **how)
    return path


def test_every_ending_is_read_in_either_case(tmp_path: Path) -> None:
    assert set(FORMATS) == set(ENDINGS)
    for ending in ENDINGS:
        save(tmp_path / f"a{ending}")
        save(tmp_path / f"b{ending.upper()}")
    found = find(tmp_path)
    assert (len(found.names), found.skipped) == (2 * len(ENDINGS), {})
    assert Pixels((8, 8), 3).read(tmp_path).x.shape == (2 * len(ENDINGS), 3, 8, 8)


def test_every_file_that_is_not_used_is_named(tmp_path: Path) -> None:
    save(tmp_path / "a" / "1.png")
    for name in ("README", "notes.txt", "a/photo.heic", ".DS_Store", "a/._1.png", "no-ending"):
        (tmp_path / name).touch()
    save(tmp_path / ".thumbnails" / "1.png")
    (tmp_path / "odd.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "self.png").symlink_to("self.png")
    assert find(tmp_path).skipped == {
        "hidden": [".DS_Store", ".thumbnails", "a/._1.png"],
        "that are not regular files": ["pipe.png"],
        "that link to nothing": ["gone.png", "self.png"],
        "with an unsupported ending": ["README", "a/photo.heic", "no-ending", "notes.txt"],
    }
    (tmp_path / "a" / "1.png").unlink()
    with pytest.raises(
        DataError, match=r"contains no pictures.*left out: 3 hidden \(\.DS_Store, .*4 with an unsupported ending"
    ):
        find(tmp_path)


def test_links_are_followed_once_and_in_no_circle(tmp_path: Path) -> None:
    album, other = tmp_path / "album", tmp_path / "other"
    save(album / "z" / "1.png")
    save(other / "deep" / "2.png")
    (other / "back").symlink_to(other)
    (album / "friends").symlink_to(other)  # elsewhere
    (album / "a").symlink_to("z")  # a second name of a folder inside
    (album / "favourite.png").symlink_to("z/1.png")  # and of a picture
    (album / "z" / "up").symlink_to(tmp_path)  # a circle, past the folder itself
    (album / "single.png").symlink_to(save(tmp_path / "3.png"))
    found = find(album)
    assert found.names == ("friends/deep/2.png", "single.png", "z/1.png")
    assert found.skipped == {
        "that link to a folder that contains them": ["friends/back", "z/up"],
        "that link to something that is read anyway": ["a", "favourite.png"],
    }
    (tmp_path / "door").symlink_to(album)
    assert find(tmp_path / "door").names == found.names


def test_apply_reads_the_pictures_that_training_reads(tmp_path: Path) -> None:
    for name in [*(f"{i}.png" for i in range(3)), *(f"sub{i % 4}/{i}.JPG" for i in range(20)), "sub0/.hidden.png"]:
        save(tmp_path / name)
    (tmp_path / "x.md").touch()
    given, learned = Pixels((8, 8), 3).inputs(tmp_path), Folder(tmp_path)
    assert len(given.names) == len(given.x) == 23
    assert given.names[:4] == ("0.png", "1.png", "2.png", "sub0/0.JPG")
    assert learned.note.endswith("of 23 pictures are in the split train, chosen by their names")
    assert set(learned.files.found.printable) <= set(given.names)
    expected = {"hidden": ["sub0/.hidden.png"], "with an unsupported ending": ["x.md"]}
    assert given.skipped == learned.skipped == expected


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "open" / "1.png")
    (tmp_path / "secret").mkdir()
    scan = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "secret":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"secret cannot be listed \(Permission denied\)"):
        find(tmp_path)


# -- damage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [e for e in ENDINGS if e not in (".apng", ".jpeg", ".jpe", ".jfif", ".tiff")])
@pytest.mark.parametrize("how", ["half", "most", "zeros", "empty", "text"])
def test_damage_is_seen_without_decoding(tmp_path: Path, ending: str, how: str) -> None:
    path = save(tmp_path / f"broken{ending}")
    save(tmp_path / f"whole{ending}")
    data = path.read_bytes()
    if how == "zeros" and ending in (".bmp", ".tif", ".webp"):
        pytest.skip("zeros are pixels in this format, or its size is right")
    path.write_bytes(
        {
            "half": data[: len(data) // 2],
            "most": data[:-40],
            "zeros": data[:-3000] + bytes(3000),
            "empty": b"",
            "text": b"<html>404 Not Found</html>" * 40,
        }[how]
    )
    with pytest.raises(DataError, match=rf"1 of 2 pictures cannot be read \(broken\{ending}: [^:]"):
        find(tmp_path)
    found = find(tmp_path, "skip")
    assert found.names == (f"whole{ending}",)
    assert found.skipped == {"that cannot be read as pictures": [f"broken{ending}"]}


def test_whole_pictures_pass_whatever_they_look_like(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[0x010E] = "x" * 20_000
    grey, small = RANDOM.convert("L"), RANDOM.resize((16, 16))
    paths = [
        save(tmp_path / "progressive.jpg", progressive=True),
        save(tmp_path / "exif.jpg", exif=exif),
        save(tmp_path / "cmyk.jpg", RANDOM.convert("CMYK")),
        save(tmp_path / "palette.png", RANDOM.convert("P")),
        save(tmp_path / "bits.bmp", RANDOM.convert("1")),
        save(tmp_path / "moving.gif", small, save_all=True, append_images=[small.rotate(90)]),
        save(tmp_path / "moving.webp", small, save_all=True, append_images=[small.rotate(90)]),
        save(tmp_path / "lossless.webp", lossless=True),
        *(save(tmp_path / f"{c}.tif", compression=c) for c in ("raw", "tiff_lzw", "tiff_adobe_deflate")),
        save(tmp_path / "bilevel.tif", RANDOM.convert("1"), compression="group4"),
        save(tmp_path / "deep.tif", Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8))),
        save(tmp_path / "one.png", Image.new("L", (1, 1))),
    ]
    for name, behind in (("short", b"\n"), ("long", bytes(3000)), ("odd", b"trailer" * 100)):
        for ending in (".jpg", ".png"):
            path = save(tmp_path / f"{name}{ending}", grey)
            path.write_bytes(path.read_bytes() + behind)
            paths.append(path)
    assert [path.name for path in paths if not ends(path)[1]] == []
    film = save(tmp_path / "film.jpg")  # this looks odd, and is decoded to be sure
    film.write_bytes(film.read_bytes() + bytes(100_000))
    assert not ends(film)[1]
    assert len(find(tmp_path).names) == len(paths) + 1


def test_the_end_of_a_thumbnail_is_not_that_of_the_picture(tmp_path: Path) -> None:
    thumbnail = save(tmp_path / "small.jpg", RANDOM.resize((16, 16))).read_bytes()
    whole = save(tmp_path / "large.jpg").read_bytes()
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(thumbnail)) + thumbnail
    path = tmp_path / "cut.jpg"
    path.write_bytes(whole[:2] + segment + whole[2:])
    assert ends(path)[1]
    for cut in (2 + len(segment), 2 + len(segment) + 600):
        path.write_bytes((whole[:2] + segment + whole[2:])[:cut])
        assert not ends(path)[1]


def test_tiffs_of_several_pages_and_of_unknown_scale_are_errors(tmp_path: Path) -> None:
    for path, picture, how, reason in (
        (
            tmp_path / "pages.tif",
            RANDOM,
            {"save_all": True, "append_images": [RANDOM, RANDOM]},
            "it has 3 pages; save each",
        ),
        (tmp_path / "float.tif", Image.fromarray(np.zeros((8, 8), np.float32)), {}, "its pixels have 32 bits"),
        (tmp_path / "int.tif", Image.fromarray(np.zeros((8, 8), np.int32)), {}, "its pixels have 32 bits"),
    ):
        save(path, picture, **how)
        with pytest.raises(DataError, match=rf"{path.name} cannot be read as a picture \({reason}"):
            decode(path, 1)
        with pytest.raises(DataError, match=rf"{path.name}: {reason}"):
            find(tmp_path)
        path.unlink()


def test_a_tiff_that_claims_to_be_huge_is_only_suspicious(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    entry = struct.pack("<HHII", 273, 4, 0xFFFFFFFF, 8)
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0))
    assert not ends(path)[1]
    assert find(save(tmp_path / "b" / "c.png").parents[1], "skip").names == ("b/c.png",)


def test_a_file_that_may_not_be_opened_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / "b.png")

    def refuse(path: str) -> tuple[bytes, bool]:
        if path.endswith("b.png"):
            raise PermissionError(13, "Permission denied", path)
        return ends(path)

    monkeypatch.setattr("ebmsuite_image.folders.ends", refuse)
    with pytest.raises(DataError, match=r"1 of 2 pictures cannot be read \(b\.png: Permission denied\)"):
        find(tmp_path)
