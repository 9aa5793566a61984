"""Campaigns of seconds with every kind of model and every recipe that fidsel.toml can name."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from command_line import write_campaign

from fidsel.campaign import iterate
from fidsel.config.build import open_campaign

SMALL = {
    "egnn": ["model={kind='egnn',features=8,layers=1}"],
    "ensemble": ["model={kind='ensemble',members=2,member={kind='painn',features=4,layers=1}}"],
    "gemnet": ["model={kind='gemnet',blocks=1,atom=8,edge=8,triplet=4,bilinear=4}"],
    "mace": ["model={kind='mace',channels=4,layers=1}"],
    "painn": ["model={kind='painn',features=8,layers=1}"],
    "schnet": ["model={kind='schnet',features=8,layers=1}"],
}
SHORT = "{steps=4,validate_every=4,batch=4}"
NETWORK_RECIPES = {
    "asteroid": f"kind='asteroid',identify={SHORT},pretrain={SHORT},finetune={SHORT}",
    "asteroid-unlabelled": (
        f"kind='asteroid-unlabelled',temperature=300,baseline={SHORT},pretrain={SHORT},finetune={SHORT}"
    ),
    "cokriging": f"kind='cokriging',stage={SHORT},surrogate_stage={SHORT}",
    "delta": f"kind='delta',stage={SHORT}",
    "joint": f"kind='joint',stage={SHORT}",
}


def run(folder: Path, *overrides: str) -> None:
    """Run a campaign and check that it measured something."""
    (record,) = iterate(open_campaign(write_campaign(folder), overrides))
    assert record.metrics.force_mae is not None
    assert np.isfinite(record.metrics.force_mae)
    assert record.spent <= 12


@pytest.mark.parametrize("kind", sorted(SMALL))
def test_every_kind_of_network_runs_a_campaign(tmp_path: Path, kind: str) -> None:
    if kind == "mace" and importlib.util.find_spec("mace") is None:
        pytest.skip("mace-torch is not installed: pip install 'fidsel[mace]'")
    run(tmp_path / "campaign", *SMALL[kind], f"recipe={{{NETWORK_RECIPES['cokriging']}}}")


@pytest.mark.parametrize("recipe", sorted(NETWORK_RECIPES))
def test_every_recipe_runs_a_campaign(tmp_path: Path, recipe: str) -> None:
    run(tmp_path / "campaign", *SMALL["painn"], f"recipe={{{NETWORK_RECIPES[recipe]}}}")


@pytest.mark.parametrize("recipe", ["kind='standard'", "kind='delta'"])
def test_kernels_take_recipes_that_need_no_network(tmp_path: Path, recipe: str) -> None:
    run(tmp_path / "campaign", f"recipe={{{recipe}}}")
