"""Budgets parse what people write, and refuse what is not one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.exceptions import UsageError
from fidsel.fidelity.budget import SPELLINGS, Budget, BudgetError, counted


@pytest.mark.parametrize(
    ("text", "total", "unit"),
    [
        ("2core-h", 7200.0, "core-second"),
        ("30core-min", 1800.0, "core-second"),
        ("90 core-s", 90.0, "core-second"),
        ("1.5gpu-h", 5400.0, "gpu-second"),
        ("250", 250.0, "label"),
        ("250label", 250.0, "label"),
        (" 2.5e2 labels ", 250.0, "label"),
    ],
)
def test_parse(text: str, total: float, unit: str) -> None:
    assert Budget.parse(text) == Budget(total, unit)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["0", "-5", "nan", "inf", "-2core-h", "1e999"])
def test_totals_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="a budget must be a positive number"):
        Budget.parse(text)


@pytest.mark.parametrize("text", ["", "core-h", "two labels", "1..5", "2core-h 3"])
def test_not_a_budget(text: str) -> None:
    with pytest.raises(UsageError, match=r"a budget (is|starts with) a number"):
        Budget.parse(text)


def test_unknown_unit_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown budget unit 'core-hr', did you mean 'core-h'"):
        Budget.parse("2core-hr")


@pytest.mark.parametrize("unit", ["h", "min", "s"])
def test_time_of_nothing_names_core_time(unit: str) -> None:
    with pytest.raises(UsageError, match=f"time is that of CPU cores: write 2core-{unit}, got '2{unit}'"):
        Budget.parse(f"2{unit}")


@settings(deadline=None, max_examples=50)
@given(st.floats(1e-3, 1e9), st.sampled_from(sorted(SPELLINGS)))
def test_what_is_shown_can_be_parsed_again(number: float, unit: str) -> None:
    budget = Budget.parse(f"{number!r}{unit}")
    again = Budget.parse(str(budget))
    assert again.unit == budget.unit
    assert again.total == pytest.approx(budget.total, rel=1e-3)


@pytest.mark.parametrize(
    ("text", "amount", "shown"),
    [
        ("8 core-min", 480.0, "8 core-min"),
        ("8 core-min", 353.22, "5.887 core-min"),
        ("2core-h", 90.0, "0.025 core-h"),
        ("2core-h", 0.3, "0.005 core-min"),
        ("2core-h", 0.03, "0.03 core-s"),
        ("2core-h", 3.0, "0.05 core-min"),
        ("2core-h", 1e-6, "1e-06 core-s"),
        ("90core-s", 7200.0, "7200 core-s"),
        ("250", 1.0, "1 label"),
        ("1.5gpu-min", 0.0, "0 gpu-min"),
        ("2 core-h", -3600.0, "-1 core-h"),
    ],
)
def test_amounts_are_shown_in_the_unit_that_was_written(text: str, amount: float, shown: str) -> None:
    assert Budget.parse(text).format(amount) == shown


def test_the_unit_shown_makes_no_other_budget() -> None:
    assert Budget.parse("2core-h") == Budget.parse("120 core-min") == Budget(7200.0, "core-second")
    assert [str(Budget.parse(text)) for text in ("2core-h", "120 core-min")] == ["2 core-h", "120 core-min"]
    assert str(Budget(7200.0, "core-second")) == "2 core-h"
    with pytest.raises(UsageError, match="unknown unit for labels 'core-h'"):
        Budget(3.0, "label", "core-h")


def test_error_carries_the_facts() -> None:
    error = BudgetError(Budget.parse("10"), spent=7.0, reserved=2.0, cost=1.5)
    assert (error.total, error.spent, error.reserved, error.cost, error.remaining) == (10, 7, 2, 1.5, 1)
    assert "of 10 labels, 7 labels are spent and 2 labels reserved, left: 1 label" in str(error)


def test_accounts() -> None:
    assert counted("pilot")
    assert not counted("control")
    with pytest.raises(UsageError, match="unknown account 'trian', did you mean 'train'"):
        counted("trian")
