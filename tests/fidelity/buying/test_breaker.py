"""Labels that all fail alike stop a purchase early, and are tried once more in a later one."""

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from toy_labels import springs

from fidsel.fidelity import Budget, Fidelity, InlineEngine, Label, LabelError, LabelStore, Ledger, Price, buy
from fidsel.fidelity.buying.breaker import FIRST, IN_A_ROW, Breaker, RepeatedFailureError
from fidsel.fidelity.engine.task import Result, Task, Usage
from fidsel.fidelity.source import Cause, Value
from fidsel.fidelity.store.failures import retry

BUDGET = Budget(100.0, "label")


@dataclass(frozen=True)
class Licensed:
    """Labels where its licence file is; raises as a program does elsewhere, or an error with a cause."""

    licence: Path
    cause: Cause | None = None
    forces: bool = True

    def settings(self) -> Mapping[str, Value]:
        return {"kind": "licensed"}

    def label(self, atoms):  # type: ignore[no-untyped-def]
        if not self.licence.exists():
            text = f"no licence for frame {atoms.positions[0, 0]:g}"
            raise RuntimeError(text) if self.cause is None else LabelError(text, cause=self.cause)
        return Label(0.0, np.zeros((len(atoms), 3)))


@pytest.mark.parametrize(
    ("cause", "charged"),
    [(None, FIRST), ("unconverged", FIRST), ("environment", 0), ("refused", 0), ("invalid", 0)],
)
def test_the_first_labels_all_fail(tmp_path: Path, cause: Cause | None, charged: int) -> None:
    frames, licence = springs(range(1, 21)), tmp_path / "LICENCE"
    level = Fidelity("licensed", Licensed(licence, cause), Price(1.0, "label"))
    with LabelStore(tmp_path / "labels.db") as store:
        with pytest.raises(
            RepeatedFailureError, match=r"the last 3 labels of licensed failed alike"
        ) as error:
            buy(store, InlineEngine(), level, frames, "train", budget=BUDGET)
        assert (error.value.cause, error.value.count) == (cause or "failed", FIRST)
        assert f"no licence for frame {FIRST}" in str(error.value)
        assert Ledger(store).spent() == charged
        assert Ledger(store).under_way() == ()
        assert store.failed_ids(level) == ()
        licence.touch()
        bought = buy(store, InlineEngine(), level, frames, "train", budget=BUDGET)
        assert bought.ids_done == frames.ids
        assert Ledger(store).spent() == 20 + charged


def test_what_fails_for_good_does_not_block_the_rest(tmp_path: Path) -> None:
    """The first frames are tried twice and then left alone."""
    frames, licence = springs(range(1, 21)), tmp_path / "LICENCE"
    level = Fidelity("licensed", Licensed(licence, "unconverged"), Price(1.0, "label"))
    with LabelStore(tmp_path / "labels.db") as store:
        for expected in ((), frames.ids[:FIRST]):
            with pytest.raises(RepeatedFailureError):
                buy(store, InlineEngine(), level, frames, "train", budget=BUDGET)
            assert store.failed_ids(level) == expected
        licence.touch()
        bought = buy(store, InlineEngine(), level, frames, "train", budget=BUDGET)
        assert (bought.ids_failed, bought.ids_done) == (frames.ids[:FIRST], frames.ids[FIRST:])


def test_many_in_a_row_after_labels() -> None:
    breaker = Breaker(proven=True)
    for attempt in range(IN_A_ROW):
        assert not breaker.open
        breaker.failed(attempt, "unconverged", f"no convergence after {attempt} cycles")
    assert breaker.open
    assert breaker.alike == tuple(range(IN_A_ROW))
    breaker.succeeded()
    assert not breaker.open


def test_failures_of_different_kinds_are_no_pattern() -> None:
    breaker = Breaker(proven=False)
    for attempt, text in enumerate(["atoms coincide", "no basis for Xe", "not converged"] * 5):
        breaker.failed(attempt, "failed", text)
        assert not breaker.open


@dataclass
class Crashing:
    """An engine whose worker dies at the first try of each frame in `at`."""

    at: set[str]
    workers: int = 1

    def run(self, tasks: Iterable[Task]) -> Generator[Result, None, None]:
        for task in tasks:
            if task.frame_id in self.at:
                self.at.discard(task.frame_id)
                yield task, LabelError("the worker process died (SIGBUS)", cause="crashed"), Usage(2.0, 2.0)
            else:
                yield task, Label(0.0, np.zeros((2, 3))), Usage(1.0, 1.0)

    def running(self) -> Mapping[str, Usage]:
        return {}


def test_a_crash_is_tried_a_second_time(tmp_path: Path) -> None:
    frames = springs(range(1, 6))
    level = Fidelity("licensed", Licensed(tmp_path), Price(1.0))
    with LabelStore(tmp_path / "labels.db") as store:
        engine = Crashing({frames.ids[1], frames.ids[3]})
        bought = buy(store, engine, level, frames, "train", budget=Budget(100.0, "core-second"))
        assert bought.ids_done == frames.ids
        assert bought.cost == 5 * 1.0 + 2 * 2.0 == Ledger(store).spent()


def test_failures_of_one_purchase_count_in_the_next(tmp_path: Path) -> None:
    """A level that has never given a label: one frame, then two more."""
    frames, licence = springs(range(1, 21)), tmp_path / "LICENCE"
    level = Fidelity("licensed", Licensed(licence), Price(1.0, "label"))
    with LabelStore(tmp_path / "labels.db") as store:
        assert buy(store, InlineEngine(), level, frames[:1], "pilot", budget=BUDGET).ids_failed
        with pytest.raises(RepeatedFailureError, match="the last 3 labels of licensed failed alike"):
            buy(store, InlineEngine(), level, frames[:3], "pilot", budget=BUDGET)
        licence.touch()
        assert buy(store, InlineEngine(), level, frames, "train", budget=BUDGET).ids_done == frames.ids


def test_the_message_names_retry_where_frames_failed_twice(tmp_path: Path) -> None:
    frames, licence = springs(range(1, 21)), tmp_path / "LICENCE"
    level = Fidelity("licensed", Licensed(licence), Price(1.0, "label"))
    with LabelStore(tmp_path / "labels.db") as store:
        for expected in ("these frames are tried once more then", "`fidsel retry` first has these frames"):
            with pytest.raises(RepeatedFailureError, match=expected):
                buy(store, InlineEngine(), level, frames, "train", budget=BUDGET)
        assert retry(store, [level]) == FIRST
        licence.touch()
        assert buy(store, InlineEngine(), level, frames, "train", budget=BUDGET).ids_done == frames.ids
