from pathlib import Path

import ase.io
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fidsel.data import Frames, read
from fidsel.data.formats.extxyz_dump import dump
from fidsel.exceptions import UsageError

FRAMES = Frames.pack(
    [8, 1, 1, 0, 92], np.random.default_rng(0).normal(size=(5, 3)), [0, 3, 5],
    energy=[-76.1 / 3, np.nan], forces=np.vstack([np.full((3, 3), 1 / 7), np.full((2, 3), np.nan)]),
    cell=[np.diag([9.0, 8, 1 / 3]), np.zeros((3, 3))], pbc=[[True, False, True], [False] * 3],
    charge=[-1, 0], spin=[1, 0], level=["ccsd(t)", ""], group=["run 1", "x"],
)  # fmt: skip


def test_numbers_read_back_exactly(tmp_path: Path) -> None:
    dump(tmp_path / "a.xyz", FRAMES)
    again = read(tmp_path / "a.xyz")
    for name in ("numbers", "positions", "energy", "forces", "cell", "pbc", "charge", "spin"):
        np.testing.assert_array_equal(getattr(again, name), getattr(FRAMES, name), err_msg=name)
    assert (again.level.tolist(), again.group.tolist()) == (["ccsd(t)", ""], ["run 1", "x"])


def test_ase_reads_the_same(tmp_path: Path) -> None:
    dump(tmp_path / "a.xyz", FRAMES)
    atoms = ase.io.read(tmp_path / "a.xyz", index=0)
    assert atoms.get_potential_energy() == FRAMES.energy[0]
    np.testing.assert_array_equal(atoms.get_forces(), FRAMES.forces[:3])
    assert atoms.info["level"] == "ccsd(t)"


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_any_text_reads_back(tmp_path: Path, text: str) -> None:
    some = FRAMES.replace(level=text, group=["0", "T"])
    dump(tmp_path / "a.xyz", some)
    again = read(tmp_path / "a.xyz")
    assert (again.level.tolist(), again.group.tolist()) == (some.level.tolist(), ["0", "T"])


def test_numbers_of_no_element_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="atomic numbers 0 to 118"):
        dump(tmp_path / "a.xyz", FRAMES.replace(numbers=[8, 1, 1, 0, 119]))
