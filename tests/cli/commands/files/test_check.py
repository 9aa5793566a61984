"""`fidsel check` tells labels that are fit to train on from those that are not."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import fidsel


def parsed(text: str) -> Any:
    """Return the one JSON document in a text, which may hold no NaN."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_check_tells_good_from_bad(
    copy_of_finished: Callable[[], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    file = copy_of_finished() / "pool.npz"
    words = ("check", file, "--energy-key", "E_accurate", "--forces-key", "F_accurate", "--json")
    good = fidsel(capfd, *words)
    assert good.code == 0
    assert parsed(good.out)["frames"] == 80
    arrays = dict(np.load(file))
    np.savez(file, **(arrays | {"F_accurate": -arrays["F_accurate"]}))
    bad = fidsel(capfd, *words)
    assert bad.code == 1
    assert "wrong sign" in bad.out
    np.savez(file, **(arrays | {"E_accurate": np.where(np.arange(80) < 70, arrays["E_accurate"], np.nan)}))
    partly = fidsel(capfd, *words[:-1])
    assert partly.code == 0
    assert re.search("10 of 80 frames have no energies.*70, 71, 72, 73, 74", partly.out)


def test_check_takes_names_of_labels_as_train_does(finished: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = fidsel(capfd, "check", f"{finished / 'pool.npz'}:E_accurate:F_accurate", "--json")
    assert found.code == 0, found.err
    assert json.loads(found.out)["frames"] == 80
