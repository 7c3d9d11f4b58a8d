"""Public data sets: MNIST, Fashion-MNIST, CIFAR-10, SVHN and CelebA.

They are read from the folder in the environment variable ``EBMSUITE_DATA`` (`ebmsuite_image.data.where` describes its
layout), or else downloaded by torchvision.

Splits: "test" is the test set. "valid" is the last 5,000 training images, or the last tenth if there are fewer than
50,000. "train" is the training images before them. CelebA comes with its own three splits.

Settings: ``size`` scales pictures to size x size, ``labels`` makes the class (int64, 0..9) the condition, and ``flip``
mirrors training examples at random.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ebmsuite.errors import DataError, MissingData
from ebmsuite_image.data.celeba import celeba
from ebmsuite_image.data.pictures import DIGITS, Pictures, check_split, resized
from ebmsuite_image.data.torchvision_pair import import_torchvision
from ebmsuite_image.data.where import download, npz_arrays, npz_file, torchvision_folder

__all__ = ["MNIST", "celeba", "cifar10", "fashion_mnist", "load", "mnist", "svhn"]

CLASSES = 10
HELD_OUT = 5_000

# what torchvision raises for files that are damaged or incomplete
_DAMAGED = (RuntimeError, OSError, ValueError, EOFError, KeyError, IndexError, AssertionError)


@dataclass(frozen=True)
class Public:
    """Facts about a public data set; ``marker`` is the path that torchvision creates for it below its root."""

    name: str
    torchvision: str
    marker: str
    shape: tuple[int, ...]
    train: int
    test: int
    names: tuple[str, ...]
    """The names of the classes."""
    needs: str = ""
    """A module that torchvision needs to read it."""


CLOTHES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
THINGS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

MNIST = Public("mnist", "MNIST", "MNIST/raw", (28, 28), 60_000, 10_000, DIGITS)
FASHION_MNIST = Public("fashion_mnist", "FashionMNIST", "FashionMNIST/raw", (28, 28), 60_000, 10_000, CLOTHES)
CIFAR10 = Public("cifar10", "CIFAR10", "cifar-10-batches-py", (32, 32, 3), 50_000, 10_000, THINGS)
SVHN = Public("svhn", "SVHN", "{part}_32x32.mat", (32, 32, 3), 73_257, 26_032, DIGITS, needs="scipy")


def mnist(split: str = "train", size: int | None = None, labels: bool = False, flip: bool = False) -> Pictures:
    """MNIST: handwritten digits, 28x28, grey; 55,000 train, 5,000 valid, 10,000 test."""
    return _pictures(MNIST, split, size, labels, flip)


def fashion_mnist(split: str = "train", size: int | None = None, labels: bool = False, flip: bool = False) -> Pictures:
    """Fashion-MNIST: pieces of clothing, 28x28, grey; 55,000 train, 5,000 valid, 10,000 test."""
    return _pictures(FASHION_MNIST, split, size, labels, flip)


def cifar10(split: str = "train", size: int | None = None, labels: bool = False, flip: bool = False) -> Pictures:
    """CIFAR-10: animals and vehicles, 32x32, RGB; 45,000 train, 5,000 valid, 10,000 test."""
    return _pictures(CIFAR10, split, size, labels, flip)


def svhn(split: str = "train", size: int | None = None, labels: bool = False, flip: bool = False) -> Pictures:
    """SVHN, cropped house numbers, 32x32, RGB; 68,257 train, 5,000 valid, 26,032 test."""
    return _pictures(SVHN, split, size, labels, flip)


def _pictures(public: Public, split: str, size: int | None, labels: bool, flip: bool) -> Pictures:
    check_split(split)
    part = "test" if split == "test" else "train"
    images, targets = load(public, part)
    found, whole = len(images), public.test if part == "test" else public.train
    note = ""
    if found < whole:
        note = f"{found:,} of {whole:,} {'test' if part == 'test' else 'training'} images"
    if part == "train":
        end = found - min(HELD_OUT, found // 10)
        chosen = slice(end) if split == "train" else slice(end, None)
        images, targets = images[chosen], targets[chosen]
        note += f", {len(images):,} of them in {split}" if note else ""
    return Pictures(
        resized(images, size),
        targets,
        CLASSES,
        labels,
        flip=flip and split == "train",
        note=note,
        names=public.names,
    )


def load(public: Public, part: str) -> tuple[Tensor, Tensor]:
    """Load pictures uint8 [N, C, H, W] and classes int64 [N] of "train" or "test", in their stored order.

    A complete copy is preferred to a subset, and local files are preferred to a download.
    """
    marker = torchvision_folder() / public.marker.format(part=part)
    file = npz_file(public.name, part)
    if file is None and not marker.exists():
        file = npz_file(f"{public.name}_subset", part)
    if file is not None:
        x, y = npz_arrays(*file, public.shape, CLASSES)
        return _channels_first(x), torch.from_numpy(y)
    if not marker.exists():
        contents = f"image/{public.name}.npz (x_train, y_train, x_test, y_test) or torchvision's own files"
        download(public.name, contents, lambda folder: _torchvision(public, part, folder, fetch=True))
    try:
        read = _torchvision(public, part, torchvision_folder(), fetch=False)
    except _DAMAGED as error:
        raise DataError(
            f"{marker} is no complete copy of {public.torchvision} ({error}); remove it to have it downloaded"
        ) from error
    targets = read.labels if public is SVHN else read.targets
    return _channels_first(np.asarray(read.data)), torch.as_tensor(targets).long()


def _torchvision(public: Public, part: str, root: Path, fetch: bool) -> Any:
    """The torchvision data set, read from ``root`` or downloaded into it."""
    if public.needs and importlib.util.find_spec(public.needs) is None:
        raise MissingData(f"image/{public.name} is read with {public.needs}: pip install {public.needs}")
    make = getattr(import_torchvision().datasets, public.torchvision)
    chosen = {"split": part} if public is SVHN else {"train": part == "train"}
    return make(str(root), **chosen, download=fetch)


def _channels_first(x: npt.NDArray[np.uint8]) -> Tensor:
    """Convert [N, H, W], [N, H, W, 3] or [N, 3, H, W] to [N, C, H, W]."""
    images = torch.from_numpy(x)
    if images.dim() == 3:
        return images[:, None]
    return images if images.shape[1] == 3 else images.permute(0, 3, 1, 2).contiguous()
