"""Which molecule a frame is, turns, and campaigns that cannot have several."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_campaign
from family_campaign import write_family

from fidsel.campaign.molecules import Members, in_turn, kinds_of, require_pool
from fidsel.config.build import open_campaign
from fidsel.data import Frames
from fidsel.exceptions import FidselError, UsageError
from fidsel.models import PaiNN

WATER = Frames.stack([8, 1, 1], np.random.default_rng(0).normal(size=(3, 3, 3)))
HYDROXIDE = Frames.stack([8, 1], np.zeros((2, 2, 3)), charge=-1)


def test_names_tell_isomers_apart() -> None:
    two = WATER.replace(group=["a: T300", "b: T300", "a: round 1 x"])
    members = Members.among(two, ["b", "a"])
    assert members.of.tolist() == [1, 0, 1]
    assert members.counts().tolist() == [1, 2]
    assert members.counts(np.array([0, 2])).tolist() == [0, 2]


def test_without_names_compositions_and_charges_are_molecules() -> None:
    both = WATER + HYDROXIDE
    members = Members.among(both)
    assert members.names == ("H2O", "HO")
    assert members[np.array([4, 0])].of.tolist() == [1, 0]
    assert kinds_of(both) == [("H2O", 0, 0), ("HO", -1, 0)]


class _Crystal(PaiNN):
    without_cell = False


def test_a_periodic_pool_is_refused_where_a_model_is_for_molecules(tmp_path: Path) -> None:
    folder = tiny_campaign.write_campaign(tmp_path)
    campaign = open_campaign(folder)
    pool = campaign.sample().unlabelled()
    crystal = pool.replace(pbc=True, cell=np.broadcast_to(20 * np.eye(3), (len(pool), 3, 3)))
    require_pool(campaign, pool)
    for kind, recipe in (("sgdml", "cokriging"), ("ensemble", "cokriging"), ("painn", "joint")):
        made = open_campaign(folder, [f"model={{kind='{kind}'}}", f"recipe={{kind='{recipe}'}}"])
        with pytest.raises(UsageError, match=r"the pool: \w+ is for molecules: frame 0 is periodic \(120 of"):
            require_pool(made, crystal)
    require_pool(replace(made, model=lambda seed: _Crystal(seed=seed)), crystal)


def test_groups_of_other_names_are_refused() -> None:
    with pytest.raises(FidselError, match="names of molecules a, b, got 'c'"):
        Members.among(WATER.replace(group=["a: x", "c: x", "b: x"]), ["a", "b"])


def test_the_first_in_turn_are_of_all() -> None:
    assert in_turn([5, 6, 7, 8], [0, 0, 0, 1]) == [5, 8, 6, 7]
    assert in_turn([5, 6], [0, 0]) == [5, 6]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ('kind = "painn"\nfeatures = 8\nlayers = 1', 'kind = "sgdml"'),
            "a model of kind 'sgdml' learns one molecule, .* 3",
        ),
        (('"N", "C"]', '"[NH4+]"]'), r"does not see charge and spin, .*O \(charge 0, spin 0\), \[NH4\+\]"),
        (('descriptor = "latent"', 'descriptor = "pair-distances"'), "compares frames of one molecule"),
        (('"N", "C"]', '"[2H]O[2H]", "OC", "CO"]'), "are the same molecule"),
        (('"N", "C"]', '"[Na+]"]'), "an atom alone is the same"),
        (('smiles = ["O", "N", "C"]', "smiles = []"), "smiles"),
        (('smiles = ["O", "N", "C"]', 'smiles = ["O", "N"]\nspin = 2'), "`spin` is of one molecule"),
        (('smiles = ["O", "N", "C"]', 'smiles = ["O"]\nmolecules = "a.csv"'), "molecules are named once"),
        (('smiles = ["O", "N", "C"]', 'molecules = "none.csv"'), "none.csv cannot be read"),
    ],
)
def test_what_several_molecules_cannot_have_is_refused_at_once(
    change: tuple[str, str], said: str, tmp_path: Path
) -> None:
    changes = [change]
    if "sgdml" in change[1]:
        changes += [
            ('kind = "joint"\nstage = { steps = 40, batch = 8, validate_every = 20 }', 'kind = "cokriging"')
        ]
        changes += [('descriptor = "latent"', 'descriptor = "pair-distances"')]
    with pytest.raises(UsageError, match=said):
        open_campaign(write_family(tmp_path, *changes))
