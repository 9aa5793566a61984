"""Edits of a campaign that has begun: each setting is refused, taken and noted, or harmless."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from tiny_campaign import labels, opened, picks, rounds, run, write_campaign

from fidsel.campaign import plan_campaign
from fidsel.campaign.edits import RULES, changes, rule_of
from fidsel.campaign.loop import silent
from fidsel.config.build import open_campaign
from fidsel.config.schema import Config
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity import LabelStore
from fidsel.tasks.pages.settings import refs

FACTS = ("fidelity", "fidelity.*.labels")
"""Settings that no key of the file has: the names of the levels bought, and what their labels depend on."""
MORE = ("campaign.rounds=3", "budget.total=26", "campaign.control=off")


def setting_names() -> tuple[str, ...]:
    """Return every setting of fidsel.toml, of all kinds of sections, as `rule_of` takes them."""
    schema = Config.model_json_schema()
    return tuple(dict.fromkeys(names_below(schema, schema["$defs"], "")))


def names_below(part: Mapping[str, Any], defs: Mapping[str, Any], place: str) -> Iterator[str]:
    """Yield the settings below a part of a JSON schema."""
    for key, node in part["properties"].items():
        inner = "fidelity.*" if key == "fidelity" and not place else f"{place}{key}"
        below = [defs[name] for name in refs(node)]
        if not below or inner == "fidelity.*.price":
            yield inner
            continue
        for one in below:
            yield from names_below(one, defs, f"{inner}.")


def record(folder: Path, name: str) -> dict[str, Any]:
    with LabelStore(folder / "labels.db", read_only=True) as store:
        return store.record(name) or {}


def test_every_setting_has_a_rule_and_every_rule_a_setting() -> None:
    names = (*setting_names(), *FACTS)
    assert {"campaign.seed", "pool.temperature", "fidelity.*.time_limit", "recipe.stage.steps"} <= set(names)
    found = {rule_of(name).pattern for name in names}
    assert found == {rule.pattern for rule in RULES}
    with pytest.raises(FidselError, match=r"setting campaign\.new has no rule"):
        rule_of("campaign.new")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("campaign.seed=1", "begun with campaign.seed = 0, got 1, .* once the pool is sampled"),
        ("campaign.test=11", r"campaign\.test = 10, got 11, .* drawn once"),
        ("campaign.validation=4", r"campaign\.validation = 5, got 4"),
        ("campaign.start=6", r"campaign\.start = None, got 6"),
        ("pool.frames=50", r"pool\.frames = None, got 50, .* the pool is sampled once and kept"),
        ("pool.temperature=[300.0]", r"pool\.temperature = 500\.0, got 300\.0"),
        ("pool.path='other.npz'", r"pool\.path = pool\.npz, got other\.npz"),
        ("fidelity.0.name=dft", "fidelity = cheap, accurate, got dft, accurate"),
        ("fidelity.0.energy_key=E_accurate", r"settings of fidelity 'cheap' .* its \d+ labels would be left"),
        ("fidelity.0.price.value=0.5", r"fidelity\.cheap\.price = 0\.05, label, got 0\.5, label"),
        (
            "recipe={kind='standard'}",
            r"got accurate \(levels that recipe.kind = standard uses; it was cokriging\), .* the recipe that",
        ),
        ("selector.clusters=5", r"selector\.clusters = 4, got 5, .* once round 0 is finished"),
        ("budget={total=1, unit='core-h'}", r"budget\.unit = label, got core-second, .* is in the old one"),
    ],
)
def test_what_cannot_change(finished: Path, tmp_path: Path, override: str, message: str) -> None:
    folder = copytree(finished, tmp_path / "copy")
    with pytest.raises(UsageError, match=message) as caught:
        run(folder, *MORE, override)
    assert "set it back, or start a new campaign in another folder" in str(caught.value)
    assert labels(folder) == labels(finished)
    run(folder, "campaign.control=bought")
    assert picks(folder) == picks(finished), "set back, the campaign is what it was"


def test_a_level_of_another_name_is_told_once(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        run(copytree(finished, tmp_path / "copy"), *MORE, "fidelity.0.name=dft")
    assert str(caught.value).count("the campaign was begun with") == 1


def test_all_that_cannot_change_is_told_at_once(finished: Path, tmp_path: Path) -> None:
    folder = copytree(finished, tmp_path / "copy")
    with pytest.raises(UsageError, match=r"campaign\.seed = 0, got 1.*; .*pool\.frames = None, got 50"):
        run(folder, "campaign.seed=1", "pool.frames=50")


def test_what_is_taken_is_noted_in_its_round(finished: Path, tmp_path: Path) -> None:
    folder = copytree(finished, tmp_path / "copy")
    run(folder, *MORE, "model.lam=1e-9", "selector.per_round=2", "fidelity.1.time_limit=60.0")
    *before, last = rounds(folder)
    assert not any("edited" in note for one in before for note in one.notes)
    for text in (
        "edited before this round: budget.total = 26 labels (it was 22 labels)",
        "edited before this round: campaign.control = off (it was bought)",
        "edited before this round: model.lam = 1e-09 (it was None)",
        "edited before this round: selector.per_round = 2 (it was None)",
        "edited before this round: fidelity.accurate.time_limit = 60.0 (it was None)",
    ):
        assert text in last.notes
    assert len(last.picks) == 2
    assert not any("engine" in note or "tracking" in note for note in last.notes)


@pytest.mark.parametrize(
    "override", ["model.device=cpu", "engine.workers=2", "tracking.enabled=false", "budget.unit=label"]
)
def test_harmless_edits_are_not_noted(finished: Path, tmp_path: Path, override: str) -> None:
    folder = copytree(finished, tmp_path / "copy")
    run(folder, override, "campaign.control=bought")
    assert record(folder, "edits") == {}
    assert picks(folder) == picks(finished)


BEGUN = {
    "campaign.seed": 0, "pool.structure": None, "recipe.kind": "delta", "recipe.stage.kind": None,
    "recipe.stage.steps": 100, "fidelity.dft.labels": "k", "fidelity.dft.basis": "sto-3g", "model.lam": 1e-10,
}  # fmt: skip


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ({}, []),
        ({"model.lam": 1e-9}, [("model.lam", 1e-10, 1e-9, "next round")]),
        ({"pool.structure": "a.xyz"}, [("pool.structure", None, "a.xyz", "refused")]),
        ({"pool.units": "eV,Angstrom"}, [("pool.units", None, "eV,Angstrom", "refused")]),
        ({"pool.charge": None}, []),
        (
            {"recipe.surrogate.kind": "sgdml", "recipe.surrogate.lam": 1.0},
            [("recipe.surrogate", None, "sgdml", "next round")],
        ),
        ({"recipe.weights.low": 1.0}, [("recipe.weights", None, "low = 1.0", "next round")]),
        ({"recipe.kind": "joint", "recipe.share": 0.2}, [("recipe.kind", "delta", "joint", "next round")]),
        (
            {"fidelity.mp2.labels": "m", "fidelity.mp2.name": "mp2", "fidelity.mp2.kind": "pyscf"},
            [("fidelity.mp2", None, "pyscf", "refused")],
        ),
    ],
)
def test_settings_that_come_are_edits(now: dict[str, Any], expected: list[tuple[Any, ...]]) -> None:
    """Both ways: what comes with an edit goes with the edit that takes it back."""
    there, back = changes(BEGUN, BEGUN | now), changes(BEGUN | now, BEGUN)
    assert [(edit.name, edit.then, edit.now, edit.rule.effect) for edit in there] == expected
    assert [(edit.name, edit.now, edit.then, edit.rule.effect) for edit in back] == expected


@pytest.mark.parametrize(
    ("begun", "later"),
    [((), ("recipe.surrogate={kind='sgdml', lam=1e-8}",)), (("recipe.surrogate={kind='sgdml'}",), ())],
)
def test_a_table_that_comes_or_goes_is_noted(
    tmp_path: Path, begun: tuple[str, ...], later: tuple[str, ...]
) -> None:
    folder = write_campaign(tmp_path)
    with opened(folder, *begun):
        assert record(folder, "edits") == {}
    with opened(folder, *later):
        (note,) = record(folder, "edits")["edits"]
    then, now = ("None", "sgdml") if later else ("sgdml", "None")
    assert note == {"round": 0, "text": f"recipe.surrogate = {now} (it was {then})"}
    with opened(folder, *later):
        assert len(record(folder, "edits")["edits"]) == 1, "noted once"


def test_members_of_an_average_are_edited_one_by_one(tmp_path: Path) -> None:
    def average(first: str, second: str = "") -> str:
        return f"model={{kind='average', members=[{{kind='sgdml'{first}}}, {{kind='painn'{second}}}]}}"

    folder = write_campaign(tmp_path)
    for model in (average(""), average(", device='cpu'"), average("", ", device='cpu'")):
        with opened(folder, model):
            assert record(folder, "edits") == {}, "a device is harmless"
    with opened(folder, average(", lam=1e-9")):
        (note,) = record(folder, "edits")["edits"]
    assert note == {"round": 0, "text": "model.members.0.lam = 1e-09 (it was None)"}


def test_a_setting_of_the_pool_that_comes_is_refused(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    with opened(folder):
        pass
    with pytest.raises(UsageError, match=r"pool\.charge = None, got 1, .* the pool is sampled once"):
        opened(folder, "pool.charge=1").__enter__()


def test_before_round_0_levels_money_and_validation_may_change(tmp_path: Path) -> None:
    """A campaign whose plan was refused, or not liked, is not lost."""
    folder = write_campaign(tmp_path)
    with pytest.raises(UsageError, match="the budget of 6 labels cannot pay for this campaign"):
        plan_campaign(open_campaign(folder, ["budget.total=6"]), silent)
    first = plan_campaign(open_campaign(folder), silent)
    assert (first.total, first.validation) == (22, 5)
    richer = ["budget.total=40", "campaign.validation=4", "fidelity.0.price.value=0.1"]
    made = plan_campaign(open_campaign(folder, richer), silent)
    assert (made.total, made.validation, made.prices[0]) == (40, 4, 0.1)
    assert len(record(folder, "held-out")["validation"]) == 4
    alone = [*richer, "recipe={kind='standard'}", "campaign.rounds=0"]
    made = plan_campaign(open_campaign(folder, alone), silent)
    assert made.levels == ("accurate",)
    (found,) = run(folder, *alone)
    assert found.spent <= 40
    assert any("budget.total = 40 labels (it was 22 labels)" in note for note in found.notes)


def test_sampling_anew_is_refused_as_well(tmp_path: Path) -> None:
    from fidsel.campaign import sample_pool

    folder = write_campaign(tmp_path)
    assert len(sample_pool(open_campaign(folder))) == 120
    with pytest.raises(UsageError, match=r"pool\.frames = None, got 60"):
        sample_pool(open_campaign(folder, ["pool.frames=60"]))
