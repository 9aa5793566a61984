"""The learning curve of a campaign, and of its control arm beside it."""

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_campaign import rounds

from fidsel.campaign.records.curves import CONTROL, learning_curves, plot_learning_curve, spend_label
from fidsel.campaign.records.round import Round
from fidsel.fidelity import Budget

HOURS = Budget.parse("2core-h")


@pytest.fixture
def records(finished: Path) -> list[Round]:
    return rounds(finished)


def test_errors_are_drawn_against_what_was_spent(records: list[Round]) -> None:
    ours, control = learning_curves(records, HOURS)
    assert spend_label(HOURS) == "spent (core-h)"
    assert list(ours.spend) == [record.spent / 3600 for record in records]
    assert list(ours.error) == [record.metrics.headline for record in records]
    assert control.name == CONTROL["bought"]
    assert list(control.spend) == list(ours.spend)
    assert list(control.error) == [record.control.error for record in records if record.control]
    assert (control.extrapolated, control.low) == (False, ())


def test_an_extrapolated_arm_has_a_band(records: list[Round]) -> None:
    guessed = [
        replace(record, control=replace(record.control, kind="owned", low=0.1, high=0.3))
        for record in records
        if record.control
    ]
    _, control = learning_curves(guessed, HOURS)
    assert control.name == CONTROL["owned"]
    assert control.extrapolated
    assert (list(control.low), list(control.high)) == ([0.1] * 3, [0.3] * 3)


def test_without_a_control_arm_there_is_one_curve(records: list[Round]) -> None:
    (ours,) = learning_curves([replace(record, control=None) for record in records], HOURS)
    assert ours.name == "campaign"


def test_it_is_drawn(records: list[Round], tmp_path: Path) -> None:
    plot_learning_curve(tmp_path / "curve.png", records[:1], HOURS)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
