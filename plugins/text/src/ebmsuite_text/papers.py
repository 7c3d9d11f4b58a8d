"""The papers that describe the components of this plugin."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["PAPERS"]

PAPERS: Mapping[str, str] = {
    "bowman2016": "Bowman et al. Generating Sentences from a Continuous Space. CoNLL 2016",
    "li2019": "Li et al. A Surprisingly Effective Fix for Deep Latent Variable Modeling of Text. EMNLP 2019",
    "li2020": "Li et al. Optimus: Organizing Sentences via Pre-trained Modeling of a Latent Space. EMNLP 2020",
    "marcus1993": "Marcus, Santorini, Marcinkiewicz. Building a Large Annotated Corpus of English. Comp. Ling. 1993",
    "mikolov2010": "Mikolov et al. Recurrent Neural Network Based Language Model. Interspeech 2010",
    "pang2020": "Pang, Han, Nijkamp, Zhu, Wu. Learning Latent Space Energy-Based Prior Model. NeurIPS 2020",
    "pang2021": "Pang, Wu. Latent Space Energy-Based Model of Symbol-Vector Coupling. ICML 2021",
    "post2018": "Post. A Call for Clarity in Reporting BLEU Scores. WMT 2018",
    "radford2019": "Radford et al. Language Models are Unsupervised Multitask Learners. OpenAI, 2019",
    "sennrich2016": "Sennrich, Haddow, Birch. Neural Machine Translation of Rare Words with Subword Units. ACL 2016",
    "zhao2018": "Zhao, Kim, Zhang, Rush, LeCun. Adversarially Regularized Autoencoders. ICML 2018",
    "zhu2018": "Zhu et al. Texygen: A Benchmarking Platform for Text Generation Models. SIGIR 2018",
}
"""Key -> authors, title, venue and year."""
