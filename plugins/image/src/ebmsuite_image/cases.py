"""The benchmark cases (rows) of the image suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Literal

from ebmsuite.scores import Case, Published

__all__ = [
    "ANOMALY", "CELEBA_LATENT", "CIFAR_FID", "CIFAR_IS", "CIFAR_LATENT", "DIGITS_FID", "DIGITS_LATENT_FID",
    "DIGITS_LATENT_MSE", "DIGITS_NEAREST", "DIGITS_SCORES_FID", "DIGITS_SCORES_MSE", "DIGITS_SHORT_RUN_FID",
    "DIGITS_VAE_FID", "DIGITS_VAE_MSE", "METHODS", "METHODS_CIFAR", "MNIST_SHORT_RUN", "PYRAMID", "STARTS",
    "SVHN_LATENT",
]  # fmt: skip

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
    n={"quick": 2000, "full": 2000},
    bar={"quick": 3.0, "full": 3.0},
    baselines={
        "start of the pixel chains": {"of": "start"},
        "its reconstructions": {"of": "reconstructed"},
        **NOTHING_LEARNED,
    },
    needs={"full": ("gpu",)},
    seeds={"quick": 3},
    note="features of a classifier trained on these digits; not comparable with an Inception FID",
)

DIGITS_SHORT_RUN_FID = replace(
    DIGITS_FID,
    name="image/digits-short-run-fid",
    recipe="image/digits-short-run",
    n={"quick": 1000, "full": 1000},
    bar={"quick": 8.0, "full": 3.0},
    baselines=NOTHING_LEARNED,
    seeds={},
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
    note="distance to the nearest training digit divided by that of held-out digits: 0 for copies, 1 for new digits, "
    "more for samples that are not digits; does not measure quality",
)

MNIST_SHORT_RUN = Case(
    name="image/mnist-short-run-fid",
    recipe="image/mnist-short-run",
    metric={"name": "image/fid", "features": CLASSIFIER},
    better="lower",
    n={"quick": 1000, "full": 10_000},
    baselines=NOTHING_LEARNED,
    needs={"quick": ("data:image/mnist",), "full": ("gpu", "data:image/mnist")},
    note="features of a classifier trained on MNIST; the paper reports no number for MNIST",
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

# -- models with a latent energy -----------------------------------------------------------------------------------

DIGITS_LATENT_FID = replace(DIGITS_SHORT_RUN_FID, name="image/digits-latent-fid", recipe="image/digits-latent", bar={})
DIGITS_LATENT_MSE = Case(
    name="image/digits-latent-mse",
    recipe="image/digits-latent",
    metric={"name": "image/mse"},
    better="lower",
    n={"quick": 1000, "full": 1000},
    needs={"full": ("gpu",)},
    note="mean over the pixels of test digits, in [-1, 1]; reconstruction g(z) with z from the chains of the posterior",
)
DIGITS_VAE_FID = replace(DIGITS_LATENT_FID, name="image/digits-vae-fid", recipe="image/digits-vae")
DIGITS_VAE_MSE = replace(
    DIGITS_LATENT_MSE,
    name="image/digits-vae-mse",
    recipe="image/digits-vae",
    note="mean over the pixels of test digits, in [-1, 1]; reconstruction g(z) with z drawn from the encoder",
)
DIGITS_SCORES_FID = replace(
    DIGITS_LATENT_FID, name="image/digits-latent-dsm-fid", recipe="image/digits-latent-dsm", bar={"quick": 8.0}
)
DIGITS_SCORES_MSE = replace(DIGITS_VAE_MSE, name="image/digits-latent-dsm-mse", recipe="image/digits-latent-dsm")


def _published(data: str, n: int, mse: tuple[float, ...], fid: tuple[float, ...]) -> SimpleNamespace:
    """The cases ``mse`` and ``fid`` of a recipe with published numbers: those of the paper, then the best known."""
    sources = ("Pang et al., NeurIPS 2020", "Cui et al., ICCV 2023: energies of several latent layers")
    rows = {}
    for metric, score, values, extractor in (
        ({"name": "image/mse"}, "mse", mse, ()),
        ({"name": "image/fid", "features": INCEPTION, "set": "train"}, "fid", fid, ("extractor:image/inception-v3",)),
    ):
        rows[score] = Case(
            name=f"image/{data}-latent-{score}",
            recipe=f"image/{data}-latent",
            metric=metric,
            better="lower",
            n={"quick": 500, "full": n if score == "fid" else 10_000},
            published=tuple(Published(value, source) for value, source in zip(values, sources, strict=False)),
            needs={
                "quick": (f"data:image/{data}", *extractor),
                "full": ("gpu", f"full-data:image/{data}", *extractor),
            },
            note=f"published protocol: {n:,} samples against the training pictures, Inception-v3"
            if score == "fid"
            else "published protocol: mean over the pixels of test pictures in [-1, 1], z from posterior chains",
        )
    return SimpleNamespace(**rows)


SVHN_LATENT = _published("svhn", 50_000, (0.008, 0.008), (29.44, 24.16))
CIFAR_LATENT = _published("cifar10", 50_000, (0.020,), (70.15, 63.42))
CELEBA_LATENT = _published("celeba", 40_000, (0.013, 0.004), (37.87, 32.15))

# -- every method in equal time --------------------------------------------------------------------------------------

FALLING = {"shape": "exponential"}
METHOD_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "short-run": {
        "budget.steps": 500,
        "negative.steps": 10,
        "energy.betas": [0.5, 0.999],
        "energy.lr": {**FALLING, "start": 1e-3, "end": 1e-4, "delay": 100, "over": 400},
    },
    "latent": {
        f"{key}.lr": {**FALLING, "start": start, "end": start / 10, "delay": 150, "over": 150}
        for key, start in (("optimisers.energy", 2e-4), ("optimisers.generator", 1e-3), ("optimisers.encoder", 1e-3))
    }
    | {"budget.steps": 300},
    "latent-dsm": {
        "budget.steps": 3400,
        "trainer.first": 1700,
        "optimisers.energy.lr": {"start": 1e-3, "end": 1e-5, "over": 1700},
        "optimisers.generator.lr": {"start": 1e-3, "end": 1e-5, "delay": 850, "over": 850},
        "optimisers.encoder.lr": {"start": 1e-3, "end": 1e-5, "delay": 850, "over": 850},
    },
}
"""Settings for two minutes of one CPU core, where the recipe ``image/digits-NAME`` has a longer budget."""


STARTS = "start of its chains"
"""The label of the baseline that scores where the chains of a method start."""


def _method(name: str) -> Case:
    """The recipe of a method at the budget that all have: two minutes of one CPU core."""
    start = {"of": "noise" if name in ("recovery", "cooperative-recovery") else "start"}
    without_chains = name in ("divergence-triangle", "joint-vae")
    return Case(
        name=f"image/methods-{name}",
        recipe=f"image/digits-{name}",
        metric={"name": "image/quality", "features": CLASSIFIER},
        score="fid",
        better="lower",
        n={"quick": 500, "full": 500},
        settings=METHOD_SETTINGS.get(name, {}),
        baselines={
            **({} if without_chains else {STARTS: start}),
            "its precision": {"score": "precision"},
            "its recall": {"score": "recall"},
        },
        note="equal CPU time; features of a classifier trained on these digits",
        group="image/methods",
    )


NAMES = (
    "short-run", "persistent", "cooperative", "variational-cooperative", "divergence-triangle", "joint-vae",
    "multi-grid", "coarse-to-fine", "recovery", "cooperative-recovery", "energy-matching", "dsm", "fce", "latent",
    "latent-dsm",
)  # fmt: skip
METHODS = SimpleNamespace(**{name.replace("-", "_"): _method(name) for name in NAMES})

CIFAR_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "latent": {
        "latent": 64,
        "players.generator": {"name": "image/deconv", "layers": "cifar10", "width": 8, "sd": 0.3},
        "players.encoder": {"name": "image/encoder", "layers": "cifar10", "width": 8},
    },
    "multi-grid": {"trainer.factors": [32, 4, 2, 1]},
}
"""Settings that pictures of 32x32 pixels need."""


def _cifar(name: str) -> Case:
    """The same method on CIFAR-10, with the settings and the learning steps of the digits."""
    case = _method(name)
    return replace(
        case,
        name=f"image/methods-cifar10-{name}",
        metric={"name": "image/quality", "features": {"name": "image/efficientnet-lite0", "size": 64}},
        score="kid",
        settings={"data.data": {"name": "image/cifar10"}, **case.settings, **CIFAR_SETTINGS.get(name, {})},
        baselines={**case.baselines, "its FID": {"score": "fid"}},
        needs=dict.fromkeys(case.n, ("data:image/cifar10", "extractor:image/efficientnet-lite0")),
        note="the learning steps of the digits; features of an ImageNet classifier, not comparable with Inception",
        group="image/methods-cifar10",
    )


METHODS_CIFAR = SimpleNamespace(**{name.replace("-", "_"): _cifar(name) for name in NAMES})

# -- one picture ---------------------------------------------------------------------------------------------------

PYRAMID = Case(
    name="image/pyramid-patches",
    recipe="image/pyramid",
    metric={"name": "image/patches"},
    better="lower",
    n={"quick": 16, "full": 16},
    baselines={
        "the picture itself": {"of": "data"},
        "the same, mirrored": {"of": "mirrored"},
        "its pixels in random order": {"of": "noise"},
    },
    needs={"full": ("gpu",)},
    note="sliced Wasserstein distance of 7x7 patches; copies would have the lowest value, so look at the samples",
)

# -- anomalies -----------------------------------------------------------------------------------------------------

HELD_OUT = {1: (0.336, 0.722), 4: (0.630, 0.949), 5: (0.619, 0.980), 7: (0.463, 0.941), 9: (0.413, 0.935)}
"""Published AUPRC per held-out digit: Pang et al., NeurIPS 2020, and Cui et al., ICCV 2023 (the best known)."""

RECIPES = {"latent": "image/mnist-anomaly", "vae": "image/mnist-anomaly-vae", "dsm": "image/mnist-anomaly-dsm"}
"""Recipe per model."""


def _anomaly(digit: int, protocol: Literal["pooled", "standard"], recipe: str) -> Case:
    known = HELD_OUT[digit] if protocol == "standard" else ()
    sources = ("Pang et al., NeurIPS 2020", "Cui et al., ICCV 2023: energies of several latent layers, the best known")
    return Case(
        name=f"{recipe}-{digit}-{protocol}",
        recipe=recipe,
        metric={"name": "image/anomaly"},
        better="higher",
        n={"quick": 2000, "full": 10_000},
        score="auprc",
        published=tuple(Published(value, source) for value, source in zip(known, sources, strict=False)),
        baselines={
            "reconstruction alone": {"score": "auprc-reconstruction"},
            "the same, smoothed": {"score": "auprc-smoothed"},
            "E(z) alone": {"score": "auprc-energy"},
            "nearest training picture": {"of": "nearest"},
        },
        needs={"quick": ("data:image/mnist",), "full": ("gpu", "data:image/mnist")},
        settings={"data.data.held_out": digit, "data.data.protocol": protocol},
        last=10,
        note="the published split is unknown; of the two, only this one has few enough anomalies for these numbers"
        if known
        else "the split of the public loaders without their leak: at least a third are anomalies; no published numbers",
    )


ANOMALY = SimpleNamespace(
    **{
        f"{model}_{digit}_{protocol}": _anomaly(digit, protocol, recipe)
        for model, recipe in RECIPES.items()
        for protocol in ("pooled", "standard")
        for digit in HELD_OUT
    }
)
"""One case per model, held-out digit and protocol; a score is the mean of the last ten evaluations during learning."""
