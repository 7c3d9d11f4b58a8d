"""The papers that the core's components come from: authors, title, venue and year."""

from __future__ import annotations

ZHU_1998 = (
    "Zhu, Wu, Mumford. Filters, Random Fields and Maximum Entropy (FRAME): Towards a Unified Theory for Texture "
    "Modeling. IJCV 1998"
)
VINCENT_2011 = "Vincent. A Connection Between Score Matching and Denoising Autoencoders. Neural Computation 2011"
GUTMANN_2012 = (
    "Gutmann, Hyvarinen. Noise-Contrastive Estimation of Unnormalized Statistical Models, with Applications to Natural "
    "Image Statistics. JMLR 2012"
)
KINGMA_2014 = "Kingma, Welling. Auto-Encoding Variational Bayes. ICLR 2014"
XIE_2016 = "Xie, Lu, Zhu, Wu. A Theory of Generative ConvNet. ICML 2016"
HAN_2017 = "Han, Lu, Zhu, Wu. Alternating Back-Propagation for Generator Network. AAAI 2017"
LAZAROW_2017 = "Lazarow, Jin, Tu. Introspective Neural Networks for Generative Modeling. ICCV 2017"
GAO_2018 = "Gao, Lu, Zhou, Zhu, Wu. Learning Generative ConvNets via Multi-Grid Modeling and Sampling. CVPR 2018"
XIE_2018 = (
    "Xie, Lu, Gao, Wu. Cooperative Learning of Energy-Based Model and Latent Variable Model via MCMC Teaching. "
    "AAAI 2018"
)
SONG_2019 = "Song, Ermon. Generative Modeling by Estimating Gradients of the Data Distribution. NeurIPS 2019"
DU_2019 = "Du, Mordatch. Implicit Generation and Modeling with Energy-Based Models. NeurIPS 2019"
HAN_2019 = (
    "Han, Nijkamp, Fang, Hill, Zhu, Wu. Divergence Triangle for Joint Training of Generator Model, Energy-Based Model, "
    "and Inferential Model. CVPR 2019"
)
NIJKAMP_2019 = "Nijkamp, Hill, Zhu, Wu. On Learning Non-Convergent Non-Persistent Short-Run MCMC. NeurIPS 2019"
GAO_2020 = "Gao, Nijkamp, Kingma, Xu, Dai, Wu. Flow Contrastive Estimation of Energy-Based Models. CVPR 2020"
GRATHWOHL_2020 = (
    "Grathwohl, Wang, Jacobsen, Duvenaud, Norouzi, Swersky. Your Classifier Is Secretly an Energy Based Model and You "
    "Should Treat It Like One. ICLR 2020"
)
HAN_2020 = (
    "Han, Nijkamp, Zhou, Pang, Zhu, Wu. Joint Training of Variational Auto-Encoder and Latent Energy-Based Model. "
    "CVPR 2020"
)
PANG_2020 = "Pang, Han, Nijkamp, Zhu, Wu. Learning Latent Space Energy-Based Prior Model. NeurIPS 2020"
DU_2021 = "Du, Li, Tenenbaum, Mordatch. Improved Contrastive Divergence Training of Energy-Based Models. ICML 2021"
GAO_2021 = "Gao, Song, Poole, Wu, Kingma. Learning Energy-Based Models by Diffusion Recovery Likelihood. ICLR 2021"
PANG_WU_2021 = (
    "Pang, Nijkamp, Cui, Han, Wu. Semi-supervised Learning by Latent Space Energy-Based Model of Symbol-Vector "
    "Coupling. 2020; Pang, Wu. Latent Space Energy-Based Model of Symbol-Vector Coupling for Text Generation and "
    "Classification. ICML 2021"
)
VAHDAT_2021 = "Vahdat, Kreis, Kautz. Score-based Generative Modeling in Latent Space. NeurIPS 2021"
XIE_CYCLE_2021 = (
    "Xie, Zheng, Fang, Zhu, Wu. Learning Cycle-Consistent Cooperative Networks via Alternating MCMC Teaching for "
    "Unsupervised Cross-Domain Translation. AAAI 2021"
)
XIE_ZHENG_2021 = (
    "Xie, Zheng, Li. Learning Energy-Based Model with Variational Auto-Encoder as Amortized Sampler via MCMC Teaching. "
    "AAAI 2021"
)
XIE_ZHU_2021 = (
    "Xie, Zhu, Wu. Learning Energy-Based Spatial-Temporal Generative ConvNets for Dynamic Patterns. TPAMI 2021"
)
ZHAO_2021 = (
    "Zhao, Xie, Li. Learning Energy-Based Generative Models via Coarse-to-Fine Expanding and Sampling. ICLR 2021"
)
ZHENG_2021 = (
    "Zheng, Xie, Li. Patchwise Generative ConvNet: Training Energy-Based Models from a Single Natural Image for "
    "Internal Learning. CVPR 2021"
)
ZHU_2024 = "Zhu, Xie, Wu, Gao. Learning Energy-Based Models by Cooperative Diffusion Recovery Likelihood. ICLR 2024"
BALCERAK_2025 = "Balcerak et al. Energy Matching: Unifying Flow Matching and Energy-Based Models. NeurIPS 2025"
