"""`fidsel report`."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import fidsel, write_campaign

from fidsel.campaign import ControlArm, Round
from fidsel.campaign.records.round import Saving


def test_the_report_is_written_where_it_was(
    copy_of_finished: Callable[[], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    folder = copy_of_finished()
    path = folder / "rounds" / "0000" / "report.html"
    before = path.read_bytes()
    path.unlink()
    done = fidsel(capfd, "report", "-C", folder)
    assert (done.code, done.out) == (0, f"{path}\n")
    assert "is the worst: its error is" in done.err
    assert path.read_bytes() == before


def test_a_report_elsewhere_with_its_figures(
    finished: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, figures = tmp_path / "a.html", tmp_path / "figures"
    done = fidsel(
        capfd, "report", "-C", finished, "--round", "0", "--out", out, "--figures", figures, "--json"
    )  # fmt: skip
    assert done.code == 0
    told = json.loads(done.out)
    assert (told["report"], told["round"], told["figures"]) == (str(out), 0, str(figures))
    assert "meV/Å" in told["findings"][0]
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert {path.name for path in figures.iterdir()} >= {"cluster_errors.png", "learning_curve.svg"}


def test_a_round_is_reported_as_it_ran(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = write_campaign(tmp_path / "campaign")
    assert fidsel(capfd, "iterate", "-C", folder, "budget.total=11", "campaign.name=eleven").code == 0
    path = folder / "rounds" / "0000" / "report.html"
    before = path.read_text()
    done = fidsel(capfd, "report", "-C", folder, "--json")
    assert " of 11 labels" in json.loads(done.out)["facts"]["spent"]
    assert path.read_text() == before
    named = fidsel(capfd, "report", "-C", folder, "campaign.name=other", "--out", tmp_path / "other.html")
    assert (named.code, "other, round 0" in (tmp_path / "other.html").read_text()) == (0, True)


def test_no_round_yet(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = fidsel(capfd, "report", "-C", write_campaign(tmp_path / "new"))
    assert done.code == 2
    assert "no round of" in done.err
    assert "run `fidsel iterate`" in done.err


def test_a_damaged_record_is_named(
    copy_of_finished: Callable[[], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    path = copy_of_finished() / "rounds" / "0000" / "round.json"
    path.write_text(path.read_text()[:500])
    done = fidsel(capfd, "report", "-C", path.parents[2])
    assert done.code == 1
    assert f"{path} is damaged: not a round record" in " ".join(done.err.split())


def test_a_control_arm_that_is_extrapolated_says_so(
    copy_of_finished: Callable[[], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    folder = copy_of_finished()
    path = folder / "rounds" / "0000" / "round.json"
    saving = Saving(0.31, at_least=False, low=-0.2, high=0.6)
    arm = ControlArm("owned", 9, 0.02, 0.01, 0.03, 0.0, saving, extrapolated_from=6, trained=4, at=11.7)
    path.write_text(replace(Round.from_json(path.read_text()), control=arm).to_json())
    told = "extrapolated from 6 random labels, not measured"
    status = fidsel(capfd, "status", "-C", folder)
    assert status.out.count("extrapolated") == 2, "columns of error and saving"
    assert told in status.err
    row = json.loads(fidsel(capfd, "status", "-C", folder, "--json").out)["rounds"][0]["control"]
    assert (row["basis"], row["extrapolated_from"]) == (told, 6)
    shown = fidsel(capfd, "report", "-C", folder)
    assert f"control arm: 9 random accurate labels, {told}" in shown.err
    facts = json.loads(fidsel(capfd, "report", "-C", folder, "--json").out)["facts"]
    assert told in facts["control arm"]
    doubt = "not distinguishable from no saving at equal error: +31 %, 90 % interval −20 to +60 %"
    assert doubt in facts["control arm"]
    assert "MAE 20 (90 %: 10–30) meV/Å" in facts["control arm"]
    assert f"control arm, last round: {doubt}" in status.err
    assert "+31 % (−20" in status.out
    assert (row["saving_low"], row["saving_high"], row["saving_in_words"]) == (-0.2, 0.6, doubt)


def test_a_round_that_is_not_there(finished: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = fidsel(capfd, "report", "-C", finished, "--round", "5")
    assert done.code == 2
    assert "there is no round 5 to report: rounds 0 to 0 are finished" in done.err
