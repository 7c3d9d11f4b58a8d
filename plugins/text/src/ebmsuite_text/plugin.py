"""The components of the text plugin: names and import strings only."""

from __future__ import annotations

from collections.abc import Mapping

from ebmsuite.hookspecs import Component, hookimpl
from ebmsuite_text.papers import PAPERS

ebm_api = 1


@hookimpl
def ebm_papers() -> Mapping[str, str]:
    return PAPERS


@hookimpl
def ebm_datasets() -> list[Component]:
    at = "ebmsuite_text.data."
    return [
        Component("text/verses", at + "verses:verses", "7,408 short King James verses, inside the package"),
        Component(
            "text/ptb", at + "ptb:ptb", "Penn Treebank, 49,199 sentences of the Wall Street Journal", "mikolov2010"
        ),
        Component("text/lines", at + "lines_file:lines", "your own file of texts"),
    ]


@hookimpl
def ebm_codecs() -> list[Component]:
    return [
        Component("text/words", "ebmsuite_text.codec:Words", "texts to a token per word and back"),
        Component("text/bpe", "ebmsuite_text.codec:Pieces", "texts to byte-level byte pairs and back", "sennrich2016"),
    ]


@hookimpl
def ebm_generators() -> list[Component]:
    return [
        Component(
            "text/gpt2", "ebmsuite_text.generators.gpt2:gpt2", "GPT-2 with a latent vector, from scratch", "li2020"
        )
    ]


@hookimpl
def ebm_densities() -> list[Component]:
    return [
        Component(
            "text/gpt2", "ebmsuite_text.generators.gpt2:gpt2_density", "GPT-2 without a latent vector", "radford2019"
        )
    ]


@hookimpl
def ebm_recipes() -> list[Component]:
    at = "ebmsuite_text:recipes/"
    return [
        Component(
            "text/verses-lebm",
            at + "verses-lebm.yaml",
            "latent energy and LSTM on verses, with an encoder",
            "pang2021",
        ),
        Component(
            "text/verses-gpt2",
            at + "verses-gpt2.yaml",
            "latent energy and GPT-2 on verses, with an encoder",
            "pang2021",
        ),
        Component(
            "text/verses-vae",
            at + "verses-vae.yaml",
            "variational auto-encoder on verses, a baseline",
            "bowman2016",
        ),
        Component(
            "text/verses-lstm",
            at + "verses-lstm.yaml",
            "LSTM without a latent vector on verses, a baseline",
            "mikolov2010",
        ),
        Component(
            "text/ptb-lebm",
            at + "ptb-lebm.yaml",
            "latent energy and LSTM on Penn Treebank, with an encoder",
            "pang2021",
        ),
        Component(
            "text/ptb-lebm-published",
            at + "ptb-lebm-published.yaml",
            "latent energy and LSTM on Penn Treebank, posterior chains of 20 steps from noise",
            "pang2020",
        ),
        Component(
            "text/ptb-vae",
            at + "ptb-vae.yaml",
            "variational auto-encoder on Penn Treebank, a baseline",
            "bowman2016",
        ),
        Component(
            "text/ptb-lstm",
            at + "ptb-lstm.yaml",
            "LSTM without a latent vector on Penn Treebank, a baseline",
            "mikolov2010",
        ),
    ]


@hookimpl
def ebm_extractors() -> list[Component]:
    return [Component("text/bag", "ebmsuite_text.features:Bag", "bags of words, weighted by rarity (TF-IDF)")]


@hookimpl
def ebm_metrics() -> list[Component]:
    at = "ebmsuite_text.metrics:"
    return [
        Component("text/perplexity", at + "Perplexity", "reverse and forward perplexity of samples", "zhao2018"),
        Component(
            "text/variety",
            at + "Variety",
            "distinct words, length, self-BLEU and copies of training sentences",
            "zhu2018",
        ),
        Component("text/latent", at + "LatentUse", "how much the latent vector says about a sentence", "bowman2016"),
    ]


@hookimpl
def ebm_renderers() -> list[Component]:
    at = "ebmsuite_text.render:"
    return [
        Component("text/samples", at + "SentenceSheet", "samples beside their nearest training sentences"),
        Component("text/transition", at + "Transition", "text and energy along chains of the prior", "pang2020"),
        Component("text/pictures", at + "Pictures", "samples and chains of the prior"),
    ]


@hookimpl
def ebm_tasks() -> list[Component]:
    at = "ebmsuite_text.tasks."
    return [
        Component("text/generate", at + "generate:Generate", "draw texts"),
        Component("text/interpolate", at + "interpolate:InterpolateTexts", "texts between two latent vectors"),
        Component("text/score", at + "score:ScoreSentences", "log-likelihood of your texts, by importance sampling"),
    ]


@hookimpl
def ebm_cases() -> list[Component]:
    what = {
        "reverse": "reverse perplexity, trigram judge",
        "forward": "forward perplexity, trigram judge",
        "reverse-lstm": "reverse perplexity, LSTM judge",
        "kl": "nats in the latent vector",
        "active": "coordinates of the latent vector in use",
        "gain": "own latent vector against another",
        "distinct": "different pairs of words",
        "length": "tokens per sentence",
        "self-bleu": "likeness of sentences to each other",
        "copied": "copied 5-grams",
    }
    return [
        Component(f"text/{data}-{name}", f"ebmsuite_text.cases:CASES.{data}-{name}", f"{title}: {words}", "pang2020")
        for data, title in (("verses", "verses"), ("ptb", "Penn Treebank"))
        for name, words in what.items()
    ]
