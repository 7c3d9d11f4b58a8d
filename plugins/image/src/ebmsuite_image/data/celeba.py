"""The data set ``image/celeba``: faces, read from files."""

from __future__ import annotations

from pathlib import Path

from ebmsuite.errors import DataError, RecipeError
from ebmsuite_image.data.pictures import SPLITS, Files, Pictures, check_split
from ebmsuite_image.data.torchvision_pair import import_torchvision
from ebmsuite_image.data.where import download, torchvision_folder

__all__ = ["celeba"]

WHOLE = {"train": 162_770, "valid": 19_867, "test": 19_962}


def celeba(split: str = "train", size: int = 64, crop: int = 140, flip: bool = False) -> Pictures:
    """CelebA, aligned and cropped: RGB faces, 178 wide and 218 high, in its own three splits.

    The central ``crop`` x ``crop`` pixels are scaled to ``size`` x ``size``; ``flip`` mirrors training
    examples at random. Pictures are decoded when a batch is asked for.
    """
    check_split(split)
    if min(size, crop) < 1:
        raise RecipeError(f"size: {size} and crop: {crop} must be at least one pixel")
    folder = torchvision_folder() / "celeba"
    if not folder.exists():
        contents = "torchvision/celeba (list_eval_partition.txt and the JPEGs of img_align_celeba.zip, unpacked)"
        download("celeba", contents, _fetch)
    wanted = _partition(folder / "list_eval_partition.txt", SPLITS.index(split))
    pictures = folder / "img_align_celeba"
    there = {path.name for path in pictures.iterdir()} if pictures.is_dir() else set()
    paths = [pictures / name for name in wanted if name in there]
    if not paths:
        raise DataError(f"{pictures} holds no picture of the {split} split; unpack img_align_celeba.zip there")
    note = "" if len(paths) >= WHOLE[split] else f"{len(paths):,} of {WHOLE[split]:,} {split} images"
    return Pictures(Files(paths, (size, size), 3, crop), flip=flip and split == "train", note=note)


def _fetch(folder: Path) -> None:
    import_torchvision().datasets.CelebA(str(folder), split="all", download=True)


def _partition(path: Path, number: int) -> list[str]:
    """The file names of one split, from lines "000001.jpg 0"."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [name for name, part in map(str.split, filter(str.strip, lines)) if int(part) == number]
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing: it lists the splits of CelebA; download it beside the pictures") from error
    except ValueError as error:
        raise DataError(f'{path}: every line must be a file name and 0, 1 or 2 ("000001.jpg 0"); {error}') from error
