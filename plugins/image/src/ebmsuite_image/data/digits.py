"""The embedded data set ``image/digits``: a part of MNIST included in the package."""

from __future__ import annotations

import functools
import importlib.resources

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ebmsuite_image.data.pictures import DIGITS, SPLITS, Pictures, check_split, resized

__all__ = ["Digits"]


class Digits(Pictures):
    """Handwritten digits, 28x28, grey: 7,000 train, 1,000 valid and 2,000 test pictures of MNIST, unaltered.

    "train" and "valid" come from MNIST's training images, "test" from its test images. Each group of ten consecutive
    pictures contains each digit once. ``size`` scales pictures to size x size; ``labels`` makes the digit the
    condition. The attribute ``rows`` [N] holds the row numbers of the pictures in their MNIST file.
    """

    def __init__(self, split: str = "train", size: int | None = None, labels: bool = False) -> None:
        check_split(split)
        images, digits, self.rows = _stored()[split]
        source = "10,000 test" if split == "test" else "60,000 training"
        note = f"{len(images):,} of the {source} images of MNIST"
        super().__init__(resized(images, size), digits, 10, conditional=labels, note=note, names=DIGITS)


@functools.cache
def _stored() -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    """Per split: pictures uint8 [N, 1, 28, 28], digits int64 [N] and rows int64 [N]."""
    # the file stores a mask of the inked pixels and their grey values only (see tools/make_digits.py)
    with (
        importlib.resources.files(__package__).joinpath("digits.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as stored,
    ):
        ink = np.unpackbits(stored["ink"]).view(bool)
        pixels: npt.NDArray[np.uint8] = np.zeros(ink.size, np.uint8)
        pixels[ink] = stored["values"]
        sizes: list[int] = stored["sizes"].tolist()
        pictures = torch.from_numpy(pixels).view(-1, 1, 28, 28)
        digits = torch.from_numpy(stored["labels"]).long()
        rows = torch.from_numpy(stored["rows"].astype(np.int64))
    parts, start = {}, 0
    for split, n in zip(SPLITS, sizes, strict=True):
        end = start + n
        parts[split] = pictures[start:end], digits[start:end], rows[start:end]
        start = end
    return parts
