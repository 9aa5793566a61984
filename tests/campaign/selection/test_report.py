import numpy as np
import pytest
from morse_molecule import frames
from small_task import task, without_labels

from fidsel.campaign.selection.loop import select
from fidsel.campaign.selection.report import selection_report
from fidsel.campaign.selection.settings import Selection
from fidsel.selector import Random


def test_report_shows_both_arms_and_every_pick() -> None:
    made = task()
    rounds, control = list(select(made)), list(select(made.control_arm()))
    report = selection_report(made, rounds, control, "formaldehyde")
    facts = dict(report.facts)
    assert facts["frames"] == "90 in the pool, 30 held out"
    assert facts["labels trained on"] == "20"
    assert rounds[-1].held_out is not None
    rmse = rounds[-1].held_out.error("rmse")
    assert facts["RMSE, held out"] == f"{1000 * rmse:.4g} meV/Å (30 frames)"
    assert facts["stopped"] == "round limit: 2 rounds of picking are done"
    assert report.curves[0].error[-1] == pytest.approx(rmse)
    assert len(report.curves) == 2
    assert len(report.picks) == 10
    assert report.errors == rounds[-1].clusters
    assert report.before == rounds[0].clusters


def test_picks_without_labels_are_shown_beside_the_last_errors() -> None:
    pool = without_labels(frames(120), np.arange(60, 120))
    made = task(pool, picker=Random(), numbers=Selection(size=5, rounds=4, clusters=2))
    rounds = list(select(made))
    assert rounds[-1].held_out is None
    report = selection_report(made, rounds, (), "formaldehyde")
    assert report.errors == rounds[0].clusters
    assert report.before is None
    assert len(report.picks) == 5
    assert dict(report.facts)["stopped"].startswith("the picks have no labels yet")
