"""Units that energies and forces share: never an alarm on right ones, always one on wrong ones."""

from pathlib import Path

import numpy as np
import pytest

from fidsel.data import Finding, Frames, Units, read
from fidsel.data.checks.quick import quick_check
from fidsel.data.checks.scale import bond_scale, energy_scale, force_scale

KCAL, KJ, HARTREE, BOHR = 23.060548, 96.485332, 27.211386, 0.52917721

SETS = {
    "h2co/h2co": [("E_ccsdt", "F_ccsdt"), ("E_b3lyp", "F_b3lyp")],
    "malonaldehyde_ccsd_t/malonaldehyde_ccsd_t": [("E", "F")],
    **{
        f"rmd17/{name}": [("E_pbe", "F_pbe"), ("E_md17", "F_md17")]
        for name in ("ethanol", "malonaldehyde", "uracil", "benzene", "toluene", "salicylic", "aspirin")
    },
}

WRONG = {
    "kcal/mol": (KCAL, KCAL, 1.0),
    "kJ/mol": (KJ, KJ, 1.0),
    "Hartree and Hartree/Bohr": (1 / HARTREE, BOHR / HARTREE, 1.0),
    "Hartree and Hartree/Å": (1 / HARTREE, 1 / HARTREE, 1.0),
    "all in atomic units": (1 / HARTREE, BOHR / HARTREE, 1 / BOHR),
    "lengths in Bohr": (1.0, BOHR, 1 / BOHR),
    "gradients": (1.0, -1.0, 1.0),
    "energies in kcal/mol": (KCAL, 1.0, 1.0),
    "forces in Hartree/Bohr": (1.0, BOHR / HARTREE, 1.0),
}


def real(folder: Path, name: str, keys: tuple[str, str]) -> Frames:
    units = Units() if name.startswith("h2co") else Units("kcal/mol", "Angstrom")
    frames = read(folder / f"{name}.npz", units=units, energy_key=keys[0], forces_key=keys[1])
    return frames[:: max(1, len(frames) // 1000)]


@pytest.mark.parametrize("name", SETS)
def test_right_units_pass_and_wrong_ones_do_not(name: str, data_folder: Path) -> None:
    for keys in SETS[name]:
        frames = real(data_folder, name, keys)
        assert quick_check(frames) == ()
        for energy, force, length in WRONG.values():
            wrong = frames.replace(
                energy=frames.energy * energy,
                forces=frames.forces * force,
                positions=frames.positions * length,
            )
            assert quick_check(wrong)
            if length != 1.0:
                assert any(
                    f.severity == "error" and "lengths in Bohr" in f.message for f in bond_scale(wrong)
                )
        assert any(
            f.severity == "error"
            for f in quick_check(frames.replace(energy=frames.energy / frames.offsets[1]))
        )


def test_few_frames_are_enough(data_folder: Path) -> None:
    frames = real(data_folder, "rmd17/ethanol", ("E_pbe", "F_pbe"))[:20]
    (finding,) = bond_scale(frames)
    assert finding.severity == "note"
    (wrong,) = bond_scale(frames.replace(forces=frames.forces * KCAL))
    assert wrong.severity == "error"
    assert "forces in kcal/mol/Å read as eV/Å" in wrong.message


def springs(constant: float, partner: int = 6, n: int = 30) -> Frames:
    """Return X–H diatomics on a harmonic bond, eV/Å²."""
    rng = np.random.default_rng(0)
    length = 1.1 + rng.normal(scale=0.05, size=n)
    xyz, force = np.zeros((2, n, 2, 3))
    xyz[:, 1, 2] = length
    force[:, 1, 2] = -constant * (length - 1.1)
    force[:, 0] = -force[:, 1]
    return Frames.stack([partner, 1], xyz, energy=0.5 * constant * (length - 1.1) ** 2, forces=force)


@pytest.mark.parametrize(
    ("times", "severity"),
    [
        (0.6, "note"), (1.0, "note"), (2.0, "note"), (0.07, "warning"), (300.0, "warning"),
        (KCAL, "error"), (KJ, "error"), (1 / HARTREE, "error"), (BOHR / HARTREE, "error"), (-1.0, "error"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("partner", "usual"), [(6, 31.0), (8, 47.0)])
def test_force_constant_is_that_of_the_bond(partner: int, usual: float, times: float, severity: str) -> None:
    (finding,) = bond_scale(springs(times * usual, partner))
    assert finding.severity == severity
    assert f"have {times:.3g} × their usual force constant" in finding.message


@pytest.mark.parametrize(
    ("partner", "torn", "severity"), [(6, 0, "error"), (6, 10, "warning"), (19, 0, "warning")]
)
def test_long_bonds_to_hydrogen_are_errors_where_there_are_no_others(
    partner: int, torn: int, severity: str
) -> None:
    """C–H in Bohr, the same where some are right, and K–H, which is as long."""
    xyz = springs(31.0, partner).dense().positions * 2.05
    xyz[:torn] /= 2.05
    (finding,) = bond_scale(Frames.stack([partner, 1], xyz))
    assert finding.severity == severity
    assert "lengths in Bohr (1.9 × too large)" in finding.message


def test_no_bond_to_hydrogen_says_nothing() -> None:
    assert bond_scale(springs(300, partner=11)) == []
    carbon = springs(300)
    assert bond_scale(carbon.replace(numbers=np.full(60, 6))) == []
    assert bond_scale(carbon.replace(forces=None)) == []
    noise = np.random.default_rng(1).normal(size=carbon.forces.shape)
    assert bond_scale(carbon.replace(forces=noise)) == []


def test_energies_have_a_lower_bound() -> None:
    water = Frames.stack([8, 1, 1], np.zeros((5, 3, 3)), energy=-76.4 * HARTREE)
    assert energy_scale(water) == []
    assert energy_scale(water.replace(energy=-76.4)) == []
    (finding,) = energy_scale(water.replace(energy=-76.4 * HARTREE * KCAL))
    assert finding.severity == "error"
    assert "they are not in eV" in finding.message
    assert energy_scale(water.replace(energy=None)) == []


def judged(forces: np.ndarray, reference: np.ndarray) -> Finding:
    frames = Frames.stack([6, 1, 1], np.zeros((len(forces), 3, 3)), forces=forces)
    (finding,) = force_scale(frames, reference.reshape(-1, 3), "REF")
    return finding


def test_ratio_to_a_reference_is_robust_and_says_how_sure() -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(20, 3, 3))
    forces = reference * 1.1 + rng.normal(scale=0.1, size=reference.shape)
    broken = reference.copy()
    broken[::2, 0] *= -300.0
    good = judged(forces, broken)
    assert good.severity == "note"
    assert float(good.message.split()[2]) == pytest.approx(1.1, rel=0.1)
    wrong = judged(forces * KCAL, broken)
    assert wrong.severity == "warning"
    assert "surely another unit: as of forces in kcal/mol/Å" in wrong.message
    assert "wrong sign" in judged(-forces, broken).message
    other = judged(rng.normal(size=forces.shape), reference)
    assert other.severity == "note"
    assert "describes this molecule badly" in other.message
    assert judged(KCAL * rng.normal(size=forces.shape), reference).severity == "note", "not sure: no alarm"
    assert judged(96.5 * rng.normal(size=forces.shape), reference).message.endswith("read as eV/Å")
