"""Running totals and counts are those of the rows, whatever was bought; where they are not, it is told."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_labels import Spring, springs

from fidsel.fidelity import Fidelity, Label, LabelError, LabelStore, Ledger, Order, Price
from fidsel.fidelity.budget import COUNTED, counted
from fidsel.fidelity.store.audit import audit

LEVELS = [
    Fidelity(f"k{k}", Spring(k=k), Price(0.3, per)) for k, per in ((1.0, "label"), (2.0, "core-second"))
]
STEPS = st.lists(
    st.tuples(
        st.integers(0, 9), st.sampled_from(LEVELS), st.sampled_from([*COUNTED, "test", "control"]),
        st.sampled_from(
            ["label", "failed", "timeout", "release", "cancel", "lose", "leave", "share", "charge"]
        ),
        st.floats(0, 1e6),
    ),
    max_size=25,
)  # fmt: skip
FRAMES = springs(range(1, 11))


def act(ledger: Ledger, row: int, level: Fidelity, account: str, what: str, seconds: float) -> None:
    frame = FRAMES.ids[row]
    if what == "charge":
        ledger.charge(account, seconds, "training", seconds)
    elif what == "share":
        ledger.share(account, level, FRAMES.ids)
    elif ledger.store.label_ids(level, [frame]) or any(a.frame_id == frame for a in ledger.under_way()):
        return
    else:
        attempt = ledger.reserve(account, level, [Order(frame, 1.0)])[0]
        if what == "label":
            ledger.settle_all([(attempt, Label(1.0, None, seconds, {}))])
        elif what in {"failed", "timeout"}:
            ledger.settle_all([(attempt, LabelError("no", seconds, what))])
        elif what == "release":
            ledger.release([attempt])
        elif what == "cancel":
            ledger.cancel([attempt], {attempt.id: 0.5})
        elif what == "lose":
            ledger.recover()


@settings(deadline=None, max_examples=40)
@given(steps=STEPS)
def test_totals_are_the_sums_of_the_rows(tmp_path_factory: pytest.TempPathFactory, steps: list) -> None:
    with LabelStore(tmp_path_factory.mktemp("store") / "labels.db") as store:
        store.add_frames(FRAMES)
        ledger = Ledger(store)
        for step in steps:
            act(ledger, *step)
        assert audit(store) == ()
        lines = ledger.lines()
        assert ledger.spent() == pytest.approx(sum(x.amount for x in lines if counted(x.account)))
        assert ledger.paid() == pytest.approx(sum(x.amount for x in lines if x.kind != "shared"))
        vain = [x for x in lines if counted(x.account) and x.kind not in {"label", "shared"}]
        assert ledger.wasted() == pytest.approx(sum(x.amount for x in vain))
        for account, amount in ledger.accounts().items():
            assert amount == pytest.approx(sum(x.amount for x in lines if x.account == account))
        assert store.count() == len(store.query("SELECT 1 FROM labels"))
        for level in LEVELS:
            found = store.statistics(level)
            assert found.done == len(store.label_ids(level))
            assert found.seconds == pytest.approx(
                store.query("SELECT total(seconds) FROM attempts WHERE key = ?", [level.key])[0][0]
            )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            "UPDATE totals SET amount = amount + 1",
            r"total of the ledger \(train, label\) is 1 / 1.3 / 7, its rows",
        ),
        ("DELETE FROM totals", r"the ledger \(train, label\) is nothing, its rows add up to 1 / 0.3 / 7"),
        (
            "UPDATE tallies SET attempts = 2 WHERE status = 'done'",
            r"of the attempts .*2 / 7, its rows add up to 1 / 7",
        ),
        ("DELETE FROM labels", "1 attempts gave a label, but 0 labels are there"),
    ],
)
def test_what_another_program_changed_is_told(tmp_path: Path, change: str, told: str) -> None:
    with LabelStore(tmp_path / "labels.db") as store:
        store.add_frames(FRAMES)
        act(Ledger(store), 0, LEVELS[0], "train", "label", 7.0)
        store.query(change)
        problems = audit(store)
    with pytest.raises(AssertionError, match=told):
        assert not problems, "; ".join(problems)


def test_sums_and_failures_are_looked_up_not_scanned(tmp_path: Path) -> None:
    """What every purchase asks for must not read every row, however many labels are owned."""
    with LabelStore(tmp_path / "labels.db") as store:
        asked: list[str] = []
        store.connection.set_trace_callback(asked.append)
        ledger, level = Ledger(store), LEVELS[0]
        ledger.spent(), ledger.paid(), ledger.wasted(), ledger.accounts(), ledger.reserved()
        store.statistics(level), store.label_ids(level, FRAMES.ids), store.failed_ids(level, FRAMES.ids)
        store.failed_ids(level), store.measured(level, 10)
        store.connection.set_trace_callback(None)
        plans = [(sql, row[3]) for sql in asked for row in store.query(f"EXPLAIN QUERY PLAN {sql}")]
    scans = {(sql, step) for sql, step in plans if step.startswith("SCAN") and "totals" not in step}
    assert not {step for _, step in scans if "attempts_failed" not in step}, scans
