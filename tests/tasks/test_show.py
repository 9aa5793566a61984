"""Campaigns of several folders in one store of MLflow."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.entities import Run

from fidsel.exceptions import UsageError
from fidsel.tasks.show import TOGETHER, Shown, shown
from fidsel.tracking import Store


def compared(found: Shown) -> list[Run]:
    client = found.store.client()
    return list(client.search_runs([found.store.experiment(client, found.experiment).experiment_id]))


def test_campaigns_of_several_folders_are_compared_in_one_store(
    small_campaign: Path, fresh_store: Callable[[Path], Store], tmp_path: Path
) -> None:
    first, copy = (Path(shutil.copytree(small_campaign, tmp_path / name)) for name in ("first", "copy"))
    for path in copy.glob("rounds/*/config.json"):  # as after `fidsel iterate selector.kind=random`
        ran = json.loads(path.read_text()) | {"selector": {"kind": "random", "per_round": 3}}
        path.write_text(json.dumps(ran))
    fresh_store(tmp_path / "both")
    with shown([first, copy], ["tracking.enabled=false"], tmp_path / "both") as found:
        runs = compared(found)
        assert found.experiment == TOGETHER
        arms = sorted(run.info.run_name for run in runs if run.data.tags.get("arm") == "campaign")
        assert arms == [
            "cluster-error · cokriging · sgdml · seed 0 · H2O · first",
            "random · cokriging · sgdml · seed 0 · H2O · copy",
        ]
        pickers = {run.data.tags["picker"] for run in runs if run.info.run_name in arms}
        assert pickers == {"cluster-error", "random"}
        assert sum(run.data.tags["fidsel.kind"] == "round" for run in runs) == 4
    assert not (first / "mlflow.db").exists()
    moved = first.rename(tmp_path / "moved")
    with shown([moved, copy], (), tmp_path / "both") as found:
        assert len(compared(found)) == len(runs)


def test_one_campaign_is_shown_from_its_own_store(
    small_campaign: Path, fresh_store: Callable[[Path], Store], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(small_campaign, tmp_path / "one"))
    fresh_store(folder)
    with shown([folder]) as found:
        assert (found.store.folder, found.experiment) == (folder, "water")
        assert found.page.startswith("/#/experiments/1/runs?viewStateShareKey=fidsel")
    shutil.rmtree(folder / "rounds")
    with pytest.raises(UsageError, match=r"no round of .* is finished"), shown([folder]):
        pass
