"""Complaints of the schema say the place, what must hold and what came."""

from typing import Any

import pytest

from fidsel.config.load import check_config
from fidsel.config.schema import BudgetSection, PoolSection
from fidsel.exceptions import UsageError
from fidsel.tasks.train import TrainConfig

GOOD: dict[str, Any] = {"model": {"kind": "sgdml"}, "recipe": {"kind": "standard"}}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"recipe": {"kind": "standard"}}, "model is required"),
        (GOOD | {"model": {}}, "model.kind is required, one of"),
        (GOOD | {"model": "painn"}, "model must be a section with a kind, got 'painn'"),
        (GOOD | {"model": {"kind": "pain"}}, r"unknown model\.kind 'pain'.*painn"),
        (
            GOOD | {"model": {"kind": "sgdml", "sigmas": 3}},
            r"model\.sigmas must be a list, e\.g\. \[3\], got 3",
        ),
        (GOOD | {"model": {"kind": "painn", "layers": 0}}, r"model\.layers must be greater than 0, got 0"),
        (GOOD | {"modle": {}}, "modle"),
    ],
)
def test_the_place_is_named_as_it_is_in_the_file(values: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        check_config(TrainConfig, values, (), "a test")


def test_what_is_missing_has_an_example() -> None:
    with pytest.raises(UsageError, match=r"total is required, e\.g\. total=2"):
        check_config(BudgetSection, {"unit": "core-h"}, (), "a test")


def test_all_complaints_come_at_once() -> None:
    with pytest.raises(UsageError, match=r"frames .*; .*temperature") as refused:
        check_config(PoolSection, {"source": "md", "frames": -1, "temperature": ["hot"]}, (), "a test")
    assert str(refused.value).count(";") >= 1
