"""New candidates from dynamics with the current model."""

from pathlib import Path

import numpy as np
import pytest
from tiny_campaign import check_consistent, labels, picks, rounds, run, write_campaign

from fidsel.campaign import iterate
from fidsel.config.build import open_campaign
from fidsel.fidelity import LabelStore

COMPUTED = ("pause = 0", "pause = 0")
REFRESH = (
    "pool.refresh=model-md",
    "pool.refresh_frames=6",
    "pool.temperature=[200.0]",
    "selector.per_round=5",
    "campaign.rounds=1",
)


def groups(folder: Path) -> list[str]:
    with LabelStore(folder / "labels.db", read_only=True) as store:
        return [str(group) for group in store.frames().group]


@pytest.mark.slow
def test_new_candidates_once_per_round(tmp_path: Path) -> None:
    whole, broken = (write_campaign(tmp_path / name, 120, *COMPUTED) for name in ("whole", "broken"))
    run(whole, *REFRESH)
    found = groups(whole)
    assert len(found) == 126
    assert all(group.startswith("round 1 ") for group in found[120:])
    assert any("6 new candidates" in note for note in rounds(whole)[1].notes)
    rows = [pick.row for record in rounds(whole)[1:] for pick in record.picks]
    assert max(rows) < 126

    campaign = open_campaign(broken, REFRESH)

    def report(what: str, done: int, total: int, detail: str = "") -> None:
        if what == "accurate labels (train)" and len(rounds(broken)) == 1:
            raise KeyboardInterrupt

    try:
        for _ in iterate(campaign, report):
            pass
    except KeyboardInterrupt:
        assert len(groups(broken)) == 126
    run(broken, *REFRESH)
    assert groups(broken) == found
    assert picks(broken) == picks(whole)
    assert labels(broken) == labels(whole)
    check_consistent(broken)


def test_new_candidates_are_picked(tmp_path: Path) -> None:
    """With every sampled frame labelled only new ones are left."""
    folder = write_campaign(tmp_path, 40, *COMPUTED)
    found = run(folder, *REFRESH, "campaign.start=100", "budget.total=100")
    assert len(found[1].picks) == 5
    assert all(pick.row >= 40 for pick in found[1].picks)


def test_a_model_that_explodes_leaves_the_pool(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path, 120, *COMPUTED)
    found = run(folder, *REFRESH, "pool.temperature=[90000.0]")
    assert any(note.startswith("no new candidates: ") for note in found[1].notes)
    assert len(groups(folder)) == 120
    assert np.isfinite(found[1].metrics.headline)
