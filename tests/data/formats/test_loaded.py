from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fidsel.data.formats.loaded import Image, pack
from fidsel.exceptions import UsageError

XYZ = np.array([[0.0, 0, 0], [0, 0, 0.74]])


def image(**given: Any) -> Image:
    return replace(Image([1, 1], XYZ, np.zeros((3, 3)), [False] * 3, where="a.xyz, line 1"), **given)


def test_labels_of_some_images_are_nan_in_others() -> None:
    forces = np.ones((2, 3))
    loaded = pack("a.xyz", [image(energies={"energy": -1}, forces={"forces": forces}), image()])
    assert (loaded.energy, loaded.forces) == ("energy", "forces")
    np.testing.assert_array_equal(loaded.frames.energy, [-1.0, np.nan])
    np.testing.assert_array_equal(loaded.frames.forces, np.vstack([forces, np.full((2, 3), np.nan)]))


def test_charge_and_spin_are_told_where_named() -> None:
    loaded = pack("a.xyz", [image(info={"charge": -1, "multiplicity": 2, "level": "mp2"}), image()])
    assert (loaded.frames.charge.tolist(), loaded.frames.spin.tolist()) == ([-1, 0], [1, 0])
    assert {name: told.tolist() for name, told in loaded.named.items()} == {
        "charge": [True, False], "spin": [True, False],
    }  # fmt: skip
    assert loaded.notes == ("charge -1, 0 and 0, 1 unpaired electrons by 'charge', 'multiplicity'",)
    assert loaded.frames.level.tolist() == ["mp2", ""]


@pytest.mark.parametrize(("charges", "total"), [([-0.6, -0.41], -1), ([0.2, -0.2], 0), ([-0.6, -0.3], 0)])
def test_charges_of_atoms_add_up_where_the_frame_names_none(charges: list[float], total: int) -> None:
    assert pack("a", [image(charges=charges)]).frames.charge.tolist() == [total]
    assert pack("a", [image(charges=charges, info={"charge": 2})]).frames.charge.tolist() == [2]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"energies": {"energy": "low"}}, "line 1: the energy must be one number, got 'low' as 'energy'"),
        ({"energies": {"energy": [1.0, 2.0]}}, "the energy must be one number"),
        ({"forces": {"forces": np.ones((3, 3))}}, r"forces must have shape \(2, 3\) like the positions"),
        ({"forces": {"forces": [["a"] * 3] * 2}}, "forces must be real numbers"),
        ({"info": {"level": [1, 2]}}, r"level must be text, got \[1, 2\]"),
        ({"info": {"charge": 0.5}}, "charge must be a whole number"),
    ],
)
def test_what_is_no_label_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pack("a.xyz", [image(), image(**given)])


def test_a_file_of_no_configuration_is_refused() -> None:
    with pytest.raises(UsageError, match=r"a\.xyz holds no configuration"):
        pack("a.xyz", [])
