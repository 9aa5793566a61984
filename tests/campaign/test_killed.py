"""A campaign killed at any moment goes on to the end an undisturbed one has."""

import sqlite3
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import psutil
import pytest
from tiny_campaign import (
    REAL,
    all_gone,
    check_consistent,
    labels,
    outcome,
    picks,
    rounds,
    start,
    write_campaign,
)

from fidsel.fidelity import LabelStore

TRACKED = ("tracking.enabled=true", "campaign.control=bought")


def kill_until_done(
    folder: Path, most: int, duration: float, rng: np.random.Generator, *overrides: str
) -> int:
    """Run a campaign to its end, killing its driver, half of the times with all that it has started.

    Returns how many kills hit it.
    """
    hits = 0
    while True:
        child = start(folder, *overrides)
        end = monotonic() + duration * rng.uniform(0.1, 1.0)
        while child.poll() is None and (hits == most or monotonic() < end):
            sleep(0.01)
        if child.poll() is not None:
            _, text = child.communicate()
            assert child.returncode == 0, text
            return hits
        kill(child.pid, tree=bool(rng.integers(2)))
        child.communicate()
        hits += 1
        assert all_gone(child.pid), "workers die with the driver"
        if (folder / "labels.db").exists():
            store = sqlite3.connect(f"file:{folder / 'labels.db'}?mode=ro", uri=True)
            assert store.execute("PRAGMA quick_check").fetchall() == [("ok",)]
            store.close()


def kill(driver: int, tree: bool) -> None:
    """Kill a driver, with all that it has started or alone."""
    with suppress(psutil.NoSuchProcess):  # it may have ended
        head = psutil.Process(driver)
        for victim in (head, *(head.children(recursive=True) if tree else ())):
            victim.kill()


def compare(folder: Path, whole: Path) -> None:
    check_consistent(folder)
    assert picks(folder) == picks(whole)
    assert labels(folder) == labels(whole)
    for ours, theirs in zip(rounds(folder), rounds(whole), strict=True):
        assert ours.spent == pytest.approx(theirs.spent), "declared prices: a lost attempt costs nothing"
        assert ours.metrics.headline == pytest.approx(theirs.metrics.headline, rel=1e-6)


def undisturbed(folder: Path, *overrides: str) -> float:
    began = monotonic()
    status, text = outcome(folder, *overrides)
    assert status == 0, text
    return monotonic() - began


def write_kind(folder: Path, kind: str) -> Path:
    """Write a campaign on tables, on labels that workers compute, or on MMFF94 and Hartree-Fock."""
    if kind == "real":
        folder.mkdir()
        (folder / "fidsel.toml").write_text(REAL)
        return folder
    slow = ("pause = 0.01", "pause = 0.1")
    return write_campaign(folder, 120, *(slow if kind == "computed" else ()))


def check_kills(folder: Path, kind: str, kills: int, seed: int) -> None:
    """Kill campaigns until `kills` kills have hit one; each must end as the undisturbed one does."""
    overrides = TRACKED if kind == "tables" else ()
    whole = write_kind(folder / "whole", kind)
    duration, rng = undisturbed(whole, *overrides), np.random.default_rng(seed)
    hits = 0
    while hits < kills:
        broken = write_kind(folder / f"broken-{len(list(folder.iterdir()))}", kind)
        hits += kill_until_done(broken, kills - hits, duration, rng, *overrides)
        compare(broken, whole)
        if "tracking.enabled=true" in overrides:
            compare_tracking(broken)


def compare_tracking(folder: Path) -> None:
    """Every round is known to MLflow once, with all its metrics."""
    store = sqlite3.connect(folder / "mlflow.db")
    query = """SELECT t.value, count(*) FROM tags t JOIN tags k USING (run_uuid) JOIN runs r USING (run_uuid)
        WHERE t.key = 'fidsel.round' AND k.key = 'fidsel.kind' AND k.value = 'round'
        AND r.lifecycle_stage = 'active' AND r.status = 'FINISHED' GROUP BY t.value ORDER BY t.value"""
    found = store.execute(query).fetchall()
    store.close()
    assert found == [(str(record.index), 1) for record in rounds(folder)]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["tables", "computed", "real"])
def test_killed_often(tmp_path: Path, kind: str) -> None:
    """More than fifty times in all; see `test_parsl` for the processes of a cluster."""
    check_kills(tmp_path, kind, kills=17, seed=11)


def under_way(folder: Path) -> int:
    """Return how many labels a driver has under way; none where the store is not made yet."""
    if not (folder / "rounds").exists() and not (folder / "plan.json").exists():
        return 0
    with LabelStore(folder / "labels.db", read_only=True) as store:
        return int(store.query("SELECT count(*) FROM attempts WHERE status = 'open'")[0][0])


@pytest.mark.slow
def test_killed_in_the_middle_of_a_label(tmp_path: Path) -> None:
    """The label under way is lost, closed as such, and labelled by the next run."""
    folder = write_campaign(tmp_path, accurate="pause = 0.5")
    child = start(folder)
    end = monotonic() + 60
    while not under_way(folder) and monotonic() < end:
        sleep(0.05)
    child.kill()
    child.communicate()
    begun = under_way(folder)
    assert begun >= 1
    status, text = outcome(folder, "fidelity.1.options.pause=0")
    assert status == 0, text
    with LabelStore(folder / "labels.db", read_only=True) as store:
        assert store.query("SELECT count(*) FROM attempts WHERE status = 'lost'")[0][0] == begun
    check_consistent(folder)
