"""Records survive the trip through JSON."""

from pathlib import Path

import pytest
from tiny_campaign import rounds

from fidsel.campaign import Metrics, Round
from fidsel.campaign.folder import picks_table
from fidsel.errors import UsageError


def test_round_trip(finished: Path) -> None:
    for record in rounds(finished):
        assert Round.from_json(record.to_json()) == record


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"picks": 3}'])
def test_not_a_record(text: str) -> None:
    with pytest.raises(UsageError, match="not a round record"):
        Round.from_json(text)


def test_headline() -> None:
    assert Metrics(3, 0.1, 0.2, 0.3).headline == 0.1
    assert Metrics(3, None, None, 0.3).headline == 0.3


def test_picks_table(finished: Path) -> None:
    record = rounds(finished)[1]
    lines = (finished / "rounds" / "0001" / "picks.csv").read_text().splitlines()
    assert lines[0] == "frame,row,fidelity,cluster,reason"
    assert [line.split(",")[0] for line in lines[1:]] == [pick.frame for pick in record.picks]
    assert picks_table(record).splitlines() == lines
