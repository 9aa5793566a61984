"""Bounds of errors in the clusters of a campaign, and what they end."""

from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from tiny_campaign import opened, run, write_campaign

from fidsel.campaign.rounds.bounds import bounds_before, round_bounds
from fidsel.campaign.rounds.held_out import HeldOutErrors
from fidsel.config.build import build_refresh, open_campaign
from fidsel.config.schema import PoolSection
from fidsel.exceptions import FidselError, UsageError
from fidsel.md.dynamics.stops import Doubt, Stops
from fidsel.md.dynamics.study import Protocol
from fidsel.tasks.dynamics.run import dynamics_files
from fidsel.tasks.model_files import load_folder

WIDE = ("campaign.validation=40", "campaign.test=30", "budget.total=60", "campaign.rounds=0")


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a campaign of one round with many labels held out; look, do not change."""
    folder = write_campaign(tmp_path_factory.mktemp("wide"))
    run(folder, *WIDE)
    return folder


def test_a_round_has_bounds_of_the_errors_it_reported(finished: Path, wide: Path) -> None:
    campaign = open_campaign(wide, WIDE)
    found, tested = round_bounds(campaign, 0), HeldOutErrors.load(campaign.folder.round(0))
    with opened(wide, *WIDE) as ws:
        held = ws.store.frames(tested.frames)
    np.testing.assert_array_equal(found.of(held), found.values[tested.clusters])
    assert len(set(found.values)) > 1, "clusters differ"
    assert (tested.errors <= found.of(held)).mean() >= 0.9
    few = round_bounds(open_campaign(finished), 2)
    errors = HeldOutErrors.load(finished / "rounds" / "0002").errors
    assert few.values == pytest.approx(errors.max()), "ten frames are one group"


def test_a_refresh_is_bound_by_labels_that_decide(wide: Path) -> None:
    with opened(wide, *WIDE) as ws:
        campaign = ws.campaign
        model = campaign.load_model(campaign.folder.round(0) / "model")
        bounds = bounds_before(ws, model, 1)
        starts = ws.labelled(campaign.accurate, ws.journal.training_ids(0).accurate).unlabelled()
        seen = np.sort(bounds.of(starts))
        limit = float((seen[0] + seen[-1]) / 2)
        assert seen[0] < limit < seen[-1]
        section = {"source": "file", "path": "pool.npz", "refresh": "model-md", "refresh_frames": 4}

        def refreshed(bound: float) -> list[float]:
            make = build_refresh(PoolSection(**section, temperature=(600.0,), refresh_bound=bound))
            assert make is not None
            found = make(model, starts, 1, 1, lambda: bounds)
            return bounds.of(found[[g == "model-uncertain" for g in found.group]]).tolist()

        assert min(refreshed(limit)) > limit
        with pytest.raises(FidselError, match=r"no start is in a cluster .*refresh_bound"):
            refreshed(seen[0] / 2)


def test_dynamics_of_the_model_of_a_campaign_end_in_such_a_cluster(wide: Path) -> None:
    values = np.sort(round_bounds(open_campaign(wide), 0).values)
    limit = float((values[0] + values[-1]) / 2)
    protocol = Protocol(50.0, temperatures=(600.0,), stops=Stops(doubt=Doubt(bound=limit)))
    found = dynamics_files([wide, wide / "rounds" / "0000" / "model"], wide, protocol)
    ended, same = ([(one["cause"], one["detail"]) for one in run["replicas"]] for run in found["runs"])
    assert ended == same
    said = {detail for cause, detail in ended if cause == "uncertain"}
    assert said <= {f"in a cluster of errors up to {value:.3f} eV/Å" for value in values if value > limit}
    assert said
    with pytest.raises(UsageError, match="needs a model of a campaign"):
        dynamics_files([load_folder(wide)], wide, protocol)


def test_too_few_labels_promise_nothing(finished: Path, tmp_path: Path) -> None:
    with opened(copytree(finished, tmp_path / "copy")) as ws:
        model = ws.campaign.load_model(ws.campaign.folder.round(0) / "model")
        with pytest.raises(UsageError, match="needs at least 9 calibration frames, got 5"):
            bounds_before(ws, model, 1)
