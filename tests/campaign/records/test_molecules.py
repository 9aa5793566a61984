"""The row of a molecule in a round's record comes back from JSON."""

import json
from dataclasses import asdict, replace
from pathlib import Path

from tiny_campaign import rounds

from fidsel.campaign.records.molecules import MoleculeRow
from fidsel.campaign.records.round import Round


def test_rows_come_back(finished: Path) -> None:
    record = rounds(finished)[0]
    assert record.molecules == (), "one molecule has no table"
    rows = (
        MoleculeRow("methanol", 40, 2, {"hf": 3}, {"hf": 1.5}, 4.5, record.metrics),
        MoleculeRow("water", 40, 0, {"hf": 0}, {"hf": None}, 0.0, None),
    )
    assert Round.from_json(replace(record, molecules=rows).to_json()).molecules == rows


def test_records_of_earlier_versions_are_read(finished: Path) -> None:
    record = rounds(finished)[0]
    old = {name: value for name, value in asdict(record).items() if name != "molecules"}
    assert Round.from_json(json.dumps(old, default=list)) == record
