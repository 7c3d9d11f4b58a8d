"""The conformance kit, and what the plugin is for: to learn a table, find anomalies, score a file."""

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ebmsuite.cli import cli
from ebmsuite.evaluation.suite import evaluate
from ebmsuite.experiment.train import train
from ebmsuite.files import write_csv
from ebmsuite.model import load
from ebmsuite.plugins.testing import assert_conforms
from ebmsuite_tabular.data import breast_cancer


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "first"
    metrics = "metrics=[{name: tabular/auroc}, {name: tabular/held-out-energy}, {name: tabular/two-sample}]"
    return train("tabular/first", metrics, budget="quick", out=out, quiet=True)


def test_conforms() -> None:
    assert_conforms("tabular")


def test_learns_and_detects(run: Path) -> None:
    rows = {row.metric: row for row in evaluate(run).rows}
    area = rows["tabular/auroc/auroc"]
    assert area.mean > 0.9
    assert area.protocol["base rate"] == pytest.approx(141 / 212, abs=1e-4)
    assert rows["tabular/auroc/average-precision"].mean > 0.9
    distance = rows["tabular/two-sample"]
    assert 0 < distance.mean < 0.5
    assert distance.protocol["real floor"] > 0
    assert abs(rows["tabular/held-out-energy"].mean) < 50


def test_renders_histograms(run: Path) -> None:
    pictures = sorted((run / "samples").rglob("histograms.png"))
    assert pictures
    assert all(picture.read_bytes()[:4] == b"\x89PNG" for picture in pictures)


def test_samples_are_a_table_in_original_units(run: Path, tmp_path: Path) -> None:
    model = load(run)
    model.write(model.sample(50), tmp_path / "samples.csv")
    with (tmp_path / "samples.csv").open() as file:
        rows = list(csv.DictReader(file))
    area = np.array([float(row["mean area"]) for row in rows])
    assert len(rows) == 50
    assert 300 < np.median(area) < 700


def test_apply_scores_a_users_csv(run: Path, tmp_path: Path) -> None:
    table, given, out = breast_cancer(), tmp_path / "x.csv", tmp_path / "y.csv"
    assert table.labels is not None
    cells = [
        [f"p{i}", *(repr(float(v)) for v in row[::-1]), str(label)]
        for i, (row, label) in enumerate(zip(table.values, table.labels, strict=True))
    ]
    header = ["patient", *table.names[::-1], "diagnosis"]
    write_csv(given, header, cells)
    done = CliRunner().invoke(
        cli, ["apply", str(run), "tabular/score", "--input", str(given), "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert "columns that are not learned: patient, diagnosis" in done.output
    with out.open() as file:
        found = list(csv.reader(file))
    assert found[0] == [*header, "energy"]
    assert [row[:-1] for row in found[1:]] == cells
    energies = np.array([float(row[-1]) for row in found[1:]])
    assert (
        np.median(energies[table.labels == "malignant"]) > np.median(energies[table.labels == "benign"]) + 10
    )
