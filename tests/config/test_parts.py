"""A charge that is given anywhere holds for every label, or is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule as build
from ase.io import write as write_structure
from command_line import fidsel

from fidsel.config import load_config
from fidsel.config.build import build_campaign, sample_pool
from fidsel.config.parts import molecules, read_pool
from fidsel.config.schema import PoolSection
from fidsel.data import Frames, read, write
from fidsel.exceptions import UsageError
from fidsel.fidelity import LabelStore, PySCFSource, TableSource, buy
from fidsel.fidelity.engine.task import InlineEngine
from fidsel.tasks.doctor.examine import first_frames
from fidsel.tasks.start.template import create

DIANION, NEUTRAL = -4068.775, -4078.385
"""eV, O₂²⁻ and O₂ at 1.47594 Å by MP2/6-31G*, from PySCF."""

TABLE = """
[[fidelity]]
name = "table"
kind = "table"
path = "labels.npz"
price = { per = "label", value = 1 }
[recipe]
kind = "standard"
[budget]
total = 10
unit = "label"
"""


@pytest.fixture
def peroxide(tmp_path: Path) -> Path:
    """Configurations of O₂²⁻ in plain XYZ, which names no charge."""
    lengths = np.linspace(1.47594, 1.60, 60)
    path = tmp_path / "peroxide.xyz"
    path.write_text("".join(f"2\nframe {i}\nO 0 0 0\nO 0 0 {r!r}\n" for i, r in enumerate(lengths.tolist())))
    return path


Init = Callable[..., tuple[int, str]]


@pytest.fixture
def init(capfd: pytest.CaptureFixture[str]) -> Init:
    """`fidsel init FOLDER ...`: its exit code and what it says on stderr."""

    def run(folder: Path, *options: str | Path) -> tuple[int, str]:
        found = fidsel(capfd, "init", folder, *options)
        return found.code, " ".join(found.err.split())

    return run


def test_a_charge_given_to_init_is_that_of_the_labels(init: Init, peroxide: Path, tmp_path: Path) -> None:
    assert init(tmp_path / "ion", "--pool", peroxide, "--charge", "-2")[0] == 0
    campaign = build_campaign(load_config(tmp_path / "ion" / "fidsel.toml"), tmp_path / "ion")
    frames = campaign.sample()
    assert set(frames.charge.tolist()) == {-2}
    mp2 = campaign.fidelities[0]
    with LabelStore(tmp_path / "labels.db") as store:
        buy(store, InlineEngine(), mp2, frames[:1], "train")
        assert store.labelled(mp2).energy[0] == pytest.approx(DIANION, abs=0.01)
    assert mp2.source.label(frames.replace(charge=0)[0]).energy == pytest.approx(NEUTRAL, abs=0.01)


def test_doctor_labels_the_first_frame_with_it(peroxide: Path, tmp_path: Path) -> None:
    section = PoolSection(source="file", path=str(peroxide), charge=-2)
    (atoms,) = first_frames(section, tmp_path, 0)
    assert (atoms.info["charge"], atoms.info["spin"]) == (-2, 0)
    label = PySCFSource("mp2", "6-31G*", frozen_core=True).label(atoms)
    assert label.energy == pytest.approx(DIANION, abs=0.01)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--charge", "0"], "names the charge -2 for 60 of 60 frames, the first is frame 0, but 0 was given"),
        (["--spin", "2"], "names the number of unpaired electrons (2S) 0 for 60 of 60"),
    ],
)
def test_init_refuses_a_state_that_the_file_contradicts(
    options: list[str], text: str, init: Init, peroxide: Path, tmp_path: Path
) -> None:
    named = write(tmp_path / "named.xyz", read(peroxide).replace(charge=-2))
    assert init(tmp_path / "ion", "--pool", named)[0] == 0
    assert "charge" not in (tmp_path / "ion" / "fidsel.toml").read_text()
    code, said = init(tmp_path / "other", "--pool", named, *options)
    assert code == 2
    assert text in said
    assert not (tmp_path / "other").exists()
    section = PoolSection(source="file", path=str(named), charge=0)
    with pytest.raises(UsageError, match="names the charge -2"):
        sample_pool(section, tmp_path, 0)


def test_a_charge_without_its_spin_is_refused(init: Init, peroxide: Path, tmp_path: Path) -> None:
    code, said = init(tmp_path / "a", "--pool", peroxide, "--charge", "-1")
    assert code == 2
    assert "charge -1 leaves 17 electrons in frame 0" in said
    assert init(tmp_path / "a", "--pool", peroxide, "--charge", "-1", "--spin", "1")[0] == 0
    pool = load_config(tmp_path / "a" / "fidsel.toml").pool
    assert (pool.charge, pool.spin) == (-1, 1)
    frames = read_pool(pool, tmp_path)
    assert (set(frames.charge.tolist()), set(frames.spin.tolist())) == ({-1}, {1})


def test_a_smiles_has_its_own_charge(init: Init, tmp_path: Path) -> None:
    code, said = init(tmp_path / "a", "--smiles", "CC(=O)[O-]", "--charge", "-1")
    assert code == 2
    assert "a SMILES has its own charge" in said
    assert not (tmp_path / "a").exists()


def acetate() -> Atoms:
    atoms = build("CH3COOH")
    oxygens = np.flatnonzero(atoms.numbers == 8)
    protons = [i for i in np.flatnonzero(atoms.numbers == 1) if atoms.get_distances(i, oxygens).min() < 1.1]
    del atoms[protons]
    return atoms


@pytest.mark.parametrize("source", ["md", "normal-modes"])
def test_a_structure_is_sampled_with_the_charge_given_or_named(source: str, tmp_path: Path) -> None:
    write_structure(tmp_path / "plain.xyz", acetate(), format="xyz")
    named = acetate()
    named.info["charge"] = -1
    write_structure(tmp_path / "named.xyz", named, format="extxyz")
    for name, charge in (("plain", -1), ("named", -1), ("named", None)):
        section = PoolSection(
            source=source,  # type: ignore[arg-type]
            structure=f"{name}.xyz",
            charge=charge,
            frames=4,
            conformers=1,
        )
        frames = sample_pool(section, tmp_path, 0)
        assert set(frames.charge.tolist()) == {-1}
        assert first_frames(section, tmp_path, 0)[0].info["charge"] == -1
    with pytest.raises(UsageError, match=r"named\.xyz names the charge -1 .* but 0 was given"):
        molecules(PoolSection(source="md", structure="named.xyz", charge=0, frames=4), tmp_path)
    with pytest.raises(UsageError, match="leaves 31 electrons"):
        molecules(PoolSection(source="md", structure="plain.xyz", frames=4, charge=0), tmp_path)


def test_a_charge_of_the_molecule_holds_for_its_frames(tmp_path: Path) -> None:
    """MMFF94 levels take the molecule from a SMILES or a structure, frames come from a file."""
    atoms = acetate()
    xyz = atoms.positions + np.random.default_rng(0).normal(scale=0.01, size=(5, len(atoms), 3))
    np.savez(tmp_path / "pool.npz", z=atoms.numbers, R=xyz, e_unit="eV", r_unit="Ang")
    write_structure(tmp_path / "named.xyz", atoms, format="extxyz")
    for more in ({"structure": "named.xyz", "charge": -1}, {"charge": -1}):
        pool = PoolSection(source="file", path="pool.npz", **more)  # type: ignore[arg-type]
        assert set(read_pool(pool, tmp_path).charge.tolist()) == {-1}
        assert [one.charge for one in molecules(pool, tmp_path).values()] == [-1]


def test_a_table_has_the_state_of_the_pool(peroxide: Path, tmp_path: Path) -> None:
    frames = read(peroxide)
    dense = frames.dense()
    np.savez(
        tmp_path / "labels.npz", z=dense.numbers, R=dense.positions, E=np.arange(60.0),
        F=np.random.default_rng(0).normal(size=dense.positions.shape),
        e_unit="eV", r_unit="Ang",
    )  # fmt: skip
    pool = f'[pool]\nsource = "file"\npath = "{peroxide}"\ncharge = -2\n'
    (tmp_path / "fidsel.toml").write_text(f"[campaign]\ntest = 4\nvalidation = 3\n{pool}{TABLE}")
    campaign = build_campaign(load_config(tmp_path / "fidsel.toml"), tmp_path)
    source = campaign.accurate.source
    assert isinstance(source, TableSource)
    assert source.covers(campaign.sample()).all()
    assert source.label(campaign.sample()[7]).energy == 7.0


def test_a_pool_needs_no_mmff94_where_no_level_does(tmp_path: Path) -> None:
    atoms = build("CO2")
    xyz = atoms.positions + np.random.default_rng(0).normal(scale=0.02, size=(60, 3, 3))
    pool = write(tmp_path / "co2.xyz", Frames.stack(atoms.numbers, xyz))
    path = create(tmp_path / "new", smiles=None, structure=None, pool=pool)
    campaign = build_campaign(load_config(path), path.parent)
    assert len(campaign.sample()) == 60
    assert first_frames(load_config(path).pool, path.parent, 0)[0].get_chemical_formula() == "CO2"


@pytest.mark.parametrize(
    ("smiles", "text"),
    [
        ("O=C=O", "MMFF94 does not describe"),
        ("[N-]=[N+]=[N-]", "MMFF94 does not describe"),
        ("[Na+]", "an atom alone is the same wherever it lies"),
        ("[Ne]", "an atom alone is the same wherever it lies"),
    ],
)
def test_what_cannot_be_sampled_is_refused_everywhere(smiles: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=text):
        create(tmp_path / "new", smiles=smiles, structure=None, pool=None)
    section = PoolSection(source="md", smiles=smiles, frames=20)
    with pytest.raises(UsageError, match=text):
        sample_pool(section, tmp_path, 0)
    with pytest.raises(UsageError, match=text):
        sample_pool(section.model_copy(update={"source": "normal-modes"}), tmp_path, 0)
    with pytest.raises(UsageError, match=text):
        first_frames(section, tmp_path, 0)
    hf = TABLE.replace(
        'kind = "table"\npath = "labels.npz"', 'kind = "pyscf"\nmethod = "hf"\nbasis = "6-31G"'
    )
    pool = f'[pool]\nsource = "md"\nsmiles = "{smiles}"\nframes = 20\n'
    (tmp_path / "fidsel.toml").write_text(f"{pool}{hf}")
    with pytest.raises(UsageError, match=text):
        build_campaign(load_config(tmp_path / "fidsel.toml"), tmp_path)


def test_a_file_of_single_atoms_is_no_pool(tmp_path: Path) -> None:
    pool = write(tmp_path / "na.xyz", Frames.stack([11], np.arange(60.0).reshape(20, 1, 3), charge=1))
    with pytest.raises(UsageError, match="one atom alone, the same wherever it lies"):
        create(tmp_path / "new", smiles=None, structure=None, pool=pool)


def test_isomers_of_a_file_are_told_apart_by_the_order_of_their_atoms(tmp_path: Path) -> None:
    write_structure(tmp_path / "isomers.xyz", [build("CH3CH2OH"), build("CH3OCH3")], format="extxyz")
    found = molecules(PoolSection(source="file", path="isomers.xyz"), tmp_path)
    assert [str(one) for one in found.values()] == [
        f"Molecule({smiles}, 9 atoms, charge 0)" for smiles in ("CCO", "COC")
    ]
