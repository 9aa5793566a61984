from pathlib import Path

import numpy as np
import pytest
from program_outputs import STEP, WRITERS, Diatomic, assert_is, job

from fidsel.data import check, read
from fidsel.exceptions import UsageError


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


def test_another_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "slurm.out").write_text("job 17 done\n")
    with pytest.raises(UsageError, match=r"slurm\.out is no output of ORCA, Gaussian, Psi4, xTB"):
        read(tmp_path / "slurm.out")
