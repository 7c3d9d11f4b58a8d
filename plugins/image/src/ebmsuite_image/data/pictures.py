"""The base of all data sets of pictures: stored as bytes in memory or files, served as floats in [-1, 1]."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from ebmsuite.dataset import Codec, Dataset, digest_of
from ebmsuite.errors import RecipeError
from ebmsuite.pictures.raster import decode, fit, from_uint8
from ebmsuite.space import Batch, Space
from ebmsuite_image.codec import Pixels
from ebmsuite_image.folders import Found, Skipped

__all__ = ["DIGITS", "SPLITS", "Files", "Pictures", "check_split", "coin", "resized"]

SPLITS = ("train", "valid", "test")
DIGITS = tuple("0123456789")
"""The names of the classes of data sets of digits."""


class Files:
    """Picture files with the interface of a uint8 tensor [N, C, H, W]: indexing decodes them.

    Pictures are cropped around their centre (to at most ``crop`` x ``crop`` pixels, if given) and scaled to ``size``
    (height, width).
    """

    def __init__(self, found: Found, size: tuple[int, int], channels: int = 3, crop: int | None = None) -> None:
        self.found, self.size, self.channels, self.crop = found, size, channels, crop
        self.paths = found.paths

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (len(self.paths), self.channels, *self.size)

    def __getitem__(self, index: Tensor) -> Tensor:
        """Decode pictures ``index`` [B]: uint8 [B, C, H, W]. `DataError` names a file that cannot be read."""
        with ThreadPoolExecutor(4) as pool:  # decoding releases the interpreter lock
            return torch.cat(list(pool.map(self._read, index.tolist())))

    def digest(self) -> str:
        """Digest of the names, sizes and first and last 4 KiB of all files, in order. Their folder does not matter."""
        return digest_of("\n".join(self.found.names), b"".join(self.found.prints))

    def _read(self, i: int) -> Tensor:
        return fit(decode(self.paths[i], self.channels)[None], self.size, self.crop)


class Pictures(Dataset):
    """A data set of pictures: events [C, H, W] in [-1, 1].

    ``images`` are uint8 [N, C, H, W] (or `Files`). ``labels`` are int64 [N] in 0..``classes`` - 1; metrics can always
    use them, and they are the condition if ``conditional``. With ``flip``, the seed of an example alone decides whether
    it is mirrored; seed 0 never mirrors. ``note`` and ``skipped`` are those of `Dataset`. ``names`` names the classes.
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
        names: tuple[str, ...] | None = None,
    ) -> None:
        self.images, self.labels, self.flip, self.note = images, labels, flip, note
        self.skipped = skipped or {}
        _, channels, height, width = images.shape
        self.event = Space((channels, height, width), range=(-1.0, 1.0))
        self.condition = Space((), kind="label", classes=classes, names=names) if conditional else None
        self.codec: Codec | None = Pixels((height, width), channels)

    def __len__(self) -> int:
        return int(self.images.shape[0])

    def digest(self) -> str:
        """Digest of all images (for files: of their names, sizes, first and last bytes) and labels."""
        labels = None if self.labels is None else digest_of(self.labels)
        images = self.images.digest() if isinstance(self.images, Files) else digest_of(self.images)
        return digest_of(images, labels)

    def batch(self, index: Tensor, seeds: Tensor) -> Batch:
        """Examples ``index`` [B]: x float32 [B, C, H, W]; ``seeds`` [B] decide which examples are mirrored."""
        x = from_uint8(self.images[index])
        if self.flip:
            x = torch.where(coin(seeds).view(-1, 1, 1, 1), x.flip(-1), x)
        known = None if self.labels is None or self.condition is None else self.labels[index]
        return Batch(x, known, index)


def coin(seeds: Tensor) -> Tensor:
    """A pseudo-random fair coin for each int64 seed: bool, same shape; False for seed 0."""
    # mix with the finaliser of splitmix64 (int64 wraps around), because seeds of neighbours differ by a constant
    z = (seeds ^ (seeds >> 30)) * (0xBF58476D1CE4E5B9 - (1 << 64))
    z = (z ^ (z >> 27)) * (0x94D049BB133111EB - (1 << 64))
    return ((z ^ (z >> 31)) & 1).bool()


def check_split(split: str) -> None:
    """Raise `RecipeError` if ``split`` is not one of train, valid, test."""
    if split not in SPLITS:
        raise RecipeError(f'split: "{split}" is not one of {", ".join(SPLITS)}')


def resized(images: Tensor, size: int | None) -> Tensor:
    """Scale uint8 pictures [N, C, H, W] to ``size`` x ``size``; None leaves them unchanged."""
    if size is None or images.shape[-2:] == (size, size):
        return images
    if size < 1:
        raise RecipeError(f"size: {size} must be at least one pixel")
    # in parts, because resizing converts to float32, which needs four times the memory
    parts = [fit(images[i : i + 4096], (size, size)) for i in range(0, len(images), 4096)]
    return torch.cat(parts)
