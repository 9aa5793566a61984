"""Molecules at rest in a campaign: labelled once beside the budget, compared in every round."""

from dataclasses import replace
from pathlib import Path

import pytest
from morse_molecule import frames
from morse_source import Morse
from tiny_campaign import opened, rounds, run, write_campaign

from fidsel.campaign.records.report import read_report
from fidsel.campaign.records.round import Allocation
from fidsel.campaign.records.summary import summarise
from fidsel.campaign.rounds.at_rest import FILE, check_at_rest
from fidsel.cli.tables.campaign import campaign_table
from fidsel.config.build import open_campaign
from fidsel.exceptions import UsageError
from fidsel.fidelity import Ledger
from fidsel.fidelity.budget import Budget, counted
from fidsel.models import SGDML
from fidsel.tracking.entries import round_points

ASKED = ("campaign.check=true", "campaign.rounds=0")


def test_molecules_are_compared_with_the_accurate_level(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_campaign(tmp_path, 120, "pause = 0", "pause = 0")
    (record,) = run(folder, *ASKED)
    (told,) = record.checks
    assert told["level"] == "accurate"
    assert len(told["frequencies"]) == len(told["reference_frequencies"]) == 6
    assert told["frequency_mae"] > 0
    paid = record.accounts["check"]
    assert paid > 24, "one for each label, 24 of them for the Hessian"
    inside = sum(amount for account, amount in record.accounts.items() if counted(account))
    assert record.spent == pytest.approx(inside)
    assert record == rounds(folder)[0], "it is read as it was written"
    _, report = read_report(open_campaign(folder))
    assert {name: [scan.title for scan in scans] for name, scans in report.torsions.items()} == {
        told["molecule"]: [turn["bond"] for turn in told["torsions"]]
    }
    points = {point.name: point.value for point in round_points(record, 1.0)}
    assert points[f"at rest {told['molecule']}/rmsd"] == pytest.approx(told["rmsd"], rel=1e-4)
    found = summarise(folder, Budget.parse("22"))
    assert found.to_dict()["rounds"][0]["checks"] == [dict(told)]
    campaign_table(found)
    assert "at rest after round 0, against accurate" in capsys.readouterr().out
    (fact,) = [value for name, value in report.facts if "at rest, against accurate" in name]
    assert fact.startswith(f"RMSD {told['rmsd']:.3f} Å")

    with opened(folder, *ASKED) as ws:
        model = ws.campaign.load_model(ws.campaign.folder.round(0) / "model")
        assert check_at_rest(ws, model) == (record.checks, ())
        assert Ledger(ws.store).accounts()["check"] == paid, "what is known is not labelled again"
        (folder / FILE).write_text("{}")
        assert check_at_rest(ws, model)[0] == ()
        assert "is damaged" in check_at_rest(ws, model)[1][0]

        (folder / FILE).unlink()
        hanging = replace(
            ws.campaign.accurate, source=Morse("accurate", act="hang", one_in=1), time_limit=0.5
        )
        ws.campaign = replace(ws.campaign, fidelities=(*ws.campaign.cheap, hanging))
        nothing, (why,) = check_at_rest(ws, model)
        assert nothing == ()
        assert "a label took longer than 0.5 s: raise time_limit of accurate" in why
        assert Ledger(ws.store).accounts()["check"] == paid + 1, "the label that hung is paid for"
        assert check_at_rest(ws, model) == ((), (why,)), "it is not asked again in every round"


def test_labels_that_come_late_meanwhile_are_kept(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path, 120, "pause = 0.1", "pause = 0")
    with opened(folder, *ASKED) as ws:
        first, (cheap,) = ws.pool.ids[:6], ws.campaign.cheap
        ws.buy(ws.campaign.accurate, first, "train")
        ws.journal.write(Allocation(first, {cheap.name: first}, (), 0.0), 0)
        ws.buy(cheap, first, "train", close_at=0.2)
        assert len(ws.late)
        check_at_rest(ws, SGDML([10.0]).fit(frames(8), frames(0))[0])
        assert not len(ws.late)
        assert len(ws.labelled(cheap, first)) == 6


def test_what_cannot_be_relaxed_is_refused(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    with pytest.raises(UsageError, match="the table 'accurate' has no label of what comes of it"):
        open_campaign(folder, ["campaign.check=true"])
