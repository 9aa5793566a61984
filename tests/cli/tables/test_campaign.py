"""A round on one line, and the table of a campaign."""

from pathlib import Path

import pytest

from fidsel.campaign.records.folder import CampaignFolder
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
