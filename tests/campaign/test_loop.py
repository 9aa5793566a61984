"""The loop as a whole, on a molecule of Morse bonds."""

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from tiny_campaign import check_consistent, labels, picks, rounds, run, write_campaign

from fidsel.campaign import Round, iterate, plan_campaign
from fidsel.campaign.settings import Campaign, silent
from fidsel.config.build import open_campaign
from fidsel.data import read
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity import LabelStore, Ledger
from fidsel.fidelity.budget import counted
from fidsel.fidelity.store.process_identity import ProcessIdentity
from fidsel.models import load

IN_WORKERS = "pause = 0"
ONE_LEVEL = ("recipe.kind=standard", "selector.error=probe", "selector.probes=3")


def held_out(folder: Path) -> set[str]:
    with LabelStore(folder / "labels.db", read_only=True) as store:
        record = store.record("held-out")
    assert record is not None
    return {*record["test"], *record["validation"], *record["barred"]}


def left_at_most(last: Round) -> float:
    """Return less than the price of a frame, and what picks spare that have a cheap label already."""
    return 1.05 + 0.05 * len(last.picks)


def test_rounds_add_up(finished: Path) -> None:
    found = rounds(finished)
    assert [record.index for record in found] == [0, 1, 2]
    assert [bool(record.stop) for record in found] == [False, False, True]
    check_consistent(finished)
    with LabelStore(finished / "labels.db", read_only=True) as store:
        lines = Ledger(store).lines()
    assert found[-1].spent == pytest.approx(sum(line.amount for line in lines if counted(line.account)))
    assert found[-1].spent + found[-1].remaining == pytest.approx(22.0)
    assert found[-1].remaining < left_at_most(found[-1]), "the last round spends what is left"
    for record in found:
        assert record.cost == pytest.approx(record.predicted_cost), "prices are declared"
        assert record.labels["accurate"] == 5 + sum(len(r.picks) for r in found[: record.index + 1])
    for before, after in pairwise(found):
        assert after.spent == pytest.approx(before.spent + after.cost)


def test_nothing_held_out_is_trained_on(finished: Path) -> None:
    away = held_out(finished)
    seen: set[str] = set()
    for record in rounds(finished):
        frames = [pick.frame for pick in record.picks]
        assert not away.intersection(frames)
        assert not seen.intersection(frames), "a frame is picked once"
        seen.update(frames)
        train = read(finished / "rounds" / f"{record.index:04d}" / "train.extxyz")
        assert set(train.ids) == seen


def test_rows_are_rows_of_the_pool(finished: Path) -> None:
    with LabelStore(finished / "labels.db", read_only=True) as store:
        ids = store.frames().ids
    assert all(ids[pick.row] == pick.frame for record in rounds(finished) for pick in record.picks)


def test_reasons_and_ranking(finished: Path) -> None:
    start, *later = rounds(finished)
    assert {pick.reason for pick in start.picks} == {"random start"}
    for record in later:
        assert all("fine cluster" in pick.reason for pick in record.picks)
        assert set(record.error_source["estimates"]) == {pick.frame for pick in record.picks}
        assert record.error_source["score"]["frames"] == len(record.picks)


def test_learns_and_leaves_models(finished: Path) -> None:
    first, *_, last = rounds(finished)
    assert last.metrics.headline < first.metrics.headline
    model = load(finished / "rounds" / "0002" / "model")
    assert model.level == "accurate"
    frames = read(finished / "rounds" / "0002" / "validation.extxyz")
    error = np.abs(model.predict(frames).forces - frames.forces).mean()
    assert error == pytest.approx(last.validation.force_mae)


def test_bought_control_is_beside_the_budget(finished: Path) -> None:
    last = rounds(finished)[-1]
    assert last.control is not None
    assert last.control.labels == int(last.spent), "like the campaign's, with those for validation"
    assert last.control.spent == last.accounts["control"] == last.control.trained == last.control.labels - 5
    assert last.labels["accurate"] == len(read(finished / "rounds" / "0002" / "train.extxyz")) + 5
    assert last.control.at == last.spent
    assert last.control.metrics is not None
    assert last.control.error == last.control.metrics.headline


def test_more_rounds_go_on(finished: Path, tmp_path: Path) -> None:
    folder = copytree(finished, tmp_path / "copy")
    before = picks(folder)
    run(folder, "campaign.rounds=3", "budget.total=26", "campaign.control=off")
    after = picks(folder)
    assert after[:3] == before
    assert len(after) == 4
    assert after[3]
    assert rounds(folder)[-1].stop


def test_another_device_is_no_other_campaign(finished: Path, tmp_path: Path) -> None:
    folder = copytree(finished, tmp_path / "copy")
    before, device = picks(folder), "model.device=cpu"
    assert [open_campaign(folder, given).device for given in ([], [device])] == ["auto", "cpu"]
    run(folder, "campaign.rounds=3", "budget.total=23", "campaign.control=off", device)
    assert picks(folder)[:3] == before
    assert len(rounds(folder)) == 4


def test_finished_campaign_buys_nothing(finished: Path, tmp_path: Path) -> None:
    folder = copytree(finished, tmp_path / "copy")
    assert list(iterate(open_campaign(folder, ["campaign.control=bought"]))) == []
    assert labels(folder) == labels(finished)


def stopped_at(campaign: Campaign, moment: str) -> None:
    """Run a campaign until it reports a moment, and interrupt it there."""

    def report(what: str, done: int, total: int, detail: str = "") -> None:
        if f"{what} {done}/{total}".startswith(moment):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        for _ in iterate(campaign, report):
            pass


@pytest.mark.parametrize(
    ("moments", "overrides"),
    [
        (["cheap labels (train) 3/", "training", "accurate labels (train) 1/"], ["campaign.rounds=1"]),
        pytest.param(
            ["accurate labels (probe) 2/"] * 2,
            ["selector.error=probe", "selector.probes=3", "budget.total=40"],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_interrupted_picks_the_same(tmp_path: Path, moments: list[str], overrides: list[str]) -> None:
    whole, broken = (write_campaign(tmp_path / name, 120, IN_WORKERS, IN_WORKERS) for name in "ab")
    run(whole, *overrides)
    for moment in moments:
        stopped_at(open_campaign(broken, overrides), moment)
    run(broken, *overrides)
    assert picks(broken) == picks(whole)
    assert labels(broken) == labels(whole)
    check_consistent(broken)


def test_probes_enter_training_a_round_later(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    found = run(folder, "selector.error=probe", "selector.probes=3", "budget.total=30")
    with LabelStore(folder / "labels.db", read_only=True) as store:
        probes = [set((store.record(f"round-{k}-draft") or {})["probes"]) for k in (1, 2)]
    assert [len(some) for some in probes] == [3, 3]
    for k, now in ((1, probes[0]), (2, probes[1])):
        train = set(read(folder / "rounds" / f"000{k}" / "train.extxyz").ids)
        assert not train & now
        assert not {pick.frame for pick in found[k].picks} & now
    assert probes[0] <= set(read(folder / "rounds" / "0002" / "train.extxyz").ids)
    assert found[-1].accounts["probe"] == 6.0
    assert found[-1].spent <= 30.0
    assert found[1].cost == pytest.approx(found[1].predicted_cost)


def test_no_money_for_probes_is_said(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    scarce = ("selector.per_round=1", "campaign.rounds=1", "budget.total=10")
    found = run(folder, "selector.error=probe", *scarce)
    assert any("too little is left to pay for probes" in note for note in found[-1].notes)


def test_reference_errors(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    owned = ("fidelity.0.price.value=0", "fidelity.1.price.value=0")
    found = run(folder, *owned, "selector.error=reference", "selector.per_round=4", "campaign.start=6")
    assert [len(record.picks) for record in found[1:]] == [4, 4]
    assert len(read(folder / "rounds" / "0002" / "train.extxyz")) == len(found[0].picks) + 8
    assert found[1].error_source["score"]["frame_rank"] == pytest.approx(1.0)


def one_level(folder: Path, *overrides: str) -> tuple[str, ...]:
    """Take the cheap level out of a campaign's configuration."""
    path = folder / "fidsel.toml"
    head, _, rest = path.read_text().partition("[[fidelity]]")
    path.write_text(head + "[[fidelity]]" + rest.partition("[[fidelity]]")[2])
    return (*ONE_LEVEL, *overrides)


def test_one_level(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    found = run(folder, *one_level(folder, "campaign.control=owned"))
    assert [set(record.labels) for record in found] == [{"accurate"}] * 3
    assert found[-1].control is not None
    assert found[-1].control.kind == "owned"
    assert found[-1].control.extrapolated_from >= len(found[0].picks)
    assert found[-1].control.spent == 0
    assert found[-1].control.low <= found[-1].control.error <= found[-1].control.high


def test_energies_only(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path, cheap="forces = false", accurate="forces = false")
    painn = ("model={kind='painn',features=8,layers=1}", "recipe={kind='standard',stage={steps=20}}")
    probed = "selector={clusters=2,energy_clusters=1,probes=10}"
    overrides = (*one_level(folder), *painn, probed, "campaign.rounds=1", "budget.total=40")
    found = run(folder, *overrides, "campaign.target=1000.0")
    assert [record.stop[-7:] for record in found] == ["1000 eV"]
    found = run(folder, *overrides)
    last = found[-1]
    assert last.metrics.force_mae is None
    assert last.metrics.headline == last.metrics.energy_mae
    assert any("energies per frame, in eV" in note for note in last.notes)
    assert all("meV/Å" not in pick.reason and "meV" in pick.reason for pick in last.picks)
    assert last.cluster_errors["overall"] >= last.metrics.energy_mae


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["fidelity.1.forces=false"],
            "'sgdml' learns from forces, and fidelity 'accurate' has",
        ),
        (["pool.refresh=model-md"], "makes configurations that the table 'cheap' has no label for"),
        (["recipe.kind=standard", "selector.error=cheap"], "needs a recipe with a cheap model"),
        (["selector.descriptor=latent"], "selector.descriptor = 'latent' needs a network's features"),
    ],
)
def test_contradictions(tmp_path: Path, overrides: list[str], message: str) -> None:
    folder = write_campaign(tmp_path)
    with pytest.raises(UsageError, match=message):
        open_campaign(folder, overrides)
    assert not (folder / "labels.db").exists()


def test_standard_training_probes(tmp_path: Path) -> None:
    assert open_campaign(write_campaign(tmp_path), ["recipe.kind=standard"]).rules.error == "probe"


def test_target_ends_a_campaign(tmp_path: Path) -> None:
    found = run(write_campaign(tmp_path), "campaign.target=10.0")
    assert len(found) == 1
    assert found[0].stop.startswith("target reached")


def test_target_may_be_of_the_rmse(tmp_path: Path) -> None:
    error = run(write_campaign(tmp_path / "first"), "campaign.rounds=1", "campaign.target=10.0")[0].validation
    between = (error.error("mae") + error.error("rmse")) / 2
    target = (f"campaign.target={between}", "campaign.rounds=1")
    assert len(run(write_campaign(tmp_path / "one"), *target)) == 1
    assert len(run(write_campaign(tmp_path / "two"), *target, "campaign.measure=rmse")) == 2


def test_clusters_by_soap(tmp_path: Path) -> None:
    pytest.importorskip("dscribe", reason="pip install 'fidsel[soap]'")
    found = run(write_campaign(tmp_path), "selector.descriptor=soap", "campaign.rounds=1", "budget.total=20")
    assert {pick.cluster for pick in found[1].picks} <= set(found[1].cluster_errors["cluster"])


def test_flat_curve_ends_a_campaign(tmp_path: Path) -> None:
    """A kernel that smooths too much stays wrong, however many frames it gets."""
    overrides = ["campaign.patience=1", "campaign.rounds=5", "budget.total=60", "model.lam=1.0"]
    found = run(write_campaign(tmp_path), *overrides)
    errors = [one.validation.headline for one in found]
    assert found[-1].stop.startswith("flat: 1 round lowered the MAE by")
    assert errors[-1] > 0.98 * min(errors[:-1])
    assert len(found) < 6


def test_bounds_of_every_cluster_end_a_campaign(tmp_path: Path) -> None:
    bounded = ["selector.coverage=0.5", "selector.probes=4", "campaign.rounds=2", "budget.total=60"]
    found = run(write_campaign(tmp_path), "campaign.cluster_target=10.0", *bounded)
    assert len(found) == 2  # round 0 picks at random and has no bounds
    assert found[-1].stop.startswith("target reached in every cluster")
    with pytest.raises(UsageError, match="cluster_target is for bounds of errors"):
        open_campaign(write_campaign(tmp_path / "other"), ["campaign.cluster_target=10.0"])


def test_small_pool_is_used_up(tmp_path: Path) -> None:
    found = run(write_campaign(tmp_path, n=60), "budget.total=500", "campaign.rounds=2")
    assert [len(record.picks) > 0 for record in found] == [True, True, False]
    assert found[-1].stop.startswith("pool exhausted"), "more rounds would bring nothing"
    with LabelStore(tmp_path / "labels.db", read_only=True) as store:
        candidates = len(store.frames()) - len(held_out(tmp_path))
    assert sum(len(record.picks) for record in found) == candidates


def test_pool_too_small(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="of 20 configurations 0 may be trained on"):
        run(write_campaign(tmp_path, n=20), "campaign.test=5")
    with pytest.raises(UsageError, match="the pool must hold at least 17 different configurations"):
        run(write_campaign(tmp_path / "less", n=12))


def test_failed_labels_are_charged_once_and_not_picked_again(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path, accurate='act = "raise", one_in = 3')
    found = run(folder, "campaign.rounds=1")
    with LabelStore(folder / "labels.db", read_only=True) as store:
        failed = store.query("SELECT frame_id, count(*) FROM attempts WHERE status = 'failed' GROUP BY 1")
    assert failed
    assert {count for _, count in failed} == {1}
    assert any("labels of accurate failed: did not converge" in note for r in found for note in r.notes)
    everything = [pick.frame for record in found for pick in record.picks]
    assert len(everything) == len(set(everything))
    assert found[-1].remaining < left_at_most(found[-1])
    check_consistent(folder)


@pytest.mark.parametrize("level", ["cheap", "accurate"])
def test_every_label_failing_is_an_error(tmp_path: Path, level: str) -> None:
    fails = 'act = "raise", one_in = 1'
    options = (fails, "") if level == "cheap" else ("", fails)
    folder = write_campaign(tmp_path, 120, *options)
    for _ in range(2):
        with pytest.raises(
            FidselError, match=rf"the last 3 labels of {level} failed alike .* did not converge"
        ):
            run(folder)
        check_consistent(folder)
    assert rounds(folder) == []


def test_budget_ends_in_the_middle_of_a_round(tmp_path: Path) -> None:
    """Some labels take ten times as long as the others, and no model of their cost can see it coming."""
    folder = write_campaign(tmp_path, accurate="seconds = 0.02, slow = 0.2, one_in = 3, pause = -1")
    prices = ("fidelity.0.price.value=0.001", "fidelity.1.price={per='core-second',value=1}")
    enough = ("campaign.validation=3", "campaign.rounds=5")  # for the budget to end before the rounds do
    found = run(folder, *prices, "budget={total=1.6, unit='core-s'}", *enough)
    check_consistent(folder)
    assert found[-1].spent <= 1.6 + 0.1, "a label is stopped a moment after its time is over"
    ended = "budget" in found[-1].stop or any("the budget ended before" in n for r in found for n in r.notes)
    assert ended or found[-1].remaining < 0.2


def test_measured_costs_are_planned_anew(tmp_path: Path) -> None:
    """Cheap labels that take less time than they did are worth buying beyond those of picked frames."""
    prices = [f"fidelity.{i}.price={{per='core-second',value=1}}" for i in (0, 1)]
    overrides = [*prices, "budget={total=90, unit='core-s'}", "fidelity.1.options.seconds=2.0"]
    folder = write_campaign(tmp_path, cheap="slow = 1.0", accurate="slow = 2.0")
    plan_campaign(open_campaign(folder, [*overrides, "fidelity.0.options.seconds=1.0"]), silent)
    quick = ["fidelity.0.options.seconds=0.001", "fidelity.0.options.slow=0.001"]
    found = run(folder, *overrides, *quick, "campaign.rounds=1")
    with LabelStore(folder / "labels.db", read_only=True) as store:
        drafts = [store.record(f"round-{k}-draft") or {} for k in range(1, len(found))]
    assert any(draft["cheap"].get("cheap") for draft in drafts)
    assert found[-1].spent <= 90 * (1 + 1e-9)
    check_consistent(folder)


def test_rounds_of_another_store(finished: Path, tmp_path: Path) -> None:
    folder = copytree(finished, tmp_path / "copy")
    (folder / "labels.db").unlink()
    with pytest.raises(FidselError, match=r"holds 0 labels, but labels\.db\.seal says that there were"):
        run(folder)
    (folder / "labels.db.seal").unlink()
    with pytest.raises(FidselError, match="belong to different campaigns"):
        run(folder)


def test_unfinished_files_are_ignored(finished: Path, tmp_path: Path) -> None:
    folder = copytree(finished, tmp_path / "copy")
    rubbish = folder / "rounds" / ".0003.abc.part"
    rubbish.mkdir()
    (rubbish / "round.json").write_text("{")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    owner = replace(ProcessIdentity.this(), pid=ended.pid, born="0").text()
    rubbish.with_suffix(".owner").write_text(owner)
    (folder / ".labels.db.lock.abc").write_text("")
    assert len(rounds(folder)) == 3
    run(folder, "campaign.rounds=3", "budget.total=26", "campaign.control=off")
    assert len(rounds(folder)) == 4
    assert not rubbish.exists()


def test_missing_round_is_named(finished: Path, tmp_path: Path) -> None:
    folder = copytree(finished, tmp_path / "copy")
    (folder / "rounds" / "0001").rename(tmp_path / "away")
    with pytest.raises(FidselError, match="found 0002 where 0001 must be"):
        run(folder)


def test_a_campaign_has_to_be_opened() -> None:
    with pytest.raises(UsageError, match=r"takes an opened campaign, .* got 'methanol'"):
        next(iterate("methanol"))  # type: ignore[arg-type]


def test_a_campaign_stays_where_it_was_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("here", "there"):
        write_campaign(tmp_path / name / "run")
    before = sorted((tmp_path / "there" / "run").iterdir())
    monkeypatch.chdir(tmp_path / "here")
    campaign = open_campaign("run", ("campaign.rounds=1",))
    monkeypatch.chdir(tmp_path / "there")
    found = iterate(campaign)
    next(found)
    monkeypatch.chdir(tmp_path)
    assert [record.index for record in found] == [1]
    assert len(rounds(tmp_path / "here" / "run")) == 2
    assert sorted((tmp_path / "there" / "run").iterdir()) == before


def test_an_unfinished_iterate_of_this_process_is_named(tmp_path: Path) -> None:
    campaign = open_campaign(write_campaign(tmp_path), ("campaign.rounds=1",))
    first = iterate(campaign)
    next(first)
    with pytest.raises(FidselError, match="in an earlier `iterate` that has not ended: go on with what"):
        next(iterate(campaign))
    first.close()
    assert [record.index for record in iterate(campaign)] == [1]
