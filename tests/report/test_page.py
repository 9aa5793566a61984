"""The HTML of a report: complete, escaped, self-contained, the same bytes each time."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from selected import stretched_water, water_report

from fidsel.data import Frames
from fidsel.exceptions import FidselError, UsageError
from fidsel.report import LearningCurve, Picked, Report, describe_clusters, write_report
from fidsel.selector import cluster_errors

NASTY = """<script>alert("1")</script> & 'C:\\x' </td><!-- Å ∞ $\\frac{$ \u2028"""
VOID = {"meta", "br", "input", "link", "img", "path", "use", "rect"}


class Page(HTMLParser):
    """Elements of a page by name, its words outside of scripts, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: dict[str, list[dict[str, str | None]]] = {}
        self.words: list[str] = []
        self.open: list[str] = []
        self.scripts: dict[str, str] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.setdefault(tag, []).append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.setdefault(tag, []).append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[self.elements["script"][-1].get("id") or ""] = data
        elif self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def ids(self) -> set[str]:
        return {e["id"] or "" for rows in self.elements.values() for e in rows if "id" in e}


def page(report: Report, tmp_path: Path) -> Page:
    path = write_report(report, tmp_path / "report.html")
    found = Page(path.read_text(encoding="utf-8"))
    assert found.open == []
    return found


def test_every_part_is_there(tmp_path: Path) -> None:
    found = page(water_report(), tmp_path)
    assert {
        "cluster_errors",
        "before_after",
        "learning_curve",
        "clusters",
        "picks",
        "structures",
    } <= found.ids()
    for words in (
        "2026-01-31",
        "H2O",
        "O0–H2 1.46 ± 0.02 Å",
        "a note",
        "reason 11",
        "all 12 picks",
        "RMSE, round 0",
    ):
        assert words in found.text or words in " ".join(found.words)
    assert len(found.elements["details"]) == 1, "a long list is folded"
    assert [e["data-cluster"] for e in found.elements["tr"] if "data-cluster" in e] == ["1", "0"]
    pictures = [e["aria-label"] for e in found.elements["div"] if e.get("role") == "img"]
    assert len(pictures) == 3 * 2 + 2, "figures in two units and two structures"
    assert all(pictures)
    assert all(e.get("scope") in ("col", "row") for e in found.elements["th"])


def test_nothing_is_fetched(tmp_path: Path) -> None:
    found = page(water_report(), tmp_path)
    assert "link" not in found.elements
    assert "img" not in found.elements
    for rows in found.elements.values():
        for attributes in rows:
            assert "src" not in attributes
            for name in ("href", "xlink:href"):
                assert (attributes.get(name) or "#").startswith("#")


def test_size_is_that_of_the_viewer_and_little_more(tmp_path: Path) -> None:
    size = write_report(water_report(), tmp_path / "report.html").stat().st_size
    assert size < 4_500_000


def test_a_page_has_the_ending_of_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a report is written as \.html or \.htm"):
        write_report(water_report(), tmp_path / "report.pdf")
    assert not list(tmp_path.iterdir())


def test_the_same_report_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = (write_report(water_report(), tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert one == two
    later = write_report(water_report(date="2026-02-01"), tmp_path / "c.html").read_bytes()
    assert later == one.replace(b"2026-01-31", b"2026-02-01")


def test_texts_are_escaped(tmp_path: Path) -> None:
    report = water_report(
        title=NASTY,
        facts=((NASTY, NASTY),),
        names=(NASTY, "b"),
        notes=(NASTY,),
        curves=(LearningCurve(NASTY, [1.0, 2.0], [0.1, 0.05]),),
        picks=(Picked(NASTY, 1, NASTY, 1, NASTY, 0.1, NASTY),),
        spend=NASTY,
        quantity=NASTY,
    )
    found, plain = page(report, tmp_path), page(water_report(), tmp_path)
    assert len(found.elements["script"]) == len(plain.elements["script"])
    assert found.text.count("""<script>alert("1")</script> & 'C:\\x' </td><!-- Å ∞ $\\frac{$""") >= 10


def test_structures_are_turned_and_nothing_but_what_is_shown(tmp_path: Path) -> None:
    found = page(water_report(), tmp_path)
    clusters = json.loads(found.scripts["frames"])
    assert set(clusters) == {"0", "1"}
    frames, group, errors = stretched_water()
    for name, roles in clusters.items():
        assert set(roles) == {"representative", "worst"}
        for entry in roles.values():
            shown = entry["structure"]
            assert group[entry["row"]] == int(name)
            assert shown["names"] == ["O0", "H1", "H2"]
            assert shown["elements"] == ["O", "H", "H"]
            xyz = np.array([shown[axis] for axis in "xyz"]).T
            truth = frames[entry["row"]].get_all_distances()
            ours = np.linalg.norm(xyz[:, None] - xyz, axis=2)
            assert ours == pytest.approx(truth, abs=3e-3)
            assert entry["marks"][0] == f"O0–H2 {truth[0, 2]:.2f} Å"
            bar = shown["shapes"]["marks"]["parameters"]["global"]
            assert np.linalg.norm(bar["vectors"][0]) == pytest.approx(truth[0, 2], abs=3e-3)
            assert bar["bases"][0] == xyz[0].tolist()
    assert clusters["1"]["worst"]["row"] == int(errors.argmax())


def test_periodic_frames_are_shown_in_their_cell(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = np.array([[[0.1, 0, 0], [4.9, 0, 0]]]) + 0.01 * rng.standard_normal((8, 2, 3))
    frames = Frames.stack([3, 9], x, cell=np.tile(5 * np.eye(3), (8, 1, 1)), pbc=True)
    clusters = np.arange(8) % 2
    report = Report("crystal", clusters=describe_clusters(frames, clusters, 0.1 + clusters))
    entry = json.loads(page(report, tmp_path).scripts["frames"])["1"]["worst"]
    assert entry["structure"]["cell"] == (5 * np.eye(3)).ravel().tolist()
    assert 0.1 < float(entry["marks"][0].split()[1]) < 0.4, "the nearest image"


def test_parts_without_content_are_left_out(tmp_path: Path) -> None:
    found = page(Report("empty"), tmp_path)
    assert not {"clusters", "picks", "structures", "notes", "frames"} & found.ids()
    assert (tmp_path / "report.html").stat().st_size < 20_000, "no viewer where there is nothing to view"
    short = page(water_report(picks=(Picked("3", 1, "why"),), before=None), tmp_path)
    assert "details" not in short.elements
    assert "before_after" not in short.ids()
    assert "RMSE, " not in short.text


@pytest.mark.parametrize("unit", ["eV/Å", "eV"])
def test_errors_are_there_in_both_units(unit: str, tmp_path: Path) -> None:
    found = page(water_report(unit=unit), tmp_path)
    first, second = ("meV/Å", "kcal/mol/Å") if unit == "eV/Å" else ("meV", "kcal/mol")
    names = [(e["data-in-0"], e["data-in-1"]) for e in found.elements["span"] if "data-in-0" in e]
    assert set(names) == {(first, second)}
    drawn = [(e["data-unit"], "hidden" in e) for e in found.elements["div"] if "data-unit" in e]
    assert drawn == [(first, False), (second, True)] * 3
    for cell in found.elements["data"]:
        value = float(cell["value"] or "")
        assert float(cell["data-in-0"] or "") == pytest.approx(1000 * value, rel=6e-3)
        assert float(cell["data-in-1"] or "") == pytest.approx(value / 0.0433641, rel=6e-3)


def test_hard_cases_are_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    one = Frames.stack([1, 1], rng.random((1, 2, 3)))
    cases = {
        "one frame": describe_clusters(one, np.array([0]), np.array([0.1])),
        "unknown error": describe_clusters(one, np.array([0]), np.array([np.nan])),
        "one cluster": describe_clusters(
            Frames.stack([1, 1], rng.random((5, 2, 3))), np.full(5, 3), np.full(5, 0.1)
        ),
        "no error at all": describe_clusters(
            Frames.stack([1, 1], rng.random((4, 2, 3)), energy=[np.nan, 1, np.nan, 2]),
            np.arange(4) % 2,
            np.zeros(4),
        ),
        "mixed": describe_clusters(
            one + Frames.stack([8], rng.random((2, 1, 3))), np.array([0, 1, 1]), np.array([0.1, np.nan, 0.2])
        ),
        "one atom": describe_clusters(Frames.stack([8], np.zeros((2, 1, 3))), np.arange(2), np.ones(2)),
    }
    for name, table in cases.items():
        found = page(Report(name, clusters=table), tmp_path)
        rows = [e for e in found.elements["tr"] if "data-cluster" in e]
        assert len(rows) == len(table), name
        assert "nan" not in found.text.lower()


def test_clusters_of_unknown_error_stand_beside_those_of_known(tmp_path: Path) -> None:
    _, clusters, errors = stretched_water()
    held = cluster_errors(clusters[clusters == 0], errors[clusters == 0])
    found = page(
        water_report(errors=held, before=None, bounds={0: 0.05, 1: 0.2}, coverage=0.9, pooled={1}), tmp_path
    )
    assert [e["data-cluster"] for e in found.elements["tr"] if "data-cluster" in e] == ["0", "1"]
    assert "90 % bound" in found.text
    assert "50.0 " in found.text
    assert "50.0 (pooled)" not in found.text
    assert "200 (pooled)" in found.text


def test_figures_are_written_as_files_too(tmp_path: Path) -> None:
    write_report(water_report(), tmp_path / "report.html", tmp_path / "figures")
    names = {"before_after", "cluster_errors", "learning_curve"}
    expected = {f"{name}.{ending}" for name in names for ending in ("png", "svg")}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == expected
    for name in names:
        assert imread(tmp_path / "figures" / f"{name}.png").std() > 0.02
        assert "RMSE (meV/Å)" in (tmp_path / "figures" / f"{name}.svg").read_text(encoding="utf-8")


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_report(Report("old"), tmp_path / "report.html")
    before = path.read_bytes()
    monkeypatch.setattr("fidsel.report.structures.SCRIPT", "nowhere.js")
    with pytest.raises(FidselError, match=r"chemiscope 1\..* has no nowhere.js: install a version"):
        write_report(water_report(), path)
    assert path.read_bytes() == before
    with pytest.raises(FidselError, match="could not write"):
        write_report(Report("x"), tmp_path / "report.html" / "inside.html")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_reports_that_cannot_be() -> None:
    errors = cluster_errors(np.arange(2), np.ones(2))
    with pytest.raises(UsageError, match="eV/Å or eV, got 'meV'"):
        Report("x", unit="meV")
    with pytest.raises(UsageError, match="same clusters"):
        Report("x", errors=errors, before=cluster_errors(np.arange(3), np.ones(3)))
    with pytest.raises(UsageError, match="same clusters"):
        Report("x", before=errors)


def test_licences_travel_with_the_viewer(tmp_path: Path) -> None:
    found = page(water_report(), tmp_path)
    assert "chemiscope developers" in found.scripts["licences"]
    assert "3dmol" in found.scripts["licences"]
    assert re.search(r"Written by fidsel \d", found.text)
