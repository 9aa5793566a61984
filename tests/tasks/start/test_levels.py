"""What a new campaign begins with: something that its budget pays for, from water to twelve heavy atoms."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from fidsel.campaign import plan_campaign
from fidsel.campaign.loop import silent
from fidsel.campaign.plans.minimum_budget import MinimumBudget
from fidsel.config.build import build_campaign, open_campaign
from fidsel.config.load import load_config
from fidsel.exceptions import UsageError
from fidsel.fidelity.budget import Budget
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.fidelity.sources.expected import SECONDS, expected_seconds
from fidsel.tasks.doctor.examine import examine
from fidsel.tasks.start import levels
from fidsel.tasks.start.levels import VALIDATION, WANTED, pool_size, starting_point
from fidsel.tasks.start.template import create

MOLECULES = {
    "water": ("O", "ccsd(t)"),
    "methylamine": ("CN", "ccsd(t)"),
    "formic acid": ("OC=O", "ccsd(t)"),
    "ethanol": ("CCO", "mp2"),
    "acetone": ("CC(C)=O", "mp2"),
    "glycine": ("NCC(=O)O", "mp2"),
    "benzene": ("c1ccccc1", "mp2"),
    "naphthalene": ("c1ccc2ccccc2c1", "pbe"),
    "phenylalanine": ("NC(Cc1ccccc1)C(=O)O", "pbe"),
}


def atoms(smiles: str) -> Atoms:
    made = from_smiles(smiles)
    return Atoms(
        made.numbers, np.zeros((len(made.numbers), 3)), info={"charge": made.charge, "spin": made.spin}
    )


@pytest.mark.parametrize("name", MOLECULES)
def test_the_default_budget_pays_for_the_default_levels(name: str, tmp_path: Path) -> None:
    smiles, level = MOLECULES[name]
    path = create(tmp_path / "new", smiles=smiles, structure=None, pool=None)
    campaign = build_campaign(load_config(path), path.parent)
    assert campaign.accurate.name == level
    assert 1200 <= campaign.budget.total <= 3600, "tens of core-minutes"
    made = atoms(smiles)
    prices = {}
    for fidelity, section in zip(campaign.fidelities, campaign.config["fidelity"], strict=True):
        known = section["kind"] == "pyscf"
        prices[fidelity.name] = expected_seconds(section["method"], section["basis"], made) if known else 0.02
    least = MinimumBudget.of(campaign, prices)
    assert campaign.rules.validation == VALIDATION
    assert least.total <= campaign.budget.total
    assert least.with_training(WANTED) <= 1.06 * campaign.budget.total


@pytest.mark.parametrize(
    ("budget", "level"), [("2core-min", "mp2"), ("20core-min", "mp2"), ("4core-h", "ccsd(t)")]
)
def test_the_levels_follow_the_budget(budget: str, level: str) -> None:
    start = starting_point(atoms("CCO"), budget, force_field=True)
    assert (start.method, start.budget) == (level, Budget.parse(budget))


def test_a_budget_that_pays_for_no_level_is_refused_with_what_it_takes() -> None:
    with pytest.raises(UsageError, match=r"some \d+ core-s for a molecule of 23 atoms: a campaign takes \d+"):
        starting_point(atoms("NC(Cc1ccccc1)C(=O)O"), "1core-min", force_field=True)
    with pytest.raises(UsageError, match="Raise --budget"):
        starting_point(Atoms("C60H122", np.zeros((182, 3))), None, force_field=True)


def test_open_shells_have_no_forces_at_ccsdt() -> None:
    radical = Atoms("CH3", np.zeros((4, 3)), info={"charge": 0, "spin": 1})
    assert starting_point(radical, None, force_field=False).method == "mp2"


@pytest.mark.parametrize(("smiles", "basis"), [("CI", "def2-SVP"), ("CBr", "6-31G*"), ("CCO", "6-31G*")])
def test_the_basis_set_has_all_elements(smiles: str, basis: str) -> None:
    levels = starting_point(atoms(smiles), None, force_field=True).levels
    assert f'basis = "{basis}"' in levels
    assert {line for line in levels.splitlines() if line.startswith("basis")} == {f'basis = "{basis}"'}


def test_pools_of_large_molecules_are_smaller() -> None:
    sizes = [pool_size(n) for n in range(3, 40)]
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (600, 200)


@pytest.mark.parametrize("method", SECONDS)
def test_expected_seconds_grow_with_the_molecule(method: str) -> None:
    found = [expected_seconds(method, "6-31G*", atoms(smiles)) for smiles, _ in MOLECULES.values()]
    assert found[0] == min(found)
    assert found[-1] == max(found)
    size, seconds, power = SECONDS[method]
    water = Atoms("OHH", np.zeros((3, 3)))
    assert expected_seconds(method, "6-31G*", water) == max(0.05, seconds * (18 / size) ** power)


@pytest.mark.slow
def test_doctor_says_what_the_budget_buys_and_refuses_one_too_small(tmp_path: Path) -> None:
    path = create(tmp_path / "new", smiles="O", structure=None, pool=None)
    row = {found.name: found for found in examine(path.parent)}["budget"]
    assert row.ok
    assert "20 core-min pay for 8 validation and some" in row.detail
    assert "the least this campaign needs is" in row.detail
    row = {found.name: found for found in examine(path.parent, ["budget.total=0.01"])}["budget"]
    assert not row.ok
    assert "the budget of 0.01 core-min cannot pay for this campaign" in row.detail


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["water", "methylamine", "formic acid"])
def test_defaults_make_a_plan(name: str, tmp_path: Path) -> None:
    path = create(tmp_path / "new", smiles=MOLECULES[name][0], structure=None, pool=None)
    made = plan_campaign(open_campaign(path.parent), silent)
    assert made.recommended.bought[-1] >= 3
    assert made.recommended.cost <= made.total
    assert json.loads(made.to_json())["beside"][0]["what"] == "test labels"


def test_without_tblite_mmff94_is_the_cheap_level_and_there_is_no_baseline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(levels, "find_spec", lambda _: None)
    start = starting_point(atoms("CCO"), None, force_field=True)
    assert 'name = "mmff94"' in start.levels
    assert "tblite" not in start.levels
    assert start.baseline == ""
    assert 'name = "hf"' in starting_point(atoms("CCO"), None, force_field=False).levels
