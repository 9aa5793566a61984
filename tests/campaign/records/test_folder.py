"""Rounds appear in a campaign's folder at one stroke, numbered without gaps."""

from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
from tiny_campaign import rounds

from fidsel.campaign.records.folder import CampaignFolder, picks_table
from fidsel.campaign.records.round import Round
from fidsel.exceptions import FidselError


@pytest.fixture
def record(finished: Path) -> Round:
    return rounds(finished)[1]


def test_a_round_appears_with_its_record_and_picks(tmp_path: Path, record: Round) -> None:
    home = CampaignFolder(tmp_path)
    first = replace(record, index=0)
    with home.publishing(first) as folder:
        (folder / "model").mkdir()
        assert home.finished() == 0
        assert home.read_rounds() == ()
    assert home.finished() == 1
    assert (home.round(0) / "model").is_dir()
    assert home.read_rounds()[0].picks == record.picks
    lines = (home.round(0) / "picks.csv").read_text().splitlines()
    assert lines[0] == "frame,row,fidelity,cluster,reason"
    assert len(lines) == 1 + len(record.picks)
    assert (home.round(0) / "picks.csv").read_text() == picks_table(record)


def test_nothing_is_left_of_a_round_that_was_cut_off(tmp_path: Path, record: Round) -> None:
    home = CampaignFolder(tmp_path)

    def cut_off() -> None:
        with home.publishing(record) as folder:
            (folder / "half").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    assert list(home.rounds.iterdir()) == []


def test_two_drivers_do_not_write_the_same_round(tmp_path: Path, record: Round) -> None:
    home = CampaignFolder(tmp_path)
    with home.publishing(record):
        pass
    with pytest.raises(FidselError, match="was written by another driver"), home.publishing(record):
        pass


def test_a_full_disk_is_told(tmp_path: Path, record: Round) -> None:
    home = CampaignFolder(tmp_path)
    with pytest.raises(FidselError, match=r"could not write .*0001: .* free space"), home.publishing(record):
        raise OSError(28, "No space left on device")


def test_a_missing_round_is_told(finished: Path, tmp_path: Path) -> None:
    folder = Path(copytree(finished, tmp_path / "copy"))
    (folder / "rounds" / "0001").rename(folder / "away")
    with pytest.raises(FidselError, match="without gaps, found 0002 where 0001 must be"):
        CampaignFolder(folder).read_rounds()


def test_rounds_of_other_levels_are_told(finished: Path, tmp_path: Path) -> None:
    folder = Path(copytree(finished, tmp_path / "copy"))
    path = folder / "rounds" / "0002" / "round.json"
    path.write_text(replace(Round.from_json(path.read_text()), labels={"other": 3}).to_json())
    with pytest.raises(FidselError, match="counts labels of other, round 0 those of cheap, accurate"):
        CampaignFolder(folder).read_rounds()
