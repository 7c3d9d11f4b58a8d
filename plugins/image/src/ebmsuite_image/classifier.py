"""The small classifier behind `extractors.DigitClassifier`: its net, training and cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from ebmsuite.dataset import Dataset
from ebmsuite.errors import DataError, UserError
from ebmsuite.files import cache_folder, replacing
from ebmsuite_image.metrics.examples import picture_batches
from ebmsuite_image.raster import from_uint8, to_uint8

__all__ = ["SmallNet", "cached", "labelled", "learn"]

VERSION = "cnn64-1"
"""Part of the cache key. Raise it with every change of `SmallNet` or `learn`."""

_BATCH, _RATE, _DECAY, _SHIFT, _SEED = 60, 5e-3, 1e-2, 2, 20_240


class SmallNet(nn.Module):
    """Three strided convolutions and 64 units: maps pictures [B, C, H, W] in [-1, 1] to features and logits.

    The features [B, 64] are the units before the ReLU. There they are nearly Gaussian, as the Frechet distance
    assumes, and no feature is constantly zero, which would make the covariance singular. They are standardised to mean
    0 and sd 1 on the training set, so that distances do not depend on the arbitrary scale of the net.
    """

    def __init__(self, channels: int, classes: int, width: int = 16) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(64 * width, 64),
        )
        self.head = nn.Linear(64, classes)
        self.mean: Tensor
        self.sd: Tensor
        self.register_buffer("mean", torch.zeros(64))
        self.register_buffer("sd", torch.ones(64))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        units = self.body(x)
        return (units - self.mean) / self.sd, self.head(units.relu())


def labelled(dataset: Dataset, split: str) -> tuple[Tensor, Tensor]:
    """All pictures, uint8 [N, C, H, W], and labels, int64 [N], of a data set.

    Errors: `UserError` when the data set has no attribute ``labels`` with one whole number >= 0 per example.
    """
    labels = dataset.labels
    if not isinstance(labels, Tensor) or labels.is_floating_point() or labels.shape != (len(dataset),):
        raise UserError(
            f'extractor "image/classifier" learns from labels, but the data set "{split}" has none '
            "(one whole number a picture); use image/efficientnet-lite0 for pictures without labels"
        )
    if len(labels) == 0 or int(labels.min()) < 0:
        raise UserError(f'extractor "image/classifier": the data set "{split}" has no or negative labels')
    return torch.cat([to_uint8(x) for x in picture_batches(dataset)]), labels.to("cpu", torch.int64)


def learn(images: Tensor, labels: Tensor, steps: int) -> SmallNet:
    """Train a classifier of uint8 pictures [N, C, H, W] with int64 labels [N]: ``steps`` steps of AdamW on the CPU.

    The result depends on the arguments only, up to rounding: the global random generators are neither read nor
    advanced. The loss is cross entropy, the learning rate follows a one-cycle schedule, and each batch is shifted by
    up to two pixels.
    """
    rng = torch.Generator().manual_seed(_SEED)
    n, size = len(images), min(_BATCH, len(images))
    with _alone(), torch.inference_mode(False), torch.enable_grad():
        net = _drawn(images, labels)
        optimiser = torch.optim.AdamW(net.parameters(), lr=_RATE, weight_decay=_DECAY)
        rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps)
        for step in range(steps):
            place = step % (n // size)
            if place == 0:
                order = torch.randperm(n, generator=rng)
            index = order[place * size : (place + 1) * size]
            down, right = torch.randint(-_SHIFT, _SHIFT + 1, (2,), generator=rng).tolist()
            x = torch.roll(from_uint8(images[index]), (down, right), (2, 3))
            optimiser.zero_grad()
            F.cross_entropy(net(x)[1], labels[index]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            rate.step()
        with torch.no_grad():
            seen = torch.cat([net(from_uint8(part))[0] for part in torch.split(images, 500)]).double()
            net.mean.copy_(seen.mean(0))
            net.sd.copy_(seen.std(0).clamp(min=1e-6))
    return net.eval().requires_grad_(False)


def cached(images: Tensor, labels: Tensor, steps: int) -> tuple[SmallNet, str]:
    """The classifier from the cache, or else from `learn`, and its cache key of 64 hex digits.

    The key is the sha256 of pictures, labels and training settings. The file is
    ``image/classifier-<first 32 digits of the key>.safetensors`` in the cache (`ebmsuite.files.cache_folder`). A rename
    puts it in place, so concurrent processes never read an incomplete file.

    Errors: `DataError` when the file cannot be read or holds another net.
    """
    recipe = json.dumps([VERSION, steps, _BATCH, _RATE, _DECAY, _SHIFT, _SEED, list(images.shape)])
    digest = hashlib.sha256(recipe.encode())
    for part in (images, labels):
        digest.update(part.contiguous().numpy().tobytes())
    key = digest.hexdigest()
    path = cache_folder("image") / f"classifier-{key[:32]}.safetensors"
    if path.is_file():
        net = _drawn(images, labels)
        try:
            net.load_state_dict(load_file(path))
        except (SafetensorError, RuntimeError) as error:
            raise DataError(f"{path}: not a stored classifier, delete it to learn it anew: {error}") from error
        return net.eval().requires_grad_(False), key
    net = learn(images, labels, steps)
    with replacing(path) as aside:
        save_file(net.state_dict(), aside)
    return net, key


def _drawn(images: Tensor, labels: Tensor) -> SmallNet:
    """The net with its initial weights; the global random generators do not advance."""
    with torch.random.fork_rng(devices=[]):
        # not torch.manual_seed, which would also seed the generators of GPUs
        torch.default_generator.manual_seed(_SEED)
        return SmallNet(images.shape[1], int(labels.max()) + 1)


@contextmanager
def _alone() -> Iterator[None]:
    """Run with one thread, so that sums do not depend on the number of cores.

    One thread is also faster on busy cores: with several, steps this small spend up to 20 times their computing time
    waiting for other threads.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
