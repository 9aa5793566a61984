import pytest

from fidsel.fidelity import Attempt, Cause, Price
from fidsel.fidelity.attempt import UNBILLED, Closing

PER_LABEL = Attempt(1, "frame", "train", Price(2.0, "label"), 1)
PER_SECOND = Attempt(1, "frame", "train", Price(0.5, "core-second"), 1)


@pytest.mark.parametrize("cause", [None, "unconverged", "crashed", "timeout"])
def test_a_calculation_that_came_to_its_end_is_billed(cause: Cause | None) -> None:
    assert PER_LABEL.charge(cause, 7.0) == 2.0
    assert PER_SECOND.charge(cause, 7.0) == 3.5


@pytest.mark.parametrize("cause", UNBILLED)
def test_what_never_came_to_its_end_is_billed_by_time_alone(cause: Cause) -> None:
    assert PER_LABEL.charge(cause, 7.0) == 0.0
    assert PER_SECOND.charge(cause, 7.0) == 3.5


@pytest.mark.parametrize(
    ("cause", "status"),
    [(None, "done"), ("memory", "failed"), ("environment", "failed"), ("timeout", "timeout"),
     ("crashed", "crashed"), ("lost", "lost"), ("cancelled", "cancelled")],
)  # fmt: skip
def test_how_an_attempt_stands(cause: Cause | None, status: str) -> None:
    assert Closing(PER_LABEL, cause).status == status


def test_an_attempt_that_never_started_costs_nothing() -> None:
    closing = Closing(PER_SECOND, seconds=9.0, released=True)
    assert (closing.status, closing.charge) == ("released", 0.0)
