"""Which configurations each level can label, and what follows for training and testing on them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from morse_molecule import NUMBERS
from tiny_campaign import write_campaign

from fidsel.campaign.plans import coverage
from fidsel.campaign.plans.coverage import cover_of, gaps, trainable
from fidsel.campaign.settings import Campaign
from fidsel.config.build import open_campaign

COVER = {"cheap": np.array([True, True, False]), "accurate": np.array([True, False, True])}


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return open_campaign(write_campaign(tmp_path))


def test_a_training_frame_is_labelled_at_every_level(campaign: Campaign) -> None:
    assert trainable(campaign, COVER).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("use", "able"),
    [("labels", [True, False, True]), ("none", [True, False, True]), ("pairs", [True] + 2 * [False])],
)
def test_a_held_out_frame_is_labelled_where_errors_are_measured(
    campaign: Campaign, use: str, able: list[bool]
) -> None:
    assert coverage.tested(replace(campaign, cheap_use=use), COVER).tolist() == able  # type: ignore[arg-type]


def test_the_levels_that_lack_labels_are_told(campaign: Campaign) -> None:
    first, second = gaps(campaign, COVER)
    assert first == (
        "1 of 3 configurations have no label of cheap: they are not picked, since an accurate frame is "
        "labelled at every level"
    )
    assert second.startswith("1 of 3 configurations have no label of accurate: they are neither picked nor")
    assert gaps(campaign, {name: np.ones(3, dtype=bool) for name in COVER}) == ()


def test_tables_know_what_they_hold(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    with np.load(folder / "pool.npz") as pool:
        arrays = {name: pool[name][:70] for name in ("R", "E_accurate", "F_accurate")}
    np.savez(folder / "short.npz", z=NUMBERS, **arrays)
    text = (folder / "fidsel.toml").read_text()
    before, accurate = text.split('name = "accurate"')
    accurate = accurate.replace("pool.npz", "short.npz")
    (folder / "fidsel.toml").write_text(f'{before}name = "accurate"{accurate}')
    campaign = open_campaign(folder)
    found = cover_of(campaign, campaign.sample())
    assert {name: int(able.sum()) for name, able in found.items()} == {"cheap": 120, "accurate": 70}
    assert found["accurate"][:70].all()
