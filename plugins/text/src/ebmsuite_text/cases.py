"""The evaluation suite: perplexities against the published ones, and against models of equal size and time."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

from ebmsuite.scores import Case, Published

__all__ = ["CASES"]

N = {"quick": 5_000, "full": 10_000}
PAPER = "Pang et al. 2020, an LSTM judge and as many samples as training sentences"

_OF = {
    "trigram of the training set": {"of": "n-gram"},
    "its decoder, z ~ fitted normal": {"of": "fitted-normal"},
    "its decoder, z of training sentences": {"of": "posterior"},
}


def _cases(data: str, reverse: tuple[Published, ...], forward: tuple[Published, ...]) -> dict[str, Case]:
    needs = {} if data == "verses" else dict.fromkeys(N, (f"data:text/{data}",))
    models = {
        # with a recipe, here that of the case, a baseline is compared seed by seed
        "its decoder, z ~ N(0, I)": {"recipe": f"text/{data}-lebm", "of": "normal"},
        "VAE": {"recipe": f"text/{data}-vae"},
        "LSTM without a latent vector": {"recipe": f"text/{data}-lstm"},
    }
    first = Case(
        name=f"text/{data}-reverse",
        recipe=f"text/{data}-lebm",
        metric={"name": "text/perplexity"},
        better="lower",
        n=N,
        score="reverse",
        published=reverse,
        baselines={"training sentences": {"of": "training"}, **_OF, **models},
        seeds={"quick": 1, "full": 3},
        margins={"quick": {"VAE": -2.0}, "full": {"VAE": 0.0}},
        needs=needs,
        group=f"text/{data}",
        note="a trigram judge; at a quick budget the LSTM without a latent vector is as good",
    )
    full = {"name": "text/perplexity", "judge": "lstm"}
    use = replace(
        first,
        metric={"name": "text/latent"},
        n={"quick": 500, "full": 500},
        better="higher",
        published=(),
        baselines={"VAE": models["VAE"]},
        margins={},
    )
    variety = replace(
        first,
        metric={"name": "text/variety"},
        published=(),
        margins={},
        baselines={"held-out sentences": {"of": "held-out"}, **_OF, **models},
    )
    return {
        "reverse": first,
        "forward": replace(
            first,
            name=f"text/{data}-forward",
            score="forward",
            published=forward,
            baselines=variety.baselines,
            margins={},
            note="a trigram judge; dull sentences have a low one, so read it with the reverse one and distinct-2",
        ),
        "reverse-lstm": replace(
            first,
            name=f"text/{data}-reverse-lstm",
            metric=full,
            needs={**needs, "quick": (*needs.get("quick", ()), "gpu")},
            note="an LSTM judge",
        ),
        "kl": replace(use, name=f"text/{data}-kl", score="kl", bar={"quick": 1.0, "full": 1.0}, note="0: collapsed"),
        "active": replace(use, name=f"text/{data}-active", score="active", note="of the coordinates of z"),
        "gain": replace(
            use, name=f"text/{data}-gain", score="gain", bar={"quick": 1.0, "full": 1.0},
            note="how much better a sentence is explained by its own z than by that of another",
        ),
        "distinct": replace(
            variety, name=f"text/{data}-distinct", score="distinct-2", better="higher", note="of equal n only"
        ),
        "length": replace(variety, name=f"text/{data}-length", score="length", note="compare held-out sentences"),
        "self-bleu": replace(variety, name=f"text/{data}-self-bleu", score="self-bleu", note="of 200 sentences"),
        "copied": replace(
            variety, name=f"text/{data}-copied", score="copied-5-grams", note="against the training set"
        ),
    }  # fmt: skip


CASES = SimpleNamespace(
    **{
        f"{data}-{name}": case
        for data, reverse, forward in (
            ("verses", (), ()),
            ("ptb", (Published(181.54, PAPER),), (Published(107.45, PAPER),)),
        )
        for name, case in _cases(data, reverse, forward).items()
    }
)
"""Every case by its name without the prefix."""
