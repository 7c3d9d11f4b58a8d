"""The README shows code of the suite as it is, and points to files that exist."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path

import pytest

from ebmsuite.methods.mle import MaximumLikelihood

ROOT = Path(__file__).parents[2]


def test_the_readme_shows_the_step_of_maximum_likelihood_verbatim() -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## The whole of maximum likelihood\n")[1]
    (shown, *_) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert shown == textwrap.dedent(inspect.getsource(MaximumLikelihood.step))


@pytest.mark.parametrize(
    "page",
    ["README.md", "CONTRIBUTING.md", *(f"docs/{n}.md" for n in ("architecture", "evaluation", "sampling", "methods"))],
)
def test_links_of_a_page_lead_to_files(page: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    local = [link.partition("#")[0] for link in links if "://" not in link and not link.startswith("#")]
    assert local
    assert not [link for link in local if not (ROOT / page).parent.joinpath(link).exists()]
