"""What a person sees: the page that `fidsel ui` prints, a campaign's run, the page of `fidsel compare`."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fidsel.campaign import CampaignFolder
from fidsel.report import write_report
from fidsel.tasks.compare import compare

pytestmark = pytest.mark.slow

PATIENCE = 300_000
"""Milliseconds that a busy machine may take for a page."""


@pytest.fixture(scope="module")
def campaigns(small_campaign: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The small campaign, and one whose rounds say of themselves that they picked at random."""
    found = []
    for kind in ("cluster-error", "random"):
        folder = Path(shutil.copytree(small_campaign, tmp_path_factory.mktemp("campaigns") / kind))
        for path in folder.glob("rounds/*/config.json"):
            settings = json.loads(path.read_text()) | {"selector": {"kind": kind, "per_round": 3}}
            path.write_text(json.dumps(settings))
        found.append(folder)
    return found


@pytest.fixture(scope="module")
def address(
    campaigns: list[Path], fresh_store: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """What `fidsel ui` prints, as long as it serves."""
    into = tmp_path_factory.mktemp("ui") / "store"
    fresh_store(into)
    command = [
        sys.executable,
        "-m",
        "fidsel",
        "ui",
        *map(str, campaigns),
        "--into",
        str(into),
        "--no-browser",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as ui:
        assert ui.stdout is not None
        yield ui.stdout.readline().strip()
        ui.send_signal(signal.SIGINT)


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1500, "height": 1000})
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def places(page: Any, *words: str) -> list[int]:
    """Return where a page says each of these words, white space apart, once it says all of them.

    MLflow fills in a page piece by piece, each piece when the server has answered.
    """
    wanted = ["".join(one.split()) for one in words]
    said = "document.body.innerText.replace(/\\s+/g, '')"
    page.wait_for_function(f"words => words.every(word => {said}.includes(word))", arg=wanted)
    return list(page.evaluate(f"words => words.map(word => {said}.indexOf(word))", wanted))


def test_error_against_spend_is_seen_first_and_without_a_click(
    page: Any, address: str, campaigns: list[Path], tmp_path: Path
) -> None:
    page.goto(address)
    chart = page.locator(".js-plotly-plot").first
    chart.locator(".scatterlayer .trace").nth(3).wait_for()
    assert chart.locator(".xtitle").text_content() == "spent"
    drawn = chart.evaluate("e => e.data.filter(t => t.x && t.x.length > 1).map(t => [[...t.x], [...t.y]])")
    rounds = CampaignFolder(campaigns[0]).read_rounds()
    spent = [one.spent for one in rounds]
    arms = [
        [1000 * (one.metrics.force_mae or 0) for one in rounds]
    ]  # those of the campaign, of the control arm
    arms.append([1000 * one.control.error for one in rounds if one.control is not None])
    for errors in arms:
        assert [pytest.approx(spent, rel=1e-4), pytest.approx(errors, rel=1e-4)] in drawn
    names = ("cluster-error · cokriging · sgdml · seed 0 · H2O", "random · cokriging · sgdml · seed 0")
    places(page, *names)
    for order in (
        places(page, "What labels bought.", "spent in labels", "saved percent"),
        places(page, "force MAE meV per Å", "worst cluster RMSE meV per Å"),
    ):
        assert order == sorted(order)
    assert page.get_by_text("round 0").count() == 0  # rounds are hidden
    page.screenshot(path=tmp_path / "comparison.png")


def test_the_run_of_a_campaign_says_what_it_reached(page: Any, address: str) -> None:
    page.goto(address)
    page.get_by_role("link", name=re.compile("random · cokriging")).first.click()
    places(page, "held-out frames, after", "molecule: H2O", "levels: mmff94 → hf(sto)", "train hf(sto)")
    places(page, "best_model", "Logged models (1)")
    places(page, "round 1", "pool.frames")  # child runs, and a setting that was changed
    page.get_by_role("tab", name="Artifacts").click()
    for name in ("config.json", "report.html", "learning_curve.png"):
        page.get_by_text(name).first.wait_for()


def test_the_page_of_a_comparison_opens_without_a_network(
    browser: Any, campaigns: list[Path], tmp_path: Path
) -> None:
    path = write_report(compare(campaigns).report(), tmp_path / "comparison.html")
    context = browser.new_context(offline=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert page.locator("figure svg:visible").count() == 1
    drawn = page.locator("figure .paper:visible").inner_html()
    for name in ("cluster-error · cokriging · sgdml", "random · cokriging · sgdml", "spent (labels)"):
        assert name in drawn, json.dumps(name)
    page.get_by_role("button", name="kcal/mol/Å").click()
    assert "force MAE (kcal/mol/Å)" in page.locator("figure .paper:visible").inner_html()
    assert {url for url in asked if not url.startswith("data:")} == {path.as_uri()}
    context.close()
