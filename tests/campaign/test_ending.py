"""Why a campaign ends, by its settings as they are now; edits undo it or make it another reason."""

from pathlib import Path
from shutil import copytree

import pytest
from tiny_campaign import rounds, run, write_campaign

from fidsel.campaign.ending import foreseen, stop_reason
from fidsel.campaign.journal import Journal
from fidsel.campaign.records.summary import summarise
from fidsel.config.build import open_campaign
from fidsel.fidelity import LabelStore

ONE = "round limit: 1 rounds of picking are done (campaign.rounds)"
SPENT = "budget spent: the next frame costs 1.05 labels"


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign that one round of picking ended, which spent its budget; look, do not change."""
    folder = write_campaign(tmp_path_factory.mktemp("short"))
    config = folder / "fidsel.toml"
    config.write_text(config.read_text().replace("total = 22", "total = 18"))
    run(folder, "campaign.rounds=1")
    return folder


@pytest.mark.parametrize(
    ("edits", "reason"),
    [
        (("campaign.rounds=1",), ONE),
        (("campaign.rounds=3",), SPENT),
        (("campaign.rounds=3", "campaign.target=1000", "budget.total=30"), "target reached: "),
        (("campaign.rounds=3", "budget.total=30"), ""),
    ],
)
def test_the_next_run_finds_what_was_foreseen(
    short: Path, edits: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    folder = Path(copytree(short, tmp_path / "copy"))
    campaign = open_campaign(folder, edits)
    told = foreseen(campaign)
    assert told is not None
    assert told.startswith(reason)
    assert bool(told) == bool(reason)
    with LabelStore(folder / "labels.db", read_only=True) as store:
        assert stop_reason(campaign, Journal(store), rounds(folder)) == told
    before = summarise(folder, campaign.budget, foreseen=told)
    assert (before.finished, before.state) == (bool(told), told or "round 2 is next")
    found = run(folder, *edits)
    after = summarise(folder, campaign.budget)
    assert after.finished
    assert found[1].stop == ONE, "the record of a round stays"
    if told:
        assert (len(found), after.state) == (2, told)
    else:
        assert len(found) > 2
        assert after.state == found[-1].stop


def test_nothing_is_foreseen_before_the_first_round(tmp_path: Path) -> None:
    assert foreseen(open_campaign(write_campaign(tmp_path))) is None
