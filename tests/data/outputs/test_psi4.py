import sys
from pathlib import Path

import pytest
from ase import units
from program_outputs import job

from fidsel.data import read
from fidsel.exceptions import MissingExtraError, UsageError


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


def test_psi4_without_cclib_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = job(tmp_path, "psi4")
    monkeypatch.setitem(sys.modules, "cclib.io.ccio", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fidsel\[outputs\]'"):
        read(tmp_path)
    with pytest.raises(MissingExtraError, match="cclib is not installed"):
        read(path)
