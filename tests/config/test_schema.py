from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from fidsel.config import Config
from fidsel.config.load import check_config
from fidsel.config.models import LEARNERS
from fidsel.config.recipes import StageSection
from fidsel.exceptions import UsageError
from fidsel.training import Cokriging
from fidsel.training.recipes.cokriging import RESIDUAL
from fidsel.training.recipes.standard import STAGE

LEVELS = [
    {"name": "dft", "kind": "calculator", "calculator": "emt"},
    {"name": "cc", "kind": "calculator", "calculator": "lj"},
]
GOOD: dict[str, Any] = {
    "pool": {"source": "file", "path": "pool.npz"},
    "fidelity": LEVELS,
    "recipe": {"kind": "cokriging"},
    "budget": {"total": 3},
}


def checked(**changes: object) -> Config:
    return check_config(Config, GOOD | changes, (), "here")


def test_smallest_file_is_enough() -> None:
    config = checked()
    assert config.model == LEARNERS["sgdml"](kind="sgdml")
    assert config.selector.kind == "cluster-error"
    assert str(config.budget.parsed()) == "3 core-h"
    assert str(config.budget.parsed("5core-min")) == "5 core-min"
    assert str(checked(budget={"total": 8, "unit": "core-min"}).budget.parsed()) == "8 core-min"


def test_every_section_and_field_is_documented() -> None:
    schema = Config.model_json_schema()
    for name, section in {"Config": schema, **schema["$defs"]}.items():
        assert section.get("description"), f"{name} has no description"
        for key, field in section["properties"].items():
            said = field.get("description") or schema["$defs"][field["$ref"].split("/")[-1]]["description"]
            assert said, f"{name}.{key} has no description"


def test_every_section_refuses_keys_it_has_not() -> None:
    for name, section in Config.model_json_schema()["$defs"].items():
        assert section["additionalProperties"] is False, name


def test_stage_keeps_what_is_not_given() -> None:
    assert StageSection().applied(STAGE) == STAGE
    made = StageSection(steps=7, rho=0.5).applied(STAGE)
    assert (made.steps, made.loss.rho, made.batch, made.loss.force) == (7, 0.5, STAGE.batch, STAGE.loss.force)


@pytest.mark.parametrize(
    ("model", "levels", "recipe"),
    [
        ({}, 1, "standard"),
        ({}, 2, "cokriging"),
        ({"model": {"kind": "painn"}}, 1, "standard"),
        ({"model": {"kind": "painn"}}, 3, "joint"),
        ({"model": {"kind": "gemnet"}}, 2, "joint"),
        ({"model": {"kind": "mace"}}, 2, "asteroid"),
        ({"model": {"kind": "ensemble"}}, 2, "cokriging"),
        ({"model": {"kind": "my.module:Model"}}, 2, "cokriging"),
    ],
)
def test_a_model_takes_its_usual_recipe_where_none_is_named(
    model: dict[str, Any], levels: int, recipe: str
) -> None:
    some = [LEVELS[0], {**LEVELS[0], "name": "more"}, LEVELS[1]][-levels:]
    values = {key: value for key, value in GOOD.items() if key != "recipe"}
    assert check_config(Config, values | model | {"fidelity": some}, (), "here").recipe.kind == recipe


def test_settings_of_the_usual_recipe_need_no_kind() -> None:
    config = checked(recipe={"stage": {"steps": 7}, "held_out": 0.2})
    recipe = config.recipe.build(Path())
    assert recipe == Cokriging(stage=replace(RESIDUAL, steps=7), held_out=0.2)
    with pytest.raises(UsageError, match="recipe: unknown key 'pretrain'"):
        checked(recipe={"pretrain": {"steps": 7}})


def test_expanded_configuration_is_a_configuration() -> None:
    config = checked(selector={"clusters": 3}, model={"kind": "painn"})
    again = TypeAdapter(Config).validate_python(config.model_dump(mode="json"))
    assert again == config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pool": {"source": "file"}}, "pool: a pool from a file needs `path`"),
        ({"pool": {"source": "md", "smiles": "O"}}, "pool: a pool by md needs `frames`"),
        (
            {"pool": {"source": "md", "frames": 9}},
            "pool: a pool by md needs `smiles`, `molecules` or `structure`",
        ),
        (
            {"pool": {"source": "md", "frames": 9, "smiles": "O", "path": "a"}},
            "`path` goes with source = 'file'",
        ),
        ({"pool": {"source": "md", "frames": 9, "smiles": "O", "structure": "a"}}, "named once"),
        ({"pool": {"source": "md", "frames": 9, "smiles": "O", "charge": 1}}, "a SMILES carries its own"),
        ({"pool": 3}, "pool must be a section, got 3"),
        ({"fidelity": [*LEVELS, LEVELS[0]]}, "fidelity names must differ, got dft more than once"),
        ({"fidelity": LEVELS[:1]}, "recipe 'cokriging' needs cheap labels"),
        ({"fidelity": [{"kind": "pyscf", "name": "a", "method": "hf"}]}, r"fidelity\.0\.basis is required"),
        (
            {"fidelity": [{"name": "a"}]},
            r"fidelity\.0\.kind is required, one of table, .*package\.module:Class",
        ),
        (
            {"fidelity": [{"name": "a", "kind": "no class:"}]},
            r"fidelity\.0\.kind must be written package\.module:Class",
        ),
        ({"recipe": {"kind": "asteroid"}}, "recipe 'asteroid' trains networks"),
        ({"recipe": {"kind": "asteroid-unlabelled", "temperature": 300}}, "-unlabelled' trains networks"),
        (
            {"recipe": {"kind": "joint"}},
            "recipe 'joint' trains networks, and a sgdml model is none: take model",
        ),
        ({"recipe": {"kind": "joint", "share": 1}}, r"recipe\.share must be less than 1, got 1"),
        ({"model": {"kind": "sgdml", "sigmas": 10}}, r"sigmas must be a list, e\.g\. \[10\], got 10"),
        ({"recipe": {"kind": "asteroid-unlabelled"}}, r"is required, e\.g\. recipe\.temperature=500"),
        ({"recipe": {"kind": "asteroid", "gammas": [1.0]}}, "gammas: of use with bias_weights"),
        ({"recipe": {"kind": "cokriging", "gamma": 2.0}}, "gamma: of use with bias_weights"),
        (
            {"recipe": {"kind": "asteroid", "teaching": {"members": 3}}},
            "teaching: of use with bias_weights",
        ),
        ({"recipe": {"kind": "asteroid", "bias_weights": True, "gammas": []}}, "at least one of gammas"),
        ({"recipe": {"kind": "asteroid", "teaching": {"folds": 1}}}, "folds must be 0 or at least 2, got 1"),
        ({"recipe": {"kind": "asteroid", "teaching": {"subtract_error": True}}}, "needs a committee"),
        (
            {
                "recipe": {"kind": "asteroid-unlabelled", "temperature": 300},
                "model": {"kind": "painn"},
                "selector": {"error": "cheap"},
            },
            "needs a recipe with a cheap model, not 'asteroid-unlabelled'",
        ),
        (
            {
                "model": {"kind": "ensemble", "member": {"kind": "painn"}},
                "recipe": {"kind": "asteroid"},
            },
            "recipe 'asteroid' trains one network, not an ensemble: take recipe 'standard'",
        ),
        (
            {"model": {"kind": "mace"}, "recipe": {"kind": "joint"}},
            "a mace model has one: take recipe 'asteroid'",
        ),
        (
            {
                "fidelity": [
                    {"kind": "pyscf", "name": "a", "method": "ccsd(t)", "basis": "sto-3g", "forces": False}
                ],
                "recipe": {"kind": "standard"},
                "model": {"kind": "ensemble", "member": {"kind": "sgdml"}},
            },
            "model 'sgdml' learns from forces",
        ),
        ({"budget": {"total": 3, "unit": "label"}}, "fidelity 'dft' needs `price`"),
        (
            {"budget": {"total": 3, "unit": "gpu-h"}},
            "gpu-h cannot be charged for fidelity 'dft', since no label",
        ),
        (
            {"fidelity": LEVELS[:1], "recipe": {"kind": "standard"}, "selector": {"error": "cheap"}},
            "take 'probe'",
        ),
        ({"selector": {"kind": "random", "strategy": "worst"}}, "selector: unknown key 'strategy'"),
        ({"budget": {"total": 1, "unit": "core-hours"}}, r"unknown budget\.unit 'core-hours', did you mean"),
        (
            {"recipe": {"kind": "cokriging", "stage": {"steps": 0}}},
            r"recipe\.stage\.steps must be greater than 0, got 0",
        ),
        ({"trackin": {}}, "unknown key 'trackin': did you mean 'tracking'"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        checked(**changes)


def test_all_complaints_come_at_once() -> None:
    with pytest.raises(UsageError, match=r"campaign\.seed .*; engine\.workers "):
        checked(campaign={"seed": -1}, engine={"workers": 0})


def test_a_bound_for_new_candidates_needs_labels_to_learn_it_from() -> None:
    pool = GOOD["pool"] | {"refresh": "model-md", "refresh_bound": 0.2}
    assert checked(pool=pool).pool.refresh_bound == 0.2
    with pytest.raises(UsageError, match=r"needs 9 validation labels at least, got campaign.validation = 8"):
        checked(pool=pool, campaign={"validation": 8})
    with pytest.raises(UsageError, match=r"refresh_bound is for pool.refresh = 'model-md'"):
        checked(pool=pool | {"refresh": "none"})
