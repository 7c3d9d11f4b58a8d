"""Every component is described so that a newcomer can choose it: a summary that stands alone, and a citation."""

from __future__ import annotations

import importlib.resources

import pytest
import yaml

from ebmsuite.hookspecs import KINDS
from ebmsuite.plugins.registry import Registry

registry = Registry()
DOMAINS = ["core", "toy", "image", "molecule"]
NEIGHBOURS = ("the same", "both", "likewise", "as above", "ditto")


@pytest.mark.parametrize("domain", DOMAINS)
def test_summaries_stand_alone_and_distinguish(domain: str) -> None:
    for kind in KINDS:
        found = registry.list(kind, domain)
        summaries = [c.summary for _, c in found]
        assert all(summaries)
        assert not [s for s in summaries if s.lower().startswith(NEIGHBOURS)]
        assert len(set(summaries)) == len(summaries), kind


@pytest.mark.parametrize("domain", DOMAINS)
def test_papers_are_in_a_bibliography(domain: str) -> None:
    for kind, component in registry.list(domain=domain):
        if component.paper:
            assert registry.citation(component.paper, domain), f"{kind} {component.name}: {component.paper}"
        if kind == "recipe":
            package, _, inner = component.target.partition(":")
            recipe = yaml.safe_load(importlib.resources.files(package).joinpath(inner).read_text(encoding="utf-8"))
            if "paper" in recipe:
                assert registry.citation(recipe["paper"], domain), f"{component.name}: {recipe['paper']}"
                assert not component.paper or component.paper == recipe["paper"], component.name


def test_a_key_stands_for_one_paper() -> None:
    core = registry.plugins.papers("core")
    for domain in DOMAINS[1:]:
        own = registry.plugins.papers(domain)
        assert len(set(own.values())) == len(own)
        assert not set(own.values()) & set(core.values()), domain  # what two plugins need is in the suite's own
    assert len(set(core.values())) == len(core)
