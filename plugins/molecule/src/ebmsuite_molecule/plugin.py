"""The components of the molecule plugin: names and import strings only."""

from __future__ import annotations

from collections.abc import Mapping

from ebmsuite.hookspecs import Component, hookimpl
from ebmsuite_molecule.papers import PAPERS

ebm_api = 1


@hookimpl
def ebm_papers() -> Mapping[str, str]:
    return PAPERS


@hookimpl
def ebm_energies() -> list[Component]:
    return [
        Component(
            "molecule/property",
            "ebmsuite_molecule.nets.property:property_energy",
            "latent energy that also predicts molecular properties",
            "kong2023",
        ),
    ]


@hookimpl
def ebm_densities() -> list[Component]:
    core = "ebmsuite.nets.sequences."
    return [
        Component("molecule/lstm", core + "decoders:lstm_density", "another name of the density lstm"),
        Component("molecule/gru-encoder", core + "encoders:gru_encoder", "another name of the density gru-encoder"),
        Component("molecule/conv-encoder", core + "encoders:conv_encoder", "another name of the density conv-encoder"),
        Component(
            "molecule/graph-encoder",
            "ebmsuite_molecule.nets.graph_encoder:graph_encoder",
            "message-passing encoder of atoms and bonds",
            "hu2020",
            needs=("ebmsuite-molecule[graphs]",),
        ),
    ]


@hookimpl
def ebm_generators() -> list[Component]:
    core = "ebmsuite.nets.sequences.decoders:"
    return [
        Component("molecule/lstm", core + "lstm", "another name of the generator lstm", "pang2020"),
        Component("molecule/transformer", core + "transformer", "another name of the generator transformer"),
    ]


@hookimpl
def ebm_recipes() -> list[Component]:
    prefix = "ebmsuite_molecule:recipes/"
    return [
        Component(
            "molecule/zinc-lebm",
            prefix + "zinc-lebm.yaml",
            "latent energy and LSTM on ZINC, posterior chains started by an encoder",
            "pang2020",
        ),
        Component(
            "molecule/zinc-lebm-published",
            prefix + "zinc-lebm-published.yaml",
            "latent energy and LSTM on ZINC, posterior chains of 20 steps from noise",
            "pang2020",
        ),
        Component("molecule/zinc-lstm", prefix + "zinc-lstm.yaml", "LSTM without a latent vector on ZINC, a baseline"),
        Component(
            "molecule/zinc-property", prefix + "zinc-property.yaml", "molecules conditioned on QED and logP", "kong2023"
        ),
        Component("molecule/moses-lebm", prefix + "moses-lebm.yaml", "latent energy and LSTM on MOSES", "pang2020"),
        Component("molecule/qm9-lebm", prefix + "qm9-lebm.yaml", "latent energy and LSTM on QM9", "pang2020"),
    ]


@hookimpl
def ebm_datasets() -> list[Component]:
    prefix = "ebmsuite_molecule.data."
    return [
        Component(
            "molecule/zinc250k",
            prefix + "zinc:zinc250k",
            "ZINC250k, 250,000 drug-like molecules; 60,000 of them inside the package",
            "gomez2018",
        ),
        Component(
            "molecule/moses", prefix + "public:moses", "MOSES, 1.9 million drug-like molecules", "polykovskiy2020"
        ),
        Component(
            "molecule/qm9", prefix + "public:qm9", "QM9, 133,885 molecules of at most 9 heavy atoms", "ramakrishnan2014"
        ),
        Component("molecule/smiles-file", prefix + "smiles_file:smiles_file", "your own file of SMILES"),
    ]


@hookimpl
def ebm_codecs() -> list[Component]:
    return [
        Component("molecule/strings", "ebmsuite_molecule.codec:Strings", "SMILES files to token sequences and back")
    ]


@hookimpl
def ebm_extractors() -> list[Component]:
    return [
        Component(
            "molecule/chemnet",
            "ebmsuite_molecule.metrics.chemnet:ChemNet",
            "the network of the Frechet ChemNet distance, weights in a wheel",
            "preuer2018",
            needs=("ebmsuite-molecule[fcd]",),
        ),
    ]


@hookimpl
def ebm_metrics() -> list[Component]:
    prefix = "ebmsuite_molecule.metrics:"
    return [
        Component(
            "molecule/validity", prefix + "Validity", "validity, uniqueness and novelty of samples", "polykovskiy2020"
        ),
        Component(
            "molecule/distribution",
            prefix + "Distribution",
            "distance to held-out molecules: ChemNet, neighbours, fragments, scaffolds, diversity, properties",
            "polykovskiy2020",
        ),
    ]


@hookimpl
def ebm_tasks() -> list[Component]:
    prefix = "ebmsuite_molecule.tasks."
    return [
        Component("molecule/generate", prefix + "generate:Generate", "draw molecules"),
        Component(
            "molecule/reconstruct",
            prefix + "reconstruct:Reconstruct",
            "reconstruct your molecules through their latent vectors",
        ),
        Component("molecule/interpolate", prefix + "reconstruct:Interpolate", "interpolate between two molecules"),
        Component(
            "molecule/score", prefix + "score:ScoreMolecules", "log-likelihood of your molecules by importance sampling"
        ),
        Component(
            "molecule/optimise",
            prefix + "optimise:Optimise",
            "raise a property by gradual distribution shifts",
            "kong2023",
        ),
    ]


@hookimpl
def ebm_renderers() -> list[Component]:
    prefix = "ebmsuite_molecule.render:"
    return [
        Component("molecule/grid", prefix + "Grid", "samples beside their nearest training molecules"),
        Component(
            "molecule/densities", prefix + "Densities", "distributions of logP, QED, SA and weight for data and samples"
        ),
        Component(
            "molecule/pictures",
            prefix + "GridAndDensities",
            "a grid of samples and the distributions of their properties",
        ),
    ]


@hookimpl
def ebm_cases() -> list[Component]:
    prefix = "ebmsuite_molecule.cases:"
    return [
        Component("molecule/zinc-validity", prefix + "ZINC_VALIDITY", "ZINC: valid without check", "pang2020"),
        Component("molecule/zinc-uniqueness", prefix + "ZINC_UNIQUENESS", "ZINC: different", "pang2020"),
        Component("molecule/zinc-novelty", prefix + "ZINC_NOVELTY", "ZINC: new", "pang2020"),
        Component("molecule/zinc-fcd", prefix + "ZINC_FCD", "ZINC: Frechet ChemNet distance", "preuer2018"),
        Component("molecule/zinc-lstm-validity", prefix + "ZINC_LSTM_VALIDITY", "ZINC, LSTM alone: valid"),
        Component("molecule/zinc-lstm-fcd", prefix + "ZINC_LSTM_FCD", "ZINC, LSTM alone: Frechet ChemNet distance"),
        Component(
            "molecule/moses-validity", prefix + "MOSES_VALIDITY", "MOSES: valid without check", "polykovskiy2020"
        ),
        Component("molecule/moses-fcd", prefix + "MOSES_FCD", "MOSES: Frechet ChemNet distance", "polykovskiy2020"),
        Component("molecule/qm9-validity", prefix + "QM9_VALIDITY", "QM9: valid without check"),
    ]
