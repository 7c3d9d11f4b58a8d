"""The small classifier behind `extractors.DigitClassifier`: its network and training."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ebmsuite.dataset import Dataset, digest_of
from ebmsuite.errors import UserError
from ebmsuite.evaluation.judges import Judge, judge
from ebmsuite.pictures.raster import from_uint8, to_uint8
from ebmsuite_image.metrics.examples import picture_batches

__all__ = ["SmallNet", "accuracy", "labelled", "learn", "trained"]

VERSION = "cnn64-1"
"""A setting of the judge. Raise it with every change of `SmallNet` or `learn`."""

_BATCH, _RATE, _DECAY, _SHIFT, _SEED = 60, 5e-3, 1e-2, 2, 20_240
_SETTINGS = {"version": VERSION, "batch": _BATCH, "lr": _RATE, "weight_decay": _DECAY, "shift": _SHIFT}


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


def learn(net: SmallNet, images: Tensor, labels: Tensor, steps: int, rng: torch.Generator) -> None:
    """Train a classifier of uint8 pictures [N, C, H, W] with int64 labels [N]: ``steps`` steps of AdamW on the CPU.

    The loss is cross entropy, the learning rate follows a one-cycle schedule, and each batch is shifted by up to two
    pixels.
    """
    n, size = len(images), min(_BATCH, len(images))
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


@torch.no_grad()
def accuracy(net: SmallNet, images: Tensor, labels: Tensor) -> float:
    """The share of uint8 pictures [N, C, H, W] that the net assigns to their labels [N]."""
    found = torch.cat([net(from_uint8(part))[1].argmax(1) for part in torch.split(images, 64)])
    return float((found == labels).double().mean())


def trained(data: Mapping[str, Dataset], steps: int) -> Judge[SmallNet]:
    """The classifier of ``data["train"]``, trained once (`ebmsuite.evaluation.judges`).

    Its quality is ``test_accuracy`` on ``data["test"]``, None without this split. Errors: those of `labelled`.
    """
    splits = {name: labelled(data[name], name) for name in ("train", "test") if name in data}
    images, labels = splits["train"]
    return judge(
        "image/classifier",
        {name: digest_of(*split) for name, split in splits.items()},
        {**_SETTINGS, "steps": steps},
        make=lambda: SmallNet(images.shape[1], int(labels.max()) + 1),
        learn=lambda net, rng: learn(net, images, labels, steps, rng),
        measure=lambda net: {"test_accuracy": accuracy(net, *splits["test"]) if "test" in splits else None},
        seed=_SEED,
    )
