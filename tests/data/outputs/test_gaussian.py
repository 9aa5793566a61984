from pathlib import Path

import pytest
from program_outputs import STEP, Diatomic, gaussian, job

from fidsel.data import read
from fidsel.exceptions import UsageError


def test_forces_in_another_orientation_than_the_geometry_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="repeat it with #p or nosymm"):
        read(job(tmp_path, "gaussian", orientation="Standard"))


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
