"""What a round's folder and record hold, and what is told of labels that are missing."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_campaign import opened, rounds, run, write_campaign

from fidsel.campaign.rounds.held_out import HeldOutErrors
from fidsel.campaign.rounds.publish import NO_TEST, missing
from fidsel.data import read
from fidsel.models import load


def test_a_folder_holds_all_that_the_round_was(finished: Path) -> None:
    records = rounds(finished)
    for record in records:
        folder = finished / "rounds" / f"{record.index:04d}"
        once = {"clusters.json", "clusters.npz", "energies.npy"}
        assert {path.name for path in folder.iterdir()} - once == {
            "model", "surrogates", "train.extxyz", "validation.extxyz", "config.json", "cluster_errors.png",
            "learning_curve.png", "errors.csv", "report.html", "picks.csv", "round.json",
        }  # fmt: skip
        assert (folder / "clusters.npz").exists() == (record.index == 0)
        assert len(read(folder / "train.extxyz")) == sum(len(r.picks) for r in records[: record.index + 1])
        assert json.loads((folder / "config.json").read_text())["campaign"]["name"] == "tiny"
        tested = HeldOutErrors.load(folder)
        assert len(tested.frames) == record.metrics.frames == 10
        rmse = float(np.sqrt(np.mean(tested.errors**2)))
        assert rmse == pytest.approx(record.cluster_errors["overall"])


def test_the_metrics_are_those_of_the_saved_model(finished: Path) -> None:
    record, folder = rounds(finished)[-1], finished / "rounds" / "0002"
    labels = read(folder / "validation.extxyz")
    found = load(folder / "model").predict(labels)
    assert record.validation.frames == len(labels) == 5
    assert np.abs(found.forces - labels.forces).mean() == pytest.approx(record.validation.force_mae)
    assert np.abs(found.energy - labels.energy).mean() == pytest.approx(record.validation.energy_mae)


def test_without_test_labels_the_record_says_so(tmp_path: Path) -> None:
    (record,) = run(write_campaign(tmp_path), "campaign.test=0", "campaign.rounds=0")
    assert NO_TEST in record.notes
    assert record.metrics == record.validation


def test_missing_labels_are_told_with_their_cause(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path, accurate='act = "raise", one_in = 2')
    with opened(folder, "budget.total=6") as ws:
        accurate, ids = ws.campaign.accurate, ws.pool.ids[:10]
        bought = ws.buy(accurate, ids, "train")
        failed, unpaid = missing(ws.store, accurate, ids, "validation ")
        assert failed.startswith(
            f"{len(bought.ids_failed)} of 10 validation labels of accurate failed: did not converge; mend"
        )
        refused = len(bought.ids_refused)
        assert unpaid.startswith(f"the budget ended before {refused} of 10 validation labels of accurate")
        assert missing(ws.store, accurate, bought.ids_done) == []
