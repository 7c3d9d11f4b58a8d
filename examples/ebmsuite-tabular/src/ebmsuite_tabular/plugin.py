"""The components of this plugin: names and import strings only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ebmsuite.hookspecs import Component, Plugin, hookimpl

PAPERS = {
    "delong1988": "DeLong, DeLong, Clarke-Pearson. Comparing areas under correlated ROC curves. 1988",
    "street1993": "Street et al. Nuclear feature extraction for breast tumor diagnosis. SPIE 1993",
    "szekely2013": "Szekely, Rizzo. Energy statistics: statistics based on distances. 2013",
}


class Tabular(Plugin):
    """Tables: a data set and its codec, an energy, three metrics, a renderer, a task, a recipe, two cases."""

    ebm_api = 1

    @hookimpl
    def ebm_papers(self) -> Mapping[str, str]:
        """The bibliography, by key."""
        return PAPERS

    @hookimpl
    def ebm_datasets(self) -> Sequence[Component]:
        """Rows of a csv or npz file, or of the table that comes with scikit-learn."""
        return [
            Component(
                "tabular/table",
                "ebmsuite_tabular.data:Table",
                "a csv or npz file; without a path, breast cancer Wisconsin (569 x 30)",
                paper="street1993",
            )
        ]

    @hookimpl
    def ebm_codecs(self) -> Sequence[Component]:
        """Csv and npz files to standardised columns, and back in the original units."""
        return [
            Component(
                "tabular/columns", "ebmsuite_tabular.codec:Columns", "csv and npz to standardised columns"
            )
        ]

    @hookimpl
    def ebm_energies(self) -> Sequence[Component]:
        """The energy network."""
        return [
            Component(
                "tabular/mlp",
                "ebmsuite_tabular.energies:mlp",
                "multilayer perceptron with a Gaussian reference",
            )
        ]

    @hookimpl
    def ebm_metrics(self) -> Sequence[Component]:
        """Anomaly detection, the energy gap on held-out rows, and a two-sample distance."""
        return [
            Component(
                "tabular/auroc",
                "ebmsuite_tabular.detection:Auroc",
                "anomaly detection by the energy: AUROC and average precision",
                paper="delong1988",
            ),
            Component(
                "tabular/held-out-energy",
                "ebmsuite_tabular.metrics:HeldOutEnergy",
                "mean energy of held-out rows minus that of samples",
            ),
            Component(
                "tabular/two-sample",
                "ebmsuite_tabular.metrics:TwoSample",
                "energy distance between samples and held-out rows",
                paper="szekely2013",
                zero_on_identical=True,
            ),
        ]

    @hookimpl
    def ebm_tasks(self) -> Sequence[Component]:
        """Scoring of a user's file with a trained model."""
        return [
            Component(
                "tabular/score", "ebmsuite_tabular.tasks:ScoreRows", "append the energy of every row to a csv"
            )
        ]

    @hookimpl
    def ebm_renderers(self) -> Sequence[Component]:
        """Pictures for monitoring a run."""
        return [
            Component(
                "tabular/histograms",
                "ebmsuite_tabular.render:Histograms",
                "marginal histograms of data and samples",
            )
        ]

    @hookimpl
    def ebm_recipes(self) -> Sequence[Component]:
        """The training recipes."""
        return [
            Component(
                "tabular/first",
                "ebmsuite_tabular:recipes/first.yaml",
                "benign rows learned by persistent chains; malignant ones detected",
            )
        ]

    @hookimpl
    def ebm_cases(self) -> Sequence[Component]:
        """The rows of ``ebm evaluate tabular``."""
        return [
            Component(
                "tabular/breast-cancer-auroc",
                "ebmsuite_tabular.cases:BREAST_CANCER_AUROC",
                "breast cancer: AUROC beside the Mahalanobis distance",
            ),
            Component(
                "tabular/breast-cancer-two-sample",
                "ebmsuite_tabular.cases:BREAST_CANCER_TWO_SAMPLE",
                "breast cancer: energy distance of samples beside real rows",
            ),
        ]
