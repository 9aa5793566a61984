"""A round on one line, and the table of a campaign."""

from dataclasses import replace
from pathlib import Path

import pytest

from fidsel.campaign.records.folder import CampaignFolder
from fidsel.campaign.records.round import ControlArm, Saving
from fidsel.campaign.records.summary import summarise
from fidsel.cli.tables.campaign import campaign_table, force_words, round_line
from fidsel.fidelity.budget import Budget

BUDGET = Budget.parse("12")


def test_a_force_error_is_in_two_units() -> None:
    assert force_words(0.0433641) == "43.4 meV/Å (1 kcal/mol/Å)"
    assert force_words(None) == "–"


def test_a_round_is_told_on_one_line(finished: Path) -> None:
    (record,) = CampaignFolder(finished).read_rounds()
    line = round_line(record, BUDGET)
    assert line.startswith(f"round 0: {record.labels['cheap']} cheap, {record.labels['accurate']} accurate; ")
    assert f"force MAE {force_words(record.metrics.force_mae)}, energy MAE" in line
    assert line.endswith(f"spent {record.spent:.4g} labels of 12 labels")


def test_the_table_and_what_is_said_below(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = summarise(finished, BUDGET)
    campaign_table(found)
    out, err = capsys.readouterr()
    (row,) = [line for line in out.splitlines() if line.startswith("│ 0")]
    cells = [cell.strip() for cell in row.split("│")[1:-1]]
    assert cells[1:3] == [str(found.rounds[0].labels[name]) for name in ("cheap", "accurate")]
    assert cells[-3:] == ["–"] * 3, "there is no control arm"
    assert "best round: 0 of 0 to 0: lowest validation force MAE" in err
    assert "budget 12 labels, spent" in err


def test_rows_say_how_the_control_arm_is_known_where_its_kind_was_edited(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = summarise(finished, BUDGET)
    saved = Saving(0.3, at_least=False, low=0.2, high=0.4)
    arms = [ControlArm(kind, 9, 0.02, 0.02, 0.02, 0.0, saved) for kind in ("owned", "bought")]
    rounds = tuple(replace(found.rounds[0], index=i, control=arm) for i, arm in enumerate(arms))
    for kept, told in ((rounds, [True, False]), (rounds[1:], [False])):
        campaign_table(replace(found, rounds=kept))
        lines = capsys.readouterr().out.splitlines()
        starts = [row for row, line in enumerate(lines) if line.startswith(("│ 0", "│ 1"))]
        rows = ["".join(lines[a:b]) for a, b in zip(starts, [*starts[1:], None], strict=True)]
        assert [" extrapolated " in row for row in rows] == told
        assert "extrapolated" not in "".join(lines[: starts[0]])
    campaign_table(replace(found, rounds=rounds[:1]))
    assert "extrapolat" in "".join(capsys.readouterr().out.partition("│ 0")[0])
