import json

import numpy as np
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation
from selected import stretched_water, water_table

from fidsel.report.structures import structures_json, turned, viewer_licences, viewer_script


def test_turning_keeps_left_and_right_hands() -> None:
    rng = np.random.default_rng(0)
    numbers, xyz = [6, 1, 9, 17, 35], rng.standard_normal((5, 3))
    seen: dict[bytes, np.ndarray] = {}
    first = turned(Atoms(numbers, xyz), seen).positions
    again = turned(Atoms(numbers, xyz @ Rotation.random(rng=rng).as_matrix() + 3.0), seen).positions
    assert again == pytest.approx(first, abs=1e-9)
    mirrored = turned(Atoms(numbers, -xyz), seen).positions
    assert np.abs(mirrored - first).max() > 0.1


def test_every_atom_has_a_name_and_marks_are_distances() -> None:
    frames, clusters, errors = stretched_water()
    drawn = json.loads(structures_json(water_table(), "eV/Å"))
    assert set(drawn) == {"0", "1"}
    worst = drawn["1"]["worst"]
    assert worst["row"] == int(np.where(clusters == 1, errors, 0).argmax())
    assert worst["structure"]["names"] == ["O0", "H1", "H2"]
    apart = frames[worst["row"]].get_distance(0, 2)
    assert worst["marks"][0] == f"O0–H2 {apart:.2f} Å"
    assert worst["error"][0] == f"{1000 * errors.max():.3g} meV/Å"
    assert worst["above"].endswith(" eV")


def test_nothing_ends_the_script_that_holds_it() -> None:
    assert "</script" not in viewer_script()
    assert "<" not in structures_json(water_table(), "eV")
    assert "chemiscope developers" in viewer_licences()
