"""Rounds that close before their last labels: what is late joins the next round, and picks do not change."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from time import sleep

import numpy as np
import pytest
from tiny_campaign import check_consistent, labels, outcome, picks, rounds, run, start, write_campaign

from fidsel.campaign import iterate
from fidsel.campaign.journal import Journal
from fidsel.campaign.records.decisions import LateLabels, Levels
from fidsel.campaign.records.round import Allocation, Pick
from fidsel.campaign.rounds.purchases import wanted_by
from fidsel.config.build import open_campaign
from fidsel.exceptions import UsageError
from fidsel.fidelity import LabelStore
from fidsel.fidelity.engine.local import available_cores

EARLY = "campaign.close_at=0.7"
WORKERS = f"engine.workers={min(2, available_cores())}"


def late(folder: Path) -> list[dict[str, list[str]]]:
    """Return what each round closed without, as it was written down."""
    with LabelStore(folder / "labels.db", read_only=True) as store:
        return [store.record(f"round-{record.index}-late") or {} for record in rounds(folder)]


def allocated(folder: Path, index: int) -> list[str]:
    with LabelStore(folder / "labels.db", read_only=True) as store:
        return list((store.record(f"round-{index}") or {})["accurate"])


def trained(folder: Path, index: int) -> int:
    text = (folder / "rounds" / f"{index:04d}" / "train.extxyz").read_text()
    return text.count("Properties=")


@pytest.fixture(scope="module")
def early(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a campaign whose labels take no time: all have come when a round closes."""
    folder = write_campaign(tmp_path_factory.mktemp("early"), accurate="seconds = 0.0")
    run(folder, EARLY)
    return folder


def test_late_labels_join_the_next_round(early: Path) -> None:
    check_consistent(early)
    first, second, last = late(early)
    start_ids, more = allocated(early, 0), allocated(early, 1)
    assert first["accurate"] == start_ids[int(np.ceil(0.7 * len(start_ids))) :]
    assert len(first["cheap"]) > 0
    wanted = len(first["accurate"]) + len(more)
    assert second["accurate"] == more[int(np.ceil(0.7 * wanted)) - wanted :]
    assert last == {}
    assert trained(early, 0) == len(start_ids) - len(first["accurate"])
    assert trained(early, 1) == len(start_ids) + len(more) - len(second["accurate"])
    assert trained(early, 2) == len(start_ids) + len(more) + len(allocated(early, 2))


def test_late_labels_are_told_and_count_as_neither_failed_nor_refused(early: Path) -> None:
    for record, away in zip(rounds(early)[:2], late(early)[:2], strict=True):
        told = " ".join(record.notes)
        assert f"{len(away['accurate'])} of " in told
        assert "labels of accurate are late and join the next round" in told
        assert "labels of cheap are late and join the next round" in told
        assert "failed" not in told
        assert "budget ended" not in told
    assert "late" not in " ".join(rounds(early)[2].notes)


def test_late_frames_are_not_picked_again(early: Path) -> None:
    chosen = [frame for row in picks(early) for frame, _ in row]
    assert len(chosen) == len(set(chosen))


@pytest.mark.slow
def test_picks_do_not_depend_on_how_long_labels_take(early: Path, tmp_path: Path) -> None:
    """Here each takes a moment, two are made at a time, and the last ones come after the round has closed."""
    folder = write_campaign(tmp_path, accurate="seconds = 0.0, pause = 0.3")
    run(folder, EARLY, WORKERS)
    check_consistent(folder)
    assert picks(folder) == picks(early)
    assert late(folder) == late(early)
    assert labels(folder) == labels(early)
    for ours, theirs in zip(rounds(folder), rounds(early), strict=True):
        assert (ours.spent, ours.remaining) == pytest.approx((theirs.spent, theirs.remaining))
        assert ours.metrics.headline == pytest.approx(theirs.metrics.headline, rel=1e-6)


def hanging(early: Path) -> str:
    """Return options of a source that hangs at the last of the late frames of round 0, and there alone."""
    (frame,) = late(early)[0]["accurate"][-1:]
    with LabelStore(early / "labels.db", read_only=True) as store:
        first = abs(float(store.frames((frame,)).positions[0, 0]))
    return f'seconds = 0.0, act = "hang", one_in = {int(first * 1e6)}'


@pytest.mark.slow
def test_killed_while_labels_are_late(early: Path, tmp_path: Path) -> None:
    """They are lost, bought again, and join the round they would have joined."""
    folder = write_campaign(tmp_path, accurate=hanging(early))
    child = start(folder, EARLY)
    while not (folder / "plan.json").exists() or not closed(folder):
        sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    status, text = outcome(folder, EARLY, "fidelity.1.options.act=label")
    assert status == 0, text
    check_consistent(folder)
    assert picks(folder) == picks(early)
    assert late(folder) == late(early)
    assert labels(folder) == labels(early)
    assert statuses(folder)["lost"] == 1


def statuses(folder: Path) -> dict[str, int]:
    with LabelStore(folder / "labels.db", read_only=True) as store:
        return dict(store.query("SELECT status, count(*) FROM attempts GROUP BY status"))


def closed(folder: Path) -> bool:
    with LabelStore(folder / "labels.db", read_only=True) as store:
        return store.record("round-0-late") is not None


def test_a_caller_that_stops_cancels_late_labels(early: Path, tmp_path: Path) -> None:
    folder = write_campaign(tmp_path, accurate=hanging(early))
    campaign = iterate(open_campaign(folder, [EARLY]))
    next(campaign)
    campaign.close()
    check_consistent(folder)
    found = statuses(folder)
    assert found["cancelled"] == 1
    assert set(found) == {"cancelled", "done"}


def test_late_labels_of_a_campaign_that_has_reached_its_target_are_stored(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path, accurate="seconds = 0.0, pause = 0.3")
    (record,) = run(folder, EARLY, "campaign.target=1000.0")
    assert "target reached" in record.stop
    check_consistent(folder)
    assert set(statuses(folder)) == {"done"}
    assert trained(folder, 0) < len(allocated(folder, 0))


def test_where_the_budget_ends_a_last_round_trains_on_what_was_late(tmp_path: Path) -> None:
    """With so many picks a round the budget ends long before the rounds do."""
    folder = write_campaign(tmp_path, accurate="seconds = 0.0")
    records = run(folder, EARLY, "campaign.rounds=9", "selector.per_round=8")
    assert "budget spent" in records[-1].stop
    assert records[-1].picks == ()
    assert [record.picks == () for record in records[1:-1]] == [False] * (len(records) - 2)
    assert late(folder)[-1] == {}
    assert trained(folder, len(records) - 1) == sum(len(row) for row in picks(folder))


@pytest.mark.slow
def test_measured_prices_leave_what_is_under_way(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path, cheap="pause = 0.0", accurate="pause = 0.2, one_in = 3, slow = 0.3")
    text = (folder / "fidsel.toml").read_text()
    text = text.replace('per = "label", value = 0.05', 'per = "core-second", value = 1')
    text = text.replace('per = "label", value = 1', 'per = "core-second", value = 1')
    (folder / "fidsel.toml").write_text(
        text.replace('total = 22\nunit = "label"', 'total = 5\nunit = "core-s"')
    )
    records = run(folder, EARLY, WORKERS, "campaign.start=8", "selector.per_round=6")
    check_consistent(folder)
    accurate = [row.get("accurate", []) for row in late(folder)]
    for index, record in enumerate(records):
        wanted = {frame for i in range(index + 1) for frame in allocated(folder, i)}
        assert trained(folder, index) == len(wanted) - len(accurate[index])
        assert len(accurate[index]) <= 0.3 * len(wanted)
        assert record.spent + record.remaining == pytest.approx(5.0)
    assert set(statuses(folder)) == {"done"}


def test_what_a_round_wants_first(tmp_path: Path) -> None:
    """What was late, then what is owned, then what is new, where it closes early; else the picks' order."""
    campaign = open_campaign(write_campaign(tmp_path), [EARLY])
    picked = (Pick("x", 0, "accurate", 1, "why"),)
    with LabelStore(tmp_path / "journal.db") as store:
        journal = Journal(store)
        journal.write(Levels((("cheap", "c"), ("accurate", "a"))))
        journal.write(Allocation(("a", "b"), {"cheap": ("a", "b", "c")}, picked, 0.0), 0)
        journal.write(LateLabels({"accurate": ("b",), "cheap": ()}), 0)
        journal.write(Allocation(("x", "b"), {"cheap": ("x", "c", "y")}, picked, 0.0), 1)
        assert wanted_by(campaign, journal, 1) == {"cheap": ("c", "x", "y"), "accurate": ("b", "x")}
        whole = replace(campaign, rules=replace(campaign.rules, close_at=1.0))
        assert wanted_by(whole, journal, 1) == {"cheap": ("x", "c", "y"), "accurate": ("b", "x")}
        assert wanted_by(campaign, journal, 0) == {"cheap": ("a", "b", "c"), "accurate": ("a", "b")}


def test_by_default_nothing_is_late(finished: Path) -> None:
    assert late(finished) == [{}] * len(rounds(finished))
    assert (
        json.loads((finished / "rounds" / "0000" / "config.json").read_text())["campaign"]["close_at"] == 1.0
    )


@pytest.mark.parametrize("value", ["0", "-0.5", "1.5"])
def test_the_fraction_is_checked(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError, match="close_at"):
        open_campaign(write_campaign(tmp_path), [f"campaign.close_at={value}"])
