"""`fidsel report`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import fidsel


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


def test_a_round_that_is_not_there(finished: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = fidsel(capfd, "report", "-C", finished, "--round", "5")
    assert done.code == 2
    assert "there is no round 5 to report: rounds 0 to 0 are finished" in done.err
