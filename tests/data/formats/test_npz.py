from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import units

from fidsel.data import Units, check, leaks, read, read_with_notes
from fidsel.errors import UsageError

KCAL = Units("kcal/mol", "Angstrom")


def content(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    arrays = {
        "z": [8, 1],
        "R": rng.normal(size=(4, 2, 3)),
        "E": np.arange(4.0),
        "F": rng.normal(size=(4, 2, 3)),
    }
    return {name: value for name, value in (arrays | changes).items() if value is not None}


def test_stated_units_are_used(tmp_path: Path) -> None:
    arrays = content(e_unit=np.array(b"kcal/mol"), r_unit=np.array("Ang"))
    np.savez(tmp_path / "a.npz", **arrays)
    frames = read(tmp_path / "a.npz")
    np.testing.assert_allclose(frames.energy, arrays["E"] * units.kcal / units.mol)
    np.testing.assert_allclose(frames.forces, arrays["F"].reshape(-1, 3) * units.kcal / units.mol)


def test_units_given_replace_those_stated_and_that_is_said(tmp_path: Path) -> None:
    arrays = content(e_unit=np.array("kcal/mol"), r_unit=np.array("Ang"))
    np.savez(tmp_path / "a.npz", **arrays)
    frames, notes = read_with_notes(tmp_path / "a.npz", units=Units())
    np.testing.assert_array_equal(frames.energy, arrays["E"])
    assert any(
        "states its units (energy in kcal/mol, length in Ang), but eV,Angstrom was given" in n for n in notes
    )
    assert not any("was given" in note for note in read_with_notes(tmp_path / "a.npz", units=KCAL)[1])


def test_units_are_required_where_the_archive_does_not_say(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **content())
    np.savez(tmp_path / "b.npz", **content(e_unit=np.array("<unknown>"), r_unit=np.array("Ang")))
    for name in ("a.npz", "b.npz"):
        assert_refused(tmp_path / name, "does not say its units; give them", units=None)
        assert len(read(tmp_path / name, units=KCAL)) == 4


def test_rows_are_put_in_trajectory_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **content(frame=[30, 10, 40, 20]))
    assert read(tmp_path / "a.npz", units=Units()).energy.tolist() == [1.0, 3.0, 0.0, 2.0]


def test_the_original_rmd17_names_are_known(tmp_path: Path) -> None:
    a = content()
    np.savez(
        tmp_path / "a.npz", nuclear_charges=a["z"], coords=a["R"], energies=a["E"], forces=a["F"],
        old_indices=np.arange(4),
    )  # fmt: skip
    np.testing.assert_array_equal(read(tmp_path / "a.npz", units=Units()).forces, a["F"].reshape(-1, 3))


def test_a_single_geometry_and_a_column_of_energies(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", z=[1, 1], R=[[0, 0, 0], [0, 0, 0.74]], E=[[-31.0]])
    assert read(tmp_path / "a.npz", units=Units()).energy.tolist() == [-31.0]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"z": None}, "needs z or nuclear_charges or .*, it has E, F, R"),
        ({"R": None}, "needs R or coords or .*, it has E, F, z"),
        ({"z": [8, 1, 1]}, r"positions must have shape \(n, 3, 3\)"),
        ({"E": np.arange(3.0)}, r"energies must have shape \(4,\) like the positions, got \(3,\)"),
        ({"F": np.zeros((4, 3, 3))}, r"forces must have shape \(4, 2, 3\) like"),
        ({"R": np.zeros((0, 2, 3)), "E": np.zeros(0), "F": np.zeros((0, 2, 3))}, "holds no configuration"),
        ({"z": np.array([8, None], dtype=object)}, "allow_pickle=False"),
        ({"R": np.full((4, 2, 3), "x")}, "could not convert string to float"),
        ({"R": np.zeros(6)}, "positions must have shape"),
    ],
)
def test_an_archive_that_does_not_fit_is_refused(changes: dict[str, Any], match: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", **content(**changes))
    assert_refused(tmp_path / "bad.npz", match, units=Units())


def test_a_bare_array_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "bad.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    assert_refused(tmp_path / "bad.npz", "not a whole npz archive", units=Units())


def assert_refused(path: Path, match: str, units: Units | None) -> None:
    with pytest.raises(UsageError, match=rf"{path.stem}\.npz.*{match}"):
        read(path, units=units)


def test_h2co_has_two_levels(data_folder: Path) -> None:
    path = data_folder / "h2co" / "h2co.npz"
    pair = [
        read(path, level=level, units=Units(), energy_key=f"E_{level}", forces_key=f"F_{level}")
        for level in ("ccsdt", "b3lyp")
    ]
    assert pair[0].ids == pair[1].ids
    assert np.sqrt(np.mean((pair[0].forces - pair[1].forces) ** 2)) == pytest.approx(0.32, abs=0.01)
    assert np.std(pair[0].energy - pair[1].energy) == pytest.approx(0.043, abs=0.001)
    with pytest.raises(UsageError, match="keys in the file: E_b3lyp, E_ccsdt, F_b3lyp, F_ccsdt; name them"):
        read(path, level="ccsdt", units=Units())


def test_malonaldehyde_repeats_twelve_frames_of_the_trajectory(data_folder: Path) -> None:
    accurate = read(
        data_folder / "malonaldehyde_ccsd_t" / "malonaldehyde_ccsd_t.npz", level="ccsd(t)", units=KCAL
    )
    cheap = read(
        data_folder / "rmd17" / "malonaldehyde.npz", level="pbe", units=KCAL,
        energy_key="E_pbe", forces_key="F_pbe",
    )  # fmt: skip
    assert len(leaks(accurate, cheap)) == 12
    assert len(leaks(accurate, cheap, tolerance=1e-6)) < 12
    assert {finding.severity for finding in check(accurate)} == {"note"}
