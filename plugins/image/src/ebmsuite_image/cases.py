"""The rows of the image suite."""

from __future__ import annotations

from ebmsuite.scores import Case, Published

__all__ = ["CIFAR_FID", "CIFAR_IS", "DIGITS_FID", "DIGITS_NEAREST", "MNIST_SHORT_RUN"]

CLASSIFIER = {"name": "image/classifier"}
INCEPTION = {"name": "image/inception-v3"}
NOTHING_LEARNED = {
    "held-out real": {"of": "held-out"},
    "per-pixel Gaussian": {"of": "pixel-gaussian"},
    "noise": {"of": "noise"},
}

DIGITS_FID = Case(
    name="image/digits-fid",
    recipe="image/digits",
    metric={"name": "image/fid", "features": CLASSIFIER},
    better="lower",
    n={"quick": 1000, "full": 1000},
    bar={"quick": 8.0, "full": 3.0},
    baselines=NOTHING_LEARNED,
    needs={"full": ("gpu",)},
    note="in the space of a classifier trained on these digits: not comparable with any Inception FID",
)

DIGITS_NEAREST = Case(
    name="image/digits-memorisation",
    recipe="image/digits",
    metric={"name": "image/nearest"},
    better="higher",
    n={"quick": 500, "full": 2000},
    bar={"quick": 0.8, "full": 0.8},
    baselines={"held-out real": {"of": "held-out"}},
    needs={"full": ("gpu",)},
    note="distance to the nearest training digit over that of held-out digits: 0 for copies, 1 for fresh digits, more "
    "for what is no digit; says nothing of quality",
)

MNIST_SHORT_RUN = Case(
    name="image/mnist-short-run-fid",
    recipe="image/mnist-short-run",
    metric={"name": "image/fid", "features": CLASSIFIER},
    better="lower",
    n={"quick": 1000, "full": 10_000},
    baselines=NOTHING_LEARNED,
    needs={"quick": ("data:image/mnist",), "full": ("gpu", "data:image/mnist")},
    note="in the space of a classifier trained on MNIST; the paper has no MNIST number",
)

CIFAR_FID = Case(
    name="image/cifar10-short-run-fid",
    recipe="image/cifar10-short-run",
    metric={"name": "image/fid", "features": INCEPTION, "set": "train"},
    better="lower",
    n={"quick": 1000, "full": 40_000},
    published=(Published(44.50, "short-run, width 128, quoted in the tutorial's CF-EBM table", "paper"),),
    needs={
        "quick": ("data:image/cifar10", "extractor:image/inception-v3"),
        "full": ("gpu", "full-data:image/cifar10", "extractor:image/inception-v3"),
    },
    note="published protocol: 40,000 samples, K = 100 from noise, 40,000 training images, Inception-v3",
)

CIFAR_IS = Case(
    name="image/cifar10-short-run-is",
    recipe="image/cifar10-short-run",
    metric={"name": "image/is", "features": INCEPTION},
    better="higher",
    n={"quick": 1000, "full": 40_000},
    published=(Published(6.21, "short-run, width 128, in the tutorial", "paper"),),
    needs=CIFAR_FID.needs,
    note="published protocol: 40,000 samples, K = 100 from noise, Inception-v3",
)
