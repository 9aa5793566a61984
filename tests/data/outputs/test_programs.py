import sys
from pathlib import Path

import numpy as np
import pytest
from ase import units
from program_outputs import Diatomic, engrad, gaussian, orca, psi4, turbomole, xtb

from fidsel.data import Frames, check, read, read_with_notes
from fidsel.exceptions import MissingExtraError, UsageError

STEP = Diatomic(1.55)
WRITERS = {"orca": orca, "gaussian": gaussian, "psi4": psi4, "xtb": xtb}


def job(folder: Path, program: str, step: Diatomic = STEP, **how: object) -> Path:
    """Write an output of a program, in a folder of its own where another file goes with it."""
    if program == "psi4":
        pytest.importorskip("cclib", reason="needs pip install 'fidsel[outputs]'")
    folder.mkdir(parents=True, exist_ok=True)
    if program == "xtb":
        (folder / "gradient").write_text(turbomole(step))
    path = folder / f"{program}.out"
    path.write_text(WRITERS[program](step, **how))
    return path


def assert_is(frames: Frames, step: Diatomic, i: int = 0) -> None:
    """Hold energy, place and forces, minus the gradient, against the potential."""
    assert frames.energy[i] == pytest.approx(step.energy * units.Hartree, abs=3e-8)
    rows = slice(frames.offsets[i], frames.offsets[i + 1])
    np.testing.assert_allclose(
        frames.positions[rows][1] - frames.positions[rows][0], [0, 0, step.angstrom], atol=1e-7
    )
    expected = np.array([[0, 0, -g] for _, g in step.rows]) * units.Hartree / units.Bohr
    np.testing.assert_allclose(frames.forces[rows], expected, atol=1e-6)
    assert (frames.charge[i], frames.spin[i]) == (step.charge, step.multiplicity - 1)


@pytest.mark.parametrize("program", WRITERS)
def test_labels_are_those_of_the_potential(program: str, tmp_path: Path) -> None:
    assert_is(read(job(tmp_path, program)), STEP)


@pytest.mark.parametrize("program", WRITERS)
def test_charge_and_multiplicity_are_heeded(program: str, tmp_path: Path) -> None:
    assert_is(read(job(tmp_path, program, step := Diatomic(2.1, charge=1, multiplicity=2))), step)


@pytest.mark.parametrize("program", WRITERS)
def test_forces_go_with_energies(program: str, tmp_path: Path) -> None:
    """Forces are minus the gradient, in eV/Å: the check of frames along a stretch finds slope 1."""
    for i, length in enumerate(np.linspace(1.2, 2.2, 21)):
        job(tmp_path / "jobs" / str(i), program, Diatomic(float(length)))
    frames = read(tmp_path / "jobs")
    assert np.diff(frames.positions[1::2, 2]).min() > 0, "10 sorts behind 9"
    findings = [finding for finding in check(frames) if finding.rule == "energy-force"]
    assert [finding.severity for finding in findings] == ["note"], findings


FAILURES = {
    "orca": "          *              SCF NOT CONVERGED AFTER 125 CYCLES            *",
    "gaussian": " >>>>>>>>>> Convergence criterion not met.",
    "psi4": "  Energy and wave function did not converge, but proceeding anyway.",
    "xtb": " [WARNING] SCC is not converged properly!",
}


@pytest.mark.parametrize("program", WRITERS)
def test_what_did_not_converge_is_refused_by_name(program: str, tmp_path: Path) -> None:
    path = job(tmp_path, program, failure=FAILURES[program])
    with pytest.raises(UsageError, match=rf"{program}\.out: this \w+ calculation did not converge"):
        read(path)


@pytest.mark.parametrize("program", WRITERS)
def test_what_was_cut_off_is_refused_by_name(program: str, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=rf"{program}\.out: \w+ did not end normally, or the file was cut off"
    ):
        read(job(tmp_path, program, end=False))


def test_an_optimisation_is_one_group(tmp_path: Path) -> None:
    steps = [Diatomic(length) for length in (1.8, 1.6, 1.45)]
    (tmp_path / "opt.out").write_text(orca(*steps))
    frames, notes = read_with_notes(tmp_path / "opt.out")
    for i, step in enumerate(steps):
        assert_is(frames, step, i)
    assert set(frames.group) == {"opt"}
    assert "output of ORCA" in notes


def test_a_gradient_beside_an_output_without_one_is_read(tmp_path: Path) -> None:
    (tmp_path / "mp2.out").write_text(orca(STEP, gradient=False))
    assert not read(tmp_path / "mp2.out").has_forces.any()
    (tmp_path / "mp2.engrad").write_text(engrad(STEP))
    assert_is(read(tmp_path / "mp2.out"), STEP)
    (tmp_path / "mp2.engrad").write_text(engrad(Diatomic(1.9)))
    with pytest.raises(UsageError, match=r"mp2\.out and mp2\.engrad beside it have different energies"):
        read(tmp_path / "mp2.out")


@pytest.mark.parametrize(("name", "text"), [("h2.engrad", engrad(STEP)), ("gradient", turbomole(STEP))])
def test_a_gradient_file_alone_is_read(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    frames, notes = read_with_notes(tmp_path / name)
    assert_is(frames, STEP)
    assert any("does not say charge and spin" in note for note in notes)


def test_xtb_without_its_gradient_is_refused(tmp_path: Path) -> None:
    job(tmp_path, "xtb")
    (tmp_path / "gradient").unlink()
    with pytest.raises(UsageError, match="run xtb with --grad and keep the file 'gradient'"):
        read(tmp_path / "xtb.out")


def test_forces_in_another_orientation_than_the_geometry_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="repeat it with #p or nosymm"):
        read(job(tmp_path, "gaussian", orientation="Standard"))


def test_a_correlated_energy_that_cclib_does_not_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cclib does not read the energy of this correlated method"):
        read(job(tmp_path, "psi4", failure="                    FNOCC\n"))


def test_an_mp2_energy_is_taken_before_that_of_the_scf(tmp_path: Path) -> None:
    mp2 = (
        "\t ==================> DF-MP2 Energies <====================\n"
        "\t Total Energy              =      -1.2500000000000000 [Eh]\n"
    )
    path = job(tmp_path, "psi4")
    path.write_text(path.read_text().replace("  -Total Gradient", f"{mp2}\n  -Total Gradient"))
    assert read(path).energy[0] == pytest.approx(-1.25 * units.Hartree, abs=1e-8)


def test_energies_and_geometries_that_cannot_be_matched_are_refused(tmp_path: Path) -> None:
    path = job(tmp_path, "psi4")
    path.write_text(path.read_text().replace("  @DF-RHF", "  @DF-RHF Final Energy: -1.0\n  @DF-RHF"))
    with pytest.raises(
        UsageError, match="1 geometries, 2 energies and 1 gradients: read outputs of single points"
    ):
        read(path)


def test_another_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "slurm.out").write_text("job 17 done\n")
    with pytest.raises(UsageError, match=r"slurm\.out is no output of ORCA, Gaussian, Psi4, xTB"):
        read(tmp_path / "slurm.out")


def test_gfn2_forces_survive_the_way_through_a_gradient_file(tmp_path: Path) -> None:
    interface = pytest.importorskip("tblite.interface", reason="needs pip install 'fidsel[xtb]'")
    numbers, places = np.array([8, 1, 1]), np.array([[0, 0, 0], [1.9, 0, 0], [-0.6, 1.8, 0.1]])
    calculator = interface.Calculator("GFN2-xTB", numbers, places)
    calculator.set("verbosity", 0)
    found = calculator.singlepoint()
    energy, gradient = found.get("energy").item(), found.get("gradient")
    words = [" ".join(f"{x:.14f}" for x in row) for row in (*places, *gradient)]
    symbols = ["o", "h", "h"]
    atoms = "".join(f"  {row} {symbol}\n" for row, symbol in zip(words[:3], symbols, strict=True))
    rows = "".join(f"  {row}\n" for row in words[3:])
    (tmp_path / "gradient").write_text(
        f"$grad\n  cycle =  1    SCF energy = {energy:.12f}   |dE/dxyz| = 0.1\n{atoms}{rows}$end\n"
    )
    frames = read(tmp_path / "gradient")
    step = 1e-3
    moved = [places + step * sign * np.eye(9)[3].reshape(3, 3) for sign in (1, -1)]
    energies = []
    for place in moved:
        calculator.update(place)
        energies.append(calculator.singlepoint().get("energy").item())
    slope = (energies[0] - energies[1]) / (2 * step) * units.Hartree / units.Bohr
    assert frames.forces[1, 0] == pytest.approx(-slope, abs=1e-4)


def test_psi4_without_cclib_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = job(tmp_path, "psi4")
    monkeypatch.setitem(sys.modules, "cclib.io.ccio", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fidsel\[outputs\]'"):
        read(tmp_path)
    with pytest.raises(MissingExtraError, match="cclib is not installed"):
        read(path)


def test_jobs_of_different_charges_in_one_file_are_refused(tmp_path: Path) -> None:
    text = gaussian(STEP) + gaussian(Diatomic(1.6, charge=1, multiplicity=2))
    (tmp_path / "two.log").write_text(text)
    with pytest.raises(UsageError, match=r"two\.log holds calculations of different charge or spin"):
        read(tmp_path / "two.log")


def test_a_second_job_that_failed_is_refused(tmp_path: Path) -> None:
    text = gaussian(STEP) + gaussian(Diatomic(1.6), end=False) + " Error termination via Lnk1e in l502.exe\n"
    (tmp_path / "two.log").write_text(text)
    with pytest.raises(UsageError, match=r"did not converge or failed .'Error termination'"):
        read(tmp_path / "two.log")
