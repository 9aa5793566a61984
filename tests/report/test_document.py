import re
from html import unescape
from pathlib import Path

from selected import water_report

from fidsel.report import Report, write_report


def test_a_report_shows_its_page_in_a_notebook(tmp_path: Path) -> None:
    report = water_report()
    shown = report._repr_html_()
    (inside,) = re.findall(r'^<iframe srcdoc="([^"]*)" width="100%" height="\d+"></iframe>$', shown)
    assert unescape(inside) == write_report(report, tmp_path / "report.html").read_text()


def test_a_report_reads_well() -> None:
    text = repr(water_report())
    assert text.startswith("Report('water': error ")
    assert "2 clusters, 12 picks" in text
    assert repr(Report("nothing")).startswith("Report('nothing': empty;")
