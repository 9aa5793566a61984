"""Normal modes against analytic vibrations and equipartition."""

import numpy as np
import pytest
from ase.data import atomic_masses
from ase.units import invcm, kB, kcal, mol

from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.fidelity.sources.mmff_terms import mmff_terms
from fidsel.fidelity.sources.openmm import MMFFSource
from fidsel.md import PhysicalRange, conformers, normal_modes
from fidsel.md.sampling.harmonic import modes_of
from fidsel.md.sampling.pool import as_frames
from fidsel.md.vibrations import HBAR


def test_a_diatomic_vibrates_at_the_frequency_of_its_spring() -> None:
    chlorine = from_smiles("ClCl")
    modes = modes_of(MMFFSource(chlorine), chlorine.numbers, conformers(chlorine, 1, seed=1)[0])
    ((_, (k_b, r0)),) = mmff_terms(chlorine).bonds
    spring = 143.9325 * k_b * kcal / mol
    expected = HBAR * np.sqrt(spring / (atomic_masses[17] / 2)) / invcm
    assert modes.wavenumbers == pytest.approx([expected], rel=1e-4)
    assert np.linalg.norm(modes.minimum[0] - modes.minimum[1]) == pytest.approx(r0, abs=1e-6)


@pytest.mark.parametrize(("smiles", "count"), [("O", 3), ("C#C", 7), ("CCO", 21), ("[Na+]", 0)])
def test_translations_and_rotations_are_left_out(smiles: str, count: int) -> None:
    molecule = from_smiles(smiles)
    modes = modes_of(MMFFSource(molecule), molecule.numbers, conformers(molecule, 1, seed=1)[0])
    assert len(modes.wavenumbers) == count
    assert (np.diff(modes.wavenumbers) >= 0).all()
    momentum = atomic_masses[list(molecule.numbers)][:, None] * modes.vectors
    np.testing.assert_allclose(momentum.sum(axis=1), 0, atol=1e-10)


@pytest.mark.parametrize("statistics", ["classical", "quantum"])
def test_energies_are_thermal(statistics: str) -> None:
    molecule = from_smiles("C=O")
    source = MMFFSource(molecule)
    modes = modes_of(source, molecule.numbers, conformers(molecule, 1, seed=1)[0])
    widths = modes.widths(5.0, statistics, 1.0)
    omega = modes.wavenumbers * invcm / HBAR
    wanted = len(omega) * kB * 5.0 / 2 if statistics == "classical" else HBAR * omega.sum() / 4
    assert (omega**2 * widths**2).sum() / 2 == pytest.approx(wanted, rel=1e-6)
    if statistics == "classical":
        pool = normal_modes(molecule, 800, [5.0], seed=1, softest=1.0)
        energy = np.mean([source.label(atoms).energy for atoms in pool.frames])
        start = source.label(as_frames(molecule, modes.minimum[None], "")[0]).energy
        assert energy - start == pytest.approx(wanted, rel=0.08)


def test_soft_modes_move_like_the_softest_allowed() -> None:
    molecule = from_smiles("CCCC")
    modes = modes_of(MMFFSource(molecule), molecule.numbers, conformers(molecule, 1, seed=1)[0])
    soft = modes.wavenumbers < 250
    widths = modes.widths(300.0, "classical", 250.0)
    assert soft.any()
    assert np.ptp(widths[soft]) == 0
    assert widths[~soft].max() < widths[soft][0]


def test_a_pool_is_exact_and_repeatable() -> None:
    molecule = from_smiles("CC(=O)[O-]")
    one, same = (normal_modes(molecule, 11, [300.0, 600.0], seed=4, conformers=1) for _ in range(2))
    assert one.frames.ids == same.frames.ids
    assert len(set(one.frames.ids)) == 11
    assert set(one.frames.charge) == {-1}
    assert one.frames.group.tolist() == ["T300-c0"] * 6 + ["T600-c0"] * 5
    assert one.report.source == "normal-modes"


def test_frames_out_of_range_are_drawn_anew_and_counted() -> None:
    tight = PhysicalRange(stretch=1.06)
    ethanol = from_smiles("CCO")
    pool = normal_modes(ethanol, 40, [300.0], seed=1, conformers=1, limits=tight)
    assert len(pool.frames) == 40
    assert pool.report.rejected > 0
    assert not any(tight.reasons(ethanol.numbers, pool.frames.dense().positions, ethanol.bonds))
    with pytest.raises(FidselError, match="lower the temperature"):
        normal_modes(ethanol, 40, [9000.0], seed=1, conformers=1, limits=tight)


def test_unknown_statistics_are_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'quantum'"):
        normal_modes(from_smiles("O"), 1, [300.0], seed=1, statistics="quantm")  # type: ignore[arg-type]
