"""The bibliography of the suite: the sources of core components and of components in several plugins."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["PAPERS"]

PAPERS: Mapping[str, str] = {
    "balcerak2025": "Balcerak et al. Energy Matching: Unifying Flow Matching and Energy-Based Models. NeurIPS 2025",
    "domke2012": "Domke. Generic Methods for Optimization-Based Modeling. AISTATS 2012",
    "du2019": "Du, Mordatch. Implicit Generation and Modeling with Energy-Based Models. NeurIPS 2019",
    "du2021": (
        "Du, Li, Tenenbaum, Mordatch. Improved Contrastive Divergence Training of Energy-Based Models. ICML 2021"
    ),
    "durkan2019": "Durkan, Bekasov, Murray, Papamakarios. Neural Spline Flows. NeurIPS 2019",
    "gao2018": "Gao, Lu, Zhou, Zhu, Wu. Learning Generative ConvNets via Multi-Grid Modeling and Sampling. CVPR 2018",
    "gao2020": "Gao, Nijkamp, Kingma, Xu, Dai, Wu. Flow Contrastive Estimation of Energy-Based Models. CVPR 2020",
    "gao2021": (
        "Gao, Song, Poole, Wu, Kingma. Learning Energy-Based Models by Diffusion Recovery Likelihood. ICLR 2021"
    ),
    "geyer1991": "Geyer. Markov Chain Monte Carlo Maximum Likelihood. 1991",
    "grathwohl2020": (
        "Grathwohl, Wang, Jacobsen, Duvenaud, Norouzi, Swersky. Your Classifier Is Secretly an Energy Based "
        "Model and You Should Treat It Like One. ICLR 2020"
    ),
    "grathwohl2021": "Grathwohl, Swersky, Hashemi, Duvenaud, Maddison. Oops I Took A Gradient. ICML 2021",
    "gutmann2012": (
        "Gutmann, Hyvarinen. Noise-Contrastive Estimation of Unnormalized Statistical Models, with "
        "Applications to Natural Image Statistics. JMLR 2012"
    ),
    "han2017": "Han, Lu, Zhu, Wu. Alternating Back-Propagation for Generator Network. AAAI 2017",
    "han2019": (
        "Han, Nijkamp, Fang, Hill, Zhu, Wu. Divergence Triangle for Joint Training of Generator Model, "
        "Energy-Based Model, and Inferential Model. CVPR 2019"
    ),
    "han2020": (
        "Han, Nijkamp, Zhou, Pang, Zhu, Wu. Joint Training of Variational Auto-Encoder and Latent "
        "Energy-Based Model. CVPR 2020"
    ),
    "hinton2002": "Hinton. Training Products of Experts by Minimizing Contrastive Divergence. 2002",
    "hoffman2014": "Hoffman, Gelman. The No-U-Turn Sampler. JMLR 2014",
    "kingma2014": "Kingma, Welling. Auto-Encoding Variational Bayes. ICLR 2014",
    "kingma2015": "Kingma, Ba. Adam. ICLR 2015",
    "lazarow2017": "Lazarow, Jin, Tu. Introspective Neural Networks for Generative Modeling. ICCV 2017",
    "neal2011": "Neal. MCMC Using Hamiltonian Dynamics. Handbook of Markov Chain Monte Carlo, 2011",
    "nijkamp2019": "Nijkamp, Hill, Zhu, Wu. On Learning Non-Convergent Non-Persistent Short-Run MCMC. NeurIPS 2019",
    "nijkamp2020": (
        "Nijkamp, Hill, Han, Zhu, Wu. On the Anatomy of MCMC-Based Maximum Likelihood Learning of EBMs. AAAI 2020"
    ),
    "pang2020": "Pang, Han, Nijkamp, Zhu, Wu. Learning Latent Space Energy-Based Prior Model. NeurIPS 2020",
    "pang2021": ("Pang, Zhao, Xie, Wu. Trajectory Prediction with Latent Belief Energy-Based Model. CVPR 2021"),
    "pangwu2021": (
        "Pang, Nijkamp, Cui, Han, Wu. Semi-supervised Learning by Latent Space Energy-Based Model of "
        "Symbol-Vector Coupling. 2020; Pang, Wu. Latent Space Energy-Based Model of Symbol-Vector Coupling "
        "for Text Generation and Classification. ICML 2021"
    ),
    "roberts1996": "Roberts, Tweedie. Exponential Convergence of Langevin Distributions. Bernoulli 1996",
    "song2019": "Song, Ermon. Generative Modeling by Estimating Gradients of the Data Distribution. NeurIPS 2019",
    "vahdat2021": "Vahdat, Kreis, Kautz. Score-based Generative Modeling in Latent Space. NeurIPS 2021",
    "vincent2011": "Vincent. A Connection Between Score Matching and Denoising Autoencoders. Neural Computation 2011",
    "xiao2021": (
        "Xiao, Kreis, Kautz, Vahdat. VAEBM: A Symbiosis between Variational Autoencoders and Energy-based Models. "
        "ICLR 2021"
    ),
    "xie2016": "Xie, Lu, Zhu, Wu. A Theory of Generative ConvNet. ICML 2016",
    "xie2018": "Xie, Lu, Gao, Wu. Cooperative Learning of Energy-Based Model and Latent Variable Model. AAAI 2018",
    "xiefang2021": (
        "Xie, Zheng, Fang, Zhu, Wu. Learning Cycle-Consistent Cooperative Networks via Alternating MCMC "
        "Teaching for Unsupervised Cross-Domain Translation. AAAI 2021"
    ),
    "xiezheng2018": (
        "Xie, Zheng, Gao, Wang, Zhu, Wu. Learning Descriptor Networks for 3D Shape Synthesis and Analysis. CVPR 2018"
    ),
    "xiezheng2021": (
        "Xie, Zheng, Li. Learning Energy-Based Model with Variational Auto-Encoder as Amortized Sampler via "
        "MCMC Teaching. AAAI 2021"
    ),
    "xiezhu2021": (
        "Xie, Zhu, Wu. Learning Energy-Based Spatial-Temporal Generative ConvNets for Dynamic Patterns. TPAMI 2021"
    ),
    "zhao2021": (
        "Zhao, Xie, Li. Learning Energy-Based Generative Models via Coarse-to-Fine Expanding and Sampling. ICLR 2021"
    ),
    "zheng2021": (
        "Zheng, Xie, Li. Patchwise Generative ConvNet: Training Energy-Based Models from a Single Natural "
        "Image for Internal Learning. CVPR 2021"
    ),
    "zhu1998": (
        "Zhu, Wu, Mumford. Filters, Random Fields and Maximum Entropy (FRAME): Towards a Unified Theory for "
        "Texture Modeling. IJCV 1998"
    ),
    "zhu2024": (
        "Zhu, Xie, Wu, Gao. Learning Energy-Based Models by Cooperative Diffusion Recovery Likelihood. ICLR 2024"
    ),
}
"""Key -> authors, title, venue and year."""
