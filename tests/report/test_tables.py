import re

import numpy as np
import pytest
from selected import water_report

from fidsel.report import Picked, Report
from fidsel.report.tables import cluster_table, error_text, pick_table, unit_name


def text(html: str) -> str:
    return re.sub(r"<[^>]*>", "|", html)


def test_errors_are_there_in_both_units_and_exactly() -> None:
    found = error_text(0.1, "eV/Å")
    assert found == '<data value="0.1" data-in-0="100" data-in-1="2.31">100</data>'
    assert unit_name("eV") == '<span data-in-0="meV" data-in-1="kcal/mol">meV</span>'


def test_the_worst_cluster_leads_the_table() -> None:
    html = cluster_table(water_report())
    assert re.findall(r'data-cluster="(\d)"', html) == ["1", "0"]
    assert "|O0–H2| 1.46" in text(html)
    assert "|RMSE, round 0|" in text(html)
    assert "bound" not in html


def test_columns_of_nothing_are_left_out() -> None:
    html = cluster_table(water_report(before=None, clusters=None))
    for name in ("share", "what marks it", "RMSE, round 0", "of known error", "energy, eV"):
        assert name not in html


def test_bounds_of_several_clusters_together_are_marked() -> None:
    report = water_report(bounds={0: 0.05, 1: 0.2}, coverage=0.9, pooled=frozenset({1}))
    html = text(cluster_table(report))
    assert "|90 % bound|" in html
    assert re.search(r"200\|+ \(pooled\)", html)
    assert not re.search(r"50\.0\|+ \(pooled\)", html)


def test_picks_keep_their_order_and_empty_columns_go() -> None:
    picks = (Picked("7", 1, "far <away>", level="cc", error=0.2), Picked("3", -1, "near"))
    html = pick_table(picks, "eV/Å")
    head, first, second = html.split("<tr>")[1:]
    assert re.findall(r"<th[^>]*>([^<]*)", head)[:3] == ["pick", "frame", "cluster"]
    assert "estimated error" in head
    assert "round" not in head
    assert "cost" not in head
    assert "far &lt;away&gt;" in first
    assert second.startswith('<th scope="row">2</th><td>3</td><td></td>')


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_unknown_errors_are_dashes(value: float) -> None:
    from fidsel.selector import cluster_errors

    errors = cluster_errors(np.array([0, 1]), np.array([0.1, np.nan]))
    assert "–" in text(cluster_table(Report("x", errors=errors)))
    assert pick_table((Picked("1", 0, "x", error=value),), "eV/Å").count("<data") == 0
