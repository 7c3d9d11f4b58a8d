"""The suite's own plugin: the components whose names have no prefix."""

from __future__ import annotations

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
    INCOMPLETE_EXAMPLE,
    INTROSPECTIVE_EXAMPLE,
    JOINT_EXAMPLE,
    JOINT_VAE_EXAMPLE,
    LATENT_EXAMPLE,
    LATENT_SCORE_EXAMPLE,
    LIKELIHOOD_EXAMPLE,
    MLE_EXAMPLE,
    NCE_EXAMPLE,
    PYRAMID_EXAMPLE,
    RECOVERY_EXAMPLE,
    SYMBOLS_EXAMPLE,
    TRIANGLE_EXAMPLE,
    VAE_EXAMPLE,
    VARIATIONAL_EXAMPLE,
)
from ebmsuite.builtin.papers import (
    BALCERAK_2025,
    DU_2019,
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
    NIJKAMP_2019,
    PANG_2020,
    PANG_WU_2021,
    SONG_2019,
    VAHDAT_2021,
    VINCENT_2011,
    XIE_2016,
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

ebm_api = 1


@hookimpl
def ebm_energies() -> list[Component]:
    return [
        Component("mlp", "ebmsuite.nets.mlp:mlp_energy", "multilayer perceptron on the flattened event", XIE_2016),
        Component(
            "mlp-classes",
            "ebmsuite.nets.mlp:mlp_classes",
            "multilayer perceptron whose logits are a classifier and an energy",
            GRATHWOHL_2020,
        ),
        Component(
            "mlp-levels",
            "ebmsuite.nets.mlp:mlp_levels",
            "multilayer perceptron told the noise on its events",
            SONG_2019,
        ),
        Component(
            "frame", "ebmsuite.nets.frame:Frame", "fixed filters, learned potentials: textures, objects", ZHU_1998
        ),
        Component("grids", "ebmsuite.nets.grids:Grids", "one energy for each of several grids", GAO_2018),
        Component("patches", "ebmsuite.nets.mlp:patches", "a score of every window of an event, summed", ZHENG_2021),
        Component("quadratic", "ebmsuite.nets.mlp:Quadratic", "the Gaussian as an exponential family"),
        Component("constant", "ebmsuite.nets.mlp:Constant", "one number: a normalising constant that is learned"),
    ]


@hookimpl
def ebm_densities() -> list[Component]:
    return [
        Component("gaussian", "ebmsuite.density:Gaussian", "N(mean, sd^2 I)"),
        Component("uniform", "ebmsuite.density:Uniform", "uniform on [low, high] in every coordinate"),
        Component("diagonal", "ebmsuite.density:Diagonal", "a normal distribution with learned means and deviations"),
        Component(
            "mlp-encoder",
            "ebmsuite.nets.mlp:mlp_encoder",
            "normal distribution of the latent vector, by an MLP",
            KINGMA_2014,
        ),
        Component(
            "flow",
            "ebmsuite.nets.flows:Flow",
            "normalising flow: spline or affine, autoregressive or coupling",
            "Durkan, Bekasov, Murray, Papamakarios. Neural Spline Flows. NeurIPS 2019",
            needs=("zuko",),
        ),
        Component("categorical", "ebmsuite.density:Categorical", "uniform over the categories of one-hot events"),
    ]


@hookimpl
def ebm_generators() -> list[Component]:
    return [Component("mlp", "ebmsuite.nets.mlp:mlp_generator", "multilayer perceptron from a normal latent vector")]


@hookimpl
def ebm_samplers() -> list[Component]:
    at = "ebmsuite.sampling."
    return [
        Component("langevin", at + "langevin:Langevin",
                  "unadjusted Langevin dynamics, gradient weight and noise scale decoupled", NIJKAMP_2019),
        Component("mala", at + "mala:MALA", "Langevin dynamics with a Metropolis test",
                  "Roberts, Tweedie. Exponential Convergence of Langevin Distributions. Bernoulli 1996"),
        Component("hmc", at + "hmc:HMC", "Hamiltonian Monte Carlo",
                  "Neal. MCMC Using Hamiltonian Dynamics. Handbook of Markov Chain Monte Carlo, 2011"),
        Component("nuts", at + "nuts:NUTS", "the no-U-turn sampler, vectorised over chains",
                  "Hoffman, Gelman. The No-U-Turn Sampler. JMLR 2014"),
        Component("annealed-langevin", at + "annealed:AnnealedLangevin", "Langevin dynamics that cools",
                  "Song, Ermon. Generative Modeling by Estimating Gradients of the Data Distribution. NeurIPS 2019"),
        Component("parallel-tempering", at + "tempering:ParallelTempering", "chains at several temperatures, exchanged",
                  "Geyer. Markov Chain Monte Carlo Maximum Likelihood. 1991"),
        Component("descent", at + "descent:Descent", "to a mode: Langevin dynamics at temperature zero"),
        Component("gibbs-with-gradients", at + "gibbs:GibbsWithGradients", "one site at a time of a one-hot event",
                  "Grathwohl, Swersky, Hashemi, Duvenaud, Maddison. Oops I Took A Gradient. ICML 2021"),
    ]  # fmt: skip


@hookimpl
def ebm_chains() -> list[Component]:
    at = "ebmsuite.sampling.chains:"
    return [
        Component("noise", at + "Noise", "from a density, every time: short-run MCMC", NIJKAMP_2019),
        Component("data", at + "Data", "from the examples: contrastive divergence",
                  "Hinton. Training Products of Experts by Minimizing Contrastive Divergence. 2002"),
        Component("buffer", at + "Buffer", "from where chains were left: persistent chains, replay", DU_2019),
        Component("memory", at + "Memory", "from where this example's chain was left", HAN_2017),
        Component("proposal", at + "Proposal", "from what the trainer proposes",
                  "Xie, Lu, Gao, Wu. Cooperative Learning of Energy-Based Model and Latent Variable Model. AAAI 2018"),
    ]  # fmt: skip


@hookimpl
def ebm_trainers() -> list[Component]:
    return [
        Component(
            "mle",
            "ebmsuite.methods.mle:MaximumLikelihood",
            "maximum likelihood: E(data) down, E(samples) up",
            XIE_2016,
            example=MLE_EXAMPLE,
        ),
        Component(
            "multi-grid",
            "ebmsuite.methods.multi_grid:MultiGrid",
            "an energy a grid, chains from coarse to fine",
            GAO_2018,
            example=GRIDS_EXAMPLE,
        ),
        Component(
            "coarse-to-fine",
            "ebmsuite.methods.coarse_to_fine:CoarseToFine",
            "an energy that grows with the grid",
            ZHAO_2021,
            example=COARSE_EXAMPLE,
        ),
        Component(
            "pyramid",
            "ebmsuite.methods.pyramid:Pyramid",
            "energies of patches, grid by grid, of one event",
            ZHENG_2021,
            example=PYRAMID_EXAMPLE,
        ),
        Component(
            "incomplete",
            "ebmsuite.methods.incomplete:IncompleteLikelihood",
            "maximum likelihood of what is known of events, what is hidden recovered by chains",
            XIE_ZHU_2021,
            example=INCOMPLETE_EXAMPLE,
        ),
        Component(
            "joint-classifier",
            "ebmsuite.methods.joint_classifier:JointClassifier",
            "a classifier whose logits are an energy",
            GRATHWOHL_2020,
            example=JOINT_EXAMPLE,
        ),
        Component(
            "introspective",
            "ebmsuite.methods.introspective:Introspective",
            "a classifier of data against samples of its own",
            LAZAROW_2017,
            example=INTROSPECTIVE_EXAMPLE,
        ),
        Component(
            "latent",
            "ebmsuite.methods.latent:LatentPrior",
            "an energy on the latent vector of a generator, posterior and prior by short chains",
            PANG_2020,
            example=LATENT_EXAMPLE,
        ),
        Component(
            "vae",
            "ebmsuite.methods.vae:VariationalAutoencoder",
            "the variational auto-encoder, for comparison",
            KINGMA_2014,
            example=VAE_EXAMPLE,
        ),
        Component(
            "abp",
            "ebmsuite.methods.abp:AlternatingBackpropagation",
            "a generator alone, z inferred by chains that go on from step to step; also of incomplete data",
            HAN_2017,
            example=ABP_EXAMPLE,
        ),
        Component(
            "cooperative",
            "ebmsuite.methods.cooperative:Cooperative",
            "a generator starts the chains of an energy and learns from where they end",
            XIE_2018,
            example=COOPERATIVE_EXAMPLE,
        ),
        Component(
            "variational-cooperative",
            "ebmsuite.methods.variational_cooperative:VariationalCooperative",
            "the same with a variational auto-encoder that learns from where the chains end",
            XIE_ZHENG_2021,
            example=VARIATIONAL_EXAMPLE,
        ),
        Component(
            "divergence-triangle",
            "ebmsuite.methods.divergence_triangle:DivergenceTriangle",
            "an energy, a generator and an encoder that learn from one another, without chains",
            HAN_2019,
            example=TRIANGLE_EXAMPLE,
        ),
        Component(
            "joint-vae",
            "ebmsuite.methods.joint_vae:JointVAE",
            "the same with an energy of events and latent vectors",
            HAN_2020,
            example=JOINT_VAE_EXAMPLE,
        ),
        Component(
            "latent-dsm",
            "ebmsuite.methods.latent_dsm:LatentScoreMatching",
            "an auto-encoder, then an energy on its latent vector by denoising score matching",
            VAHDAT_2021,
            example=LATENT_SCORE_EXAMPLE,
        ),
        Component(
            "symbol-vector",
            "ebmsuite.methods.symbol_vector:SymbolVector",
            "semi-supervised: an energy on the latent vector whose logits are a classifier too",
            PANG_WU_2021,
            example=SYMBOLS_EXAMPLE,
        ),
        Component(
            "cycle-cooperative",
            "ebmsuite.methods.cycle_cooperative:CycleCooperative",
            "two energies and two translators between domains of which no pairs are seen",
            XIE_CYCLE_2021,
            example=CYCLE_EXAMPLE,
        ),
        Component(
            "likelihood",
            "ebmsuite.methods.likelihood:NormalisedLikelihood",
            "maximum likelihood of a density that is normalised as it stands",
            example=LIKELIHOOD_EXAMPLE,
        ),
        Component(
            "nce",
            "ebmsuite.methods.nce:NoiseContrast",
            "noise contrastive estimation, log Z learned",
            GUTMANN_2012,
            example=NCE_EXAMPLE,
        ),
        Component(
            "fce",
            "ebmsuite.methods.fce:FlowContrast",
            "flow contrastive estimation: the noise is a flow that comes to meet the energy",
            GAO_2020,
            example=FCE_EXAMPLE,
        ),
        Component(
            "dsm",
            "ebmsuite.methods.dsm:DenoisingScoreMatching",
            "denoising score matching, at one noise level or many",
            VINCENT_2011,
            example=DSM_EXAMPLE,
        ),
        Component(
            "recovery",
            "ebmsuite.methods.recovery:RecoveryLikelihood",
            "diffusion recovery likelihood: from noisy to less noisy, level by level",
            GAO_2021,
            example=RECOVERY_EXAMPLE,
        ),
        Component(
            "cooperative-recovery",
            "ebmsuite.methods.cooperative_recovery:CooperativeRecovery",
            "recovery likelihood whose chains a generator starts",
            ZHU_2024,
            example=COOPERATIVE_RECOVERY_EXAMPLE,
        ),
        Component(
            "energy-matching",
            "ebmsuite.methods.energy_matching:EnergyMatching",
            "one energy whose slope carries noise to data, and whose density it is once there",
            BALCERAK_2025,
            example=ENERGY_MATCHING_EXAMPLE,
        ),
    ]


@hookimpl
def ebm_optimisers() -> list[Component]:
    at = "ebmsuite.learning.optimisers:"
    return [
        Component("adam", at + "adam", "Adam", "Kingma, Ba. Adam. ICLR 2015"),
        Component("adamw", at + "adamw", "Adam with decoupled weight decay"),
        Component("sgd", at + "sgd", "stochastic gradient descent with momentum"),
    ]


@hookimpl
def ebm_datasets() -> list[Component]:
    return [Component("normal", "ebmsuite.dataset:NormalSamples", "draws from a Gaussian that is known")]


@hookimpl
def ebm_watchers() -> list[Component]:
    at = "ebmsuite.callbacks."
    return [
        Component("log", at + "log:MetricLog", "metrics.jsonl, a row every log.every steps"),
        Component("guard", at + "guard:Guard", "stability: rolls back and lowers the learning rate, or stops"),
        Component("progress", at + "progress:Progress", "a progress bar with rate, gap and time left"),
        Component("report", at + "report:ReportWriter", "writes report.html when scores or pictures are new"),
        Component("tensorboard", at + "tensorboard:TensorBoard", "scalars for TensorBoard",
                  needs=("tensorboard",)),
    ]  # fmt: skip
