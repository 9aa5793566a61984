from pathlib import Path

import pytest

import fidsel
from fidsel.data import write
from fidsel.data.given import require_frames
from fidsel.exceptions import UsageError
from fidsel.selector import inverse_distances
from fidsel.testing import example_frames

FRAMES = example_frames(4)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (FRAMES[0], "got ASE Atoms: Frames.from_atoms(atoms)"),
        ([FRAMES[0], FRAMES[1]], "got a list of ASE Atoms: Frames.from_atoms(images)"),
        ("labels.extxyz", "got str 'labels.extxyz': fidsel.read(FILE)"),
        ([], "got list '[]'"),
        (None, "got NoneType 'None'"),
    ],
)
def test_what_is_given_and_what_to_do_is_told(given: object, told: str) -> None:
    with pytest.raises(UsageError) as error:
        require_frames(given)
    assert str(error.value).startswith(f"frames must be fidsel.data.Frames, {told}")


def test_frames_are_taken_as_they_are() -> None:
    require_frames(FRAMES[:0])


@pytest.mark.parametrize("given", [FRAMES[0], [FRAMES[0]]], ids=["atoms", "list"])
def test_atoms_in_place_of_frames_are_refused_wherever_frames_come_in(given: object, tmp_path: Path) -> None:
    doors = [
        fidsel.check,
        inverse_distances,
        lambda frames: write(tmp_path / "x.extxyz", frames),
        lambda frames: fidsel.train(frames, out=tmp_path / "model"),
        lambda frames: fidsel.select(frames, out=tmp_path / "picks.npz"),
        lambda frames: fidsel.evaluate("ase:emt", frames),
    ]
    for door in doors:
        with pytest.raises(UsageError, match=r"must be fidsel\.data\.Frames, got (a list of )?ASE Atoms"):
            door(given)
    assert list(tmp_path.iterdir()) == []
