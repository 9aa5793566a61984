from pathlib import Path

import numpy as np
import pytest
from program_outputs import Diatomic, engrad, gaussian, orca, turbomole, xtb

from fidsel.data import read, read_with_notes
from fidsel.exceptions import UsageError


def test_a_folder_of_outputs_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    lengths = {"job2.out": 1.3, "job10.out": 1.5, "sub/job1.log": 1.7}
    (tmp_path / "sub").mkdir()
    for name, length in lengths.items():
        (tmp_path / name).write_text(orca(Diatomic(length)))
    (tmp_path / "job3.log").write_text(gaussian(Diatomic(1.4)))
    frames, notes = read_with_notes(tmp_path, level="hf")
    np.testing.assert_allclose(
        frames.positions[1::2, 2], np.array([1.3, 1.4, 1.5, 1.7]) * 0.529177, atol=1e-5
    )
    assert set(frames.level) == {"hf"}
    assert set(frames.group) == {""}, "single points may be of one trajectory"
    assert {"3 outputs of ORCA", "1 output of Gaussian"} <= set(notes)


def test_what_failed_is_left_out_and_named(tmp_path: Path) -> None:
    (tmp_path / "good.out").write_text(orca(Diatomic(1.3)))
    (tmp_path / "bad.out").write_text(orca(Diatomic(1.4), failure="SCF NOT CONVERGED AFTER 125 CYCLES"))
    (tmp_path / "cut.out").write_text(orca(Diatomic(1.5), end=False))
    (tmp_path / "slurm-7.out").write_text("done\n")
    frames, notes = read_with_notes(tmp_path)
    assert len(frames) == 1
    left_out = next(note for note in notes if note.startswith("left out 2 of 4"))
    assert "bad.out: this ORCA calculation did not converge" in left_out
    assert "cut.out: ORCA did not end normally" in left_out
    assert "not an output of a known program: slurm-7.out" in notes


def test_a_folder_of_failures_is_refused_with_the_first(tmp_path: Path) -> None:
    (tmp_path / "bad.out").write_text(orca(Diatomic(1.4), end=False))
    with pytest.raises(UsageError, match=r"holds no labels: .*bad\.out: ORCA did not end normally"):
        read(tmp_path)


def test_one_calculation_is_one_frame_however_many_files_it_left(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "job.out").write_text(orca(Diatomic(1.3)))
    (tmp_path / "a" / "job.engrad").write_text(engrad(Diatomic(1.3)))
    (tmp_path / "b" / "xtb.out").write_text(xtb(Diatomic(1.5)))
    (tmp_path / "b" / "gradient").write_text(turbomole(Diatomic(1.5)))
    (tmp_path / "c.engrad").write_text(engrad(Diatomic(1.7)))
    frames = read(tmp_path)
    assert len(frames) == 3
    assert frames.has_forces.all()


def test_optimisations_of_a_folder_are_groups(tmp_path: Path) -> None:
    for name in ("a.out", "b.out"):
        (tmp_path / name).write_text(orca(Diatomic(1.6), Diatomic(1.5)))
    assert read(tmp_path).group.tolist() == ["a.out", "a.out", "b.out", "b.out"]
