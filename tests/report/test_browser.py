"""A report in a real browser without a network: what is drawn, and what happens when one touches it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread
from selected import water_report

from fidsel.report import write_report

PATIENCE = 200_000
"""Milliseconds: processors of a busy machine draw in 3D a hundred times slower than a graphics card."""


@dataclass
class Opened:
    """A report in a browser, and what the browser had to say about it."""

    page: Any  # playwright's Page, which may not be installed
    path: Path
    troubles: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def picture(self, selector: str) -> np.ndarray:
        """Return the pixels of an element, (h, w, 3)."""
        self.page.wait_for_timeout(300)
        return np.asarray(imread(BytesIO(self.page.locator(selector).screenshot()))[:, :, :3])

    def told(self, role: str) -> str:
        """Return what stands under a structure."""
        return str(self.page.locator(f"#told-{role}").inner_text())

    def clusters(self) -> list[str]:
        """Return the clusters of the table from top to bottom."""
        return [row.get_attribute("data-cluster") for row in self.page.locator("#clusters tbody tr").all()]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(water_report(), tmp_path_factory.mktemp("report") / "a report & <more>.html")


@pytest.fixture(scope="module")
def page(browser: Any, path: Path) -> Iterator[Opened]:
    """The report, opened once: without a graphics card that takes seconds."""
    context = browser.new_context(offline=True, viewport={"width": 1100, "height": 900})
    context.set_default_timeout(PATIENCE)
    found = Opened(context.new_page(), path)
    found.page.on("console", lambda m: found.troubles.append(m.text) if m.type == "error" else None)
    found.page.on("pageerror", lambda error: found.troubles.append(str(error)))
    found.page.on("request", lambda request: found.requests.append(request.url))
    found.page.goto(path.as_uri())
    yield found
    context.close()


@pytest.fixture
def opened(page: Opened) -> Iterator[Opened]:
    """The report as it is at first; nothing that a test does to it is fetched or goes wrong in silence."""
    page.page.set_viewport_size({"width": 1100, "height": 900})
    page.page.locator("#units button").first.click()
    page.page.locator("#clusters tbody tr[data-cluster='1'] button").click()
    yield page
    assert page.troubles == []
    assert {url for url in page.requests if not url.startswith(("data:", "blob:"))} == {page.path.as_uri()}


def test_structures_are_drawn_and_turn_together(opened: Opened) -> None:
    before = {role: opened.picture(f"#view-{role}") for role in ("representative", "worst")}
    for picture in before.values():
        red = (picture[:, :, 0] > 0.6) & (picture[:, :, 1:].max(axis=2) < 0.3)
        assert red.sum() > 100, "oxygen is there"
    box = opened.page.locator("#view-worst canvas").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    opened.page.mouse.move(x, y)
    opened.page.mouse.down()
    opened.page.mouse.move(x + 120, y + 60, steps=5)
    opened.page.mouse.up()
    for role, picture in before.items():
        assert np.abs(opened.picture(f"#view-{role}") - picture).max(axis=2).mean() > 0.005, role


def test_a_click_shows_another_cluster(opened: Opened) -> None:
    assert opened.page.locator("#shown").inner_text() == "1"
    first, picture = opened.told("worst"), opened.picture("#view-worst")
    assert "O0–H2 1.4" in first
    opened.page.locator("#clusters tbody tr[data-cluster='0'] button").click()
    assert opened.page.locator("#shown").inner_text() == "0"
    assert opened.told("worst") != first
    assert "O0–H2 0.9" in opened.told("worst")
    assert (np.abs(opened.picture("#view-worst") - picture).max(axis=2) > 0.1).mean() > 0.002
    assert opened.page.locator("tr.shown").get_attribute("data-cluster") == "0"


def test_units_change_everywhere(opened: Opened) -> None:
    kcal = opened.page.locator("#before_after .paper[data-unit='kcal/mol/Å']")
    assert not kcal.is_visible()
    cell = opened.page.locator("#clusters tbody tr").first.locator("data").first
    mev = float(cell.inner_text())
    opened.page.get_by_role("button", name="kcal/mol/Å").click()
    assert float(cell.inner_text()) == pytest.approx(mev / 43.3641, rel=1e-2)
    assert kcal.is_visible()
    assert "kcal/mol/Å" in opened.page.locator("#findings").inner_text()
    assert "meV" not in opened.page.locator("#findings").inner_text()
    assert "kcal/mol/Å" in opened.told("worst")
    assert "RMSE in kcal/mol/Å" in opened.page.locator("#clusters caption").inner_text()


def test_the_table_sorts(opened: Opened) -> None:
    head = opened.page.locator("#clusters thead").get_by_role("button", name="frames")
    head.click()
    assert opened.clusters() == ["0", "1"]
    head.click()
    assert opened.clusters() == ["1", "0"]
    assert opened.page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"


def test_figures_are_seen_and_picks_unfold(opened: Opened) -> None:
    for name in ("before_after", "cluster_errors", "learning_curve"):
        blue = np.abs(opened.picture(f"#{name} .paper:not([hidden])") - [0, 0x72 / 255, 0xB2 / 255])
        assert (blue.max(axis=2) < 0.05).sum() > 100, name
    last = opened.page.get_by_text("reason 11", exact=True)
    assert not last.is_visible()
    opened.page.locator("summary").click()
    assert last.is_visible()


def test_nothing_spills_over_a_narrow_screen(opened: Opened) -> None:
    opened.page.set_viewport_size({"width": 380, "height": 700})
    opened.page.wait_for_timeout(200)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 380


def test_without_webgl_the_report_says_so(browser: Any, path: Path) -> None:
    context = browser.new_context(offline=True)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.add_init_script(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...more) {"
        "  return String(kind).includes('webgl') ? null : get.call(this, kind, ...more); };"
    )
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.as_uri())
    assert "cannot draw in 3D" in page.locator("#view-worst").inner_text()
    assert "O0–H2" in page.locator("#told-worst").inner_text()
    page.get_by_role("button", name="kcal/mol/Å").click()
    assert "kcal/mol/Å" in page.locator("#told-worst").inner_text()
    assert errors == []
    context.close()
