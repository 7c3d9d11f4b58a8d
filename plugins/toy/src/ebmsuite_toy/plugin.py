"""What the toy domain offers: names and import strings only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebmsuite.builtin.papers import (
    BALCERAK_2025,
    DU_2021,
    GAO_2018,
    GAO_2020,
    GAO_2021,
    GRATHWOHL_2020,
    GUTMANN_2012,
    HAN_2017,
    HAN_2019,
    HAN_2020,
    KINGMA_2014,
    LAZAROW_2017,
    PANG_2020,
    PANG_WU_2021,
    VAHDAT_2021,
    VINCENT_2011,
    XIE_2018,
    XIE_CYCLE_2021,
    XIE_ZHENG_2021,
    XIE_ZHU_2021,
    ZHAO_2021,
    ZHENG_2021,
    ZHU_1998,
    ZHU_2024,
)
from ebmsuite.hookspecs import Component, hookimpl

if TYPE_CHECKING:
    from pathlib import Path

    from ebmsuite.scores import Suite

ebm_api = 1

NIJKAMP_2020 = (
    "Nijkamp, Hill, Han, Zhu, Wu. On the Anatomy of MCMC-Based Maximum Likelihood Learning of EBMs. AAAI 2020"
)
NEAL_2003 = "Neal. Slice Sampling. Annals of Statistics 2003"
HAARIO_1999 = "Haario, Saksman, Tamminen. Adaptive Proposal Distribution for Random Walk Metropolis Algorithm. 1999"

AT = "ebmsuite_toy.densities:"
SMOOTH = [
    Component("toy/eight-gaussians", AT + "eight_gaussians", "Gaussians on a circle", NIJKAMP_2020),
    Component("toy/rings", AT + "Rings", "rings within rings", NIJKAMP_2020),
    Component("toy/pinwheel", AT + "Pinwheel", "bent arms around a centre"),
    Component("toy/two-moons", AT + "two_moons", "two half circles that reach into one another"),
    Component("toy/funnel", AT + "Funnel", "Neal's funnel, of any dimension", NEAL_2003),
    Component("toy/banana", AT + "Banana", "a bent Gaussian", HAARIO_1999),
    Component(
        "toy/embedded", AT + "Embedded", "Gaussians on a circle, seen through a known generator in 10 dimensions"
    ),
    Component("toy/signals", AT + "Signals", "signals of one axis, of a few bands of frequencies"),
    Component("toy/constellation", AT + "constellation", "unequal Gaussians at places without symmetry"),
    Component("toy/moved", AT + "Moved", "another density, bent, turned and shifted by a map that is known"),
    Component("toy/ill-conditioned", AT + "IllConditioned", "a Gaussian of very unequal widths, of any dimension"),
]
"""Known densities are energies too: for what samples, or compares itself with, an energy that is not learned."""


@hookimpl
def ebm_energies() -> list[Component]:
    return SMOOTH


@hookimpl
def ebm_densities() -> list[Component]:
    return [*SMOOTH, Component("toy/checkerboard", AT + "Checkerboard", "uniform on every other square")]


@hookimpl
def ebm_datasets() -> list[Component]:
    return [Component("toy/points", "ebmsuite_toy.data:Points", "draws of a density that is known")]


@hookimpl
def ebm_codecs() -> list[Component]:
    return [Component("toy/points", "ebmsuite_toy.codec:PointFiles", "points in .csv files, and as a scatter plot")]


@hookimpl
def ebm_metrics() -> list[Component]:
    return [
        Component("toy/divergence", "ebmsuite_toy.metrics:Divergence",
                  "KL(data || model) and log-likelihood of held-out points, normalised on a grid"),
        Component("toy/latent-divergence", "ebmsuite_toy.metrics:LatentDivergence",
                  "the same of a model with a latent vector in the plane, summed over a grid of it"),
        Component("toy/samples", "ebmsuite_toy.metrics:Samples",
                  "sliced Wasserstein distance and MMD of samples, with that of real points"),
        Component("toy/statistics", "ebmsuite_toy.metrics:Statistics",
                  "how far samples are from the statistics that FRAME matches"),
        Component("toy/accuracy", "ebmsuite_toy.metrics:Accuracy", "how many labels the model tells"),
        Component("toy/translation", "ebmsuite_toy.translation:Translation",
                  "translations to another domain against its events, there and back, and the known map"),
        Component("toy/recovery", "ebmsuite_toy.metrics:Recovery",
                  "error of hidden coordinates that the model fills in, with the best possible"),
    ]  # fmt: skip


@hookimpl
def ebm_tasks() -> list[Component]:
    return [Component("toy/log-density", "ebmsuite_toy.tasks:LogDensityOfPoints", "a user's points under the model")]


@hookimpl
def ebm_renderers() -> list[Component]:
    return [
        Component("toy/picture", "ebmsuite_toy.render:Picture", "truth, model, samples and chains side by side"),
    ]


@hookimpl
def ebm_recipes() -> list[Component]:
    at = "ebmsuite_toy:recipes/"
    return [
        Component("toy/rings", at + "rings.yaml", "four rings by persistent chains", NIJKAMP_2020),
        Component("toy/eight-gaussians", at + "eight-gaussians.yaml", "eight modes by persistent chains", NIJKAMP_2020),
        Component("toy/rings-short-run", at + "rings-short-run.yaml",
                  "four rings by chains too short to converge: good samples, no density", NIJKAMP_2020),
        Component("toy/improved-cd", at + "improved-cd.yaml",
                  "four rings, with the terms that contrastive divergence leaves out", DU_2021),
        Component("toy/incomplete", at + "incomplete.yaml", "events of which a third is hidden", XIE_ZHU_2021),
        Component("toy/joint-classifier", at + "joint-classifier.yaml",
                  "eight modes of two classes, told apart by an energy", GRATHWOHL_2020),
        Component("toy/introspective", at + "introspective.yaml",
                  "four rings by a classifier of its own samples", LAZAROW_2017),
        Component("toy/frame", at + "frame.yaml", "signals by fixed filters and learned potentials", ZHU_1998),
        Component("toy/multi-grid", at + "multi-grid.yaml", "signals on three grids", GAO_2018),
        Component("toy/coarse-to-fine", at + "coarse-to-fine.yaml", "signals on a grid that grows", ZHAO_2021),
        Component("toy/pyramid", at + "pyramid.yaml", "signals like a single one", ZHENG_2021),
        Component("toy/abp", at + "abp.yaml", "eight modes seen in ten dimensions, by a generator alone", HAN_2017),
        Component("toy/abp-incomplete", at + "abp-incomplete.yaml", "the same, of seven coordinates in ten", HAN_2017),
        Component("toy/vae", at + "vae.yaml", "the same by a variational auto-encoder", KINGMA_2014),
        Component("toy/joint-vae", at + "joint-vae.yaml", "the same, judged with an energy of pairs", HAN_2020),
        Component("toy/latent", at + "latent.yaml", "the same with an energy on the latent vector", PANG_2020),
        Component("toy/latent-dsm", at + "latent-dsm.yaml",
                  "the same by scores of what an auto-encoder infers", VAHDAT_2021),
        Component("toy/symbol-vector", at + "symbol-vector.yaml", "the same with two labels a mode", PANG_WU_2021),
        Component("toy/cooperative", at + "cooperative.yaml",
                  "eight modes by an energy whose chains a generator starts", XIE_2018),
        Component("toy/cooperative-inference", at + "cooperative-inference.yaml",
                  "the same, its latent vector inferred from where chains end", XIE_2018),
        Component("toy/cooperative-conditional", at + "cooperative-conditional.yaml",
                  "the same given labels", XIE_2018),
        Component("toy/variational-cooperative", at + "variational-cooperative.yaml",
                  "eight modes by an energy whose chains a variational auto-encoder starts", XIE_ZHENG_2021),
        Component("toy/divergence-triangle", at + "divergence-triangle.yaml",
                  "eight modes by an energy, a generator and an encoder without chains", HAN_2019),
        Component("toy/cycle-cooperative", at + "cycle-cooperative.yaml",
                  "from one domain to another, of which no pairs are seen", XIE_CYCLE_2021),
        Component("toy/nce", at + "nce.yaml", "four rings by telling them from noise", GUTMANN_2012),
        Component("toy/fce", at + "fce.yaml", "eight modes by telling them from a flow that learns", GAO_2020),
        Component("toy/dsm", at + "dsm.yaml", "four rings by denoising score matching", VINCENT_2011),
        Component("toy/recovery", at + "recovery.yaml", "two moons by recovery, level by level", GAO_2021),
        Component("toy/cooperative-recovery", at + "cooperative-recovery.yaml",
                  "the same, by chains that a generator starts", ZHU_2024),
        Component("toy/energy-matching", at + "energy-matching.yaml",
                  "eight modes by an energy that carries noise to them", BALCERAK_2025),
    ]  # fmt: skip


@hookimpl
def ebm_cases() -> list[Component]:
    at = "ebmsuite_toy.cases:"
    return [
        Component("toy/rings-kl", at + "RINGS", "rings by persistent chains, in nats"),
        Component("toy/eight-gaussians-kl", at + "EIGHT_GAUSSIANS", "eight modes by persistent chains, in nats"),
        Component("toy/improved-cd-kl", at + "IMPROVED_CD", "rings by improved contrastive divergence, in nats"),
        Component("toy/incomplete-recovery", at + "INCOMPLETE", "hidden coordinates that are recovered"),
        Component("toy/joint-classifier-kl", at + "JOINT_KL", "p(x | label) of a joint energy, in nats"),
        Component("toy/joint-classifier-accuracy", at + "JOINT_ACCURACY", "labels told by a joint energy"),
        Component("toy/introspective-kl", at + "INTROSPECTIVE", "rings by introspective learning, in nats"),
        Component("toy/frame-statistics", at + "FRAME", "signals by FRAME, by the statistics it matches"),
        Component("toy/multi-grid-samples", at + "MULTI_GRID", "signals by multi-grid chains, by samples"),
        Component("toy/coarse-to-fine-samples", at + "COARSE_TO_FINE", "signals by a growing energy, by samples"),
        Component("toy/pyramid-windows", at + "PYRAMID", "signals like a single one, by their windows"),
        Component("toy/rings-short-run-samples", at + "SHORT_RUN", "rings by short-run chains, by samples"),
        Component("toy/abp-kl", at + "ABP", "a generator alone, in nats"),
        Component("toy/abp-incomplete-recovery", at + "ABP_INCOMPLETE", "hidden coordinates, by a generator alone"),
        Component("toy/vae-kl", at + "VAE", "a variational auto-encoder, in nats"),
        Component("toy/joint-vae-kl", at + "JOINT_VAE", "an auto-encoder and an energy of pairs, in nats"),
        Component("toy/latent-kl", at + "LATENT", "an energy on the latent vector, in nats"),
        Component("toy/latent-dsm-kl", at + "LATENT_SCORE", "an energy on the latent vector by scores, in nats"),
        Component("toy/symbol-vector-accuracy", at + "SYMBOL_VECTOR", "labels told after two of each"),
        Component("toy/symbol-vector-bottleneck", at + "BOTTLENECK", "the same with the information bottleneck"),
        Component("toy/symbol-vector-labels-alone", at + "LABELS_ALONE", "the same without unlabelled events"),
        Component("toy/cooperative-kl", at + "COOPERATIVE", "eight modes by cooperative learning, in nats"),
        Component("toy/cooperative-samples", at + "COOPERATIVE_SAMPLES", "the same, by samples"),
        Component("toy/cooperative-inference-samples", at + "COOPERATIVE_INFERENCE", "the same with inference"),
        Component("toy/cooperative-conditional-kl", at + "COOPERATIVE_CONDITIONAL", "the same given labels, in nats"),
        Component("toy/variational-cooperative-kl", at + "VARIATIONAL_COOPERATIVE",
                  "eight modes by variational MCMC teaching, in nats"),
        Component("toy/divergence-triangle-samples", at + "DIVERGENCE_TRIANGLE",
                  "eight modes by the divergence triangle, by samples"),
        Component("toy/cycle-cooperative-translation", at + "CYCLE", "translations between two domains"),
        Component("toy/nce-kl", at + "NCE", "rings by noise contrast, in nats"),
        Component("toy/fce-kl", at + "FCE", "eight modes by flow contrast, in nats"),
        Component("toy/dsm-kl", at + "DSM", "rings by denoising score matching, in nats"),
        Component("toy/recovery-samples", at + "RECOVERY", "moons by recovery likelihood, by samples"),
        Component("toy/cooperative-recovery-samples", at + "COOPERATIVE_RECOVERY",
                  "moons by cooperative recovery, by samples"),
        Component("toy/energy-matching-samples", at + "ENERGY_MATCHING", "eight modes by energy matching, by samples"),
        Component("toy/energy-matching-kl", at + "ENERGY_MATCHING_KL", "the same, in nats"),
    ]  # fmt: skip


@hookimpl
def ebm_suite_end(suite: Suite, folder: Path) -> None:
    if any(row.recipe.startswith("toy/") for row in suite.rows):
        from ebmsuite_toy.gallery import gallery

        gallery(suite, folder / f"{suite.what.replace('/', '-')}.png")
