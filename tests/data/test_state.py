from pathlib import Path

import numpy as np
import pytest

from fidsel.data import Frames, read, write
from fidsel.data.state import State, electrons
from fidsel.exceptions import UsageError

PEROXIDE = Frames.stack([8, 8], [[[0, 0, 0], [0, 0, 1.47 + 0.01 * i]] for i in range(3)])


def plain(path: Path, comment: str = "") -> Path:
    """An XYZ file with the same comment on every frame."""
    dense = PEROXIDE.dense().positions
    path.write_text("".join(f"2\n{comment}\nO 0 0 0\nO 0 0 {float(xyz[1, 2])!r}\n" for xyz in dense))
    return path


def test_a_state_holds_where_the_file_names_none(tmp_path: Path) -> None:
    frames = read(plain(tmp_path / "a.xyz", "frame 1"), state=State(charge=-2))
    assert frames.charge.tolist() == [-2] * 3
    assert frames.spin.tolist() == [0] * 3
    both = read(plain(tmp_path / "a.xyz", "frame 1"), state=State(charge=-1, spin=1))
    assert (both.charge.tolist(), both.spin.tolist()) == ([-1] * 3, [1] * 3)


@pytest.mark.parametrize("suffix", ["xyz", "npz", "db"])
def test_a_state_that_the_file_names_may_be_given_and_no_other(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a.{suffix}", PEROXIDE.replace(charge=-2))
    assert read(path, state=State(charge=-2)).charge.tolist() == [-2] * 3
    message = rf"a\.{suffix} names the charge -2 for 3 of 3 frames, the first is frame 0, but 0 was given"
    with pytest.raises(UsageError, match=message):
        read(path, state=State(charge=0))
    with pytest.raises(UsageError, match=r"names the number of unpaired electrons \(2S\) 0 for 3 of 3"):
        read(path, state=State(spin=2))
    assert read(path, state=State(charge=0, others=True)).charge.tolist() == [-2] * 3


def test_zero_is_a_charge_that_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xyz", PEROXIDE)
    with pytest.raises(UsageError, match="names the charge 0 for 3 of 3 frames"):
        read(path, state=State(charge=-2))


def test_frames_of_one_file_are_looked_at_one_by_one(tmp_path: Path) -> None:
    text = plain(tmp_path / "a.xyz", "charge=-2").read_text() + plain(tmp_path / "b.xyz", "frame").read_text()
    (tmp_path / "a.xyz").write_text(text)
    assert read(tmp_path / "a.xyz", state=State(charge=-2)).charge.tolist() == [-2] * 6
    with pytest.raises(UsageError, match=r"names the charge -2 for 3 of 6 frames, the first is frame 0"):
        read(tmp_path / "a.xyz", state=State(charge=0))


@pytest.mark.parametrize("state", [State(-1), State(17), State(0, 1), State(0, 18), State(0, -2)])
def test_a_state_that_no_system_has_is_refused(state: State, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"charge -?\d+ leaves -?\d+ electrons in frame 0 of .* cannot be unpaired"
    ):
        read(plain(tmp_path / "a.xyz", "frame"), state=state)


def test_nothing_given_changes_nothing() -> None:
    assert State().given_to(PEROXIDE, {}, "a.xyz") is PEROXIDE
    assert np.array_equal(State(0).given_to(PEROXIDE, {}, "a.xyz").charge, PEROXIDE.charge)


def test_electrons_of_frames() -> None:
    count, odd, impossible = electrons(PEROXIDE.replace(charge=[-2, -1, 17], spin=[0, 0, 1]))
    assert count.tolist() == [18, 17, -1]
    assert odd.tolist() == [False, True, False]
    assert impossible.tolist() == [False, False, True]
    assert [found.shape for found in electrons(PEROXIDE[[]])] == [(0,)] * 3
