"""What every data set of pictures is: bytes in memory or in files, floats in [-1, 1] by the batch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from ebmsuite.dataset import Codec, Dataset, digest_of
from ebmsuite.errors import RecipeError
from ebmsuite.space import Batch, Space
from ebmsuite_image.codec import Pixels
from ebmsuite_image.folders import Found, Skipped
from ebmsuite_image.raster import decode, fit, from_uint8

__all__ = ["SPLITS", "Files", "Pictures", "check_split", "coin", "resized"]

SPLITS = ("train", "valid", "test")


class Files:
    """Picture files as if they were a uint8 tensor [N, C, H, W]: decoded when they are indexed.

    ``size`` is (height, width) after cutting out the centre (``crop`` x ``crop`` pixels at most).
    """

    def __init__(self, found: Found, size: tuple[int, int], channels: int = 3, crop: int | None = None) -> None:
        self.found, self.size, self.channels, self.crop = found, size, channels, crop
        self.paths = found.paths

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (len(self.paths), self.channels, *self.size)

    def __getitem__(self, index: Tensor) -> Tensor:
        """Pictures ``index`` [B]: uint8 [B, C, H, W]. `DataError` names a file that cannot be read."""
        with ThreadPoolExecutor(4) as pool:  # decoding leaves the interpreter to others
            return torch.cat(list(pool.map(self._read, index.tolist())))

    def digest(self) -> str:
        """Of names, sizes and the first and last 4 KiB of all files, in order. Their folder does not count."""
        return digest_of("\n".join(self.found.names), b"".join(self.found.prints))

    def _read(self, i: int) -> Tensor:
        return fit(decode(self.paths[i], self.channels)[None], self.size, self.crop)


class Pictures(Dataset):
    """A data set of pictures: events [C, H, W] in [-1, 1].

    ``images`` are uint8 [N, C, H, W] (or `Files`); ``labels`` int64 [N], in 0..``classes`` - 1, are the
    condition when it is ``conditional``, and are there for metrics in any case. With ``flip`` an example is
    mirrored or not as its seed says, whatever batch it is in; seed 0 leaves it as it is. ``note`` and ``skipped`` are
    those of `Dataset`.
    """

    def __init__(
        self,
        images: Tensor | Files,
        labels: Tensor | None = None,
        classes: int | None = None,
        conditional: bool = False,
        flip: bool = False,
        note: str = "",
        skipped: Skipped | None = None,
    ) -> None:
        self.images, self.labels, self.flip, self.note = images, labels, flip, note
        self.skipped = skipped or {}
        _, channels, height, width = images.shape
        self.event = Space((channels, height, width), range=(-1.0, 1.0))
        self.condition = Space((), kind="label", classes=classes) if conditional else None
        self.codec: Codec | None = Pixels((height, width), channels)

    def __len__(self) -> int:
        return int(self.images.shape[0])

    def digest(self) -> str:
        """Of all images (of files: their names, sizes and first and last bytes) and labels."""
        labels = None if self.labels is None else digest_of(self.labels)
        images = self.images.digest() if isinstance(self.images, Files) else digest_of(self.images)
        return digest_of(images, labels)

    def batch(self, index: Tensor, seeds: Tensor) -> Batch:
        """Examples ``index`` [B]: x float32 [B, C, H, W]; ``seeds`` [B] decide who is mirrored."""
        x = from_uint8(self.images[index])
        if self.flip:
            x = torch.where(coin(seeds).view(-1, 1, 1, 1), x.flip(-1), x)
        known = None if self.labels is None or self.condition is None else self.labels[index]
        return Batch(x, known, index)


def coin(seeds: Tensor) -> Tensor:
    """A fair coin for every int64 seed: bool, same shape; False for seed 0."""
    # the finaliser of splitmix64, in wrapping int64: the seeds of neighbours differ by a constant
    z = (seeds ^ (seeds >> 30)) * (0xBF58476D1CE4E5B9 - (1 << 64))
    z = (z ^ (z >> 27)) * (0x94D049BB133111EB - (1 << 64))
    return ((z ^ (z >> 31)) & 1).bool()


def check_split(split: str) -> None:
    """`RecipeError` when ``split`` is not one of train, valid, test."""
    if split not in SPLITS:
        raise RecipeError(f'split: "{split}" is not one of {", ".join(SPLITS)}')


def resized(images: Tensor, size: int | None) -> Tensor:
    """uint8 [N, C, H, W] scaled to ``size`` x ``size``; unchanged when None."""
    if size is None or images.shape[-2:] == (size, size):
        return images
    if size < 1:
        raise RecipeError(f"size: {size} must be at least one pixel")
    # in parts: resizing goes through floats, four times the bytes
    parts = [fit(images[i : i + 4096], (size, size)) for i in range(0, len(images), 4096)]
    return torch.cat(parts)
