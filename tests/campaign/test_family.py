"""A campaign over several molecules, from SMILES to the end."""

import json
import os
import re
import signal
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from time import monotonic, sleep

import numpy as np
import pytest
from family_campaign import write_family
from tiny_campaign import all_gone, check_consistent, finish, labels, outcome, picks, rounds, start

from fidsel.campaign.journal import Journal
from fidsel.campaign.molecules import Members
from fidsel.campaign.records.round import HeldOut, Round
from fidsel.campaign.records.summary import summarise
from fidsel.campaign.rounds.refresh import refresh
from fidsel.campaign.settings import silent
from fidsel.campaign.workspace import open_workspace
from fidsel.cli.tables.campaign import campaign_table
from fidsel.config.build import open_campaign
from fidsel.data import Frames, read
from fidsel.exceptions import FidselError
from fidsel.fidelity import LabelStore, Ledger
from fidsel.models import ForceField, load
from fidsel.training.evaluate import errors

pytest.importorskip("tblite", reason="needs pip install 'fidsel[xtb]'")

NAMES = ("O", "N", "C")


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the campaign, run to its end; look, do not change."""
    folder = write_family(tmp_path_factory.mktemp("family"))
    finish(open_campaign(folder))
    return folder


@pytest.fixture(scope="module")
def last(family: Path) -> Round:
    return rounds(family)[-1]


def pool(folder: Path) -> Frames:
    with LabelStore(folder / "labels.db", read_only=True) as store:
        return store.frames()


def test_each_molecule_has_an_equal_share_of_everything_drawn_at_random(family: Path) -> None:
    frames = pool(family)
    members = Members.among(frames, NAMES)
    assert members.counts().tolist() == [40, 40, 40]
    assert [frames.formulas[list(members.of).index(i)] for i in range(3)] == ["H2O", "H3N", "CH4"]
    with LabelStore(family / "labels.db", read_only=True) as store:
        held = Journal(store).require(HeldOut)
    for side in (held.test, held.validation, tuple(pick.frame for pick in rounds(family)[0].picks)):
        assert members.counts(frames.rows(side)).tolist() == [2, 2, 2]


def test_it_ends_and_every_number_is_told_per_molecule(family: Path, last: Round) -> None:
    check_consistent(family)
    assert [record.index for record in rounds(family)] == [0, 1]
    assert last.stop
    assert last.spent <= 22
    assert tuple(row.name for row in last.molecules) == NAMES
    for level, count in last.labels.items():
        assert sum(row.labels[level] for row in last.molecules) == count
    assert sum(row.picks for row in last.molecules) == len(last.picks) > 0
    assert sum(row.spent for row in last.molecules) == pytest.approx(last.spent)
    assert all(row.price == {"gfn1": 0.05, "hf": 1.0} for row in last.molecules)


def test_the_errors_of_each_molecule_are_those_of_its_held_out_frames(family: Path, last: Round) -> None:
    model = load(family / "rounds" / "0001" / "model")
    with LabelStore(family / "labels.db", read_only=True) as store:
        held = Journal(store).require(HeldOut)
        tested = store.labelled(open_campaign(family).accurate, held.test)
    members = Members.among(tested, NAMES)
    for number, row in enumerate(last.molecules):
        assert row.metrics is not None
        own = errors(model, tested[np.flatnonzero(members.of == number)])
        assert row.metrics.force_mae == pytest.approx(own.force_mae, rel=1e-5)
        assert row.metrics.frames == 2
    mean = np.average([row.metrics.force_mae for row in last.molecules if row.metrics], weights=[3, 4, 5])
    assert last.metrics.force_mae == pytest.approx(mean, rel=1e-5)


def test_the_network_has_a_reference_energy_of_each_element(family: Path) -> None:
    model = load(family / "rounds" / "0001" / "model")
    trained = read(family / "rounds" / "0001" / "train.extxyz")
    off = model.predict(trained).energy - trained.energy
    # between the molecules energies differ by 1000 eV
    assert np.abs(off).max() < 5.0


def test_status_and_report_have_a_row_for_each_molecule(
    family: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = summarise(family, open_campaign(family).budget)
    told = json.loads(json.dumps(found.to_dict()))["rounds"][-1]["molecules"]
    assert [row["name"] for row in told] == list(NAMES)
    campaign_table(found)
    assert "molecules after round 1" in capsys.readouterr().out
    page = (family / "rounds" / "0001" / "report.html").read_text()
    table = page[page.index('id="molecules"') :]
    assert [f'scope="row">{name}</th>' in table[: table.index("</table>")] for name in NAMES] == [True] * 3
    clusters = page[page.index('id="clusters"') :]
    counts = re.findall(r"\b([ONC]) (\d+)(?=,|<)", clusters[: clusters.index("</table>")])
    assert sum(int(count) for name, count in counts if name == "O") > 20, (
        "clusters say whose frames they hold"
    )


@pytest.mark.slow
def test_it_picks_the_same_after_a_kill(family: Path, tmp_path: Path) -> None:
    folder = write_family(tmp_path / "killed")
    child, end = start(folder), monotonic() + 300
    while not (folder / "plan.json").exists() and child.poll() is None and monotonic() < end:
        sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert all_gone(child.pid)
    assert len(rounds(folder)) < 2, "it was killed before its end"
    status, text = outcome(folder)
    assert status == 0, text
    check_consistent(folder)
    assert picks(folder) == picks(family)
    assert labels(folder) == labels(family)


def test_the_ledger_is_summed_by_frame(family: Path) -> None:
    with LabelStore(family / "labels.db", read_only=True) as store:
        ledger = Ledger(store)
        assert sum(ledger.spent_by_frame().values()) == pytest.approx(ledger.spent())


def test_new_candidates_are_of_each_molecule(family: Path, tmp_path: Path) -> None:
    """Frames of a stand-in for dynamics, which fails for one molecule; the others have theirs."""

    made = []

    def shake(model: ForceField, starts: Frames, seed: int, share: int, _: object) -> Frames:
        if starts.formulas[0] == "H3N":
            raise FidselError("it flew apart")
        made.append(len(starts))
        moved = starts.positions + np.random.default_rng(seed).normal(scale=0.01, size=starts.positions.shape)
        return starts.replace(positions=moved, group=[f"shaken-{share}"] * len(starts))

    campaign = replace(open_campaign(copytree(family, tmp_path / "copy")), refresh=shake)
    with open_workspace(campaign, silent) as ws:
        (note,) = refresh(ws, 2)
        assert note == (
            f"{sum(made)} new candidates from dynamics with the model of round 1; no new candidates of N: it "
            "flew apart"
        )
        new = ws.pool[120:]
        assert set(new.group.tolist()) == {"O: round 2 shaken-3", "C: round 2 shaken-3"}
        assert ws.members.counts().tolist() == [40 + made[0], 40, 40 + made[1]]
        assert refresh(ws, 2) == (note,)
        assert len(ws.pool) == 120 + sum(made), "once"


def test_a_stop_while_the_baseline_of_new_candidates_is_computed_loses_none(
    family: Path, tmp_path: Path
) -> None:
    beneath = ["model.baseline={kind='tblite',method='GFN2-xTB'}"]
    made, stopped = [], []

    def shake(model: ForceField, starts: Frames, seed: int, share: int, _: object) -> Frames:
        made.append(len(starts))
        return starts.replace(positions=1.001 * starts.positions)

    def stop(what: str, done: int, total: int, detail: str = "") -> None:
        if "baseline" in what and made and not stopped:
            stopped.append(what)
            raise KeyboardInterrupt

    campaign = replace(open_campaign(copytree(family, tmp_path / "copy"), beneath), refresh=shake)
    with pytest.raises(KeyboardInterrupt), open_workspace(campaign, stop) as ws:
        refresh(ws, 2)
    with open_workspace(campaign, silent) as ws:
        (note,) = refresh(ws, 2)
        assert note == f"{sum(made)} new candidates from dynamics with the model of round 1"
        assert len(made) == 3, "once for each molecule"
        assert len(ws.pool) == 120 + sum(made)


def test_a_level_that_refuses_a_molecule_ends_it_before_anything_else_is_bought(tmp_path: Path) -> None:
    emt = ('kind = "pyscf"\nmethod = "hf"\nbasis = "sto-3g"', 'kind = "calculator"\ncalculator = "emt"')
    folder = write_family(tmp_path, ('"C"]', '"CF"]'), emt)
    with pytest.raises(FidselError, match=r"no pilot label of hf could be had of 1 of 3 molecules: CF \("):
        finish(open_campaign(folder))
    with LabelStore(folder / "labels.db", read_only=True) as store:
        bought = store.query("SELECT a.key, count(*) FROM labels a GROUP BY a.key")
    assert sorted(count for _, count in bought) == [2, 3], "a first label of each molecule at each level"
