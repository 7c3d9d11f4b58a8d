"""A run, or an evaluation, as one self-contained page."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebmsuite.files import write_text
from ebmsuite.recipe import stored_text
from ebmsuite.run import checkpoint_steps, read_log

if TYPE_CHECKING:
    from ebmsuite.evaluation import Row, Suite

__all__ = ["inline_svg", "page", "picture", "write_report", "write_suite"]

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { font-size: 1.6rem; margin-bottom: 0 } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse } td, th { padding: .25rem .8rem; border-bottom: 1px solid #ddd; text-align: left }
td.number { text-align: right; font-variant-numeric: tabular-nums } .quiet { color: #777 }
img { max-width: 100%; image-rendering: pixelated; border: 1px solid #eee } figure { margin: 1rem 0 }
pre { background: #f6f6f6; padding: 1rem; overflow-x: auto; font-size: .85rem }
.pass { color: #06752b } .miss { color: #b3261e }
"""


def write_report(folder: str | Path, outcome: str = "") -> Path:
    """Write RUN/report.html from what is in the run folder."""
    folder = Path(folder)
    recipe = stored_text(folder)
    rows = read_log(folder / "metrics.jsonl")
    numbers = [r for r in rows if "event" not in r and "scores" not in r]
    steps = checkpoint_steps(folder / "checkpoints")
    title = recipe.partition("\n")[0].removeprefix("recipe: ")
    at = numbers[-1]["step"] if numbers else (steps[-1] if steps else 0)
    spent = sum(r.get("seconds", 0.0) for r in numbers)
    facts = f"step {at}" + (f", {outcome}" if outcome else "") + (f", {spent / 60:.1f} minutes" if spent else "")
    parts = [f"<h1>{html.escape(title)}</h1><p class=quiet>{html.escape(facts)}</p>"]
    parts += _pictures(folder)
    parts += _scores([r for r in rows if "scores" in r])
    parts += _curves(numbers)
    parts += _events([r for r in rows if "event" in r])
    parts.append(f"<h2>Recipe</h2><pre>{html.escape(recipe)}</pre>")
    path = folder / "report.html"
    write_text(path, page(title, parts))
    return path


def page(title: str, parts: Sequence[str]) -> str:
    """A complete page of these parts."""
    body = "\n".join(parts)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>\n{body}\n</html>\n'
    )


def _pictures(folder: Path) -> list[str]:
    moments = sorted((folder / "samples").glob("step-*"))
    if not moments:
        return []
    parts = ["<h2>Samples</h2>"]
    files = [f for f in moments[-1].iterdir() if f.suffix in (".png", ".gif")]
    for file in sorted(files, key=lambda f: (f.stem != "samples", f.suffix != ".png", f.name)):
        parts.append(picture(file, f"{file.name}, {moments[-1].name}"))
    return parts


def picture(file: Path, caption: str, width: int | None = None) -> str:
    """A .png or .gif inside the page, at a whole multiple of its own size unless a width in pixels is given."""
    content = file.read_bytes()
    data = base64.b64encode(content).decode()
    return (
        f'<figure><img alt="{html.escape(file.stem)}" width="{width or _shown(content)}" '
        f'src="data:image/{file.suffix[1:]};base64,{data}">'
        f"<figcaption class=quiet>{html.escape(caption)}</figcaption></figure>"
    )


def _shown(picture: bytes) -> int:
    # both formats state their width in the header
    png = picture.startswith(b"\x89PNG")
    width = int.from_bytes(picture[16:20], "big") if png else int.from_bytes(picture[6:8], "little")
    return width * max(1, min(4, 720 // max(width, 1)))


def _scores(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    last = [dict(score["protocol"]) for score in rows[-1]["scores"].values()]
    common = {k: v for k, v in last[0].items() if k != "metric" and all(p.get(k) == v for p in last)}
    parts = ["<h2>Scores</h2><table><tr><th>step<th>score<th>value<th>its own protocol</tr>"]
    for row in rows:
        for name, score in row["scores"].items():
            protocol = {k: v for k, v in score["protocol"].items() if common.get(k) != v}
            metric = protocol.pop("metric", name)
            spread = "" if score["low"] is None else f" [{score['low']:.4g}, {score['high']:.4g}]"
            parts.append(
                f"<tr><td class=number>{row['step']}<td>{html.escape(str(metric))}"
                f"<td class=number>{score['value']:.4g}{spread}<td class=quiet>{html.escape(_words(protocol))}</tr>"
            )
    return [*parts, f"</table><p class=quiet>All at step {rows[-1]['step']}: {html.escape(_words(common))}</p>"]


def _words(protocol: Mapping[str, Any]) -> str:
    """A protocol as one reads it; settings that are not set say nothing."""
    said = []
    for key, value in protocol.items():
        if isinstance(value, Mapping):
            said.append(f"{key} ({_words(value)})")
        elif value is not None:
            said.append(f"{key} {value}")
    return ", ".join(said)


def _curves(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if len(rows) < 2:
        return []
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    names = [k for k in rows[-1] if k not in ("step", "seconds")]
    panels = [("energy gap", [n for n in names if n == "gap"])]
    panels += [("energies", [n for n in names if n.startswith("energy/")])]
    panels += [(n, [n]) for n in names if n != "gap" and not n.startswith(("energy/", "loss/"))]
    panels = [(title, members) for title, members in panels if members]
    figure, axes = plt.subplots(len(panels), 1, figsize=(8, 1.9 * len(panels)), sharex=True, squeeze=False)
    for (title, members), axis in zip(panels, axes[:, 0], strict=True):
        for member in members:
            points = [(r["step"], r[member]) for r in rows if member in r]
            axis.plot(*zip(*points, strict=True), linewidth=1, label=member)
        axis.set_title(title, fontsize=9, loc="left")
        if len(members) > 1:
            axis.legend(fontsize=8, frameon=False)
        if title == "energy gap":
            axis.axhline(0, color="black", linewidth=0.5)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1, 0].set_xlabel("learning step")
    figure.tight_layout()
    return [
        "<h2>Learning</h2><p class=quiet>A healthy run's gap, mean E(data) - mean E(samples), moves about 0.</p>",
        inline_svg(figure),
    ]


def inline_svg(figure: Any) -> str:
    """A matplotlib figure as SVG inside a page; the figure is closed."""
    from matplotlib import pyplot as plt

    text = io.StringIO()
    figure.savefig(text, format="svg")
    plt.close(figure)
    svg = text.getvalue()
    return svg[svg.index("<svg") :]


def _events(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    lines = []
    for row in rows:
        said = f"{row['event']}, {row.get('reason', '')}"
        if row["event"] == "rollback":
            said += f"; back to step {row['to']}, learning rates x{row['lr_factor']:g}"
        lines.append(f"<li>step {row['step']}: {html.escape(said)}")
    return ["<h2>Events</h2><ul>", *lines, "</ul>"]


# -- evaluations ---------------------------------------------------------------------------------------------------


def write_suite(suite: Suite, path: Path) -> Path:
    """The table of an evaluation as a page."""
    head = "<tr><th>case<th>metric<th>ours<th><th>bar<th>published<th>baselines</tr>"
    parts = [
        f"<h1>Evaluation of {html.escape(suite.what)}</h1>",
        f"<p class=quiet>budget {html.escape(suite.budget)}; {html.escape(suite.hardware)}</p>",
        f"<table>{head}",
        *(_row(row) for row in suite.rows),
        "</table>",
        *(picture(file, file.name) for file in [path.with_suffix(".png")] if file.exists()),
        "<h2>Protocols</h2><ul>",
        *(
            f"<li><b>{html.escape(r.case)}</b>: {html.escape(r.reason)} {html.escape(r.note)} "
            f"<span class=quiet>{html.escape(_words(r.protocol))}</span>"
            for r in suite.rows
        ),
        "</ul>",
    ]
    write_text(path, page(f"evaluation of {suite.what}", parts))
    return path


def _row(row: Row) -> str:
    ours = "" if row.status == "skipped" else f"{row.mean:.4g}"
    if row.spread is not None:
        ours += f" ± {row.spread:.2g} ({len(row.values)} seeds)"
    published = "<br>".join(
        f"<span class={'quiet' if p.mark == 'memory' else ''}>{p.value:g}, {html.escape(p.source)} ({p.mark})</span>"
        for p in row.published
    )
    baselines = "<br>".join(f"{html.escape(k)} {v:.4g}" for k, v in row.baselines.items())
    bar = "" if row.bar is None else f"{'≤' if row.better == 'lower' else '≥'} {row.bar:g}"
    return (
        f"<tr><td>{html.escape(row.case)}<td>{html.escape(row.metric)}<td>{html.escape(ours)}"
        f"<td class={row.status}>{row.status}<td>{bar}<td>{published}<td>{baselines}</tr>"
    )
