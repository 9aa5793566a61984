"""Campaigns compared: what is one strategy, and what is told of it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fidsel.campaign import Round
from fidsel.data import read
from fidsel.exceptions import UsageError
from fidsel.report import write_report
from fidsel.tasks.compare import compare


@pytest.fixture
def campaigns(small_campaign: Path, tmp_path: Path) -> list[Path]:
    """The small campaign; one that ran with another seed; one with another picker. All have the same file."""
    start = {"name": "water", "rounds": 1, "test": 4, "validation": 3, "start": 4}
    edits: list[dict[str, Any]] = [
        {},
        {"campaign": {**start, "seed": 1}},
        {"selector": {"kind": "random", "per_round": 3}},
    ]
    found = []
    for number, edit in enumerate(edits):
        folder = Path(shutil.copytree(small_campaign, tmp_path / f"c{number}"))
        for path in folder.glob("rounds/*/config.json"):
            path.write_text(json.dumps(json.loads(path.read_text()) | edit))
        found.append(folder)
    return found


def test_seeds_of_one_strategy_are_averaged(campaigns: list[Path], tmp_path: Path) -> None:
    found = compare(campaigns)
    rows = {row["strategy"]: row for row in found.rows()}
    assert {name: row["seeds"] for name, row in rows.items()} == {
        "cluster-error · cokriging · sgdml": 2,
        "random · cokriging · sgdml": 1,
        "random labels · sgdml (extrapolated)": 2,
    }
    last = json.loads((campaigns[0] / "rounds" / "0001" / "round.json").read_text())
    ours = rows["cluster-error · cokriging · sgdml"]
    assert ours["error"].value == pytest.approx(1000 * last["metrics"]["force_mae"])
    assert ours["error"].low == pytest.approx(ours["error"].high)
    assert ours["labels"] == last["labels"]
    assert found.spend == f"{last['spent']:.4g} labels"
    page = write_report(found.report(), tmp_path / "page.html").read_text()
    assert "cluster-error · cokriging · sgdml (2 seeds)" in page
    assert "<svg" in page
    assert "src=" not in page


def test_what_is_told_is_compared_at(campaigns: list[Path]) -> None:
    found = compare(campaigns[:1], spend=5.0, error=1e6)
    assert (found.found.spend, found.found.error) == (5.0, 1000.0)
    assert all(row["spend"].at_most for row in found.rows())


def test_campaigns_that_count_differently_are_refused(campaigns: list[Path]) -> None:
    file = campaigns[1] / "rounds" / "0001" / "config.json"
    file.write_text(file.read_text().replace('"unit": "label"', '"unit": "core-h"'))
    with pytest.raises(UsageError, match="compare campaigns that count the same"):
        compare(campaigns)
    shutil.rmtree(campaigns[2] / "rounds")
    with pytest.raises(UsageError, match=r"no round of .*c2 is finished"):
        compare(campaigns[2:])


def test_one_run_is_not_two_seeds(campaigns: list[Path], tmp_path: Path) -> None:
    again = Path(shutil.copytree(campaigns[1], tmp_path / "again"))
    for same in (campaigns[1], again):
        with pytest.raises(UsageError, match=rf"c1 and .*{same.name} are one strategy with one seed \(1\)"):
            compare([*campaigns, same])


@pytest.mark.parametrize("told", [{"spend": -3.0}, {"spend": 0.0}, {"error": -1.0}, {"error": float("nan")}])
def test_what_is_compared_at_is_positive(campaigns: list[Path], told: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=rf"{next(iter(told))} must be a finite number > 0, got "):
        compare(campaigns[:1], **told)


def test_labels_of_both_arms_include_validation_and_an_arm_without_more_of_them_ends(
    campaigns: list[Path],
) -> None:
    path = campaigns[0] / "rounds" / "0001" / "round.json"
    last = Round.from_json(path.read_text())
    assert last.control is not None
    assert last.control.labels == last.control.trained + last.validation.frames
    ours, arm = compare(campaigns[:1]).rows()
    assert arm["labels"] == {"hf(sto)": last.control.labels}
    assert ours["labels"]["hf(sto)"] == len(read(path.parent / "train.extxyz")) + last.validation.frames
    short = replace(last.control, kind="bought", used_up=True, at=last.spent - 1)
    path.write_text(replace(last, control=short).to_json())
    found = compare(campaigns[:1])
    assert found.found.spend == last.spent - 1
    assert "random labels · sgdml (bought) ends where the pool has no more labels, at what these cost" in (
        found.notes()
    )
