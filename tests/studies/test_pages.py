"""The pages that lead from nothing to a result, typed as they stand."""

from pathlib import Path

import pytest

from loadgen.shared.project import PROJECT
from tests.studies.pages import Session, steps

PAGES = ("django", "research", "prometheus")  # tests/lab/test_page.py types `library`.


@pytest.mark.timeout(1800)  # The search of the page `django` makes some twenty runs.
@pytest.mark.parametrize("name", PAGES)
def test_a_page_does_what_it_shows(name: str, tmp_path: Path) -> None:
    page = (PROJECT / "docs" / "start" / f"{name}.md").read_text()
    with Session(tmp_path) as session:
        for step in steps(page):
            session.do(step)
            print(step, flush=True)
