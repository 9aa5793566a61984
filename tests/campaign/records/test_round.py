"""Records survive the trip through JSON."""

from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from tiny_campaign import rounds

from fidsel.campaign import Metrics, Round
from fidsel.campaign.records.folder import picks_table
from fidsel.exceptions import UsageError


def test_round_trip(finished: Path) -> None:
    for record in rounds(finished):
        assert Round.from_json(record.to_json()) == record


def test_a_control_arm_that_counted_no_validation_labels_is_read_with_them(finished: Path) -> None:
    record = rounds(finished)[-1]
    assert record.control is not None
    old = replace(record.control, labels=record.control.trained, trained=0, at=0.0)
    assert Round.from_json(replace(record, control=old).to_json()) == record


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


def test_a_round_reads_well(finished: Path) -> None:
    record = rounds(finished)[-1]
    text = repr(record)
    assert "\n" not in text
    assert len(text) < 300
    assert text.startswith(
        f"Round(2: {record.labels['cheap']} cheap, {record.labels['accurate']} accurate; force MAE"
    )
    assert record.control is not None
    assert record.control.saving.cell in text
    shown = record._repr_html_()
    assert shown.startswith("<table><caption>round 2</caption>")
    assert record.control.saving.words in unescape(shown)
    odd = replace(record, notes=("a < b",))._repr_html_()
    assert "<li>a &lt; b</li>" in odd
