from pathlib import Path

import pytest
from program_outputs import STEP, Diatomic, assert_is, engrad, orca

from fidsel.data import read, read_with_notes
from fidsel.exceptions import UsageError


def test_an_optimisation_is_one_group(tmp_path: Path) -> None:
    steps = [Diatomic(length) for length in (1.8, 1.6, 1.45)]
    (tmp_path / "opt.out").write_text(orca(*steps))
    frames, notes = read_with_notes(tmp_path / "opt.out")
    for i, step in enumerate(steps):
        assert_is(frames, step, i)
    assert set(frames.group) == {"opt"}
    assert "output of ORCA" in notes


def test_a_gradient_beside_an_output_without_one_is_read(tmp_path: Path) -> None:
    (tmp_path / "mp2.out").write_text(orca(STEP, gradient=False))
    assert not read(tmp_path / "mp2.out").has_forces.any()
    (tmp_path / "mp2.engrad").write_text(engrad(STEP))
    assert_is(read(tmp_path / "mp2.out"), STEP)
    (tmp_path / "mp2.engrad").write_text(engrad(Diatomic(1.9)))
    with pytest.raises(UsageError, match=r"mp2\.out and mp2\.engrad beside it have different energies"):
        read(tmp_path / "mp2.out")
