"""Pilot labels measure prices, and the first of a level cannot use up the budget."""

from pathlib import Path

import pytest
from family_campaign import write_family
from tiny_campaign import opened, write_campaign

from fidsel.campaign import plan_campaign
from fidsel.campaign.plans.pilot import buy_pilot
from fidsel.campaign.settings import silent
from fidsel.config.build import open_campaign
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity import LabelStore, Ledger

MEASURED = [
    *(f"fidelity.{i}.price={{per='core-second',value=1}}" for i in (0, 1)),
    "fidelity.0.options.seconds=0.01",
    "fidelity.0.options.slow=0.01",
]


def computed(folder: Path) -> Path:
    """Write a campaign whose labels take the core-seconds that their options say, and state nothing."""
    return write_campaign(folder, cheap="pause = -1", accurate="pause = -1")


def dear(seconds: float, total: float) -> list[str]:
    return [
        *MEASURED,
        f"budget={{total={total}, unit='core-s'}}",
        f"fidelity.1.options.seconds={seconds}",
        f"fidelity.1.options.slow={seconds}",
    ]


def test_a_label_too_dear_is_stopped_and_refused_at_once(tmp_path: Path) -> None:
    """8.5 labels of 1.05 times its price take the budget, so that one stops at about a ninth of it."""
    folder = computed(tmp_path)
    with pytest.raises(UsageError, match="a label of accurate was stopped after ") as caught:
        plan_campaign(open_campaign(folder, dear(seconds=100.0, total=5)), silent)
    told = str(caught.value)
    assert "the budget of 5 core-s cannot pay for this campaign: 5 validation labels and at least 3" in told
    assert "of the same frames, take at least " in told
    assert "Raise budget.total well above that" in told
    with LabelStore(folder / "labels.db", read_only=True) as store:
        spent = Ledger(store).spent()
        assert store.query("SELECT count(*) FROM labels") == [(1,)], "the cheap one"
        assert [row.kind for row in Ledger(store).lines("pilot")] == ["label", "cancelled"]
    assert 0.3 < spent < 1.5
    made = plan_campaign(open_campaign(folder, dear(seconds=0.02, total=5)), silent)
    assert made.recommended.bought[-1] >= 3, "the frame that was stopped is labelled at the next try"


def test_what_the_cheap_labels_leave_nothing_for_is_not_begun(tmp_path: Path) -> None:
    """The accurate level has no label when its cheap one has used up what the campaign could spend."""
    folder = computed(tmp_path)
    slow = [f"fidelity.0.options.{name}=50.0" for name in ("seconds", "slow")]
    with pytest.raises(UsageError, match=r"a label of cheap was stopped after 0\.1"):
        plan_campaign(open_campaign(folder, [*dear(0.02, 2), *slow]), silent)
    with pytest.raises(UsageError, match=r"take at least 0\.\d+ core-s, and 0\.\d+ core-s are spent already"):
        plan_campaign(open_campaign(folder, dear(0.02, 0.1)), silent)
    with LabelStore(folder / "labels.db", read_only=True) as store:
        assert store.query("SELECT count(*) FROM attempts") == [(1,)], "nothing was bought by the second"


def test_where_no_pilot_label_can_be_had_its_frames_are_tried_again(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path, cheap="pause = -1", accurate='act = "raise", one_in = 1')
    campaign = open_campaign(folder, [*MEASURED, "budget={total=60, unit='core-s'}"])
    with pytest.raises(FidselError, match=r"the last 3 labels of accurate failed alike .*did not converge"):
        plan_campaign(campaign, silent)
    with LabelStore(folder / "labels.db", read_only=True) as store:
        assert len(store.failures(campaign.accurate)) == 3
        assert store.failed_ids(campaign.accurate) == ()


def test_pilot_labels_of_declared_prices_are_not_bought(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    plan_campaign(open_campaign(folder), silent)
    with LabelStore(folder / "labels.db", read_only=True) as store:
        assert Ledger(store).lines() == ()


def test_a_molecule_without_frames_to_train_on_is_named_before_anything_is_bought(tmp_path: Path) -> None:
    pytest.importorskip("tblite", reason="needs pip install 'fidsel[xtb]'")
    with opened(write_family(tmp_path)) as ws:
        order = [frame for frame, of in zip(ws.pool.ids, ws.members.of.tolist(), strict=True) if of != 2]
        with pytest.raises(
            FidselError, match=r"of 1 of 3 molecules: C \(none of its frames is left to train"
        ):
            buy_pilot(ws, order)
        assert ws.ledger.lines() == ()
