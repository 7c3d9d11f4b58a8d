"""The papers that describe the components of this plugin."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["PAPERS"]

PAPERS: Mapping[str, str] = {
    "gupta2018": (
        "Gupta, Johnson, Fei-Fei, Savarese, Alahi. Social GAN: Socially Acceptable Trajectories with Generative "
        "Adversarial Networks. CVPR 2018"
    ),
    "ivanovic2019": (
        "Ivanovic, Pavone. The Trajectron: Probabilistic Multi-Agent Trajectory Modeling with Dynamic Spatiotemporal "
        "Graphs. ICCV 2019"
    ),
    "lerner2007": "Lerner, Chrysanthou, Lischinski. Crowds by Example. Eurographics 2007",
    "pang2021": "Pang, Zhao, Xie, Wu. Trajectory Prediction with Latent Belief Energy-Based Model. CVPR 2021",
    "pellegrini2009": (
        "Pellegrini, Ess, Schindler, Van Gool. You'll Never Walk Alone: Modeling Social Behavior for Multi-Target "
        "Tracking. ICCV 2009"
    ),
    "schoeller2020": (
        "Schoeller, Aravantinos, Lay, Knoll. What the Constant Velocity Model Can Teach Us About Pedestrian Motion "
        "Prediction. RA-L 2020"
    ),
    "sohn2015": (
        "Sohn, Lee, Yan. Learning Structured Output Representation Using Deep Conditional Generative Models. "
        "NeurIPS 2015"
    ),
    "xu2022": "Xu, Xie, Zhao, Baker, Zhao, Wu. Energy-Based Continuous Inverse Optimal Control. IEEE TNNLS 2022",
}
