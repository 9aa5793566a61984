"""Plain values become what they were written from, or the entry that does not fit is named."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import pytest
from damage import damaged
from hypothesis import given
from hypothesis import strategies as st

from fidsel.data.typed import from_plain
from fidsel.exceptions import UsageError


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Inner:
    x: float
    name: str | None = None


@dataclass(frozen=True)
class Outer:
    count: int
    flag: bool
    parts: tuple[Inner, ...]
    one: Inner | None
    table: Mapping[str, float | None]
    free: Mapping[str, Any] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    colour: Colour = Colour.RED


WHOLE = Outer(
    2,
    True,
    (Inner(1.0), Inner(2.5, "b")),
    Inner(0.0),
    {"a": 1.0, "b": None},
    {"c": [1, {}]},
    ("w",),
    Colour.BLUE,
)


def test_there_and_back() -> None:
    assert from_plain(Outer, json.loads(json.dumps(asdict(WHOLE)))) == WHOLE
    assert from_plain(Inner, {"x": 3}) == Inner(3.0)
    assert type(from_plain(Inner, {"x": 3}).x) is float


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"count": 1.0}, "count must be a whole number, got 1.0"),
        ({"count": True}, "count must be a whole number, got True"),
        ({"flag": 1}, "flag must be true or false, got 1"),
        ({"parts": {}}, r"parts must be a list, got \{\}"),
        ({"parts": [{"x": 1}, {"x": "a"}]}, r"parts\[1\]\.x must be a number, got 'a'"),
        ({"parts": [{"name": "n"}]}, r"parts\[0\]\.x is missing"),
        ({"parts": [{"x": 1, "y": 2}]}, r"parts\[0\]\.y is unknown; there may be x, name"),
        ({"one": []}, r"one must be a table, got \[\]"),
        ({"table": {"a": "b"}}, r"table\.a must be a number, got 'b'"),
        ({"table": None}, "table must be a table, got None"),
        ({"words": "text"}, "words must be a list, got 'text'"),
        ({"count": "x" * 500}, r"count must be a whole number, got 'x{59}…"),
        ({"count": 10**30, "one": {"x": 10**400}}, r"one\.x must be a number"),
        ({"new": 1}, "new is unknown"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=f"^{told}"):
        from_plain(Outer, asdict(WHOLE) | change)


def test_other_entries_may_be_passed_over() -> None:
    assert from_plain(Inner, {"x": 1, "more": 2}, extra=True) == Inner(1.0)


@given(value=damaged(asdict(WHOLE)))
def test_any_damage_is_a_usage_error(value: Any) -> None:
    try:
        made = from_plain(Outer, value)
    except UsageError:
        return
    assert isinstance(made, Outer)
    assert all(isinstance(part, Inner) for part in made.parts)


@given(value=st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_what_is_no_table_at_all(value: Any) -> None:
    with pytest.raises(UsageError, match="it must be a table"):
        from_plain(Outer, value)


def test_names_that_there_are_not_are_refused() -> None:
    plain = asdict(WHOLE) | {"colour": "green"}
    with pytest.raises(UsageError, match="colour must be one of red, blue, got 'green'"):
        from_plain(Outer, plain)
