from pathlib import Path
from typing import Any

import pytest

from fidsel.config.load import load_config, merge
from fidsel.exceptions import UsageError
from fidsel.testing import example_campaign


def merged(values: dict[str, Any], *overrides: str) -> dict[str, Any]:
    for override in overrides:
        merge(values, override)
    return values


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["a.b=2"], {"a": {"b": 2, "c": [{"d": 1}]}}),
        (["a.c.0.d=2.5"], {"a": {"b": 1, "c": [{"d": 2.5}]}}),
        (["a.c.0.e.f=x y"], {"a": {"b": 1, "c": [{"d": 1, "e": {"f": "x y"}}]}}),
        (["a.c.0={d = 3}"], {"a": {"b": 1, "c": [{"d": 3}]}}),
        (["a.c=[1, 2]", "a.c.1=5"], {"a": {"b": 1, "c": [1, 5]}}),
        (["a.b=2", "a.b=3"], {"a": {"b": 3, "c": [{"d": 1}]}}),
        (["new.key=true"], {"a": {"b": 1, "c": [{"d": 1}]}, "new": {"key": True}}),
        (["a.b=C=O"], {"a": {"b": "C=O", "c": [{"d": 1}]}}),
        (["a.b='3'"], {"a": {"b": "3", "c": [{"d": 1}]}}),
    ],
)
def test_overrides_are_merged_left_to_right(overrides: list[str], expected: dict[str, Any]) -> None:
    assert merged({"a": {"b": 1, "c": [{"d": 1}]}}, *overrides) == expected


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("a", "written section.key=value, got 'a'"),
        ("=3", "written section.key=value"),
        ("a..b=3", "written section.key=value"),
        ("a.b.c=3", "a key inside 'b', which is 1"),
        ("a.c.1.d=3", "an entry from 0 to 0 of a list, got '1'"),
        ("a.c.x=3", "an entry from 0 to 0 of a list, got 'x'"),
        ("a.c.-1=3", "an entry from 0 to 0 of a list, got '-1'"),
    ],
)
def test_overrides_that_cannot_be_are_refused(override: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        merged({"a": {"b": 1, "c": [{"d": 1}]}}, override)


def test_file_is_named_where_it_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist; `fidsel init` writes one"):
        load_config(tmp_path / "fidsel.toml")
    with pytest.raises(UsageError, match="cannot be read"):
        load_config(tmp_path)


def test_one_override_needs_no_list(tmp_path: Path) -> None:
    path = example_campaign(tmp_path) / "fidsel.toml"
    assert load_config(path, "campaign.rounds=7") == load_config(path, ["campaign.rounds=7"])
