"""The HTML page of a diagnosis."""

from __future__ import annotations

import html
import tempfile
from pathlib import Path
from typing import Any

import torch

from ebmsuite.diagnosis.long_run import LongRun
from ebmsuite.diagnosis.record import Diagnosis
from ebmsuite.diagnosis.words import Finding, findings, verdict
from ebmsuite.errors import DataError
from ebmsuite.evaluation.report import inline_svg, page, picture
from ebmsuite.files import write_text
from ebmsuite.model import Model
from ebmsuite.pictures.picture_files import pillow
from ebmsuite.space import Batch
from ebmsuite.tree import take

__all__ = ["write_page"]

SHOWN = 36
"""The number of events per picture."""

STYLE = """<style>
.finding { border-left: .3rem solid #bbb; padding: .1rem 0 .1rem 1rem; margin: 1rem 0 } .finding p { margin: .2rem 0 }
.good { border-color: #06752b } .bad { border-color: #b3261e } .open { border-color: #c98a00 }
.verdict { font-size: 1.15rem; background: #f6f6f6; padding: .6rem 1rem }
.row { display: flex; gap: .8rem; flex-wrap: wrap } .row figure { margin: 0 }
</style>"""


def write_page(d: Diagnosis, model: Model, folder: Path) -> Path:
    """Write RUN/diagnosis.html and return its path."""
    title = f"Diagnosis of {d.recipe}"
    facts = (
        f"step {d.step_learned}, {d.weights} weights; phase {d.phase}: {d.sampler}, {d.steps} steps per chain in "
        f"training; {d.chains} chains; seed {d.seed}; {model.device.type}"
        + (f"; conditions: {d.conditions}" if d.conditions else "")
    )
    said = findings(d)
    parts = [
        STYLE,
        f"<h1>{html.escape(title)}</h1><p class=quiet>{html.escape(facts)}</p>",
        _finding(verdict(d), "verdict"),
        "<h2>Do the chains stay near the data?</h2>",
        "<p>If chains sample a density, they keep producing samples of it for any number of steps. Training runs them "
        "for few steps only. Longer chains show whether the samples look like data because of the energy, or only "
        "because of the number of steps.</p>",
        *_some(said, "Long run"),
        *(_pictures(r, model, d) for r in d.runs),
        _figure(_distances, d),
        "<h2>Do the chains agree?</h2>",
        *_some(said, "Mixing"),
        _figure(_traces, d),
        "<h2>Properties of one step</h2>",
        *_some(said, "One step", "Acceptance", "Displacement"),
        "<h2>Energies</h2>",
        "<p>If the model has learned a density, samples have the same energies as held-out data, before and after a "
        "long run, and noise has higher energies.</p>",
        *_some(said, "Energies"),
        _figure(_histograms, d),
        "<h2>Normalising constant and likelihood</h2>",
        *_some(said, "log Z"),
    ]
    path = folder / "diagnosis.html"
    write_text(path, page(title, parts))
    return path


def _some(said: list[Finding], *titles: str) -> list[str]:
    return [_finding(f) for f in said if f.title.startswith(titles)]


def _finding(f: Finding, how: str = "finding") -> str:
    return f"<div class='{how} finding {f.kind}'><p><b>{html.escape(f.title)}</b><p>{html.escape(f.text)}</div>"


def _pictures(r: LongRun, model: Model, d: Diagnosis) -> str:
    """Pictures of the chains' events (for latent vectors, decoded events), if the domain can draw them."""
    figures, latent = [], model.trainer.draws[d.phase].space == "latent"
    with tempfile.TemporaryDirectory() as aside:
        for m in r.moments:
            file = Path(aside) / f"{r.start}-{m.times}.png"
            try:
                x, condition = m.x[:SHOWN], take(r.condition, slice(SHOWN))
                x = model.trainer.decode(x, model.generator(d.seed), condition) if latent else x
                model.write(x, file, Batch(x, condition))
            except DataError:
                return ""
            caption = "start" if m.times == 0 else f"{m.times}x = {m.steps} steps"
            figures.append(picture(file, caption, _width(file)))
    return f"<p>Chains {r.label}:</p><div class=row>{''.join(figures)}</div>"


def _width(file: Path) -> int:
    """The width at which a picture of chains is shown: several fit beside each other, and details stay visible."""
    with pillow().open(file) as opened:
        return min(360, max(140, int(opened.width) // 2))


# -- figures -------------------------------------------------------------------------------------------------------


def _figure(draw: Any, d: Diagnosis) -> str:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 2.6))
    draw(axes, d)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    return inline_svg(figure)


def _distances(axes: Any, d: Diagnosis) -> None:
    for r in d.runs:
        axes.plot([m.steps for m in r.moments], [m.distance for m in r.moments], marker="o", label=r.label)
    axes.axhline(d.floor, color="black", linewidth=0.8, linestyle=":", label="training data")
    axes.axvline(d.steps, color="grey", linewidth=0.8, label="steps in training")
    axes.set(xscale="symlog", xlabel="steps of the chain", ylabel="distance from\nheld-out data")
    axes.set_xlim(left=0)
    axes.set_ylim(-0.03, max(0.2, *axes.get_ylim()))  # distances below 0.05 are noise
    axes.legend(fontsize=8, frameon=False)


def _traces(axes: Any, d: Diagnosis) -> None:
    for r, colour in zip(d.runs, ("tab:blue", "tab:orange"), strict=False):
        steps = torch.linspace(0, r.moments[-1].steps, len(r.trace))
        energy = r.trace[:, :8, 0]
        axes.plot(steps, energy, color=colour, linewidth=0.6, alpha=0.7)
        axes.plot([], [], color=colour, label=f"8 chains {r.label}")
    held_out = d.energies["held-out data"]
    axes.axhspan(*held_out.quantile(torch.tensor([0.05, 0.95], dtype=held_out.dtype)), color="black", alpha=0.08,
                 label="90 % of held-out data")  # fmt: skip
    axes.set(xlabel="steps of the chain", ylabel="energy")
    axes.legend(fontsize=8, frameon=False)


def _histograms(axes: Any, d: Diagnosis) -> None:
    everything = torch.cat(list(d.energies.values()))
    everything = everything[everything.isfinite()]
    low, high = everything.quantile(torch.tensor([0.002, 0.998], dtype=everything.dtype)).tolist()
    for name, values in d.energies.items():
        axes.hist(
            values.clamp(low, high).numpy(), bins=60, range=(low, high), density=True, histtype="step", label=name
        )
    axes.set(xlabel="energy (lower is more probable)", yticks=[])
    axes.legend(fontsize=8, frameon=False)
