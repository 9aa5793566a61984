"""Why a campaign ended when it was last run, from its folder."""

from dataclasses import replace
from pathlib import Path
from shutil import copytree

from tiny_campaign import rounds, run, write_campaign

from fidsel.campaign.records.decisions import End
from fidsel.campaign.records.end import ended_with, why_ended
from fidsel.campaign.records.folder import CampaignFolder
from fidsel.campaign.records.report import read_report
from fidsel.config.build import open_campaign


def test_the_last_run_is_believed_about_the_rounds_it_saw(finished: Path) -> None:
    done = rounds(finished)
    assert ended_with((), End(0, "")) == ""
    assert ended_with(done, None) == done[-1].stop
    assert ended_with(done, End(3, "budget spent")) == "budget spent"
    assert ended_with(done, End(3, "")) == "", "an edit undid its end"
    assert ended_with(done, End(2, "")) == done[-1].stop, "the run was killed before it said so"
    assert ended_with([replace(done[0], stop="")], End(3, "budget spent")) == "", "later rounds are gone"


def test_a_run_that_makes_no_round_says_why_it_ended(finished: Path, tmp_path: Path) -> None:
    folder = Path(copytree(finished, tmp_path / "copy"))
    home = CampaignFolder(folder)
    assert why_ended(home, home.read_rounds()) == rounds(folder)[-1].stop
    assert len(run(folder, "campaign.control=bought", "campaign.target=1000")) == 3
    told = why_ended(home, home.read_rounds())
    assert told.startswith("target reached")
    campaign = open_campaign(folder)
    assert dict(read_report(campaign)[1].facts)["state"] == told
    assert dict(read_report(campaign, 1)[1].facts)["state"] == "goes on"


def test_a_campaign_without_rounds_has_not_ended(tmp_path: Path) -> None:
    assert why_ended(CampaignFolder(write_campaign(tmp_path)), ()) == ""
