"""A molecule at rest in words and numbers."""

from fidsel.campaign.records.at_rest import numbers, words

TURNS = [
    {"bond": "C0–O1", "mae": 0.002, "reference_barrier": 0.05},
    {"bond": "C0–C2", "mae": 0.004, "reference_barrier": 0.15},
]
CHECK = {
    "rmsd": 0.01, "bond_mae": 0.002, "angle_mae": 0.5, "frequency_mae": 12.0, "frequency_max": 40.0,
    "frequencies": [100.0], "torsions": TURNS,
}  # fmt: skip


def test_torsions_are_averaged() -> None:
    assert numbers(CHECK) == {
        "rmsd": 0.01, "bond_mae": 0.002, "angle_mae": 0.5, "frequency_mae": 12.0, "frequency_max": 40.0,
        "torsion_mae": 0.003, "torsion_barrier": 0.1,
    }  # fmt: skip
    assert "torsion_mae" not in numbers(CHECK | {"torsions": []})


def test_conformers_are_told_where_there_are_some() -> None:
    others = {"count": 5, "mae": 0.003, "range": 0.1, "same_lowest": True}
    told = numbers(CHECK | {"conformers": others})
    assert (told["conformer_mae"], told["conformer_range"]) == (0.003, 0.1)
    assert words(CHECK | {"conformers": others}).endswith("; of 5 conformers' energies: 3 meV")
    one = CHECK | {"conformers": {"count": 0, "why": "it is rigid"}}
    assert (numbers(one), words(one)) == (numbers(CHECK), words(CHECK))


def test_a_check_is_one_line() -> None:
    told = words(CHECK)
    assert told.startswith("RMSD 0.010 Å, bonds 0.002 Å, angles 0.5°, frequencies 12 1/cm (largest 40)")
    assert told.endswith("of their barrier: C0–O1 2 of 50 meV, C0–C2 4 of 150 meV")
    assert "torsions" not in words(CHECK | {"torsions": []})
