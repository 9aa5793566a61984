from pathlib import Path

import numpy as np
import pytest
from morse_molecule import NUMBERS, SWAP, frames

from fidsel.exceptions import UsageError
from fidsel.models.sgdml.symmetry import check_permutations, pair_indices, recover_permutations


def test_the_mirror_of_formaldehyde_is_recovered() -> None:
    permutations, record = recover_permutations(NUMBERS, frames(20).dense().positions)
    assert permutations.tolist() == [[0, 1, 2, 3], SWAP]
    assert record["frames"] == 20


def test_a_molecule_without_equal_atoms_has_none() -> None:
    permutations, _ = recover_permutations(np.array([6, 8, 1, 9]), frames(20).dense().positions)
    assert permutations.tolist() == [[0, 1, 2, 3]]


def test_one_frame_shows_no_symmetry() -> None:
    assert recover_permutations(NUMBERS, frames(1).dense().positions)[0].tolist() == [[0, 1, 2, 3]]


def test_a_group_larger_than_allowed_is_cut_and_recorded() -> None:
    permutations, record = recover_permutations(NUMBERS, frames(20).dense().positions, max_perms=1)
    assert len(permutations) == 1
    assert record["left_out"] == 1


@pytest.mark.parametrize(
    ("molecule", "size"),
    [("ethanol", 6), ("malonaldehyde", 4), ("toluene", 12), ("benzene", 12), ("uracil", 1), ("aspirin", 6)],
)
def test_known_groups_are_recovered_from_dynamics(data_folder: Path, molecule: str, size: int) -> None:
    data = np.load(data_folder / "rmd17" / f"{molecule}.npz")
    rows = np.random.default_rng(0).choice(len(data["R"]), 100, replace=False)
    permutations, _ = recover_permutations(data["z"], data["R"][rows])
    assert len(permutations) == size
    closed = {tuple(a[b]) for a in permutations for b in permutations}
    assert closed == {tuple(row) for row in permutations}


def test_descriptor_entries_follow_their_atoms() -> None:
    frame = frames(1).dense().positions[0]
    first, second = np.triu_indices(4, 1)
    distances = np.linalg.norm(frame[first] - frame[second], axis=1)
    swapped = frame[SWAP]
    expected = np.linalg.norm(swapped[first] - swapped[second], axis=1)
    assert distances[pair_indices(np.array([SWAP]))[0]] == pytest.approx(expected)


def test_given_permutations_are_closed_and_checked() -> None:
    turn = np.array([[1, 2, 0, 3]])
    assert check_permutations(turn, np.array([1, 1, 1, 6])).tolist() == [
        [0, 1, 2, 3],
        [1, 2, 0, 3],
        [2, 0, 1, 3],
    ]
    for wrong in ([[0, 1, 1, 3]], [[3, 1, 2, 0]]):
        with pytest.raises(UsageError, match="within their elements"):
            check_permutations(np.array(wrong), np.array([1, 1, 1, 6]))
