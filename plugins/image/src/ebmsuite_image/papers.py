"""The papers that these components come from."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["PAPERS"]

PAPERS: Mapping[str, str] = {
    "binkowski2018": "Binkowski, Sutherland, Arbel, Gretton. Demystifying MMD GANs. ICLR 2018",
    "heusel2017": "Heusel et al. GANs Trained by a Two Time-Scale Update Rule. NeurIPS 2017",
    "karras2018": "Karras, Aila, Laine, Lehtinen. Progressive Growing of GANs. ICLR 2018",
    "kynkaanniemi2019": (
        "Kynkaanniemi, Karras, Laine, Lehtinen, Aila. Improved Precision and Recall Metric. NeurIPS 2019"
    ),
    "lecun1998": "LeCun, Cortes, Burges. The MNIST database of handwritten digits. 1998",
    "salimans2016": "Salimans et al. Improved Techniques for Training GANs. NeurIPS 2016",
    "zenati2018": "Zenati, Foo, Lecouat, Manek, Chandrasekhar. Efficient GAN-Based Anomaly Detection. 2018",
}
"""Key -> authors, title, venue and year."""
