"""What the toy domain offers: names and import strings only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ebmsuite.hookspecs import Component, hookimpl
from ebmsuite_toy.papers import PAPERS

if TYPE_CHECKING:
    from pathlib import Path

    from ebmsuite.scores import Suite

ebm_api = 1


AT = "ebmsuite_toy.densities:"
SMOOTH = [
    Component("toy/eight-gaussians", AT + "eight_gaussians", "Gaussians on a circle", "nijkamp2020"),
    Component("toy/rings", AT + "Rings", "rings within rings", "nijkamp2020"),
    Component("toy/pinwheel", AT + "Pinwheel", "bent arms around a centre"),
    Component("toy/two-moons", AT + "two_moons", "two half circles that reach into one another"),
    Component("toy/funnel", AT + "Funnel", "Neal's funnel, of any dimension", "neal2003"),
    Component("toy/banana", AT + "Banana", "a bent Gaussian", "haario1999"),
    Component(
        "toy/embedded", AT + "Embedded", "Gaussians on a circle, seen through a known generator in 10 dimensions"
    ),
    Component("toy/signals", AT + "Signals", "signals of one axis, of a few bands of frequencies"),
    Component("toy/constellation", AT + "constellation", "unequal Gaussians at places without symmetry"),
    Component("toy/moved", AT + "Moved", "another density, bent, turned and shifted by a map that is known"),
    Component("toy/correlated", AT + "Correlated", "a Gaussian whose coordinates are correlated, of any dimension"),
    Component("toy/ill-conditioned", AT + "IllConditioned", "a Gaussian of very unequal widths, of any dimension"),
]
"""Known densities are energies too, for sampling from energies that are not learned and for comparisons with them."""


@hookimpl
def ebm_papers() -> Mapping[str, str]:
    return PAPERS


@hookimpl
def ebm_energies() -> list[Component]:
    return SMOOTH


@hookimpl
def ebm_densities() -> list[Component]:
    return [*SMOOTH, Component("toy/checkerboard", AT + "Checkerboard", "uniform on every other square")]


@hookimpl
def ebm_datasets() -> list[Component]:
    return [Component("toy/points", "ebmsuite_toy.data:Points", "draws from a density that is known exactly")]


@hookimpl
def ebm_codecs() -> list[Component]:
    return [Component("toy/points", "ebmsuite_toy.codec:PointFiles", "points in .csv files, and as a scatter plot")]


@hookimpl
def ebm_metrics() -> list[Component]:
    return [
        Component(
            "toy/divergence",
            "ebmsuite_toy.metrics:Divergence",
            "KL(data || model) and held-out log-likelihood, normalised on a grid",
        ),
        Component(
            "toy/latent-divergence",
            "ebmsuite_toy.metrics:LatentDivergence",
            "KL(data || model) of a latent-variable model, summed over a grid of its latent vector",
        ),
        Component(
            "toy/conditional",
            "ebmsuite_toy.metrics:Conditional",
            "conditional mean and covariance given a part or a measurement, against the exact ones",
        ),
        Component(
            "toy/samples",
            "ebmsuite_toy.metrics:SampleDistances",
            "sliced Wasserstein distance and MMD of samples, beside those of real points",
        ),
        Component(
            "toy/statistics",
            "ebmsuite_toy.metrics:Statistics",
            "difference between the FRAME statistics of samples and data",
        ),
        Component("toy/accuracy", "ebmsuite_toy.metrics:Accuracy", "classification accuracy"),
        Component(
            "toy/translation",
            "ebmsuite_toy.translation:Translation",
            "quality of translations between two domains, there and back",
        ),
        Component(
            "toy/recovery",
            "ebmsuite_toy.metrics:HiddenError",
            "error of hidden coordinates filled in by the model, beside the smallest possible error",
        ),
    ]


@hookimpl
def ebm_tasks() -> list[Component]:
    return [
        Component(
            "toy/log-density", "ebmsuite_toy.tasks:LogDensityOfPoints", "log-density of your points under the model"
        )
    ]


@hookimpl
def ebm_renderers() -> list[Component]:
    return [
        Component("toy/picture", "ebmsuite_toy.render:Picture", "truth, model, samples and chains side by side"),
    ]


@hookimpl
def ebm_recipes() -> list[Component]:
    prefix = "ebmsuite_toy:recipes/"
    return [
        Component("toy/rings", prefix + "rings.yaml", "four rings by persistent chains", "nijkamp2020"),
        Component(
            "toy/eight-gaussians", prefix + "eight-gaussians.yaml", "eight modes by persistent chains", "nijkamp2020"
        ),
        Component(
            "toy/rings-short-run",
            prefix + "rings-short-run.yaml",
            "four rings by short-run chains: good samples, no density",
            "nijkamp2020",
        ),
        Component(
            "toy/improved-cd", prefix + "improved-cd.yaml", "four rings by improved contrastive divergence", "du2021"
        ),
        Component(
            "toy/incomplete",
            prefix + "incomplete.yaml",
            "events of which a third is hidden, by maximum likelihood",
            "xiezhu2021",
        ),
        Component(
            "toy/clamped",
            prefix + "clamped.yaml",
            "hidden coordinates filled in by a clamped energy, given the others",
            "xiezheng2018",
        ),
        Component(
            "toy/projected",
            prefix + "projected.yaml",
            "events of a given low resolution, by a projected energy",
            "xiezheng2018",
        ),
        Component("toy/refine", prefix + "refine.yaml", "samples of another run, refined by an energy"),
        Component(
            "toy/joint-classifier",
            prefix + "joint-classifier.yaml",
            "eight modes of two classes by a joint energy model",
            "grathwohl2020",
        ),
        Component(
            "toy/introspective", prefix + "introspective.yaml", "four rings by introspective learning", "lazarow2017"
        ),
        Component(
            "toy/frame", prefix + "frame.yaml", "signals by FRAME: fixed filters and learned potentials", "zhu1998"
        ),
        Component("toy/multi-grid", prefix + "multi-grid.yaml", "signals on three grids", "gao2018"),
        Component(
            "toy/coarse-to-fine",
            prefix + "coarse-to-fine.yaml",
            "signals by an energy that grows from coarse to fine grids",
            "zhao2021",
        ),
        Component("toy/pyramid", prefix + "pyramid.yaml", "signals like a single one, by patch energies", "zheng2021"),
        Component(
            "toy/abp", prefix + "abp.yaml", "eight modes in ten dimensions by alternating back-propagation", "han2017"
        ),
        Component(
            "toy/abp-incomplete",
            prefix + "abp-incomplete.yaml",
            "eight modes in ten dimensions, 30 % of the coordinates hidden, by alternating back-propagation",
            "han2017",
        ),
        Component(
            "toy/vae",
            prefix + "vae.yaml",
            "eight modes in ten dimensions by a variational auto-encoder, a baseline",
            "kingma2014",
        ),
        Component(
            "toy/joint-vae",
            prefix + "joint-vae.yaml",
            "eight modes in ten dimensions by a joint auto-encoder and energy",
            "han2020",
        ),
        Component(
            "toy/latent", prefix + "latent.yaml", "eight modes in ten dimensions by a latent energy prior", "pang2020"
        ),
        Component(
            "toy/variational-latent",
            prefix + "variational-latent.yaml",
            "two modes in a plane in ten dimensions by a variational latent energy prior",
            "pang2021",
        ),
        Component(
            "toy/latent-dsm",
            prefix + "latent-dsm.yaml",
            "eight modes in ten dimensions by score matching of latent vectors",
            "vahdat2021",
        ),
        Component(
            "toy/symbol-vector",
            prefix + "symbol-vector.yaml",
            "eight modes in ten dimensions, semi-supervised with two labels per mode",
            "pangwu2021",
        ),
        Component("toy/cooperative", prefix + "cooperative.yaml", "eight modes by cooperative learning", "xie2018"),
        Component(
            "toy/cooperative-inference",
            prefix + "cooperative-inference.yaml",
            "eight modes by cooperative learning that infers the latent vectors of chain ends",
            "xie2018",
        ),
        Component(
            "toy/cooperative-conditional",
            prefix + "cooperative-conditional.yaml",
            "eight labelled modes by conditional cooperative learning",
            "xie2018",
        ),
        Component(
            "toy/variational-cooperative",
            prefix + "variational-cooperative.yaml",
            "eight modes by variational cooperative learning",
            "xiezheng2021",
        ),
        Component(
            "toy/divergence-triangle",
            prefix + "divergence-triangle.yaml",
            "eight modes by the divergence triangle",
            "han2019",
        ),
        Component(
            "toy/cycle-cooperative",
            prefix + "cycle-cooperative.yaml",
            "unpaired translation between two domains by cycle-consistent cooperative learning",
            "xiefang2021",
        ),
        Component("toy/nce", prefix + "nce.yaml", "four rings by noise contrastive estimation", "gutmann2012"),
        Component("toy/fce", prefix + "fce.yaml", "eight modes by flow contrastive estimation", "gao2020"),
        Component("toy/dsm", prefix + "dsm.yaml", "four rings by denoising score matching", "vincent2011"),
        Component("toy/recovery", prefix + "recovery.yaml", "two moons by diffusion recovery likelihood", "gao2021"),
        Component(
            "toy/cooperative-recovery",
            prefix + "cooperative-recovery.yaml",
            "two moons by cooperative recovery likelihood",
            "zhu2024",
        ),
        Component(
            "toy/energy-matching", prefix + "energy-matching.yaml", "eight modes by energy matching", "balcerak2025"
        ),
    ]


@hookimpl
def ebm_cases() -> list[Component]:
    prefix = "ebmsuite_toy.cases:"
    return [
        Component("toy/rings-kl", prefix + "RINGS", "rings by persistent chains, in nats"),
        Component("toy/eight-gaussians-kl", prefix + "EIGHT_GAUSSIANS", "eight modes by persistent chains, in nats"),
        Component("toy/improved-cd-kl", prefix + "IMPROVED_CD", "rings by improved contrastive divergence, in nats"),
        Component("toy/incomplete-recovery", prefix + "INCOMPLETE", "hidden coordinates that are recovered"),
        Component("toy/joint-classifier-kl", prefix + "JOINT_KL", "p(x | label) of a joint energy, in nats"),
        Component("toy/joint-classifier-accuracy", prefix + "JOINT_ACCURACY", "accuracy of a joint energy model"),
        Component("toy/introspective-kl", prefix + "INTROSPECTIVE", "rings by introspective learning, in nats"),
        Component("toy/frame-statistics", prefix + "FRAME", "signals by FRAME, by the statistics it matches"),
        Component("toy/multi-grid-samples", prefix + "MULTI_GRID", "signals by multi-grid chains, by samples"),
        Component("toy/coarse-to-fine-samples", prefix + "COARSE_TO_FINE", "signals by a growing energy, by samples"),
        Component("toy/pyramid-windows", prefix + "PYRAMID", "signals like a single one, by their windows"),
        Component("toy/rings-short-run-samples", prefix + "SHORT_RUN", "rings by short-run chains, by samples"),
        Component("toy/abp-kl", prefix + "ABP", "a generator alone, in nats"),
        Component("toy/abp-incomplete-recovery", prefix + "ABP_INCOMPLETE", "hidden coordinates, by a generator alone"),
        Component("toy/vae-kl", prefix + "VAE", "a variational auto-encoder, in nats"),
        Component("toy/joint-vae-kl", prefix + "JOINT_VAE", "an auto-encoder and an energy of pairs, in nats"),
        Component("toy/latent-kl", prefix + "LATENT", "an energy on the latent vector, in nats"),
        Component(
            "toy/variational-latent-kl",
            prefix + "VARIATIONAL_LATENT",
            "a variational energy on the latent vector, in nats",
        ),
        Component("toy/latent-dsm-kl", prefix + "LATENT_SCORE", "an energy on the latent vector by scores, in nats"),
        Component(
            "toy/symbol-vector-accuracy", prefix + "SYMBOL_VECTOR", "semi-supervised accuracy after two labels per mode"
        ),
        Component(
            "toy/symbol-vector-bottleneck",
            prefix + "BOTTLENECK",
            "semi-supervised accuracy with the information bottleneck",
        ),
        Component("toy/symbol-vector-labels-alone", prefix + "LABELS_ALONE", "accuracy from the labelled events alone"),
        Component("toy/cooperative-kl", prefix + "COOPERATIVE", "eight modes by cooperative learning, in nats"),
        Component(
            "toy/cooperative-samples", prefix + "COOPERATIVE_SAMPLES", "cooperative learning: distance of samples"
        ),
        Component(
            "toy/cooperative-inference-samples",
            prefix + "COOPERATIVE_INFERENCE",
            "cooperative learning with inference: distance of samples",
        ),
        Component(
            "toy/cooperative-conditional-kl",
            prefix + "COOPERATIVE_CONDITIONAL",
            "conditional cooperative learning: KL divergence in nats",
        ),
        Component(
            "toy/variational-cooperative-kl",
            prefix + "VARIATIONAL_COOPERATIVE",
            "eight modes by variational MCMC teaching, in nats",
        ),
        Component(
            "toy/divergence-triangle-samples",
            prefix + "DIVERGENCE_TRIANGLE",
            "eight modes by the divergence triangle, by samples",
        ),
        Component("toy/cycle-cooperative-translation", prefix + "CYCLE", "translations between two domains"),
        Component("toy/nce-kl", prefix + "NCE", "rings by noise contrast, in nats"),
        Component("toy/fce-kl", prefix + "FCE", "eight modes by flow contrast, in nats"),
        Component("toy/dsm-kl", prefix + "DSM", "rings by denoising score matching, in nats"),
        Component("toy/recovery-samples", prefix + "RECOVERY", "moons by recovery likelihood, by samples"),
        Component(
            "toy/cooperative-recovery-samples",
            prefix + "COOPERATIVE_RECOVERY",
            "moons by cooperative recovery, by samples",
        ),
        Component(
            "toy/energy-matching-samples", prefix + "ENERGY_MATCHING", "eight modes by energy matching, by samples"
        ),
        Component("toy/energy-matching-kl", prefix + "ENERGY_MATCHING_KL", "energy matching: KL divergence in nats"),
    ]


@hookimpl
def ebm_suite_end(suite: Suite, folder: Path) -> None:
    if any(row.recipe.startswith("toy/") for row in suite.rows):
        from ebmsuite_toy.gallery import gallery

        gallery(suite, folder / f"{suite.what.replace('/', '-')}.png")
