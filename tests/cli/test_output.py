import json
from pathlib import Path

import numpy as np
import pytest
from command_line import fidsel
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.cli.output import UNITS, document, json_value, measured, number_text, table
from fidsel.data import write
from fidsel.testing import example_frames

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=8,
)


@given(VALUES)
@settings(deadline=None, max_examples=20)
def test_any_value_becomes_strict_json(value: object) -> None:
    json.dumps(json_value(value), allow_nan=False)


def test_numpy_and_paths_become_plain() -> None:
    value = {"a": np.float64(1.5), "b": np.array([1, 2]), "c": Path("x"), 3: np.array([np.nan, 2.0])}
    assert json_value(value) == {"a": 1.5, "b": [1, 2], "c": "x", "3": [None, 2.0]}


def test_document_is_one_line_broken_text(capsys: pytest.CaptureFixture[str]) -> None:
    document({"level": "ωB97X", "error": float("inf")})
    assert json.loads(capsys.readouterr().out) == {"level": "ωB97X", "error": None}


def test_table_shows_every_cell(capsys: pytest.CaptureFixture[str]) -> None:
    table("title", ("name", "value"), [("a", 0.123456), ("b", None)])
    shown = capsys.readouterr().out
    assert "0.1235" in shown
    assert "–" in shown
    assert number_text(3) == "3"


def test_units_that_a_document_has_are_kept() -> None:
    assert measured({"units": {"force norm": "eV/Å"}})["units"] == {"force norm": "eV/Å", **UNITS}


def test_documents_of_files_say_their_units(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    labels, model = write(tmp_path / "labels.extxyz", example_frames(30)), tmp_path / "model"
    held = write(tmp_path / "held.extxyz", example_frames(10, 1))
    for command in (
        ("train", labels, "model.sigmas=[10]", "--out", model),
        ("evaluate", model, held),
        ("outliers", model, held),
        ("shift", model, held),
        ("md", model, held, "--time", "5fs", "--replicas", "1"),
        ("md", model, held, "--check", "ase:emt"),
        ("select", labels, "model.sigmas=[10]", "--start", "10", "--size", "2", "--rounds", "0", "--out",
         tmp_path / "picks.npz"),
    ):  # fmt: skip
        found = fidsel(capfd, *command, "--json")
        assert found.code == 0, found.err
        assert json.loads(found.out)["units"].items() >= UNITS.items()
