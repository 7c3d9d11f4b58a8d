"""The papers that describe the components of this plugin."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["PAPERS"]

PAPERS: Mapping[str, str] = {
    "doretto2003": "Doretto, Chiuso, Wu, Soatto. Dynamic Textures. IJCV 2003",
    "peteri2010": "Peteri, Fazekas, Huiskes. DynTex: A Comprehensive Database of Dynamic Textures. PRL 2010",
    "xie2017": ("Xie, Zhu, Wu. Synthesizing Dynamic Patterns by Spatial-Temporal Generative ConvNet. CVPR 2017"),
    "xie2021": (
        "Xie, Zhu, Wu. Learning Energy-Based Spatial-Temporal Generative ConvNets for Dynamic Patterns. TPAMI 2021"
    ),
}
