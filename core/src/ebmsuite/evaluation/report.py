"""The HTML pages of a run and of an evaluation, each one self-contained file."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ebmsuite.errors import DataError
from ebmsuite.evaluation.wording import bar, compared, ours, words
from ebmsuite.experiment import provenance
from ebmsuite.experiment.checkpoints import checkpoint_steps
from ebmsuite.experiment.recipe import stored_text
from ebmsuite.experiment.stored import read_log
from ebmsuite.files import printable, write_text

if TYPE_CHECKING:
    from ebmsuite.scores import Row, Suite

PICTURES = {
    ".png": "image/png", ".gif": "image/gif", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp",
    ".svg": "image/svg+xml",
}  # fmt: skip
VIDEOS = (".mp4", ".webm")
SOUNDS = (".wav", ".mp3", ".ogg", ".flac", ".m4a")
LINKS = 100
"""The number of files of the last samples that are listed individually."""
EMBEDDED = 4 * 2**20
"""The largest picture that is part of the page, in bytes; the page refers to the files of larger ones."""

__all__ = ["inline_svg", "markdown", "page", "picture", "write_report", "write_suite"]

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { font-size: 1.6rem; margin-bottom: 0 } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse } td, th { padding: .25rem .8rem; border-bottom: 1px solid #ddd; text-align: left }
td.number { text-align: right; font-variant-numeric: tabular-nums } .quiet { color: #777 }
audio, video { display: block; max-width: 100% } summary { cursor: pointer; font-size: 1.15rem; font-weight: bold }
img { max-width: 100%; image-rendering: pixelated; border: 1px solid #eee } figure { margin: 1rem 0 }
pre { background: #f6f6f6; padding: 1rem; overflow-x: auto; font-size: .85rem }
.pass { color: #06752b } .miss { color: #b3261e }
"""


def write_report(folder: str | Path, outcome: str = "") -> Path:
    """Write RUN/report.html from the contents of the run folder, and return its path."""
    folder = Path(folder)
    recipe = stored_text(folder)
    rows = read_log(folder / "metrics.jsonl")
    numbers = [r for r in rows if "event" not in r and "scores" not in r]
    steps = checkpoint_steps(folder / "checkpoints")
    title = recipe.partition("\n")[0].removeprefix("recipe: ")
    step = numbers[-1]["step"] if numbers else (steps[-1] if steps else 0)
    spent = sum(r.get("seconds", 0.0) for r in numbers)
    facts = f"step {step}" + (f", {outcome}" if outcome else "") + (f", {spent / 60:.1f} minutes" if spent else "")
    parts = [f"<h1>{html.escape(title)}</h1><p class=quiet>{html.escape(facts)}</p>"]
    parts += _samples(folder)
    parts += _scores([r for r in rows if "scores" in r])
    parts += _curves(numbers)
    parts += _events([r for r in rows if "event" in r])
    parts += _data(folder)
    parts.append(f"<h2></h2><details><summary>Recipe</summary><pre>{html.escape(recipe)}</pre></details>")
    path = folder / "report.html"
    write_text(path, page(title, parts))
    return path


def page(title: str, parts: Sequence[str]) -> str:
    """A complete HTML page from its parts."""
    body = "\n".join(parts)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>\n{body}\n</html>\n'
    )


def _samples(folder: Path) -> list[str]:
    """The last samples: pictures embedded in the page, players for video and sound files, links to other files."""
    moments = sorted((folder / "samples").glob("step-*"))
    files = [f for f in moments[-1].iterdir() if not f.name.startswith(".")] if moments else []
    if not files:
        return []
    step = int(moments[-1].name.removeprefix("step-"))
    files.sort(key=lambda f: (f.stem != "samples", f.suffix != ".png", f.name))
    shown = {f: _shown(f, folder, step) for f in files[:LINKS]}
    parts = ["<h2>Samples</h2>", *filter(None, shown.values())]
    links = [_link(f, folder) for f in files[:LINKS] if not shown[f]]
    if len(files) > LINKS:
        links.append(f"{len(files) - LINKS:,} more in {_link(moments[-1], folder)}")
    if links:
        parts.append(f"<p>Files of step {step:,}: {', '.join(links)}</p>")
    return parts


def _shown(file: Path, folder: Path, step: int) -> str:
    """The HTML that shows or plays a sample file; empty for formats that a browser cannot show."""
    kind, caption = file.suffix.lower(), f"{printable(file.name)}, step {step:,}"
    if kind in PICTURES and file.is_file():
        return picture(file, caption, address=_address(file, folder))
    if kind in (*VIDEOS, *SOUNDS) and file.is_file():
        tag = "video controls loop" if kind in VIDEOS else "audio controls"
        return (
            f'<figure><{tag} preload="metadata" src="{_address(file, folder)}"></{tag.split()[0]}>'
            f"<figcaption class=quiet>{_link(file, folder)}, step {step:,}</figcaption></figure>"
        )
    return ""


def _address(file: Path, folder: Path) -> str:
    return quote(os.fsencode(file.relative_to(folder))) + ("/" if file.is_dir() else "")


def _link(file: Path, folder: Path) -> str:
    return f'<a href="{_address(file, folder)}">{html.escape(printable(file.name))}</a>'


def picture(file: Path, caption: str, width: int | None = None, address: str = "") -> str:
    """The HTML of a picture, ``width`` pixels wide (default for bitmaps: an integer multiple of the size).

    The picture is part of the page, unless it has more than `EMBEDDED` bytes and an ``address``, to which the page then
    refers.
    """
    content = file.read_bytes()
    width = width or _width(content)
    size = f' width="{width}"' if width else ""
    source = address
    if not address or len(content) <= EMBEDDED:
        source = f"data:{PICTURES[file.suffix.lower()]};base64,{base64.b64encode(content).decode()}"
    return (
        f'<figure><img alt="{html.escape(printable(file.stem))}"{size} src="{source}">'
        f"<figcaption class=quiet>{html.escape(caption)}</figcaption></figure>"
    )


def _width(content: bytes) -> int | None:
    """The width in pixels at which a picture is shown; small ones are enlarged. None for vector graphics (.svg)."""
    from PIL import Image, UnidentifiedImageError  # matplotlib needs it too

    with suppress(UnidentifiedImageError), Image.open(io.BytesIO(content)) as image:
        return int(image.width * max(1, min(4, 720 // max(image.width, 1))))
    return None


def _data(folder: Path) -> list[str]:
    try:
        data = provenance.read(folder)
    except DataError as error:
        return [f"<h2>Data</h2><p class=quiet>{html.escape(str(error))}</p>"]
    said = [provenance.line(name, stream) for name, stream in data.get("streams", {}).items()]
    lines = [f"<li>{html.escape(line)}" for line in [*said, *provenance.condition_lines(data["condition"])]]
    return ["<h2>Data</h2><ul>", *lines, "</ul>"] if lines else []


def _scores(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    step = rows[-1]["step"]
    last = [dict(score["protocol"]) for score in rows[-1]["scores"].values()]
    common = {k: v for k, v in last[0].items() if k != "metric" and all(p.get(k) == v for p in last)}
    parts = ["<h2>Scores</h2><table><tr><th>step<th>score<th>value<th></tr>"]
    for row in rows:
        for name, score in row["scores"].items():
            protocol = {k: v for k, v in score["protocol"].items() if common.get(k) != v}
            if protocol.get("step") == row["step"]:  # the first column shows it
                del protocol["step"]
            metric = protocol.pop("metric", name)
            spread = "" if score["low"] is None else f" [{score['low']:.4g}, {score['high']:.4g}]"
            parts.append(
                f"<tr><td class=number>{row['step']:,}<td>{html.escape(str(metric))}"
                f"<td class=number>{score['value']:.4g}{spread}<td class=quiet>{html.escape(words(protocol))}</tr>"
            )
    parts.append("</table>")
    if common:
        parts.append(f"<p class=quiet>Protocol of all scores at step {step:,}: {html.escape(words(common))}.</p>")
    return parts


def _curves(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if len(rows) < 2:
        return []
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    names = list(dict.fromkeys(k for row in rows for k in row if k not in ("step", "seconds")))
    panels = [("energy gap", [n for n in names if n == "gap"])]
    panels += [("energies", [n for n in names if n.startswith("energy/")])]
    panels += [(n, [n]) for n in names if n != "gap" and not n.startswith(("energy/", "loss/"))]
    panels = [(title, members) for title, members in panels if members]
    if "gap" not in names:  # if there is a gap, the losses give no further information
        panels += [(n, [n]) for n in names if n.startswith("loss/")]
    if not panels:
        return []
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
    gap = "<p class=quiet>The gap is mean E(data) - mean E(samples). In a stable run it stays near 0.</p>"
    return ["<h2>Training</h2>", *([gap] if "gap" in names else []), inline_svg(figure)]


def inline_svg(figure: Any) -> str:
    """A matplotlib figure as SVG text to embed in a page. Closes the figure."""
    from matplotlib import pyplot as plt

    text = io.StringIO()
    figure.savefig(text, format="svg")
    plt.close(figure)
    svg = text.getvalue()
    return svg[svg.index("<svg") :]


def _events(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    return ["<h2>Events</h2><ul>", *(f"<li>step {r['step']}: {html.escape(_event(r))}" for r in rows), "</ul>"]


def _event(row: Mapping[str, Any]) -> str:
    if row["event"] == "rollback":
        return f"{row['reason']}; back to step {row['to']}, learning rates x{row['lr_factor']:g}"
    if row["event"] == "data":
        return f"resumed with changed data: {row['reason']}"
    if row["event"] == "hook disabled":
        return f"plugin {row['plugin']}: {row['hook']} failed and was not called again ({row['reason']})"
    return ", ".join(f"{key} {value}" for key, value in row.items() if key != "step")


# -- evaluations ---------------------------------------------------------------------------------------------------


HEAD = ("case", "metric", "ours", "status", "bar", "published", "baselines and paired differences")


def write_suite(suite: Suite, path: Path) -> Path:
    """Write the table of an evaluation as an HTML page to ``path``, and as Markdown beside it; return ``path``."""
    parts = [
        f"<h1>Evaluation of {html.escape(suite.what)}</h1>",
        f"<p class=quiet>budget {html.escape(suite.budget)}; {html.escape(suite.hardware)}</p>",
        "<table><tr>" + "".join(f"<th>{name}" for name in HEAD) + "</tr>",
        *(
            f"<tr><th colspan={len(HEAD)}>{html.escape(part)}</tr>" if isinstance(part, str) else _row(part)
            for part in _grouped(suite)
        ),
        "</table>",
        *(picture(file, file.name) for file in [path.with_suffix(".png")] if file.exists()),
        "<h2>Protocols</h2><ul>",
        *(
            f"<li><b>{html.escape(r.case)}</b>: {html.escape(r.reason)} {html.escape(r.note)} "
            f"<span class=quiet>{html.escape(words(r.protocol))}</span>"
            for r in suite.rows
        ),
        "</ul>",
    ]
    write_text(path, page(f"evaluation of {suite.what}", parts))
    write_text(path.with_suffix(".md"), markdown(suite))
    return path


def markdown(suite: Suite) -> str:
    """The table of an evaluation as Markdown, with the hardware below it."""
    lines = [HEAD, ("---",) * len(HEAD)]
    for part in _grouped(suite):
        lines.append((f"**{part}**", *[""] * (len(HEAD) - 1)) if isinstance(part, str) else _markdown_row(part))
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return f"{table}\n\n{suite.what}, budget {suite.budget}; {suite.hardware}\n"


def _grouped(suite: Suite) -> Iterator[Row | str]:
    """The rows, with the name of a group before its first row."""
    group = ""
    for row in suite.rows:
        if row.group != group:  # rows without a group come first
            yield row.group
        group = row.group
        yield row


def _below(row: Row) -> list[str]:
    """The baselines, and the paired differences to those that are other models."""
    lines = [f"{label} {value:.4g}" for label, value in row.baselines.items()]
    return lines + [compared(label, of, row.better) for label, of in row.differences.items()]


def _markdown_row(row: Row) -> tuple[str, ...]:
    published = (f"{p.value:g}, {p.source} ({p.mark})" for p in row.published)
    cells = (row.case, row.metric, ours(row), row.status, bar(row), "<br>".join(published), "<br>".join(_below(row)))
    return tuple(" ".join(cell.split()) for cell in cells)


def _row(row: Row) -> str:
    published = "<br>".join(
        f"<span class={'quiet' if p.mark == 'memory' else ''}>{p.value:g}, {html.escape(p.source)} ({p.mark})</span>"
        for p in row.published
    )
    below = "<br>".join(html.escape(line) for line in _below(row))
    return (
        f"<tr><td>{html.escape(row.case)}<td>{html.escape(row.metric)}<td>{html.escape(ours(row))}"
        f"<td class={row.status}>{row.status}<td>{bar(row)}<td>{published}<td>{below}</tr>"
    )
