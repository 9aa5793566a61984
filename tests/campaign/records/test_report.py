"""What a campaign reports of its rounds, from the files they left."""

import json
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from tiny_campaign import rounds, run, write_campaign

from fidsel.campaign.records.best import best_round
from fidsel.campaign.records.curves import learning_curves
from fidsel.campaign.records.report import FILE, read_report
from fidsel.campaign.records.round import ControlArm, Saving
from fidsel.campaign.rounds.held_out import HeldOutErrors
from fidsel.config.build import open_campaign
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity import LabelStore
from fidsel.fidelity.budget import Budget
from fidsel.report import as_text, findings, write_report
from fidsel.selector import BroadClusters, ClusterErrors, cluster_errors
from fidsel.training.evaluate import errors


def test_every_round_has_a_report_that_can_be_written_again(finished: Path, tmp_path: Path) -> None:
    campaign = open_campaign(finished)
    for record in rounds(finished):
        index, report = read_report(campaign, record.index)
        assert index == record.index
        path = write_report(report, tmp_path / f"{index}.html")
        assert path.read_bytes() == (campaign.folder.round(index) / FILE).read_bytes()
    assert read_report(campaign)[0] == 2, "the last round where none is named"


def test_reports_say_what_the_records_say(finished: Path) -> None:
    done, campaign = rounds(finished), open_campaign(finished)
    _, report = read_report(campaign)
    assert report.errors == ClusterErrors.from_dict(dict(done[-1].cluster_errors))
    assert report.before == ClusterErrors.from_dict(dict(done[0].cluster_errors))
    assert report.names == ("round 0", "round 2")
    assert [(p.frame, p.round, p.reason) for p in report.picks] == [
        (str(pick.row), record.index, pick.reason) for record in done for pick in record.picks
    ]
    start = len(done[0].picks)
    assert [p.at_random for p in report.picks] == [i < start for i in range(len(report.picks))]
    assert f" ({start} more at random)" in as_text(findings(report)[-1], "meV/Å")
    assert report.curves == learning_curves(done, campaign.budget)
    assert [curve.name for curve in report.curves] == ["campaign", "random accurate labels, bought"]
    facts = dict(report.facts)
    assert facts["molecule"] == "CH2O"
    assert facts["state"] == done[-1].stop
    assert facts["wall time, waiting for a queue included"].startswith("labelling ")
    assert f"{1000 * (done[-1].metrics.force_mae or 0):.3g} meV/Å" in facts["test errors"]
    assert "% of its spend saved" in facts["control arm"]
    for record in done[1:]:
        ranks = (record.error_source["score"][f"{name}_rank"] for name in ("cluster", "frame"))
        told = dict(read_report(campaign, record.index)[1].facts)["errors behind the picks"]
        assert ("rank correlation" in told) == any(rank is not None for rank in ranks)
    estimates = done[-1].error_source["estimates"]
    last = [pick.error for pick in report.picks if pick.round == 2]
    assert last == [estimates[pick.frame] for pick in done[-1].picks]


def test_errors_of_frames_are_kept_to_the_last_digit(finished: Path) -> None:
    record = rounds(finished)[-1]
    folder = finished / "rounds" / "0002"
    tested = HeldOutErrors.load(folder)
    campaign = open_campaign(finished)
    with LabelStore(finished / "labels.db", read_only=True) as store:
        frames = store.labelled(campaign.accurate, tested.frames)
        held = store.record("held-out") or {}
    assert set(tested.frames) == set(held["test"])
    again = errors(campaign.load_model(folder / "model"), frames)
    assert np.array_equal(tested.errors, again.per_frame_force_rmse)
    assert cluster_errors(tested.clusters, tested.errors).to_dict() == dict(record.cluster_errors)


def test_clusters_are_those_of_candidates_and_held_out_frames(finished: Path) -> None:
    _, report = read_report(open_campaign(finished))
    fitted = BroadClusters.load(finished / "rounds" / "0000" / "clusters.npz").labels
    tested = HeldOutErrors.load(finished / "rounds" / "0002")
    assert report.clusters is not None
    counts = np.bincount(fitted, minlength=8) + np.bincount(tested.clusters, minlength=8)
    assert {row.cluster: row.size for row in report.clusters.rows} == dict(enumerate(counts.tolist()))
    with LabelStore(finished / "labels.db", read_only=True) as store:
        pool = store.frames()
    for row in report.clusters.rows:
        for shown in (row.representative, row.worst):
            assert shown is None or np.array_equal(shown.atoms.positions, pool[shown.row].positions)
        assert row.worst is None or pool.ids[row.worst.row] in tested.frames


def test_without_a_test_set_the_validation_frames_are_shown(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    text = (folder / "fidsel.toml").read_text()
    text = text.replace("test = 10", "test = 0").replace("rounds = 2", "rounds = 0")
    (folder / "fidsel.toml").write_text(text)
    run(folder)
    _, report = read_report(open_campaign(folder))
    assert any("no test set" in note for note in report.notes)
    assert report.before is None
    assert report.unit == "eV/Å"


def test_bounds_of_clusters_are_shown_with_their_coverage(finished: Path, tmp_path: Path) -> None:
    folder = Path(copytree(finished, tmp_path / "copy"))
    path = folder / "rounds" / "0002" / "round.json"
    record = json.loads(path.read_text())
    assert read_report(open_campaign(folder))[1].bounds == {}
    record["error_source"]["bounds"] = {
        "coverage": 0.9, "frames": 12, "factor": 1.5, "own_factors": {"1": 1.2},
        "clusters": {"0": 0.03, "1": 0.02, "7": None},
    }  # fmt: skip
    path.write_text(json.dumps(record))
    _, report = read_report(open_campaign(folder))
    assert (report.bounds, report.coverage, report.pooled) == ({0: 0.03, 1: 0.02}, 0.9, {0})
    assert any("bounds are of the model before" in note for note in report.notes)


def test_energies_only(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path, cheap="forces = false", accurate="forces = false")
    painn = ("model={kind='painn',features=8,layers=1}", "recipe={kind='standard',stage={steps=20}}")
    settings = (*painn, "selector.error=probe", "campaign.rounds=0")
    found = run(folder, *settings)
    _, report = read_report(open_campaign(folder, settings))
    assert (report.unit, report.quantity) == ("eV", "energy MAE")
    assert report.errors is not None
    assert report.errors.overall >= found[0].metrics.energy_mae
    assert (
        "meV/Å" not in (folder / "rounds" / "0000" / FILE).read_text(encoding="utf-8").partition("<script")[0]
    )
    facts = dict(report.facts)
    assert "force" not in facts["test errors"]


def test_rounds_that_are_not_there(finished: Path, tmp_path: Path) -> None:
    campaign = open_campaign(finished)
    for index in (-1, 3):
        with pytest.raises(UsageError, match=rf"no round {index} to report: rounds 0 to 2 are finished"):
            read_report(campaign, index)
    with pytest.raises(UsageError, match=r"no round of .* is finished, .* run `fidsel iterate`"):
        read_report(open_campaign(write_campaign(tmp_path / "new")))
    old = Path(copytree(finished, tmp_path / "old"))
    (old / "rounds" / "0001" / "errors.csv").unlink()
    with pytest.raises(FidselError, match=r"no .*errors\.csv, from which the report is made"):
        read_report(open_campaign(old), 1)


def test_an_extrapolated_control_curve_has_its_band(finished: Path) -> None:
    saving = Saving(0.3, at_least=False, low=-0.1, high=0.6)
    arms = [ControlArm("owned", 9 + i, 0.02, 0.01, 0.03 + i, 0.0, saving) for i in range(3)]
    made = [replace(record, control=arm) for record, arm in zip(rounds(finished), arms, strict=True)]
    ours, control = learning_curves(made, Budget(22.0, "label"))
    assert (ours.low, ours.high) == ((), ())
    assert control.extrapolated
    assert control.low == [0.01, 0.01, 0.01]
    assert control.high == [0.03, 1.03, 2.03]
    measured = learning_curves(rounds(finished), Budget(22.0, "label"))[1]
    assert (measured.extrapolated, measured.low) == (False, ())


def test_the_report_names_the_best_round(finished: Path) -> None:
    campaign = open_campaign(finished, ["campaign.control=bought"])
    facts = dict(read_report(campaign)[1].facts)
    best = best_round(rounds(finished))
    assert best is not None
    assert facts["best round"].startswith(f"{best.index} of 0 to 2: lowest validation force MAE")
    assert "90 % interval" in facts["control arm"]
    assert "best round" not in dict(read_report(campaign, 0)[1].facts)
