"""Whatever has become of the files of a campaign, a person is told which is damaged and what to do."""

import io
import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damage import damaged, damaged_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fidsel.campaign.records.folder import CampaignFolder
from fidsel.campaign.records.report import read_report
from fidsel.campaign.records.round import Round
from fidsel.campaign.records.summary import summarise
from fidsel.campaign.rounds.measure import read_clusters
from fidsel.cli.tables.campaign import campaign_table, round_line
from fidsel.config.build import open_campaign
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity import Budget
from fidsel.selector import ClusterErrors
from fidsel.tracking.entries import parameters, round_points, stage_points

FUZZED = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
BUDGET = Budget(22.0, "label")


@pytest.fixture(scope="module")
def copy(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a finished campaign whose files are damaged and put back."""
    return Path(shutil.copytree(finished, tmp_path_factory.mktemp("damaged") / "campaign"))


def use(record: Round) -> None:
    """Do all that is done with a record that was read."""
    assert Round.from_json(record.to_json()).to_json() == record.to_json()
    round_line(record, BUDGET)
    round_points(record, 1.0)
    ClusterErrors.from_dict(dict(record.cluster_errors))
    for history in record.training.get("histories", ()):
        stage_points(history)
        parameters(history["notes"])


@FUZZED
@given(data=st.data())
def test_any_damage_of_a_record_is_told(copy: Path, data: st.DataObject) -> None:
    text = (copy / "rounds" / "0002" / "round.json").read_bytes()
    content = data.draw(damaged(json.loads(text)).map(lambda x: json.dumps(x).encode()) | damaged_bytes(text))
    with suppress(UsageError, UnicodeDecodeError):
        use(Round.from_json(content.decode()))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"index": "2"}, r"index must be a whole number, got '2'"),
        ({"spent": None}, "spent must be a number, got None"),
        ({"picks": [{"frame": "a"}]}, r"picks\[0\]\.row is missing"),
        ({"labels": {"cheap": 1.5}}, r"labels\.cheap must be a whole number, got 1\.5"),
        ({"metrics": []}, r"metrics must be a table, got \[\]"),
        ({"notes": "text"}, "notes must be a list, got 'text'"),
        ({"control": {"kind": "owned"}}, r"control\.labels is missing"),
        ({"error_source": {"bounds": []}}, r"error_source\.bounds must be a table"),
        ({"error_source": {"bounds": {"clusters": {"x": 1.0}}}}, "of clusters by their numbers, got 'x'"),
        ({"cluster_errors": {}}, r"cluster_errors\.cluster is missing"),
        ({"training": {"histories": [{}]}}, r"training\.histories\[0\]\.stage is missing"),
    ],
)
def test_the_entry_of_a_record_that_does_not_fit_is_named(
    copy: Path, change: dict[str, Any], told: str
) -> None:
    path = copy / "rounds" / "0001" / "round.json"
    whole = path.read_bytes()
    path.write_text(json.dumps(json.loads(whole) | change))
    try:
        with pytest.raises(
            FidselError, match=rf"0001/round\.json is damaged: not a round record: .*{told}.*Put back"
        ):
            CampaignFolder(copy).read_rounds()
    finally:
        path.write_bytes(whole)


def npy(array: object) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


@pytest.mark.parametrize(
    "name", ["energies.npy", "clusters.npz", "clusters.json", "errors.csv", "round.json"]
)
@FUZZED
@given(data=st.data())
def test_any_damage_of_a_round_is_told(copy: Path, name: str, data: st.DataObject) -> None:
    folder = (
        copy / "rounds" / ("0000" if name in {"energies.npy", "clusters.npz", "clusters.json"} else "0002")
    )
    path = folder / name
    whole = path.read_bytes()
    others = (
        [npy([1.0]), npy(["a"]), npy([[1.0]]), npy(3.0), whole[:-8]] if name == "energies.npy" else [b"\x00"]
    )
    path.write_bytes(data.draw(damaged_bytes(whole) | st.sampled_from(others)))
    campaign = open_campaign(copy)
    try:
        with suppress(FidselError):
            campaign_table(summarise(copy, BUDGET))
            read_report(campaign)
        if folder.name == "0000":
            with suppress(FidselError):
                read_clusters(folder)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (npy([1.0]), r"energies\.npy must hold one energy for each of \d+ frames"),
        (npy(["a"] * 3), r"energies\.npy must hold one energy"),
        (b"", "clusters in .*0000 cannot be read: "),
        (npy(np.zeros(9))[:-8], r"energies\.npy claims shape \(9,\) and so 72 bytes, it holds 64"),
    ],
)
def test_damaged_energies(copy: Path, content: bytes, told: str) -> None:
    path = copy / "rounds" / "0000" / "energies.npy"
    whole = path.read_bytes()
    path.write_bytes(content)
    try:
        with pytest.raises(FidselError, match=rf"{told}[\s\S]*Put back a copy of the folder"):
            read_report(open_campaign(copy))
    finally:
        path.write_bytes(whole)
