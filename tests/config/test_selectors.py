"""`[selector]`: every picker by its kind, with the defaults of campaigns."""

from pathlib import Path
from typing import Any

import pytest

from fidsel.campaign.settings import Rules
from fidsel.config.load import check_config
from fidsel.config.selectors import SELECTOR_SECTIONS, Selector
from fidsel.config.strict import Strict
from fidsel.exceptions import UsageError
from fidsel.selector import PICKERS, Random


class Only(Strict):
    """A file with this section alone."""

    selector: Selector


def built(**values: Any) -> Any:
    return check_config(Only, {"selector": values}, (), "a test").selector


@pytest.mark.parametrize("kind", PICKERS)
def test_every_picker_has_a_section_that_builds_it(kind: str) -> None:
    assert type(built(kind=kind).build(Path())) is PICKERS[kind]


def test_the_usual_picker_is_taken_and_defaults_are_those_of_campaigns() -> None:
    found = built()
    assert found.kind == "cluster-error"
    assert (found.probes, found.clusters, found.per_round) == (Rules.probes, Rules.clusters, Rules.per_round)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"kind": "best"}, r"unknown selector\.kind 'best'"),
        ({"error": "guess"}, "unknown error source 'guess'"),
        ({"coverage": 1.0}, "coverage must be less than 1"),
        ({"kind": "random", "fine_clusters": 3}, "fine_clusters"),
    ],
)
def test_what_no_picker_has_is_refused(values: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        built(**values)


def test_a_picker_of_ones_own_is_found_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine_picks.py").write_text(
        "from fidsel.selector import Random\n\nclass Mine(Random):\n    pass\n"
    )
    section = SELECTOR_SECTIONS["custom"](kind="mine_picks:Mine")
    assert isinstance(section.build(tmp_path), Random)
