"""The papers that describe the components of this plugin."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["PAPERS"]

PAPERS: Mapping[str, str] = {
    "gomez2018": (
        "Gomez-Bombarelli et al. Automatic Chemical Design Using a Data-Driven Representation. ACS Cent. Sci. 2018"
    ),
    "hu2020": "Hu et al. Strategies for Pre-training Graph Neural Networks. ICLR 2020",
    "kong2023": (
        "Kong, Pang, Han, Wu. Molecule Design by Latent Space Energy-Based Modeling and Gradual Distribution "
        "Shifting. UAI 2023"
    ),
    "pang2020": "Pang, Han, Wu. Learning Latent Space Energy-Based Prior Model for Molecule Generation. 2020",
    "polykovskiy2020": (
        "Polykovskiy et al. Molecular Sets (MOSES): A Benchmarking Platform. Frontiers in Pharmacology 2020"
    ),
    "preuer2018": "Preuer, Renz, Unterthiner, Hochreiter, Klambauer. Frechet ChemNet Distance. JCIM 2018",
    "ramakrishnan2014": (
        "Ramakrishnan, Dral, Rupp, von Lilienfeld. Quantum chemistry structures and properties. Scientific Data 2014"
    ),
}
"""Key -> authors, title, venue and year."""
