import json
import shutil
import sys
from pathlib import Path

import pytest
from command_line import fidsel, write_campaign

from fidsel.cli import main


def test_a_table_a_page_and_a_document(
    small_campaign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = shutil.copytree(small_campaign, tmp_path / "water")
    for more in ([], ["--json", "--figures", "figures"]):
        monkeypatch.setattr(sys, "argv", ["fidsel", "compare", str(folder), *more])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        told = capsys.readouterr()
        if more:
            found = json.loads(told.out)
            assert [row["seeds"] for row in found["rows"]] == [1, 1]
            assert (found["units"]["error"], found["page"]) == ("meV/Å", "comparison.html")
            assert (tmp_path / "figures" / "learning_curve.png").exists()
        else:
            assert "cluster-error · cokriging · sgdml" in told.out
            assert told.out.endswith("comparison.html\n")
            assert "extrapolated from few random labels" in told.err


def test_campaigns_are_named_by_what_they_ran_with(
    finished: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = write_campaign(tmp_path / "other")
    random = 'selector={kind = "random", clusters = 2, energy_clusters = 2}'
    assert fidsel(capfd, "iterate", "-C", other, random, "campaign.seed=3").code == 0
    assert (other / "fidsel.toml").read_text() == (finished / "fidsel.toml").read_text()
    told = fidsel(capfd, "compare", finished, other, "--out", tmp_path / "page.html", "--json")
    assert told.code == 0, told.err
    assert [row["strategy"] for row in json.loads(told.out)["rows"]] == [
        "cluster-error · cokriging · sgdml",
        "random · cokriging · sgdml",
    ]
