"""The page of a run: what renderers wrote is shown or linked, and protocols are sentences."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from ebmsuite.builtin.examples import MLE_EXAMPLE
from ebmsuite.errors import DataError
from ebmsuite.evaluation import report
from ebmsuite.evaluation.report import write_report
from ebmsuite.evaluation.wording import value, words
from ebmsuite.experiment.train import train
from ebmsuite.pictures.picture_files import write_film
from ebmsuite.plugins.testing import watched_by


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text by tag."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.folder, self.text = path.parent, path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.tags.append((tag, dict(attributes)))

    def of(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]

    def targets(self, tag: str, key: str) -> list[str]:
        """Relative addresses; each must lead to a file."""
        found = [unquote(a[key]) for a in self.of(tag)]
        assert all((self.folder / f).exists() for f in found)
        return [Path(f).name for f in found]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    recipe = {**MLE_EXAMPLE, "metrics": [{"name": "probe/mean", "n": 100}]}
    return train(recipe, watched_by("log"), "log.every=2", out=tmp_path_factory.mktemp("report") / "run")


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A run whose last samples can be chosen."""
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run" / "samples" / "step-00000012").mkdir(parents=True)
    return tmp_path / "run"


def write(run: Path, *names: str) -> Page:
    for name in names:
        file = run / "samples" / "step-00000012" / name
        kind = {".jpg": "JPEG", ".webp": "WEBP", ".png": "PNG", ".gif": "GIF"}.get(file.suffix)
        if kind:
            content = io.BytesIO()
            Image.new("L", (40, 20)).save(content, kind)
            file.write_bytes(content.getvalue())
        else:
            file.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>' if file.suffix == ".svg" else "content")
    return Page(write_report(run))


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.jpg", "a.webp"])
def test_small_pictures_are_enlarged(run: Path, name: str) -> None:
    (image,) = write(run, name).of("img")
    assert image["src"].startswith("data:image/")
    assert image["width"] == "160"


def test_drawings_are_shown(run: Path) -> None:
    (image,) = write(run, "a.svg").of("img")
    assert image["src"].startswith("data:image/svg+xml;base64,")
    assert "width" not in image


@pytest.mark.parametrize("name", ["a b.wav", "x.mp3", "x#1.flac"])
def test_sounds_are_played_from_their_files(run: Path, name: str) -> None:
    page = write(run, name)
    assert page.targets("audio", "src") == page.targets("a", "href") == [name]


def test_videos_are_played_from_their_files(run: Path) -> None:
    assert write(run, "film.mp4").targets("video", "src") == ["film.mp4"]


@pytest.mark.parametrize("name", ["a b.png", "film.webp", "x#1.gif"])
def test_large_pictures_are_shown_from_their_files(run: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "EMBEDDED", 20)
    page = write(run, name)
    assert page.targets("img", "src") == [name]
    assert page.of("img")[0]["width"] == "160"
    assert "base64" not in page.text


@pytest.mark.parametrize("ending", ["webp", "gif"])
def test_films_of_the_suite_are_embedded_whole(run: Path, ending: str) -> None:
    path = run / "samples" / "step-00000012" / f"film.{ending}"
    write_film([np.full((10, 20), value, np.uint8) for value in (0, 90, 255)], path)
    (image,) = Page(write_report(run)).of("img")
    content = base64.b64decode(image["src"].removeprefix(f"data:image/{ending};base64,"))
    assert content == path.read_bytes()
    with Image.open(io.BytesIO(content)) as film:
        assert film.n_frames == 3


def test_an_mp4_of_the_suite_loops(run: Path) -> None:
    pytest.importorskip("av")
    write_film([np.zeros((8, 8), np.uint8)] * 2, run / "samples" / "step-00000012" / "film.mp4")
    (video,) = Page(write_report(run)).of("video")
    assert {"controls", "loop"} <= video.keys()
    assert video["src"] == "samples/step-00000012/film.mp4"


def test_all_other_files_are_linked(run: Path) -> None:
    names = ["samples.csv", "molecules.smi", "spins.npy", "UPPER.TXT", "no-ending", "<b>.txt"]
    (run / "samples" / "step-00000012" / "folder.png").mkdir()
    (run / "samples" / "step-00000012" / ".hidden.part").touch()
    page = write(run, *names)
    assert set(page.targets("a", "href")) == {*names, "folder.png"}
    assert "<b>" not in page.text.replace("<b></b>", "")
    assert not page.of("img")


def test_a_file_name_that_is_not_utf_8_is_linked(run: Path) -> None:
    name = os.fsdecode(b"caf\xe9.csv")
    page = write(run, name)
    (link,) = page.of("a")
    assert link["href"] == "samples/step-00000012/caf%E9.csv"
    assert "caf\\xe9.csv</a>" in page.text


def test_events_are_sentences(run: Path) -> None:
    events = [
        {"event": "rollback", "reason": "the gap is 1e5", "to": 4, "lr_factor": 0.5},
        {"event": "data", "reason": "data.data has 3 examples, the run had 4"},
        {"event": "hook disabled", "plugin": "x", "hook": "ebm_logged", "reason": "KeyError: 'a'"},
        {"event": "other", "why": "so"},
    ]
    with (run / "metrics.jsonl").open("a") as file:
        file.writelines(json.dumps({"step": 6, **event}) + "\n" for event in events)
    page = Page(write_report(run))
    assert "step 6: the gap is 1e5; back to step 4, learning rates x0.5" in page.text
    assert "step 6: resumed with changed data: data.data has 3 examples" in page.text
    assert "step 6: plugin x: ebm_logged failed and was not called again (KeyError: &#x27;a&#x27;)" in page.text
    assert "step 6: event other, why so" in page.text


def test_very_many_files_are_one_link(run: Path) -> None:
    page = write(run, *(f"{i:03}.smi" for i in range(130)))
    assert "30 more in" in page.text
    assert page.targets("a", "href")[-1] == "step-00000012"


def test_the_page_begins_with_what_one_looks_for(run: Path) -> None:
    page = write(run, "samples.png")
    heads = ["<img", "Scores</h2>", "Training</h2>", "Data</h2>", "<details>"]
    places = [page.text.index(head) for head in heads]
    assert places == sorted(places)
    assert "recipe: mle-example" in page.text[places[-1] :]
    assert "<li>data: 256 examples</li>" in page.text or "<li>data: 256 examples\n" in page.text


def test_skipped_inputs_are_on_the_page(run: Path) -> None:
    stored = json.loads((run / "data.json").read_text())
    stored["streams"]["data"] |= {
        "note": "256 of 1,000 rows",
        "skipped": {"not a number": {"count": 2, "first": ["row 3", "row 9"]}},
    }
    (run / "data.json").write_text(json.dumps(stored))
    text = Page(write_report(run)).text
    assert "data: 256 examples (256 of 1,000 rows); skipped 2 not a number (row 3, row 9)" in text


def test_a_run_without_a_description_of_its_data_says_so(run: Path) -> None:
    (run / "data.json").unlink()
    assert "data.json is missing" in Page(write_report(run)).text
    (run / "recipe.yaml").unlink()
    with pytest.raises(DataError, match="not a run folder"):
        write_report(run)


@pytest.mark.parametrize(
    ("numbers", "panels"),
    [
        ({"gap": 1.0, "loss/energy": 2.0}, ["energy gap"]),
        ({"loss/energy": 2.0, "loss/flow": 1.0}, ["loss/energy", "loss/flow"]),
        ({}, []),
    ],
)
def test_curves_of_what_was_logged(run: Path, numbers: dict, panels: list) -> None:
    rows = [{"step": step, **numbers, "seconds": 0.1} for step in (2, 4, 6)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = Page(write_report(run)).text
    for panel in ("energy gap", "loss/energy", "loss/flow"):
        assert (f"<!-- {panel} -->" in text) == (panel in panels)
    assert ("mean E(data) - mean E(samples)" in text) == ("gap" in numbers)


DESCRIBED = {
    "recipe": "image/digits", "step": 2000, "weights": "ema",
    "phases": {"negative": {
        "chains": {"name": "noise", "density": {"name": "uniform", "low": -1.0, "high": 1.0}},
        "sampler": {"name": "langevin", "step_size": 0.1, "temperature": None}, "steps": 60, "nets": "eval",
    }},
}  # fmt: skip
MODEL = "recipe image/digits, averaged weights, step 2,000"
CHAINS = "chains: negative 60 steps of langevin (step size 0.1) from noise (density uniform (low -1, high 1))"


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        (
            {"metric_of": "x", "n_samples": 1000, "of": "model", "n_reference": 5000, "split": "test",
             "reference": "fixed random subset, seed 0", "model": DESCRIBED},
            "1,000 samples of the model, test split, 5,000 reference examples (fixed random subset, seed 0), "
            f"metric of x, {MODEL}; {CHAINS}",
        ),
        ({"split": "valid", "n": 20, **DESCRIBED}, f"valid split, n 20, {MODEL}; {CHAINS}"),
        (
            {"extractor": {"id": "cnn64", "size": [28, 28], "accuracy": 0.9865, "resize": None}, "base_rate": 0.25},
            "extractor cnn64 (size 28 x 28, accuracy 0.9865), base rate 0.25",
        ),
        ({"exact": True, "clamped": [-1.0, 1.0], "log Z": [4.5], "seed": None}, "exact, clamped [-1, 1], log Z 4.5"),
        ({"steps": [10, 20, 30, 40, 50, 60, 70]}, "steps [10, 20, ..., 70]"),
        ({"phases": {"prior": {"steps": {"start": 5.0, "end": 60, "over": 1000, "shape": "exponential", "delay": 0},
                               "sampler": {"name": "descent"}, "chains": {"name": "proposal"}, "nets": "train"}}},
         "chains: prior 5 to 60 (exponential over 1,000 steps) steps of descent from proposal with nets in train mode"),
        ({}, ""),
    ],
)  # fmt: skip
def test_a_protocol_in_words(protocol, said) -> None:
    assert words(protocol) == said


@pytest.mark.parametrize(
    ("plain", "said"),
    [(1234567, "1,234,567"), (0.00123, "0.00123"), (2000.0, "2,000"), (False, "no"), ({}, "none"), ("text", "text"),
     ([True, False], "[yes, no]")],
)  # fmt: skip
def test_plain_values_in_words(plain, said) -> None:
    assert value(plain) == said
