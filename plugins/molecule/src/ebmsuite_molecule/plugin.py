"""What the molecule plugin offers: names and import strings only."""

from __future__ import annotations

from ebmsuite.hookspecs import Component, hookimpl

ebm_api = 1

MOSES = "Polykovskiy et al. Molecular Sets (MOSES): A Benchmarking Platform. Frontiers in Pharmacology 2020"
PREUER_2018 = "Preuer, Renz, Unterthiner, Hochreiter, Klambauer. Frechet ChemNet Distance. JCIM 2018"
GOMEZ_2018 = "Gomez-Bombarelli et al. Automatic Chemical Design Using a Data-Driven Representation. ACS Cent. Sci. 2018"
QM9 = "Ramakrishnan, Dral, Rupp, von Lilienfeld. Quantum chemistry structures and properties. Scientific Data 2014"


PANG_2020 = "Pang, Han, Wu. Learning Latent Space Energy-Based Prior Model for Molecule Generation. 2020"
KONG_2023 = (
    "Kong, Pang, Han, Wu. Molecule Design by Latent Space Energy-Based Modeling and Gradual Distribution Shifting. "
    "UAI 2023"
)
HU_2020 = "Hu et al. Strategies for Pre-training Graph Neural Networks. ICLR 2020"


@hookimpl
def ebm_energies() -> list[Component]:
    return [
        Component("molecule/property", "ebmsuite_molecule.nets.property:property_energy", "a latent energy that knows "
                  "properties of the molecule", KONG_2023),
    ]  # fmt: skip


@hookimpl
def ebm_densities() -> list[Component]:
    at = "ebmsuite_molecule.nets."
    return [
        Component("molecule/lstm", at + "decoders:lstm_density", "an LSTM without a latent vector: the baseline"),
        Component("molecule/gru-encoder", at + "encoders:gru_encoder", "a GRU over the tokens in both directions"),
        Component("molecule/conv-encoder", at + "encoders:conv_encoder", "convolutions over the tokens"),
        Component("molecule/graph-encoder", at + "graphs:graph_encoder", "message passing over atoms and bonds",
                  HU_2020, needs=("ebmsuite-molecule[graphs]",)),
    ]  # fmt: skip


@hookimpl
def ebm_generators() -> list[Component]:
    at = "ebmsuite_molecule.nets.decoders:"
    return [
        Component("molecule/lstm", at + "lstm", "an LSTM that sees z at every token", PANG_2020),
        Component("molecule/transformer", at + "transformer", "a small causal Transformer with z as its prefix"),
    ]


@hookimpl
def ebm_recipes() -> list[Component]:
    at = "ebmsuite_molecule:recipes/"
    return [
        Component("molecule/zinc-lebm", at + "zinc-lebm.yaml", "latent energy and LSTM on ZINC, amortised start",
                  PANG_2020),
        Component("molecule/zinc-lebm-published", at + "zinc-lebm-published.yaml", "the same by 20 steps from noise",
                  PANG_2020),
        Component("molecule/zinc-lstm", at + "zinc-lstm.yaml", "the LSTM alone on ZINC: the baseline"),
        Component("molecule/zinc-property", at + "zinc-property.yaml", "molecules given QED and logP", KONG_2023),
        Component("molecule/moses-lebm", at + "moses-lebm.yaml", "latent energy and LSTM on MOSES", PANG_2020),
        Component("molecule/qm9-lebm", at + "qm9-lebm.yaml", "latent energy and LSTM on QM9", PANG_2020),
    ]  # fmt: skip


@hookimpl
def ebm_datasets() -> list[Component]:
    at = "ebmsuite_molecule.data."
    return [
        Component("molecule/zinc250k", at + "zinc:zinc250k", "250,000 drug-like molecules; 60,000 of them inside the "
                  "package", GOMEZ_2018),
        Component("molecule/moses", at + "public:moses", "MOSES, 1.9 million drug-like molecules", MOSES),
        Component("molecule/qm9", at + "public:qm9", "QM9, 133,885 molecules of at most 9 heavy atoms", QM9),
        Component("molecule/smiles-file", at + "smiles_file:smiles_file", "a user's own file of SMILES"),
    ]  # fmt: skip


@hookimpl
def ebm_codecs() -> list[Component]:
    return [Component("molecule/strings", "ebmsuite_molecule.codec:Strings", "SMILES files to rows of tokens and back")]


@hookimpl
def ebm_extractors() -> list[Component]:
    return [
        Component("molecule/chemnet", "ebmsuite_molecule.metrics.chemnet:ChemNet", "the net of the Frechet ChemNet "
                  "distance, weights in a wheel", PREUER_2018, needs=("ebmsuite-molecule[fcd]",)),
    ]  # fmt: skip


@hookimpl
def ebm_metrics() -> list[Component]:
    at = "ebmsuite_molecule.metrics:"
    return [
        Component("molecule/validity", at + "Validity", "how many samples are molecules, different and new", MOSES),
        Component("molecule/distribution", at + "Distribution", "how far samples are from held-out molecules: ChemNet "
                  "distance, neighbours, fragments, scaffolds, diversity, properties", MOSES),
    ]  # fmt: skip


@hookimpl
def ebm_tasks() -> list[Component]:
    at = "ebmsuite_molecule.tasks."
    return [
        Component("molecule/generate", at + "generate:Generate", "draw molecules"),
        Component("molecule/reconstruct", at + "reconstruct:Reconstruct", "molecules through their latent vectors"),
        Component("molecule/interpolate", at + "reconstruct:Interpolate", "from one molecule to another"),
        Component("molecule/score", at + "score:Score", "log-likelihood by importance sampling"),
        Component("molecule/optimise", at + "optimise:Optimise", "raise a property by gradual shifts", KONG_2023),
    ]


@hookimpl
def ebm_renderers() -> list[Component]:
    at = "ebmsuite_molecule.render:"
    return [
        Component("molecule/grid", at + "Grid", "samples beside their nearest training molecules"),
        Component("molecule/densities", at + "Densities", "logP, QED, SA and weight of data and samples"),
        Component("molecule/pictures", at + "Pictures", "both"),
    ]


@hookimpl
def ebm_cases() -> list[Component]:
    at = "ebmsuite_molecule.cases:"
    return [
        Component("molecule/zinc-validity", at + "ZINC_VALIDITY", "ZINC: valid without check", PANG_2020),
        Component("molecule/zinc-uniqueness", at + "ZINC_UNIQUENESS", "ZINC: different", PANG_2020),
        Component("molecule/zinc-novelty", at + "ZINC_NOVELTY", "ZINC: new", PANG_2020),
        Component("molecule/zinc-fcd", at + "ZINC_FCD", "ZINC: Frechet ChemNet distance", PREUER_2018),
        Component("molecule/zinc-lstm-validity", at + "ZINC_LSTM_VALIDITY", "ZINC, LSTM alone: valid"),
        Component("molecule/zinc-lstm-fcd", at + "ZINC_LSTM_FCD", "ZINC, LSTM alone: Frechet ChemNet distance"),
        Component("molecule/moses-validity", at + "MOSES_VALIDITY", "MOSES: valid without check", MOSES),
        Component("molecule/moses-fcd", at + "MOSES_FCD", "MOSES: Frechet ChemNet distance", MOSES),
        Component("molecule/qm9-validity", at + "QM9_VALIDITY", "QM9: valid without check"),
    ]
