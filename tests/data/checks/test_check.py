import re
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.emt import EMT

from fidsel.data import Finding, Frames, Units, check, read
from fidsel.exceptions import UsageError


@pytest.fixture(scope="module")
def water() -> Frames:
    """100 configurations of water with the energies and forces of a real potential."""
    rng, atoms = np.random.default_rng(0), molecule("H2O")
    atoms.calc = EMT()
    equilibrium, rows = atoms.positions.copy(), []
    for _ in range(100):
        atoms.positions = equilibrium + rng.normal(0, 0.04, (3, 3))
        rows.append((atoms.positions.copy(), atoms.get_potential_energy(), atoms.get_forces()))
    xyz, energy, forces = (np.array(column) for column in zip(*rows, strict=True))
    return Frames.stack(atoms.numbers, xyz, energy=energy, forces=forces, level="emt")


def found(frames: Frames, rule: str, **given: object) -> list[Finding]:
    return [finding for finding in check(frames, **given) if finding.rule == rule]


def test_sound_data_have_notes_only(water: Frames) -> None:
    findings = check(water)
    assert {finding.severity for finding in findings} == {"note"}
    assert {finding.rule for finding in findings} == {"energy-force", "bond-scale", "composition"}
    assert "H2O 100" in findings[-1].message


def test_no_frames_is_an_error(water: Frames) -> None:
    assert [finding.rule for finding in check(water[:0])] == ["frames"]


def test_errors_come_first(water: Frames) -> None:
    severities = [f.severity for f in check((water + water[:1]).replace(spin=1))]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_impossible_positions_are_named_and_the_rest_is_checked(water: Frames, value: float) -> None:
    xyz = water.positions.copy()
    xyz[3 * 5] = value
    frames = water.replace(positions=xyz) + water[[7]]
    assert found(frames, "positions")[0].frames == (5,)
    assert found(frames, "duplicates")[0].frames == (100,), "rows count in the whole set"
    assert found(frames, "energy-force")[0].severity == "note"


@pytest.mark.parametrize("number", [0, -1, 119])
def test_unknown_elements(water: Frames, number: int) -> None:
    assert found(water.replace(numbers=np.where(np.arange(300) == 4, number, water.numbers)), "elements")[
        0
    ].frames == (1,)


def test_a_level_without_labels_is_an_error(water: Frames) -> None:
    energies, forces = found(water.replace(energy=None, forces=None), "labels")
    assert (energies.severity, forces.severity) == ("error", "error")
    assert "no frame of level 'emt' has energies" in energies.message
    assert not found(water.replace(forces=None), "labels", forces=False)
    assert not found(water.unlabelled(), "labels")


def test_partial_labels_are_warnings(water: Frames) -> None:
    energy, forces = water.energy.copy(), water.forces.copy()
    energy[3], forces[0] = np.nan, np.nan
    findings = found(water.replace(energy=energy, forces=forces), "labels")
    assert [(f.severity, f.frames) for f in findings] == [
        ("warning", (3,)),
        ("warning", (0,)),
        ("warning", (0,)),
    ]


def test_frames_of_no_level_should_have_what_others_of_them_have(water: Frames) -> None:
    energy, forces = water.energy.copy(), water.forces.copy()
    energy[60:], forces[3 * 90 :] = np.nan, np.nan
    part = water.replace(energy=energy, forces=forces, level="")
    lost, cut = found(part, "labels")
    assert (lost.severity, lost.frames) == ("warning", tuple(range(60, 100)))
    assert lost.message.startswith("40 of 100 frames have no energies")
    assert cut.message.startswith("10 of 100 frames have no forces")
    assert not found(water.replace(level="", forces=None), "labels")
    mixed = found(water + water[:3].unlabelled(), "labels")
    assert [(f.severity, f.frames) for f in mixed] == [("warning", (100, 101, 102))] * 2
    assert mixed[0].message.startswith("3 of 3 frames without a level have no energies")


def test_infinite_labels_are_errors(water: Frames) -> None:
    energy, forces = water.energy.copy(), water.forces.copy()
    energy[3], forces[0, 1] = np.inf, -np.inf
    first = found(water.replace(energy=energy, forces=forces), "labels")[0]
    assert (first.severity, first.frames) == ("error", (0, 3))


def test_a_sign_error_of_the_forces_is_found(water: Frames) -> None:
    finding = found(water.replace(forces=-water.forces), "energy-force")[0]
    assert finding.severity == "error"
    assert "wrong sign" in finding.message


@pytest.mark.parametrize("factor", [1 / 23.06, 23.06, 1.9])
def test_energies_and_forces_in_different_units_are_found(water: Frames, factor: float) -> None:
    finding = found(water.replace(forces=water.forces * factor), "energy-force")[0]
    assert finding.severity == "error"
    assert "different units" in finding.message


def test_energies_of_other_frames_are_found(water: Frames) -> None:
    finding = found(water.replace(energy=np.random.default_rng(1).permutation(water.energy)), "energy-force")[
        0
    ]
    assert finding.severity == "warning"
    assert "may not belong together" in finding.message


def test_forces_of_zero_are_found(water: Frames) -> None:
    assert "all zero" in found(water.replace(forces=0 * water.forces), "energy-force")[0].message


def test_no_force_acts_on_a_single_atom(water: Frames) -> None:
    places = np.random.default_rng(0).normal(size=(20, 1, 3))
    atoms = Frames.stack([1], places, energy=-13.6, forces=np.zeros((20, 1, 3)), spin=1, level="emt")
    assert {finding.severity for finding in check(atoms)} <= {"note", "warning"}
    assert found(water + atoms, "energy-force") == found(water, "energy-force")


@pytest.mark.parametrize(
    ("factor", "severity"),
    [(1.0, "note"), (3.0, "note"), (23.06, "warning"), (0.02, "warning"), (-1, "warning")],
)
def test_a_unit_error_of_all_labels_shows_against_reference_forces(
    water: Frames, factor: float, severity: str
) -> None:
    reference = water.forces + np.random.default_rng(0).normal(0, 0.1, water.forces.shape)
    reference[:3] = np.nan
    wrong = water.replace(energy=water.energy * factor, forces=water.forces * factor)
    assert [f.severity for f in found(wrong, "force-scale", reference_forces=reference)] == [severity]
    assert not found(wrong, "force-scale")
    told = found(wrong.replace(level=""), "force-scale", reference_forces=reference, reference_name="EMT")
    assert re.match(r"forces are \S+ × the EMT forces", told[0].message)


def test_reference_forces_must_fit(water: Frames) -> None:
    with pytest.raises(UsageError, match=r"reference_forces must have shape \(300, 3\), got \(3, 3\)"):
        check(water, reference_forces=np.zeros((3, 3)))


@pytest.mark.parametrize(
    ("charge", "spin", "bad"), [(0, 0, 0), (1, 1, 0), (0, 2, 0), (0, 1, 1), (1, 0, 1), (0, -2, 1), (12, 0, 1)]
)
def test_electrons_and_spin(water: Frames, charge: int, spin: int, bad: int) -> None:
    assert len(found(water.replace(charge=charge, spin=spin), "electrons")) == bad


def test_a_multiplicity_that_is_called_spin_is_guessed(water: Frames) -> None:
    (told,) = found(water.replace(spin=1), "electrons")
    assert "a multiplicity (2S + 1) is named multiplicity, not spin" in told.message


def test_a_lone_atom_without_a_spin_is_a_note() -> None:
    atoms = Frames.pack(np.array([1, 8]), np.zeros((2, 3)), np.array([0, 1, 2]), energy=[-13.6, -2040.0])
    (told,) = found(atoms, "electrons")
    assert (told.severity, told.frames) == ("note", (0,))
    assert found(atoms.replace(spin=2), "electrons")[0].severity == "error"


def test_distances_in_nanometres_and_bohr(water: Frames) -> None:
    assert found(water.replace(positions=water.positions / 10), "distances")[0].severity == "error"
    xyz = water.positions.copy()
    xyz[2] += 5
    assert found(water.replace(positions=xyz), "isolated")[0].frames == (0,)
    assert not found(Frames.stack([2], [[[0, 0, 0]]]), "isolated"), "one atom is not isolated"


def test_periodic_neighbours_count_across_the_boundary() -> None:
    salt = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    assert not found(Frames.from_atoms([salt]), "isolated")
    cell = 9 * np.eye(3)[None]
    across = Frames.stack([1, 1], [[[0, 0, 0.1], [0, 0, 8.9]]], cell=cell, pbc=[[True] * 3])
    assert found(across, "distances")[0].frames == (0,)


def test_duplicates_are_per_level(water: Frames) -> None:
    assert not found(water + water.replace(level="mp2"), "duplicates")
    assert found(water + water[[4]], "duplicates")[0].frames == (100,)


@pytest.mark.parametrize("name", ["uracil", "aspirin", "ethanol"])
def test_real_trajectories_are_consistent(name: str, data_folder: Path) -> None:
    frames = read(
        data_folder / "rmd17" / f"{name}.npz", level="pbe", units=Units("kcal/mol", "Angstrom"),
        energy_key="E_pbe", forces_key="F_pbe",
    )[::3]  # fmt: skip
    assert {finding.severity for finding in check(frames)} == {"note"}
    wrong = frames.replace(forces=-frames.forces)
    assert "wrong sign" in found(wrong, "energy-force")[0].message
