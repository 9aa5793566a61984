"""The cheap checks before training: errors refuse with a remedy, warnings are told, trust goes on."""

from pathlib import Path

import numpy as np
import pytest
from morse_molecule import frames as morse

from fidsel.data import Frames, read
from fidsel.data.checks.quick import quick_check, refuse_errors, sentence
from fidsel.exceptions import UsageError


def wrong() -> Frames:
    good = morse(40)
    energy = good.energy.copy()
    energy[7] += 1e4
    return good.replace(energy=energy)


def test_sound_labels_have_nothing_to_tell() -> None:
    assert quick_check(morse(40)) == ()
    assert refuse_errors(quick_check(morse(40)), "it", False, "--trust-labels") == ()
    assert quick_check(morse(40)[:0]) == ()
    assert quick_check(morse(40).unlabelled()) == ()


def test_an_error_names_file_frame_value_and_both_remedies() -> None:
    with pytest.raises(UsageError) as caught:
        refuse_errors(quick_check(wrong()), "data.npz", False, "--trust-labels")
    text = str(caught.value)
    for part in ("data.npz", "1 of 40 frames", "1e+04 eV", "(frame 7)", "fidsel check", "--trust-labels"):
        assert part in text


def test_trusted_errors_are_told() -> None:
    (text,) = refuse_errors(quick_check(wrong()), "data.npz", True, "--trust-labels")
    assert "(frame 7)" in text


def test_frame_numbers_count_all_frames() -> None:
    bad = wrong()
    xyz = bad.positions.copy()
    xyz[0] = np.nan
    first, second = quick_check(bad.replace(positions=xyz))
    assert (first.rule, first.frames) == ("positions", (0,))
    assert (second.rule, second.frames) == ("outliers", (7,))
    forces = bad.forces.copy()
    forces[-1] = np.inf
    found = quick_check(bad.replace(positions=xyz, forces=forces))
    assert {finding.rule: finding.frames for finding in found} == {
        "positions": (0,), "labels": (39,), "outliers": (7,)
    }  # fmt: skip


def test_many_frames_are_told_in_short() -> None:
    far = morse(40).energy + 1e7 * (np.arange(40) < 12)
    finding, _ = quick_check(morse(40).replace(energy=far))
    assert sentence(finding).endswith("(frames 0, 1, 2, 3, 4 and 7 more)")


@pytest.mark.parametrize(("name", "row"), [("energy_outlier.npz", 7), ("f30_huge_force.xyz", 5)])
def test_a_corrupt_label_is_named(name: str, row: int, data_folder: Path) -> None:
    path = data_folder.parent / "cases" / name
    if not path.exists():
        pytest.skip(f"no {path}")
    assert [f.frames for f in quick_check(read(path)) if f.severity == "error"] == [(row,)]
