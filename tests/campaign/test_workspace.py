"""An open campaign: its pool, what labels cost, and the purchases it makes."""

from pathlib import Path

import numpy as np
import pytest
from family_campaign import write_family
from morse_molecule import frames
from tiny_campaign import opened, write_campaign

from fidsel.campaign.journal import Journal
from fidsel.campaign.records.decisions import Identity, Levels, Stage
from fidsel.campaign.settings import silent
from fidsel.campaign.workspace import identify, open_workspace, sizes
from fidsel.config.build import open_campaign
from fidsel.exceptions import FidselError
from fidsel.fidelity import LabelStore
from fidsel.fidelity.store.lock import LockError


def test_new_candidates_join_the_pool_and_its_cover(tmp_path: Path) -> None:
    with opened(write_campaign(tmp_path)) as ws:
        assert ws.pool is ws.pool, "read once"
        assert len(ws.pool) == len(ws.cover["cheap"]) == 120
        new = frames(3, seed=9).unlabelled()
        assert ws.add_candidates(new) == 3
        assert ws.add_candidates(new) == 0, "known by then"
        assert ws.pool.ids[120:] == new.ids
        assert ws.cover["accurate"].tolist() == [True] * 120 + [False] * 3, "the table has no labels of them"


def test_a_purchase_is_paid_and_told(tmp_path: Path) -> None:
    heard: list[tuple[str, int, int]] = []

    def report(what: str, done: int, total: int, detail: str = "") -> None:
        heard.append((what, done, total))

    with opened(write_campaign(tmp_path)) as ws:
        ws.report = report
        cheap, accurate = ws.campaign.fidelities
        ids = ws.pool.ids[:3]
        assert ws.buy(accurate, [*ids, ids[0]], "train").ids_done == ids
        assert heard[-1] == ("accurate labels (train)", 3, 3)
        stage = ws.journal.require(Stage)
        assert (stage.what, stage.level, stage.total) == ("training labels of accurate", "accurate", 3)
        assert (ws.spent(), ws.remaining(), ws.wasted()) == (3.0, 19.0, 0.0)
        assert ws.prices() == {"cheap": 0.05, "accurate": 1.0}
        assert ws.cost({"cheap": ws.pool.ids[:10], "accurate": ws.pool.ids[:2]}) == pytest.approx(2.5)
        assert ws.labelled(accurate, ws.pool.ids[2:5]).ids == ids[2:]
        assert len(ws.labelled(cheap, ids)) == 0
        assert ws.predicted_seconds(cheap, ws.pool) is None


def test_a_bound_on_a_purchase_leaves_the_rest(tmp_path: Path) -> None:
    with opened(write_campaign(tmp_path)) as ws:
        bought = ws.buy(ws.campaign.accurate, ws.pool.ids[:5], "train", most=2.5)
        assert (len(bought.ids_done), len(bought.ids_refused)) == (2, 3)
        assert len(ws.buy(ws.campaign.accurate, ws.pool.ids[:5], "train", most=100.0).ids_done) == 3
        assert ws.spent() == 5.0


def test_prices_that_are_measured_are_those_of_the_labels(tmp_path: Path) -> None:
    """The source states what a label takes: 2 core-seconds, paid at half a unit each."""
    folder = write_campaign(tmp_path, accurate="seconds = 2.0, slow = 2.0")
    words = ["fidelity.1.price={per='core-second',value=0.5}", "budget={total=100, unit='core-s'}"]
    with opened(folder, *words) as ws:
        assert np.isnan(ws.price(ws.campaign.accurate))
        ws.buy(ws.campaign.accurate, ws.pool.ids[:4], "pilot")
        assert ws.price(ws.campaign.accurate) == pytest.approx(1.0)
        found = ws.predicted_seconds(ws.campaign.accurate, ws.pool[:2])
        assert found == pytest.approx([2.0, 2.0], rel=0.1)


def test_sizes_are_those_of_the_source(tmp_path: Path) -> None:
    campaign = open_campaign(write_campaign(tmp_path))
    assert sizes(campaign.accurate, frames(3)).tolist() == [4.0, 4.0, 4.0]


def test_a_campaign_keeps_its_identity(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    with opened(folder) as ws:
        first = ws.journal.require(Identity)
        assert identify(ws.campaign, ws.journal) == first.id
        assert ws.journal.require(Levels).keys == {one.name: one.key for one in ws.campaign.fidelities}
    with opened(folder) as ws:
        assert ws.journal.require(Identity) == first
    with LabelStore(tmp_path / "other.db") as store:
        assert identify(open_campaign(folder), Journal(store)) != first.id


def test_one_driver_at_a_time(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    campaign = open_campaign(folder)
    with opened(folder), pytest.raises(LockError, match="this process works on this campaign already"):
        open_workspace(campaign, silent).__enter__()
    with opened(folder) as ws:
        Path(f"{ws.store.path}.lock").unlink()
        with pytest.raises(FidselError, match="was taken away from this process"):
            ws.buy(ws.campaign.accurate, ws.pool.ids[:1], "train")
        Path(f"{ws.store.path}.lock").touch()


def test_a_label_of_a_larger_molecule_costs_more(tmp_path: Path) -> None:
    """Seconds are measured per molecule; where a molecule has none they follow from its size."""
    folder = write_family(
        tmp_path,
        ('price = { per = "label", value = 1 }', ""),
        ('unit = "label"', 'unit = "core-s"'),
        ("value = 0.05", "value = 0"),
    )
    with opened(folder) as ws:
        hf, members = ws.campaign.accurate, ws.members
        frames = [ws.pool.ids[list(members.of).index(number)] for number in range(3)]
        ids = dict(zip(("O", "N", "C"), frames, strict=True))
        ws.buy(hf, [ids["O"], ids["C"]], "pilot")
        _, seconds = ws.store.measured(hf)
        water, ammonia, methane = ws.price_of_each(hf)
        assert sorted([water, methane]) == pytest.approx(sorted(seconds))
        assert ammonia > 0
        assert ws.price_of_each(ws.campaign.cheap[0]).tolist() == [0.0] * 3
        cost = ws.cost({"hf": [ids["O"], ids["O"], ids["C"]]})
        assert cost == pytest.approx(2 * water + methane)
        assert np.isfinite(ws.predicted_seconds(hf, ws.pool)).all()  # type: ignore[arg-type]
