"""What `fidsel status --failed` prints."""

import pytest

from fidsel.campaign.failures import LevelFailure
from fidsel.cli.tables.failures import failure_table
from fidsel.fidelity.budget import Budget
from fidsel.fidelity.store.failures import Failure


def test_each_frame_is_told_with_why_and_what_it_cost(capsys: pytest.CaptureFixture[str]) -> None:
    failure = Failure("0123456789abcdef", "timeout", "took too long", 5, again=True, cost=120.0, tries=2)
    failure_table([LevelFailure("mp2", 7, failure)], Budget.parse("2core-h"))
    out, err = capsys.readouterr()
    (row,) = [line for line in out.splitlines() if "mp2" in line]
    assert [cell.strip() for cell in row.split("│")[1:-1]] == [
        "mp2", "0123456789ab", "timeout", "again", "took too long", "7", "2", "0.03333",
    ]  # fmt: skip
    assert "`fidsel retry`" in err


def test_nothing_failed(capsys: pytest.CaptureFixture[str]) -> None:
    failure_table([], Budget.parse("12"))
    out, err = capsys.readouterr()
    assert (out, "is there and is used" in err) == ("", True)
