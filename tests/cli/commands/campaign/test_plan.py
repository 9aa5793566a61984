"""`fidsel plan` from prices: no word is ignored, no model is loaded."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import fidsel, write_campaign


def parsed(text: str) -> Any:
    """Return the one JSON document in a text, which may hold no NaN."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_plan_from_prices(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ("plan", "-C", tmp_path, "--budget", "60", "--price", "ccsdt=1", "--price", "dft=0.1")
    found = fidsel(capfd, *words, "--json")
    plan = parsed(found.out)
    assert plan["levels"] == ["dft", "ccsdt"]
    cheap, accurate = plan["recommended"]["bought"]
    assert 0.1 * cheap + accurate + plan["fixed"] <= 60
    shown = fidsel(capfd, *words)
    assert "errors expected from other molecules" in shown.out
    assert "assumed: ccsdt is the accurate level; dft is a dft method" in " ".join(shown.err.split())
    assert "set aside beforehand: 10 validation labels, 10 labels" in shown.err
    assert "the full 60 labels" in shown.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "total", "unit"),
    [
        (("--budget", "2", "core-h"), 7200.0, "core-second"),
        (("--budget", "30", "core-min"), 1800.0, "core-second"),
        (("--budget", "30 core-min"), 1800.0, "core-second"),
        (("--budget=2", "core-h"), 7200.0, "core-second"),
        (("--budget", "5000", "labels"), 5000.0, "label"),
        (("--budget", "5000"), 5000.0, "label"),
    ],
)
def test_the_unit_of_a_budget_may_stand_apart(
    words: tuple[str, ...], total: float, unit: str, capfd: pytest.CaptureFixture[str]
) -> None:
    found = fidsel(capfd, "plan", *words, "--price", "ccsdt=10", "--price", "dft=0.5", "--json")
    assert found.code == 0, found.err
    plan = json.loads(found.out)
    assert (plan["total"], plan["unit"]) == (total, unit)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--budget", "2", "core-hours"), "unknown budget unit 'core-hours', did you mean"),
        (("--budget", "2", "h"), "time is that of CPU cores"),
        (("--budget", "2", "core", "h"), "nothing but options may be given, got 'h'"),
        (("--budget", "200", "parsecs"), "nothing but options may be given, got 'parsecs'"),
        (("core-h", "--budget", "200"), "nothing but options may be given, got 'core-h'"),
        (("--budget", "200", "campaign.test=3"), "nothing but options may be given, got 'campaign.test=3'"),
    ],
)
def test_no_word_of_a_plan_is_ignored(
    words: tuple[str, ...], told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    found = fidsel(capfd, "plan", *words, "--price", "ccsdt=1", "--price", "dft=0.1")
    assert found.code == 2
    assert told in found.err


def test_a_plan_from_prices_is_for_a_molecule_and_a_recipe(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ("--budget", "60", "--price", "ccsdt=1", "--price", "dft=0.05", "--json")

    def cheap(*given: str) -> int:
        found = fidsel(capfd, "plan", *words, *given)
        assert found.code == 0, found.err
        return int(json.loads(found.out)["recommended"]["bought"][0])

    assert cheap("--smiles", "C=O") == cheap("--atoms", "4") < cheap("--atoms", "9")
    assert cheap("--atoms", "9", "--recipe", "joint") != cheap("--atoms", "9")
    picture = tmp_path / "plan.png"
    fidsel(capfd, "plan", *words, "--picture", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    for given, told in [
        (("--atoms", "4", "--smiles", "C=O"), "not by both"),
        (("--picture", "plan.pdf"), ".png or .svg, got plan.pdf"),
        (("--recipe", "standard"), "recipe that mixes levels"),
    ]:
        found = fidsel(capfd, "plan", *words, *given)
        assert found.code == 2
        assert told in found.err
    refused = fidsel(capfd, "plan", "-C", write_campaign(tmp_path / "campaign"), "--atoms", "4")
    assert refused.code == 2
    assert "--atoms, --smiles and --recipe go with --price" in refused.err


def test_a_plan_from_prices_loads_no_model() -> None:
    words = ["plan", "--budget", "60", "--price", "ccsdt=1", "--price", "dft=0.05", "--atoms", "4"]
    code = f"import sys; from fidsel.cli import main; sys.argv = ['fidsel', *{words}]\n"
    code += "try: main()\nfinally: print([m for m in ('torch', 'sklearn', 'openmm') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.stdout.splitlines()[-1] == "[]", found.stderr


def test_validation_labels_of_a_campaign_are_a_setting(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = write_campaign(tmp_path / "campaign")
    found = fidsel(capfd, "plan", "-C", folder, "--validation", "3")
    assert found.code == 2
    assert "campaign.validation=3" in found.err
