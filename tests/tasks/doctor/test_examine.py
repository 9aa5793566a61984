import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tiny_campaign
from ase import Atoms
from ase.io import write
from small_campaign import CONFIG

from fidsel.config.schema import PoolSection
from fidsel.exceptions import UsageError
from fidsel.fidelity.sources.calculator_names import PACKAGES
from fidsel.models.device import resolve
from fidsel.tasks.doctor import references
from fidsel.tasks.doctor.examine import EXTRAS, Checkup, checkup, examine, first_frames

ROOT = Path(__file__).parents[3]


def test_every_extra_that_is_advertised_is_looked_for() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    packages = {
        re.split(r"[<>=]", line)[0] for name in set(extras) - {"test", "docs"} for line in extras[name]
    }
    assert packages == set(EXTRAS)
    assert {package for package, _ in PACKAGES.values()} < packages
    assert {extra for _, extra in PACKAGES.values()} < set(extras)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fidsel.toml").write_text(CONFIG)
    return tmp_path


def by_name(rows: tuple[Checkup, ...]) -> dict[str, Checkup]:
    found = {row.name: row for row in rows}
    assert len(found) == len(rows)
    return found


def test_healthy_machine_passes_and_nothing_is_stored(folder: Path) -> None:
    rows = by_name(examine(folder))
    assert [row for row in rows.values() if not row.ok] == []
    expected = {"configuration", "programs", "disk", "store", "device", "engine", "model", "pool", "tracker"}
    expected.add("budget")
    sources = {f"{name}: {what}" for name in ("mmff94", "hf(sto)") for what in ("program", "first frame")}
    assert set(rows) == expected | sources
    assert "largest force" in rows["hf(sto): first frame"].detail
    assert "eV off PySCF" in rows["hf(sto): program"].detail
    assert rows["model"].detail == f"sgdml trains and predicts on {resolve('auto')} (device = 'auto')"
    assert [path.name for path in folder.iterdir()] == ["fidsel.toml"]


@pytest.mark.slow
def test_machine_is_examined_although_the_configuration_is_wrong(tmp_path: Path) -> None:
    rows = by_name(examine(tmp_path))
    assert not rows["configuration"].ok
    assert "fidsel init" in rows["configuration"].detail
    assert rows["engine"].ok
    assert rows["disk"].ok


@pytest.mark.parametrize("method", ["hf", "mp2", "ccsd", "ccsd(t)", "dft"])
def test_references_are_what_pyscf_gives_by_itself(method: str) -> None:
    from pyscf import cc, dft, gto, mp, scf

    atoms, basis, energy, tolerance, _ = references.PYSCF[method]
    symbols = list(zip(atoms.get_chemical_symbols(), atoms.positions, strict=True))
    mol = gto.M(atom=symbols, basis=basis, unit="Angstrom", verbose=0)
    if method == "dft":
        field = dft.RKS(mol, xc="pbe").set(conv_tol=1e-11)
        assert field.kernel() == pytest.approx(energy, abs=tolerance)
        return
    field = scf.RHF(mol).set(conv_tol=1e-12)
    found = field.kernel()
    if method == "mp2":
        found = mp.MP2(field).run().e_tot
    elif method != "hf":
        coupled = cc.CCSD(field).set(conv_tol=1e-10).run()
        found = coupled.e_tot + (coupled.ccsd_t() if method == "ccsd(t)" else 0.0)
    assert found == pytest.approx(energy, abs=tolerance)


def test_first_frame_comes_from_wherever_the_pool_starts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    water = [Atoms("OHH", references.WATER.positions + 0.01 * rng.normal(size=(3, 3))) for _ in range(3)]
    write(tmp_path / "pool.extxyz", water)
    (from_file,) = first_frames(PoolSection(source="file", path="pool.extxyz"), tmp_path, 0)
    assert from_file.positions == pytest.approx(water[0].positions, abs=1e-6)
    write(tmp_path / "one.xyz", water[1])
    structure = PoolSection(source="md", structure="one.xyz", frames=10)
    assert first_frames(structure, tmp_path, 0)[0].positions == pytest.approx(water[1].positions, abs=1e-6)
    (made,) = first_frames(PoolSection(source="md", smiles="[OH-]", frames=10), tmp_path, 0)
    assert (made.get_chemical_formula(), made.info["charge"]) == ("HO", -1)


@pytest.mark.parametrize(("per", "waits"), [("allocated-second", True), ("core-second", False)])
@pytest.mark.slow
def test_the_budget_goes_by_the_clock_of_the_price(tmp_path: Path, per: str, waits: bool) -> None:
    """A label waits for half a second and computes next to nothing: allocated cores cost it all the same."""
    folder = tiny_campaign.write_campaign(tmp_path, cheap="pause = 0", accurate="pause = 0.5, slow = 0.6")
    words = [f"fidelity.{i}.price={{per='{per}',value=1}}" for i in (0, 1)]
    words += ["recipe={kind='standard'}", "selector.error=probe"]  # accurate labels alone are bought
    rows = by_name(examine(folder, [*words, "budget={total=20, unit='core-s'}"]))
    assert rows["budget"].ok, rows["budget"].detail
    found = re.search(r"20 core-s pay for 5 validation and some (\d+) training", rows["budget"].detail)
    assert found
    assert (int(found[1]) <= 40) == waits


def test_a_broken_library_is_a_row() -> None:
    def broken() -> str:
        raise ZeroDivisionError("inside a library")

    assert checkup("it", broken) == Checkup("it", False, "ZeroDivisionError: inside a library")


def test_a_pool_that_is_too_small_is_told_before_anything_is_sampled(folder: Path) -> None:
    rows = by_name(examine(folder, ["pool.frames=5", "campaign.test=3", "campaign.validation=2"]))
    assert not rows["pool"].ok
    assert "must hold at least 7 different configurations (3 test, 2 validation" in rows["pool"].detail
    assert rows["hf(sto): first frame"].ok
    atoms = Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    write(folder / "pool.extxyz", [atoms] * 20)
    rows = by_name(examine(folder, ["pool={source='file',path='pool.extxyz'}"]))
    assert "got 1" in rows["pool"].detail


def test_a_pool_in_several_orders_of_atoms_is_told(folder: Path) -> None:
    water = Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    for orders, fits in (([0, 0], True), ([0, 1], False)):
        images = [water[np.roll(range(3), order)] for order in orders]
        for i, atoms in enumerate(images):
            atoms.positions[0, 2] += 0.1 * i
        write(folder / "pool.extxyz", images)
        row = by_name(examine(folder, ["pool={source='file', path='pool.extxyz'}"]))["pool and model"]
        assert row.ok is fits, row.detail
    assert "frame 1 has the atoms of frame 0 in another order" in row.detail


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no folder .*nowhere: `fidsel init` makes one"):
        examine(tmp_path / "nowhere")
