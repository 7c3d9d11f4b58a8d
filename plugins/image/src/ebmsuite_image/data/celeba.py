"""The data set ``image/celeba``: faces, read from picture files."""

from __future__ import annotations

from pathlib import Path

from ebmsuite.errors import DataError, RecipeError
from ebmsuite.files import printable
from ebmsuite_image.data.pictures import SPLITS, Files, Pictures, check_split
from ebmsuite_image.data.torchvision_pair import import_torchvision
from ebmsuite_image.data.where import download, torchvision_folder
from ebmsuite_image.folders import Found, checked, complaint

__all__ = ["celeba"]

WHOLE = {"train": 162_770, "valid": 19_867, "test": 19_962}


def celeba(split: str = "train", size: int = 64, crop: int = 140, flip: bool = False) -> Pictures:
    """CelebA, aligned and cropped: RGB faces, 178 pixels wide and 218 high, with its own three splits.

    The central ``crop`` x ``crop`` pixels are scaled to ``size`` x ``size``; ``flip`` mirrors training examples at
    random. The start and end of every picture file are checked for damage immediately. Pictures are decoded when a
    batch needs them.
    """
    check_split(split)
    if min(size, crop) < 1:
        raise RecipeError(f"size: {size} and crop: {crop} must be at least one pixel")
    folder = torchvision_folder() / "celeba"
    if not folder.exists():
        contents = "torchvision/celeba (list_eval_partition.txt and the JPEGs of img_align_celeba.zip, unpacked)"
        download("celeba", contents, _fetch)
    partition, pictures = folder / "list_eval_partition.txt", folder / "img_align_celeba"
    split_of = _partition(partition)
    there = {path.name for path in pictures.iterdir()} if pictures.is_dir() else set()
    names = [name for name, number in split_of.items() if SPLITS[number] == split and name in there]
    if not names:
        raise DataError(f"{pictures} holds no picture of the {split} split; unpack img_align_celeba.zip there")
    prints, faults = checked(pictures, names)
    if faults:
        raise DataError(f"{complaint(pictures, faults, len(names))}; unpack img_align_celeba.zip there again")
    others = sorted(map(printable, there - split_of.keys()))
    skipped = {f"not in {partition.name}": others} if others else {}
    note = "" if len(names) >= WHOLE[split] else f"{len(names):,} of {WHOLE[split]:,} {split} images"
    files = Files(Found(pictures, tuple(names), prints, skipped), (size, size), 3, crop)
    return Pictures(files, flip=flip and split == "train", note=note, skipped=skipped)


def _fetch(folder: Path) -> None:
    import_torchvision().datasets.CelebA(str(folder), split="all", download=True)


def _partition(path: Path) -> dict[str, int]:
    """Read a map from file name to 0 (train), 1 (valid) or 2 (test), from lines such as "000001.jpg 0"."""
    found: dict[str, int] = {}
    try:
        for line in filter(str.strip, path.read_text(encoding="utf-8").splitlines()):
            name, number = line.split()
            if name in found or int(number) not in (0, 1, 2):
                raise ValueError(f'"{line}" names a file again' if name in found else f'"{line}" names no split')
            found[name] = int(number)
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing: it lists the splits of CelebA; download it beside the pictures") from error
    except ValueError as error:
        raise DataError(f'{path}: every line must be a file name and 0, 1 or 2 ("000001.jpg 0"); {error}') from error
    return found
