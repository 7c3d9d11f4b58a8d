"""A tiny recipe for every trainer of core, for the resume, two-process and conformance tests."""

from __future__ import annotations

from typing import Any

PERSISTENT = {
    "chains": {"name": "buffer", "size": 64, "fresh": 0.1, "density": {"name": "gaussian", "sd": 1.0}},
    "sampler": {"name": "langevin", "step_size": 0.3},
    "steps": 5,
}
SIGNALS = {"data": {"name": "normal", "dim": (1, 16), "n": 256}}
NOISE = {"name": "noise", "density": {"name": "gaussian"}}
ADAM = {"name": "adam", "lr": 1e-3}
SMALL = {"width": 16, "depth": 1}
PLANE = {"data": {"name": "normal", "n": 256, "dim": 2, "mean": 1.0, "sd": 0.5}}
PROPOSED = {"chains": {"name": "proposal"}, "sampler": {"name": "langevin", "step_size": 0.1}, "steps": 3}

MLE_EXAMPLE = {
    "recipe": "mle-example",
    "data": {"data": {"name": "normal", "n": 256, "mean": 1.0, "sd": 0.5}},
    "players": {"energy": {"name": "quadratic"}},
    "trainer": {"name": "mle"},
    "phases": {"negative": PERSISTENT},
    "optimisers": {"energy": {"name": "adam", "lr": 0.02, "ema": 0.9}},
    "budget": {"steps": 12, "batch": 16},
}
IMPROVED_CD_EXAMPLE = MLE_EXAMPLE | {"recipe": "improved-cd-example", "trainer": {"name": "improved-cd"}}
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
PYRAMID_EXAMPLE: dict[str, Any] = {
    **GRIDS_EXAMPLE,
    "recipe": "pyramid-example",
    "players": {
        "energy": {"name": "grids", "net": {"name": "patches", "width": 8, "depth": 2}, "factors": [2.6, 1.6, 1]}
    },
    "trainer": {"name": "pyramid", "stage": 3, "noise": {"name": "gaussian"}},
    "phases": dict.fromkeys(("coarsest", "negative", "recovery"), PROPOSED),
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
UNROLLED_EXAMPLE = {
    **MLE_EXAMPLE,
    "recipe": "unrolled-example",
    "data": {
        "data": {
            "name": "masked",
            "of": {"name": "normal", "n": 256, "dim": [1, 8]},
            "masks": [{"name": "random", "hidden": 0.3}],
            "given": "condition",
        }
    },
    "players": {"energy": {"name": "convnet-filling-energy", "channels": [4], "kernels": 3, "strides": 1}},
    "trainer": {"name": "unrolled"},
    "phases": {
        "recovered": {
            "chains": {"name": "visible"},
            "sampler": {"name": "langevin", "gradient_weight": 0.1, "noise_scale": 0.0},
            "steps": 2,
        },
    },
}
INTROSPECTIVE_EXAMPLE = {
    **MLE_EXAMPLE,
    "recipe": "introspective-example",
    "trainer": {"name": "introspective", "stage": 5, "pool": 32},
}
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
VAE_EXAMPLE: dict[str, Any] = {
    "recipe": "vae-example",
    "data": PLANE,
    "latent": 2,
    "players": {"generator": {"name": "mlp", **SMALL}, "encoder": {"name": "mlp-encoder", **SMALL}},
    "trainer": {"name": "vae"},
    "optimisers": {"generator": ADAM, "encoder": ADAM},
    "budget": {"steps": 12, "batch": 16},
}
LATENT_SCORE_EXAMPLE: dict[str, Any] = {
    **VAE_EXAMPLE,
    "recipe": "latent-dsm-example",
    "players": {**VAE_EXAMPLE["players"], "energy": {"name": "mlp", "of": "latent", "reference_sd": 1.0, **SMALL}},
    "trainer": {"name": "latent-dsm", "first": 6, "sigma": 0.3},
    "phases": {"prior": {"chains": NOISE, "sampler": {"name": "langevin", "step_size": 0.4}, "steps": 5}},
    "optimisers": {"generator": ADAM, "encoder": ADAM, "energy": {**ADAM, "ema": 0.9}},
}
LATENT_REFINE_EXAMPLE = {
    **LATENT_SCORE_EXAMPLE,
    "recipe": "latent-refine-example",
    "players": {
        **VAE_EXAMPLE["players"],
        "prior": LATENT_SCORE_EXAMPLE["players"]["energy"],
        "energy": {"name": "mlp", "reference_sd": 1.0, **SMALL},
    },
    "trainer": {"name": "latent-refine", "first": 4, "second": 4, "sigma": 0.3},
    "phases": {
        **LATENT_SCORE_EXAMPLE["phases"],
        "negative": {
            "chains": {"name": "bank", "size": 32},
            "sampler": {"name": "langevin", "step_size": 0.1},
            "steps": 5,
        },
    },
    "optimisers": {"generator": ADAM, "encoder": ADAM, "prior": {**ADAM, "ema": 0.9}, "energy": {**ADAM, "ema": 0.9}},
}
VARIATIONAL_LATENT_EXAMPLE = {
    **VAE_EXAMPLE,
    "recipe": "variational-latent-example",
    "data": {"data": {**PLANE["data"], "labels": True}},
    "players": {
        "energy": {"name": "mlp", "of": "latent", "reference_sd": 1.0, **SMALL},
        "generator": {"name": "mlp", **SMALL},
        "encoder": {"name": "mlp-encoder", "conditional": True, **SMALL},
    },
    "trainer": {
        "name": "variational-latent",
        "kl_weight": {"start": 0.0, "end": 1.0, "over": 2, "delay": 2, "period": 6},
        "free_bits": 0.1,
        "mean_at_zero": True,
    },
    "phases": {"prior": {"chains": NOISE, "sampler": {"name": "langevin", "step_size": 0.4}, "steps": 5}},
    "optimisers": {"energy": {**ADAM, "ema": 0.9}, "generator": ADAM, "encoder": ADAM},
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
JOINT_VAE_EXAMPLE = TRIANGLE_EXAMPLE | {"recipe": "joint-vae-example", "trainer": {"name": "joint-vae"}}
SYMBOLS_EXAMPLE = {
    "recipe": "symbol-vector-example",
    "data": {
        "data": {"name": "normal", "dim": 2, "n": 256},
        "labelled": {"name": "normal", "dim": 2, "n": 16, "labels": True},
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
