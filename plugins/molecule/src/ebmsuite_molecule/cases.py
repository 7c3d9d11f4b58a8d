"""The evaluation suite of molecules: recipes, metrics and the published values for comparison."""

from __future__ import annotations

from dataclasses import replace

from ebmsuite.scores import Case, Published

BASELINES = {"held-out": {"of": "held-out"}, "n-gram": {"of": "n-gram"}}
VALIDITY = {"name": "molecule/validity"}
FCD = {"name": "molecule/distribution", "groups": ["fcd"]}
N = {"quick": 2000, "full": 10_000}
FULL_ZINC = {"full": ("gpu", "full-data:molecule/zinc250k")}

ZINC_VALIDITY = Case(
    name="molecule/zinc-validity",
    recipe="molecule/zinc-lebm",
    metric=VALIDITY,
    better="higher",
    n=N,
    score="validity",
    published=(Published(0.955, "Pang, Han, Wu 2020, SMILES by characters, no check"),),
    bar={"quick": 0.3, "full": 0.955},
    baselines=BASELINES,
    needs=FULL_ZINC,
    note="by atoms where the paper has characters; without check",
)
ZINC_UNIQUENESS = replace(
    ZINC_VALIDITY,
    name="molecule/zinc-uniqueness",
    score="uniqueness",
    published=(Published(1.0, "Pang, Han, Wu 2020"),),
    bar={"quick": 0.99, "full": 0.999},
    note="different canonical SMILES among the valid",
)
ZINC_NOVELTY = replace(
    ZINC_VALIDITY,
    name="molecule/zinc-novelty",
    score="novelty",
    published=(Published(1.0, "Pang, Han, Wu 2020"),),
    bar={"quick": 0.99, "full": 0.999},
    note="of the different ones, against the canonical SMILES of all training molecules",
)
ZINC_FCD = Case(
    name="molecule/zinc-fcd",
    recipe="molecule/zinc-lebm",
    metric=FCD,
    better="lower",
    n=N,
    score="fcd",
    published=(
        Published(0.966, "GW-CatFlow, table of 2026: graphs, no LEBM has a published one", "review"),
        Published(0.85, "SGT, table of 2026", "review"),
    ),
    baselines=BASELINES,
    needs={
        "quick": ("extractor:molecule/chemnet",),
        "full": ("gpu", "full-data:molecule/zinc250k", "extractor:molecule/chemnet"),
    },
    note="of the valid alone, against 5,000 test molecules; to be no worse than molecule/zinc-lstm-fcd",
)
ZINC_LSTM_VALIDITY = replace(
    ZINC_VALIDITY,
    name="molecule/zinc-lstm-validity",
    recipe="molecule/zinc-lstm",
    published=(),
    bar={},
    note="the decoder without a latent vector, as many steps",
)
ZINC_LSTM_FCD = replace(
    ZINC_FCD, name="molecule/zinc-lstm-fcd", recipe="molecule/zinc-lstm", note="the decoder without a latent vector"
)
MOSES_VALIDITY = replace(
    ZINC_VALIDITY,
    name="molecule/moses-validity",
    recipe="molecule/moses-lebm",
    published=(Published(0.975, "CharRNN, table of MOSES"), Published(0.977, "VAE, table of MOSES")),
    needs={"quick": ("data:molecule/moses",), "full": ("gpu", "data:molecule/moses")},
    bar={},
)
MOSES_FCD = replace(
    ZINC_FCD,
    name="molecule/moses-fcd",
    recipe="molecule/moses-lebm",
    published=(Published(0.073, "CharRNN, table of MOSES, 30,000 samples"), Published(0.099, "VAE, table of MOSES")),
    needs={
        "quick": ("data:molecule/moses", "extractor:molecule/chemnet"),
        "full": ("gpu", "data:molecule/moses", "extractor:molecule/chemnet"),
    },
    note="of the valid alone, against a fixed 10,000 of the test molecules",
)
QM9_VALIDITY = replace(
    ZINC_VALIDITY,
    name="molecule/qm9-validity",
    recipe="molecule/qm9-lebm",
    published=(),
    needs={"quick": ("data:molecule/qm9",), "full": ("gpu", "data:molecule/qm9")},
    bar={},
)
