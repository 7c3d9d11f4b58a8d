"""The hooks of the core plugin, which registers the components without a prefix."""

from __future__ import annotations

from collections.abc import Mapping

from ebmsuite.builtin.examples import (
    ABP_EXAMPLE,
    COARSE_EXAMPLE,
    COOPERATIVE_EXAMPLE,
    COOPERATIVE_RECOVERY_EXAMPLE,
    CYCLE_EXAMPLE,
    DSM_EXAMPLE,
    ENERGY_MATCHING_EXAMPLE,
    FCE_EXAMPLE,
    GRIDS_EXAMPLE,
    IMPROVED_CD_EXAMPLE,
    INCOMPLETE_EXAMPLE,
    INTROSPECTIVE_EXAMPLE,
    JOINT_EXAMPLE,
    JOINT_VAE_EXAMPLE,
    LATENT_EXAMPLE,
    LATENT_REFINE_EXAMPLE,
    LATENT_SCORE_EXAMPLE,
    LIKELIHOOD_EXAMPLE,
    MLE_EXAMPLE,
    NCE_EXAMPLE,
    PYRAMID_EXAMPLE,
    RECOVERY_EXAMPLE,
    SYMBOLS_EXAMPLE,
    TRIANGLE_EXAMPLE,
    UNROLLED_EXAMPLE,
    VAE_EXAMPLE,
    VARIATIONAL_EXAMPLE,
    VARIATIONAL_LATENT_EXAMPLE,
)
from ebmsuite.builtin.papers import PAPERS
from ebmsuite.hookspecs import Component, hookimpl

ebm_api = 1


@hookimpl
def ebm_papers() -> Mapping[str, str]:
    return PAPERS


@hookimpl
def ebm_energies() -> list[Component]:
    return [
        Component("mlp", "ebmsuite.nets.mlp:mlp_energy", "multilayer perceptron on the flattened event", "xie2016"),
        Component(
            "mlp-classes",
            "ebmsuite.nets.mlp:mlp_classes",
            "multilayer perceptron with one logit per class: a classifier and an energy",
            "grathwohl2020",
        ),
        Component(
            "mlp-levels",
            "ebmsuite.nets.mlp:mlp_levels",
            "noise-conditional multilayer perceptron: it takes the noise level of its events",
            "song2019",
        ),
        Component(
            "frame",
            "ebmsuite.nets.frame:Frame",
            "fixed filters with learned potentials, for textures (FRAME)",
            "zhu1998",
        ),
        Component("grids", "ebmsuite.nets.grids:Grids", "one energy per grid, for several grids", "gao2018"),
        Component("patches", "ebmsuite.nets.mlp:patches", "sum of a score over all windows of an event", "zheng2021"),
        Component(
            "convnet",
            "ebmsuite.nets.convnet:convnet",
            "convolutional net on one to three axes: signals, images, clips, volumes",
            "xie2016",
        ),
        Component(
            "convnet-filling-energy",
            "ebmsuite.nets.filling:convnet_filling_energy",
            "clamped energies that see which coordinates are known: a convolutional net of the event and the mask",
        ),
        Component(
            "convnet-levels",
            "ebmsuite.nets.convnet:convnet_levels",
            "noise-conditional convolutional net on one to three axes",
            "song2019",
        ),
        Component("quadratic", "ebmsuite.nets.mlp:Quadratic", "Gaussian in exponential-family form"),
        Component(
            "clamped",
            "ebmsuite.energy:clamped",
            "another energy, given the coordinates that the condition knows: recovery of hidden parts",
        ),
        Component(
            "projected",
            "ebmsuite.energy:projected",
            "another energy, restricted to events with a given measurement: super-resolution",
        ),
        Component("trained", "ebmsuite.nets.trained_nets:trained_energy", "an energy from another run"),
        Component("constant", "ebmsuite.nets.mlp:Constant", "a single learned number, for a normalising constant"),
    ]


@hookimpl
def ebm_densities() -> list[Component]:
    sequences = "ebmsuite.nets.sequences."
    return [
        Component("gaussian", "ebmsuite.density:Gaussian", "N(mean, sd^2 I)"),
        Component("samples", "ebmsuite.saved:RunSamples", "the samples of a saved run"),
        Component("uniform", "ebmsuite.density:Uniform", "uniform on [low, high] in every coordinate"),
        Component(
            "diagonal", "ebmsuite.density:Diagonal", "normal distribution with learned means and standard deviations"
        ),
        Component(
            "mlp-encoder",
            "ebmsuite.nets.mlp:mlp_encoder",
            "multilayer perceptron encoder q(z | event), normal",
            "kingma2014",
        ),
        Component(
            "convnet-encoder",
            "ebmsuite.nets.convnet:convnet_encoder",
            "convolutional encoder q(z | event) on one to three axes, normal",
            "kingma2014",
        ),
        Component(
            "flow",
            "ebmsuite.nets.flows:Flow",
            "normalising flow: spline or affine, autoregressive or coupling",
            "durkan2019",
            needs=("zuko",),
        ),
        Component(
            "convnet-filling",
            "ebmsuite.nets.filling:convnet_filling",
            "hidden coordinates as the output of a convolutional net, a baseline of clamped energies",
        ),
        Component("categorical", "ebmsuite.density:Categorical", "uniform over the categories of one-hot events"),
        Component(
            "lstm",
            sequences + "decoders:lstm_density",
            "LSTM language model of tokens, without a latent vector",
        ),
        Component("gru-encoder", sequences + "encoders:gru_encoder", "bidirectional GRU encoder q(z | tokens), normal"),
        Component(
            "trained", "ebmsuite.nets.trained_nets:trained_density", "a density, such as an encoder, from another run"
        ),
        Component("conv-encoder", sequences + "encoders:conv_encoder", "convolutional encoder q(z | tokens), normal"),
    ]


@hookimpl
def ebm_generators() -> list[Component]:
    prefix = "ebmsuite.nets.sequences.decoders:"
    return [
        Component("mlp", "ebmsuite.nets.mlp:mlp_generator", "multilayer perceptron from a normal latent vector"),
        Component(
            "deconvnet",
            "ebmsuite.nets.convnet:deconvnet",
            "transposed convolutions from a normal latent vector, on one to three axes",
            "pang2020",
        ),
        Component("lstm", prefix + "lstm", "LSTM decoder of tokens that reads z at every token", "pang2020"),
        Component("trained", "ebmsuite.nets.trained_nets:trained_generator", "a generator from another run"),
        Component("transformer", prefix + "transformer", "causal Transformer decoder of tokens with z as its prefix"),
    ]


@hookimpl
def ebm_samplers() -> list[Component]:
    prefix = "ebmsuite.sampling."
    return [
        Component(
            "langevin",
            prefix + "langevin:Langevin",
            "unadjusted Langevin dynamics with separate gradient weight and noise scale",
            "nijkamp2019",
        ),
        Component("mala", prefix + "mala:MALA", "Langevin dynamics with a Metropolis test", "roberts1996"),
        Component("hmc", prefix + "hmc:HMC", "Hamiltonian Monte Carlo", "neal2011"),
        Component("nuts", prefix + "nuts:NUTS", "the no-U-turn sampler, vectorised over chains", "hoffman2014"),
        Component(
            "annealed-langevin",
            prefix + "annealed:AnnealedLangevin",
            "Langevin dynamics with a falling temperature",
            "song2019",
        ),
        Component(
            "parallel-tempering",
            prefix + "tempering:ParallelTempering",
            "chains at several temperatures that exchange places",
            "geyer1991",
        ),
        Component(
            "descent", prefix + "descent:Descent", "gradient descent to a mode: Langevin dynamics at temperature 0"
        ),
        Component(
            "gibbs-with-gradients",
            prefix + "gibbs:GibbsWithGradients",
            "Gibbs sampling of one-hot events, one site per step, guided by gradients",
            "grathwohl2021",
        ),
    ]


@hookimpl
def ebm_chains() -> list[Component]:
    prefix = "ebmsuite.sampling.chains:"
    return [
        Component(
            "noise", prefix + "Noise", "chains that start from a density every time: short-run MCMC", "nijkamp2019"
        ),
        Component("bank", prefix + "Bank", "chains that start from draws of a density that are made once and stored"),
        Component(
            "visible",
            prefix + "Visible",
            "chains that start from the visible part of events, the hidden part from a density or the mean",
            "xiezheng2018",
        ),
        Component("data", prefix + "Data", "chains that start at the examples: contrastive divergence", "hinton2002"),
        Component(
            "buffer",
            prefix + "Buffer",
            "a bank of chains that continue: persistent contrastive divergence, replay",
            "du2019",
        ),
        Component("memory", prefix + "Memory", "chains per example, continued whenever the example returns", "han2017"),
        Component("proposal", prefix + "Proposal", "chains that start where the trainer proposes", "xie2018"),
    ]


@hookimpl
def ebm_trainers() -> list[Component]:
    return [
        Component(
            "mle",
            "ebmsuite.methods.mle:MaximumLikelihood",
            "maximum likelihood: lower the energy of data, raise that of samples",
            "xie2016",
            example=MLE_EXAMPLE,
        ),
        Component(
            "improved-cd",
            "ebmsuite.methods.improved_cd:ImprovedContrastiveDivergence",
            "improved contrastive divergence: maximum likelihood that also learns through the sampler",
            "du2021",
            example=IMPROVED_CD_EXAMPLE,
        ),
        Component(
            "multi-grid",
            "ebmsuite.methods.multi_grid:MultiGrid",
            "multi-grid learning: one energy per grid, chains from coarse to fine",
            "gao2018",
            example=GRIDS_EXAMPLE,
        ),
        Component(
            "coarse-to-fine",
            "ebmsuite.methods.coarse_to_fine:CoarseToFine",
            "maximum likelihood of an energy that grows from coarse to fine grids",
            "zhao2021",
            example=COARSE_EXAMPLE,
        ),
        Component(
            "pyramid",
            "ebmsuite.methods.pyramid:Pyramid",
            "patch energies per grid of a pyramid, learned from a single event",
            "zheng2021",
            example=PYRAMID_EXAMPLE,
        ),
        Component(
            "unrolled",
            "ebmsuite.methods.unrolled:UnrolledDescent",
            "least error of the hidden part after descent on the energy from a given start",
            "domke2012",
            example=UNROLLED_EXAMPLE,
        ),
        Component(
            "incomplete",
            "ebmsuite.methods.incomplete:IncompleteLikelihood",
            "maximum likelihood from partly observed events; chains recover the hidden part",
            "xiezhu2021",
            example=INCOMPLETE_EXAMPLE,
        ),
        Component(
            "joint-classifier",
            "ebmsuite.methods.joint_classifier:JointClassifier",
            "joint energy model: a classifier whose logits define an energy",
            "grathwohl2020",
            example=JOINT_EXAMPLE,
        ),
        Component(
            "introspective",
            "ebmsuite.methods.introspective:Introspective",
            "introspective learning: a classifier of data against its own samples",
            "lazarow2017",
            example=INTROSPECTIVE_EXAMPLE,
        ),
        Component(
            "latent",
            "ebmsuite.methods.latent:LatentPrior",
            "latent-space energy-based prior: short-run chains for posterior and prior",
            "pang2020",
            example=LATENT_EXAMPLE,
        ),
        Component(
            "variational-latent",
            "ebmsuite.methods.variational_latent:VariationalLatent",
            "latent-space energy-based prior beside a variational auto-encoder: an encoder instead of posterior chains",
            "pang2021",
            example=VARIATIONAL_LATENT_EXAMPLE,
        ),
        Component(
            "vae",
            "ebmsuite.methods.vae:VariationalAutoencoder",
            "variational auto-encoder, a baseline",
            "kingma2014",
            example=VAE_EXAMPLE,
        ),
        Component(
            "abp",
            "ebmsuite.methods.abp:AlternatingBackpropagation",
            "alternating back-propagation: a generator whose latent vectors are inferred by chains",
            "han2017",
            example=ABP_EXAMPLE,
        ),
        Component(
            "cooperative",
            "ebmsuite.methods.cooperative:Cooperative",
            "cooperative learning: a generator starts the chains of an energy and learns from their ends",
            "xie2018",
            example=COOPERATIVE_EXAMPLE,
        ),
        Component(
            "variational-cooperative",
            "ebmsuite.methods.variational_cooperative:VariationalCooperative",
            "cooperative learning whose generator is a variational auto-encoder",
            "xiezheng2021",
            example=VARIATIONAL_EXAMPLE,
        ),
        Component(
            "divergence-triangle",
            "ebmsuite.methods.divergence_triangle:DivergenceTriangle",
            "joint learning of an energy, a generator and an encoder, without chains",
            "han2019",
            example=TRIANGLE_EXAMPLE,
        ),
        Component(
            "joint-vae",
            "ebmsuite.methods.joint_vae:JointVAE",
            "joint learning of a variational auto-encoder and a latent energy of (x, z) pairs",
            "han2020",
            example=JOINT_VAE_EXAMPLE,
        ),
        Component(
            "latent-dsm",
            "ebmsuite.methods.latent_dsm:LatentScoreMatching",
            "an auto-encoder, then denoising score matching of an energy on its latent vectors",
            "vahdat2021",
            example=LATENT_SCORE_EXAMPLE,
        ),
        Component(
            "latent-refine",
            "ebmsuite.methods.latent_refine:LatentRefinement",
            "a latent energy by score matching, then an energy of events that refines its samples",
            "xiao2021",
            example=LATENT_REFINE_EXAMPLE,
        ),
        Component(
            "symbol-vector",
            "ebmsuite.methods.symbol_vector:SymbolVector",
            "semi-supervised learning: a latent energy whose logits classify",
            "pangwu2021",
            example=SYMBOLS_EXAMPLE,
        ),
        Component(
            "cycle-cooperative",
            "ebmsuite.methods.cycle_cooperative:CycleCooperative",
            "unpaired translation: two energies and two translators that start their chains",
            "xiefang2021",
            example=CYCLE_EXAMPLE,
        ),
        Component(
            "likelihood",
            "ebmsuite.methods.likelihood:NormalisedLikelihood",
            "maximum likelihood of a normalised density",
            example=LIKELIHOOD_EXAMPLE,
        ),
        Component(
            "nce",
            "ebmsuite.methods.nce:NoiseContrast",
            "noise contrastive estimation with a learned log Z",
            "gutmann2012",
            example=NCE_EXAMPLE,
        ),
        Component(
            "fce",
            "ebmsuite.methods.fce:FlowContrast",
            "flow contrastive estimation: noise contrast against a flow that learns",
            "gao2020",
            example=FCE_EXAMPLE,
        ),
        Component(
            "dsm",
            "ebmsuite.methods.dsm:DenoisingScoreMatching",
            "denoising score matching at one or many noise levels",
            "vincent2011",
            example=DSM_EXAMPLE,
        ),
        Component(
            "recovery",
            "ebmsuite.methods.recovery:RecoveryLikelihood",
            "diffusion recovery likelihood: conditional chains from noisy to less noisy events",
            "gao2021",
            example=RECOVERY_EXAMPLE,
        ),
        Component(
            "cooperative-recovery",
            "ebmsuite.methods.cooperative_recovery:CooperativeRecovery",
            "diffusion recovery likelihood with chains started by a generator",
            "zhu2024",
            example=COOPERATIVE_RECOVERY_EXAMPLE,
        ),
        Component(
            "energy-matching",
            "ebmsuite.methods.energy_matching:EnergyMatching",
            "energy matching: a transport from noise to data, then a Boltzmann density around the data",
            "balcerak2025",
            example=ENERGY_MATCHING_EXAMPLE,
        ),
    ]


@hookimpl
def ebm_optimisers() -> list[Component]:
    prefix = "ebmsuite.learning.optimisers:"
    return [
        Component("adam", prefix + "adam", "Adam", "kingma2015"),
        Component("adamw", prefix + "adamw", "Adam with decoupled weight decay"),
        Component("sgd", prefix + "sgd", "stochastic gradient descent with momentum"),
    ]


@hookimpl
def ebm_datasets() -> list[Component]:
    prefix = "ebmsuite.wrapped:"
    return [
        Component("normal", "ebmsuite.dataset:NormalSamples", "draws from a Gaussian with known parameters"),
        Component("masked", prefix + "Masked", "another data set with a random part of each example hidden"),
        Component(
            "measured", prefix + "Measured", "another data set with a linear measurement of each example as condition"
        ),
    ]


@hookimpl
def ebm_masks() -> list[Component]:
    prefix = "ebmsuite.masks:"
    return [
        Component("random", prefix + "Random", "hides coordinates independently of one another: salt-and-pepper"),
        Component("region", prefix + "Region", "hides a block at a random place, for events of any number of axes"),
        Component("half", prefix + "Half", "hides the first or the last part along an axis"),
        Component("slices", prefix + "Slices", "hides whole slices of an axis, such as the frames of a clip"),
    ]


@hookimpl
def ebm_constraints() -> list[Component]:
    return [Component("pool", "ebmsuite.constraint:Pool", "means over blocks: the event at a lower resolution")]


@hookimpl
def ebm_tasks() -> list[Component]:
    prefix = "ebmsuite.pictures.tasks:"
    return [
        Component("film", prefix + "Film", "film chains from noise to sample"),
        Component(
            "interpolate",
            prefix + "Interpolate",
            "draw interpolations between chain starts or latent vectors",
            "nijkamp2019",
        ),
        Component(
            "neighbours", prefix + "Neighbours", "draw samples or your events beside their nearest training examples"
        ),
        Component(
            "reconstruct",
            prefix + "Reconstruct",
            "draw your events beside their reconstructions by a chain or by the generator",
            "nijkamp2019",
        ),
    ]


@hookimpl
def ebm_renderers() -> list[Component]:
    prefix = "ebmsuite.pictures.renderers:"
    return [
        Component("chain", prefix + "Chain", "chains from noise to sample, as a strip and a film"),
        Component("neighbours", prefix + "Neighbours", "samples beside their nearest training examples"),
        Component("pictures", prefix + "SheetAndFilm", "a sheet of samples and a film of chains"),
        Component("prior-chains", prefix + "PriorChains", "short and long chains of latent vectors, decoded to events"),
        Component("reconstructions", prefix + "Reconstructions", "held-out events above their reconstructions"),
        Component("samples", prefix + "Samples", "a sheet of samples"),
    ]


@hookimpl
def ebm_callbacks() -> list[Component]:
    prefix = "ebmsuite.callbacks."
    return [
        Component("log", prefix + "log:MetricLog", "metrics.jsonl, one row every log.every steps"),
        Component(
            "guard",
            prefix + "guard:Guard",
            "stability guard: rolls back and lowers the learning rate, or stops the run",
        ),
        Component("progress", prefix + "progress:Progress", "progress bar with rate, logged numbers and time left"),
        Component("report", prefix + "report:ReportWriter", "writes report.html when scores or pictures are new"),
        Component("tensorboard", prefix + "tensorboard:TensorBoard", "scalars for TensorBoard", needs=("tensorboard",)),
    ]
