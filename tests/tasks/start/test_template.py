import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from ase.io import write as write_structure
from morse_molecule import frames

from fidsel.config import load_config
from fidsel.config.build import build_campaign
from fidsel.data import write
from fidsel.exceptions import UsageError
from fidsel.tasks.start.template import create, template_text


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A structure and a pool of formaldehyde, in a folder whose name needs quoting."""
    folder = tmp_path / 'a "b" ω'
    folder.mkdir()
    write_structure(folder / "structure.xyz", frames(1)[0])
    return {
        "structure": folder / "structure.xyz",
        "pool": write(folder / "pool.extxyz", frames(60).unlabelled()),
    }


@pytest.mark.parametrize("budget", ["20core-min", "2core-h", "30 core-s", "50"])
@pytest.mark.parametrize("kind", ["smiles", "structure", "pool"])
def test_every_template_is_a_campaign(kind: str, budget: str, files: dict[str, Path], tmp_path: Path) -> None:
    given = {"smiles": None, "structure": None, "pool": None} | {kind: files.get(kind, "C=O")}
    path = create(tmp_path / "new", budget=budget, **given)  # type: ignore[arg-type]
    config = load_config(path)
    campaign = build_campaign(config, path.parent)
    assert campaign.name == "new"
    assert campaign.accurate.name == ("mp2" if budget == "30 core-s" else "ccsd(t)")
    assert campaign.accurate.forces
    xtb, dear = find_spec("tblite") is not None, campaign.accurate.name == "ccsd(t)"
    expected = ["mp2" if dear else "gfn1-xtb" if xtb else "hf"]
    if not xtb and kind != "pool":
        expected = ["mmff94", "mp2"] if dear else ["mmff94"]
    assert [level.name for level in campaign.cheap] == expected
    assert (campaign.baseline is not None) == xtb
    assert campaign.config["pool"]["source"] == config.pool.source
    assert campaign.budget == config.budget.parsed(budget)


def test_charge_and_units_are_written(tmp_path: Path) -> None:
    (plain := tmp_path / "ions.xyz").write_text("2\n\nO 0 0 0\nH 0 0 0.96\n" * 60)
    text = template_text(pool=plain, charge=-1, units="eV,Angstrom")
    pool = tomllib.loads(text)["pool"]
    assert (pool["charge"], pool["units"]) == (-1, "eV,Angstrom")
    assert "charge" not in template_text(smiles="CO")


def test_existing_campaign_is_kept(tmp_path: Path) -> None:
    (tmp_path / "fidsel.toml").write_text("mine")
    with pytest.raises(UsageError, match="exists already and is kept"):
        create(tmp_path, smiles="O", structure=None, pool=None)
    assert (tmp_path / "fidsel.toml").read_text() == "mine"


def test_nothing_is_written_for_what_cannot_be_read(tmp_path: Path) -> None:
    for name, value in (("smiles", "C(("), ("structure", tmp_path / "a.xyz"), ("pool", tmp_path / "a.npz")):
        given = {"smiles": None, "structure": None, "pool": None} | {name: value}
        with pytest.raises(UsageError, match=r"not a valid SMILES|cannot be read|there is no file"):
            create(tmp_path / "new", **given)  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        (
            "[CH3]",
            r"MMFF94 has no radicals, got .* unpaired electrons\. A new campaign .* with --pool; GFN2-xTB "
            r"makes one from a structure: fidsel md gfn2 FILE\.xyz .* --out pool\.extxyz",
        ),
        ("B(O)O", r"MMFF94 has no type for atom 0 \(B\).*with --pool"),
    ],
)
def test_a_molecule_that_cannot_be_sampled_is_refused(smiles: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        create(tmp_path / "new", smiles=smiles, structure=None, pool=None)
    assert not (tmp_path / "new").exists()


def test_gpu_time_is_no_budget_of_a_new_campaign(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no label source measures GPU time: .* 2core-h, got '1.5gpu-h'"):
        create(tmp_path, smiles="CO", structure=None, pool=None, budget="1.5gpu-h")


def test_gpu_time_needs_declared_prices(tmp_path: Path) -> None:
    path = create(tmp_path, smiles="CO", structure=None, pool=None, budget="50")
    assert str(build_campaign(load_config(path), tmp_path, "1gpu-h").budget) == "1 gpu-h"
    path.unlink()
    config = load_config(create(tmp_path, smiles="CO", structure=None, pool=None, budget="2core-h"))
    with pytest.raises(UsageError, match="cannot be charged for fidelity 'mp2'"):
        build_campaign(config, tmp_path, "1gpu-h")
    with pytest.raises(UsageError, match="with a budget in labels, fidelity 'mp2' needs `price`"):
        build_campaign(config, tmp_path, "50")


def test_molecules_of_several_charges_are_refused_before_a_file_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"same charge and spin, got .*\(charge 0, spin 0\).*\(charge 1,"):
        create(tmp_path / "new", smiles=["C#N", "[NH4+]"], structure=None, pool=None)
    assert not (tmp_path / "new").exists()
