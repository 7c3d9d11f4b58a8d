"""The suite's own plugin: the components whose names have no prefix."""

from __future__ import annotations

from typing import Any

from ebmsuite.hookspecs import Component, hookimpl

ebm_api = 1

NIJKAMP_2019 = "Nijkamp, Hill, Zhu, Wu. On Learning Non-Convergent Non-Persistent Short-Run MCMC. NeurIPS 2019"
XIE_2016 = "Xie, Lu, Zhu, Wu. A Theory of Generative ConvNet. ICML 2016"
DU_2019 = "Du, Mordatch. Implicit Generation and Modeling with Energy-Based Models. NeurIPS 2019"
GRATHWOHL_2020 = (
    "Grathwohl, Wang, Jacobsen, Duvenaud, Norouzi, Swersky. Your Classifier Is Secretly an Energy Based Model and You "
    "Should Treat It Like One. ICLR 2020"
)
DU_2021 = "Du, Li, Tenenbaum, Mordatch. Improved Contrastive Divergence Training of Energy-Based Models. ICML 2021"
GAO_2018 = "Gao, Lu, Zhou, Zhu, Wu. Learning Generative ConvNets via Multi-Grid Modeling and Sampling. CVPR 2018"
ZHAO_2021 = (
    "Zhao, Xie, Li. Learning Energy-Based Generative Models via Coarse-to-Fine Expanding and Sampling. ICLR 2021"
)
ZHU_1998 = (
    "Zhu, Wu, Mumford. Filters, Random Fields and Maximum Entropy (FRAME): Towards a Unified Theory for Texture "
    "Modeling. IJCV 1998"
)
LAZAROW_2017 = "Lazarow, Jin, Tu. Introspective Neural Networks for Generative Modeling. ICCV 2017"
XIE_ZHU_2021 = (
    "Xie, Zhu, Wu. Learning Energy-Based Spatial-Temporal Generative ConvNets for Dynamic Patterns. TPAMI 2021"
)
HAN_2017 = "Han, Lu, Zhu, Wu. Alternating Back-Propagation for Generator Network. AAAI 2017"

PANG_2020 = "Pang, Han, Nijkamp, Zhu, Wu. Learning Latent Space Energy-Based Prior Model. NeurIPS 2020"
GUTMANN_2012 = (
    "Gutmann, Hyvarinen. Noise-Contrastive Estimation of Unnormalized Statistical Models, with Applications to Natural "
    "Image Statistics. JMLR 2012"
)
XIE_2018 = (
    "Xie, Lu, Gao, Wu. Cooperative Learning of Energy-Based Model and Latent Variable Model via MCMC Teaching. "
    "AAAI 2018"
)
XIE_ZHENG_2021 = (
    "Xie, Zheng, Li. Learning Energy-Based Model with Variational Auto-Encoder as Amortized Sampler via MCMC Teaching. "
    "AAAI 2021"
)
XIE_CYCLE_2021 = (
    "Xie, Zheng, Fang, Zhu, Wu. Learning Cycle-Consistent Cooperative Networks via Alternating MCMC Teaching for "
    "Unsupervised Cross-Domain Translation. AAAI 2021"
)
PANG_WU_2021 = (
    "Pang, Nijkamp, Cui, Han, Wu. Semi-supervised Learning by Latent Space Energy-Based Model of Symbol-Vector "
    "Coupling. 2020; Pang, Wu. Latent Space Energy-Based Model of Symbol-Vector Coupling for Text Generation and "
    "Classification. ICML 2021"
)
HAN_2019 = (
    "Han, Nijkamp, Fang, Hill, Zhu, Wu. Divergence Triangle for Joint Training of Generator Model, Energy-Based Model, "
    "and Inferential Model. CVPR 2019"
)
GAO_2020 = "Gao, Nijkamp, Kingma, Xu, Dai, Wu. Flow Contrastive Estimation of Energy-Based Models. CVPR 2020"
VINCENT_2011 = "Vincent. A Connection Between Score Matching and Denoising Autoencoders. Neural Computation 2011"
GAO_2021 = "Gao, Song, Poole, Wu, Kingma. Learning Energy-Based Models by Diffusion Recovery Likelihood. ICLR 2021"
ZHU_2024 = (
    "Zhu, Xie, Wu, Gao. Learning Energy-Based Models by Cooperative Diffusion Recovery Likelihood. ICLR 2024"
)
BALCERAK_2025 = "Balcerak et al. Energy Matching: Unifying Flow Matching and Energy-Based Models. NeurIPS 2025"
KINGMA_2014 = "Kingma, Welling. Auto-Encoding Variational Bayes. ICLR 2014"

PERSISTENT = {
    "chains": {"name": "buffer", "size": 64, "fresh": 0.1, "density": {"name": "gaussian", "sd": 1.0}},
    "sampler": {"name": "langevin", "step_size": 0.3},
    "steps": 5,
}
MLE_EXAMPLE = {
    "recipe": "mle-example",
    "data": {"data": {"name": "normal", "n": 256, "mean": 1.0, "sd": 0.5}},
    "players": {"energy": {"name": "quadratic"}},
    "trainer": {"name": "mle"},
    "phases": {"negative": PERSISTENT},
    "optimisers": {"energy": {"name": "adam", "lr": 0.02, "ema": 0.9}},
    "budget": {"steps": 12, "batch": 16},
}


SIGNALS = {"data": {"name": "toy/points", "density": {"name": "toy/signals", "length": 16}, "n": 256}}
GRIDS_EXAMPLE = {
    "recipe": "multi-grid-example",
    "data": SIGNALS,
    "players": {
        "energy": {"name": "grids", "net": {"name": "mlp", "width": 16, "depth": 1}, "factors": [4, 1]},
        "coarsest": {"name": "diagonal"},
    },
    "trainer": {"name": "multi-grid", "factors": [16, 4, 1]},
    "phases": {
        "negative": {
            "chains": {"name": "proposal"},
            "sampler": {"name": "langevin", "step_size": 0.1},
            "steps": 3,
        }
    },
    "optimisers": {"energy": {"name": "adam", "lr": 0.001, "ema": 0.9}, "coarsest": {"name": "adam", "lr": 0.01}},
    "budget": {"steps": 12, "batch": 16},
}
COARSE_EXAMPLE = {
    **GRIDS_EXAMPLE,
    "recipe": "coarse-to-fine-example",
    "players": {
        "energy": {"name": "grids", "net": {"name": "mlp", "width": 16, "depth": 1}, "factors": [4, 2, 1], "add": True}
    },
    "trainer": {"name": "coarse-to-fine", "stage": 2, "noise": {"name": "gaussian"}},
    "optimisers": {"energy": {"name": "adam", "lr": 0.001, "ema": 0.9}},
}
INCOMPLETE_EXAMPLE = {
    **MLE_EXAMPLE,
    "recipe": "incomplete-example",
    "data": {"data": {"name": "normal", "n": 256, "dim": 3, "mean": 1.0, "sd": 0.5, "hidden": 0.3}},
    "trainer": {"name": "incomplete", "recovery_steps": 5},
    "phases": {
        "recovered": {
            "chains": {"name": "memory", "density": {"name": "gaussian"}},
            "sampler": {"name": "langevin", "step_size": 0.3},
            "steps": 3,
        },
        "negative": PERSISTENT,
    },
}
INTROSPECTIVE_EXAMPLE = {
    **MLE_EXAMPLE,
    "recipe": "introspective-example",
    "trainer": {"name": "introspective", "stage": 5, "pool": 32},
}

NOISE = {"name": "noise", "density": {"name": "gaussian"}}
ADAM = {"name": "adam", "lr": 1e-3}
SMALL = {"width": 16, "depth": 1}
PLANE = {"data": {"name": "normal", "n": 256, "dim": 2, "mean": 1.0, "sd": 0.5}}
LATENT_EXAMPLE = {
    "recipe": "latent-example",
    "data": PLANE,
    "latent": 2,
    "players": {
        "energy": {"name": "mlp", "of": "latent", "reference_sd": 1.0, **SMALL},
        "generator": {"name": "mlp", **SMALL},
        "encoder": {"name": "mlp-encoder", **SMALL},
    },
    "trainer": {"name": "latent"},
    "phases": {
        "posterior": {
            "chains": {"name": "proposal"},
            "sampler": {"name": "langevin", "step_size": 0.1},
            "steps": 3,
        },
        "prior": {"chains": NOISE, "sampler": {"name": "langevin", "step_size": 0.4}, "steps": 5},
    },
    "optimisers": {"energy": ADAM, "generator": {**ADAM, "ema": 0.9}, "encoder": ADAM},
    "budget": {"steps": 12, "batch": 16},
}
LIKELIHOOD_EXAMPLE = {
    "recipe": "likelihood-example",
    "data": PLANE,
    "players": {"density": {"name": "diagonal"}},
    "trainer": {"name": "likelihood"},
    "optimisers": {"density": ADAM},
    "budget": {"steps": 12, "batch": 16},
}
JOINT_EXAMPLE = {
    "recipe": "joint-classifier-example",
    "data": {"data": {"name": "normal", "n": 256, "dim": 2, "labels": True}},
    "players": {"energy": {"name": "mlp-classes", "reference_sd": 1.0, **SMALL}},
    "trainer": {"name": "joint-classifier"},
    "phases": {"negative": PERSISTENT},
    "optimisers": {"energy": ADAM},
    "budget": {"steps": 12, "batch": 16},
}
VAE_EXAMPLE = {
    "recipe": "vae-example",
    "data": PLANE,
    "latent": 2,
    "players": {"generator": {"name": "mlp", **SMALL}, "encoder": {"name": "mlp-encoder", **SMALL}},
    "trainer": {"name": "vae"},
    "optimisers": {"generator": ADAM, "encoder": ADAM},
    "budget": {"steps": 12, "batch": 16},
}
ABP_EXAMPLE = {
    "recipe": "abp-example",
    "data": PLANE,
    "latent": 2,
    "players": {"generator": {"name": "mlp", **SMALL}},
    "trainer": {"name": "abp"},
    "phases": {
        "posterior": {
            "chains": {"name": "memory", "density": {"name": "gaussian"}},
            "sampler": {"name": "langevin", "step_size": 0.1},
            "steps": 3,
        }
    },
    "optimisers": {"generator": {**ADAM, "ema": 0.9}},
    "budget": {"steps": 12, "batch": 16},
}
PROPOSED = {"chains": {"name": "proposal"}, "sampler": {"name": "langevin", "step_size": 0.1}, "steps": 3}
COOPERATIVE_EXAMPLE = {
    "recipe": "cooperative-example",
    "data": PLANE,
    "latent": 2,
    "players": {"energy": {"name": "mlp", **SMALL}, "generator": {"name": "mlp", **SMALL}},
    "trainer": {"name": "cooperative", "observed": 0.2},
    "phases": {"negative": PROPOSED, "inference": PROPOSED},
    "optimisers": {"energy": {**ADAM, "ema": 0.9}, "generator": ADAM},
    "budget": {"steps": 12, "batch": 16},
}
TRIANGLE_EXAMPLE = {
    "recipe": "divergence-triangle-example",
    "data": PLANE,
    "latent": 2,
    "players": {
        "energy": {"name": "mlp", **SMALL},
        "generator": {"name": "mlp", **SMALL},
        "encoder": {"name": "mlp-encoder", **SMALL},
    },
    "trainer": {"name": "divergence-triangle"},
    "optimisers": {"energy": {**ADAM, "ema": 0.9}, "generator": ADAM, "encoder": ADAM},
    "budget": {"steps": 12, "batch": 16},
}
SYMBOLS_EXAMPLE = {
    "recipe": "symbol-vector-example",
    "data": {
        "data": {"name": "toy/points", "density": {"name": "toy/eight-gaussians"}, "n": 256},
        "labelled": {"name": "toy/points", "density": {"name": "toy/eight-gaussians"}, "n": 256, "labelled": 16},
    },
    "latent": 2,
    "players": {
        "energy": {"name": "mlp-classes", "of": "latent", "reference_sd": 1.0, **SMALL},
        "generator": {"name": "mlp", **SMALL},
        "encoder": {"name": "mlp-encoder", **SMALL},
    },
    "trainer": {"name": "symbol-vector", "label_weight": 1.0, "information_weight": 1.0},
    "phases": {"prior": {"chains": NOISE, "sampler": {"name": "langevin", "step_size": 0.4}, "steps": 5}},
    "optimisers": {"energy": {**ADAM, "ema": 0.9}, "generator": ADAM, "encoder": ADAM},
    "budget": {"steps": 12, "batch": 16},
}
CYCLE_EXAMPLE = {
    "recipe": "cycle-cooperative-example",
    "data": {"a": PLANE["data"], "b": {**PLANE["data"], "mean": 0.0}},
    "latent": 0,
    "players": {
        "energy_a": {"name": "mlp", **SMALL},
        "energy_b": {"name": "mlp", **SMALL},
        "to_a": {"name": "mlp", **SMALL},
        "to_b": {"name": "mlp", **SMALL},
    },
    "trainer": {"name": "cycle-cooperative"},
    "phases": {"a": PROPOSED, "b": PROPOSED},
    "optimisers": {"energy_a": ADAM, "energy_b": {**ADAM, "ema": 0.9}, "to_a": ADAM, "to_b": ADAM},
    "budget": {"steps": 12, "batch": 16},
}
VARIATIONAL_EXAMPLE = TRIANGLE_EXAMPLE | {
    "recipe": "variational-cooperative-example",
    "trainer": {"name": "variational-cooperative"},
    "phases": {"negative": PROPOSED},
}
NCE_EXAMPLE: dict[str, Any] = {
    "recipe": "nce-example",
    "data": PLANE,
    "players": {"energy": {"name": "mlp", **SMALL}, "log_z": {"name": "constant"}},
    "trainer": {"name": "nce", "noise": {"name": "gaussian", "sd": 2.0}, "ratio": 2},
    "phases": {"negative": {"chains": NOISE, "sampler": {"name": "langevin", "step_size": 0.1}, "steps": 5}},
    "optimisers": {"energy": {**ADAM, "ema": 0.9}, "log_z": {**ADAM, "lr": 1e-2}},
    "budget": {"steps": 12, "batch": 16},
}
FCE_EXAMPLE = {
    **NCE_EXAMPLE,
    "recipe": "fce-example",
    "players": {**NCE_EXAMPLE["players"], "flow": {"name": "diagonal"}},
    "trainer": {"name": "fce", "flow_first": 3, "energy_first": 3},
    "phases": {
        "negative": {"chains": {"name": "proposal"}, "sampler": {"name": "langevin", "step_size": 0.1}, "steps": 5},
    },
    "optimisers": {**NCE_EXAMPLE["optimisers"], "flow": ADAM},
}
DSM_EXAMPLE = {
    "recipe": "dsm-example",
    "data": PLANE,
    "players": {"energy": {"name": "mlp", **SMALL}},
    "trainer": {"name": "dsm", "sigma": 0.2, "low": 0.1, "high": 0.5, "denoise": True},
    "phases": {"negative": {"chains": NOISE, "sampler": {"name": "langevin", "step_size": 0.1}, "steps": 5}},
    "optimisers": {"energy": {**ADAM, "ema": 0.9}},
    "budget": {"steps": 12, "batch": 16},
}
RECOVERY_EXAMPLE: dict[str, Any] = {
    "recipe": "recovery-example",
    "data": PLANE,
    "players": {"energy": {"name": "mlp", **SMALL}},
    "trainer": {"name": "recovery", "denoise": True},
    "phases": {
        "negative": {"chains": {"name": "proposal"}, "sampler": {"name": "langevin", "step_size": 1.0}, "steps": 5},
    },
    "optimisers": {"energy": {**ADAM, "ema": 0.9}},
    "budget": {"steps": 12, "batch": 16},
}
COOPERATIVE_RECOVERY_EXAMPLE: dict[str, Any] = {
    **RECOVERY_EXAMPLE,
    "recipe": "cooperative-recovery-example",
    "latent": 0,
    "players": {"energy": {"name": "mlp", **SMALL}, "generator": {"name": "mlp", **SMALL}},
    "trainer": {"name": "cooperative-recovery"},
    "optimisers": {"energy": {**ADAM, "ema": 0.9}, "generator": ADAM},
}
ENERGY_MATCHING_EXAMPLE = {
    "recipe": "energy-matching-example",
    "data": PLANE,
    "players": {"energy": {"name": "mlp", **SMALL}},
    "trainer": {"name": "energy-matching", "flow_first": 4, "coupling": "independent"},
    "phases": {
        "transport": {"chains": NOISE, "sampler": {"name": "descent", "gradient_weight": 0.2}, "steps": 5},
        "negative": {
            "chains": {"name": "proposal"},
            "sampler": {"name": "langevin", "gradient_weight": 0.1, "noise_scale": 0.05},
            "steps": 3,
        },
    },
    "optimisers": {"energy": {**ADAM, "ema": 0.9}},
    "budget": {"steps": 12, "batch": 16},
}


@hookimpl
def ebm_energies() -> list[Component]:
    return [
        Component("mlp", "ebmsuite.nets:mlp_energy", "multilayer perceptron on the flattened event", XIE_2016),
        Component(
            "mlp-classes",
            "ebmsuite.nets:mlp_classes",
            "multilayer perceptron whose logits are a classifier and an energy",
            GRATHWOHL_2020,
        ),
        Component("frame", "ebmsuite.frame:Frame", "fixed filters, learned potentials: textures, objects", ZHU_1998),
        Component("grids", "ebmsuite.grids:Grids", "one energy for each of several grids", GAO_2018),
        Component("quadratic", "ebmsuite.nets:Quadratic", "the Gaussian as an exponential family"),
        Component("constant", "ebmsuite.nets:Constant", "one number: a normalising constant that is learned"),
    ]


@hookimpl
def ebm_densities() -> list[Component]:
    return [
        Component("gaussian", "ebmsuite.density:Gaussian", "N(mean, sd^2 I)"),
        Component("uniform", "ebmsuite.density:Uniform", "uniform on [low, high] in every coordinate"),
        Component("diagonal", "ebmsuite.density:Diagonal", "a normal distribution with learned means and deviations"),
        Component(
            "mlp-encoder",
            "ebmsuite.nets:mlp_encoder",
            "normal distribution of the latent vector, by an MLP",
            KINGMA_2014,
        ),
        Component(
            "flow",
            "ebmsuite.flows:Flow",
            "normalising flow: spline or affine, autoregressive or coupling",
            "Durkan, Bekasov, Murray, Papamakarios. Neural Spline Flows. NeurIPS 2019",
            needs=("zuko",),
        ),
        Component("categorical", "ebmsuite.density:Categorical", "uniform over the categories of one-hot events"),
    ]


@hookimpl
def ebm_generators() -> list[Component]:
    return [Component("mlp", "ebmsuite.nets:mlp_generator", "multilayer perceptron from a normal latent vector")]


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
            "ebmsuite.learning.mle:MaximumLikelihood",
            "maximum likelihood: E(data) down, E(samples) up",
            XIE_2016,
            example=MLE_EXAMPLE,
        ),
        Component(
            "multi-grid",
            "ebmsuite.learning.multigrid:MultiGrid",
            "an energy a grid, chains from coarse to fine",
            GAO_2018,
            example=GRIDS_EXAMPLE,
        ),
        Component(
            "coarse-to-fine",
            "ebmsuite.learning.coarse_to_fine:CoarseToFine",
            "an energy that grows with the grid",
            ZHAO_2021,
            example=COARSE_EXAMPLE,
        ),
        Component(
            "incomplete",
            "ebmsuite.learning.incomplete:IncompleteLikelihood",
            "maximum likelihood of what is known of events, what is hidden recovered by chains",
            XIE_ZHU_2021,
            example=INCOMPLETE_EXAMPLE,
        ),
        Component(
            "joint-classifier",
            "ebmsuite.learning.joint:JointClassifier",
            "a classifier whose logits are an energy",
            GRATHWOHL_2020,
            example=JOINT_EXAMPLE,
        ),
        Component(
            "introspective",
            "ebmsuite.learning.introspective:Introspective",
            "a classifier of data against samples of its own",
            LAZAROW_2017,
            example=INTROSPECTIVE_EXAMPLE,
        ),
        Component(
            "latent",
            "ebmsuite.learning.latent:LatentPrior",
            "an energy on the latent vector of a generator, posterior and prior by short chains",
            PANG_2020,
            example=LATENT_EXAMPLE,
        ),
        Component(
            "vae",
            "ebmsuite.learning.vae:VariationalAutoencoder",
            "the variational auto-encoder, for comparison",
            KINGMA_2014,
            example=VAE_EXAMPLE,
        ),
        Component(
            "abp",
            "ebmsuite.learning.abp:AlternatingBackpropagation",
            "a generator alone, z inferred by chains that go on from step to step; also of incomplete data",
            HAN_2017,
            example=ABP_EXAMPLE,
        ),
        Component(
            "cooperative",
            "ebmsuite.learning.cooperative:Cooperative",
            "a generator starts the chains of an energy and learns from where they end",
            XIE_2018,
            example=COOPERATIVE_EXAMPLE,
        ),
        Component(
            "variational-cooperative",
            "ebmsuite.learning.variational_cooperative:VariationalCooperative",
            "the same with a variational auto-encoder that learns from where the chains end",
            XIE_ZHENG_2021,
            example=VARIATIONAL_EXAMPLE,
        ),
        Component(
            "divergence-triangle",
            "ebmsuite.learning.triangle:DivergenceTriangle",
            "an energy, a generator and an encoder that learn from one another, without chains",
            HAN_2019,
            example=TRIANGLE_EXAMPLE,
        ),
        Component(
            "symbol-vector",
            "ebmsuite.learning.symbol_vector:SymbolVector",
            "semi-supervised: an energy on the latent vector whose logits are a classifier too",
            PANG_WU_2021,
            example=SYMBOLS_EXAMPLE,
        ),
        Component(
            "cycle-cooperative",
            "ebmsuite.learning.cycle:CycleCooperative",
            "two energies and two translators between domains of which no pairs are seen",
            XIE_CYCLE_2021,
            example=CYCLE_EXAMPLE,
        ),
        Component(
            "likelihood",
            "ebmsuite.learning.density:NormalisedLikelihood",
            "maximum likelihood of a density that is normalised as it stands",
            example=LIKELIHOOD_EXAMPLE,
        ),
        Component(
            "nce",
            "ebmsuite.learning.nce:NoiseContrast",
            "noise contrastive estimation, log Z learned",
            GUTMANN_2012,
            example=NCE_EXAMPLE,
        ),
        Component(
            "fce",
            "ebmsuite.learning.fce:FlowContrast",
            "flow contrastive estimation: the noise is a flow that comes to meet the energy",
            GAO_2020,
            example=FCE_EXAMPLE,
        ),
        Component(
            "dsm",
            "ebmsuite.learning.score_matching:DenoisingScoreMatching",
            "denoising score matching, at one noise level or many",
            VINCENT_2011,
            example=DSM_EXAMPLE,
        ),
        Component(
            "recovery",
            "ebmsuite.learning.recovery:RecoveryLikelihood",
            "diffusion recovery likelihood: from noisy to less noisy, level by level",
            GAO_2021,
            example=RECOVERY_EXAMPLE,
        ),
        Component(
            "cooperative-recovery",
            "ebmsuite.learning.cooperative_recovery:CooperativeRecovery",
            "recovery likelihood whose chains a generator starts",
            ZHU_2024,
            example=COOPERATIVE_RECOVERY_EXAMPLE,
        ),
        Component(
            "energy-matching",
            "ebmsuite.learning.energy_matching:EnergyMatching",
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
    at = "ebmsuite.watch."
    return [
        Component("log", at + "log:MetricLog", "metrics.jsonl, a row every log.every steps"),
        Component("guard", at + "guard:Guard", "stability: rolls back and lowers the learning rate, or stops"),
        Component("progress", at + "progress:Progress", "a progress bar with rate, gap and time left"),
        Component("report", at + "report:ReportWriter", "writes report.html when scores or pictures are new"),
        Component("tensorboard", at + "tensorboard:TensorBoard", "scalars for TensorBoard",
                  needs=("tensorboard",)),
    ]  # fmt: skip
