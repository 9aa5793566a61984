"""What an edit of fidsel.toml means for a campaign that has begun: refused, taken, or harmless.

The one place that decides it, by the table `RULES`; docs/editing.md says the same in words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

from fidsel.campaign.settings import Campaign
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.store.labels import LabelStore

Effect = Literal["refused", "next round", "harmless"]
Stage = Literal["pool", "money", "round 0", "clusters"]

ANEW: Final = "set it back, or start a new campaign in another folder"
RECORD, NOTED = "settings", "edits"

STAGES: Final[Mapping[Stage, str]] = {
    "pool": "once the pool is sampled",
    "money": "once a label is paid",
    "round 0": "once round 0 is drawn",
    "clusters": "once round 0 is finished",
}
"""From when on a setting that cannot change is held."""


@dataclass(frozen=True)
class Rule:
    """What an edit of some settings means.

    Parameters
    ----------
    pattern : settings, `section.key`; `*` stands for anything, also for the name of a level.
    effect : "refused", taken from the next round on, or harmless: no result depends on it.
    why : in a few words.
    since : refused from this stage on; before, an edit is taken as it comes.
    """

    pattern: str
    effect: Effect
    why: str
    since: Stage = "round 0"


RULES: Final = (
    Rule("campaign.name", "next round", "rounds to come are logged under the new name"),
    Rule("campaign.seed", "refused", "every draw would be another", "pool"),
    Rule("campaign.rounds", "next round", "a campaign that had ended goes on where it is raised"),
    Rule("campaign.test", "refused", "held-out configurations are drawn once"),
    Rule("campaign.validation", "refused", "held-out configurations are drawn once"),
    Rule("campaign.start", "refused", "it is the size of round 0"),
    Rule("campaign.target", "next round", "it decides when to stop"),
    Rule("campaign.measure", "next round", "it decides when to stop"),
    Rule("campaign.cluster_target", "next round", "it decides when to stop"),
    Rule("campaign.patience", "next round", "it decides when to stop"),
    Rule("campaign.trust_labels", "next round", "rounds that are finished keep what they were trained on"),
    Rule("campaign.close_at", "next round", "rounds that have closed keep what they trained on"),
    Rule("campaign.control", "next round", "rounds that are finished keep their control arm"),
    Rule("pool.refresh", "next round", "it decides what is added to the pool"),
    Rule("pool.refresh_frames", "next round", "it decides what is added to the pool"),
    Rule("pool.*", "refused", "the pool is sampled once and kept", "pool"),
    Rule("fidelity", "refused", "the levels, their order and the recipe that uses them make a campaign"),
    Rule("fidelity.*.name", "refused", "the levels make a campaign"),
    Rule(
        "fidelity.*.labels", "refused", "method, basis, file ...: labels bought so far would be left behind"
    ),
    Rule("fidelity.*.price", "refused", "what was spent and what is left would be in two currencies"),
    Rule("fidelity.*.*", "next round", "limits, threads and the like; labels bought so far stay as they are"),
    Rule("model.device", "harmless", "results change by their rounding"),
    Rule("model.member.device", "harmless", "results change by their rounding"),
    Rule("model.*", "next round", "rounds that are finished keep their models"),
    Rule("recipe.*", "next round", "rounds that are finished keep their models"),
    Rule("selector.descriptor", "refused", "the clusters are made once", "clusters"),
    Rule("selector.clusters", "refused", "the clusters are made once", "clusters"),
    Rule("selector.energy_clusters", "refused", "the clusters are made once", "clusters"),
    Rule("selector.*", "next round", "rounds that are drawn keep their picks"),
    Rule("budget.total", "next round", "before round 0 the plan is made anew, later what is left changes"),
    Rule(
        "budget.unit",
        "refused",
        "what was spent is in the old one; core-h, core-min, core-s are one",
        "money",
    ),
    Rule("engine.*", "harmless", "labels do not depend on where they are computed"),
    Rule("tracking.*", "harmless", "rounds are the same; those not yet sent go to the new place"),
)
"""The first rule that fits a setting holds."""


def rule_of(name: str) -> Rule:
    """Return the rule of a setting, written `section.key`; of a level `fidelity.NAME.key`.

    Raises
    ------
    FidselError
        where there is none: a setting must not be added without one.

    Examples
    --------
    >>> rule_of("pool.temperature").effect, rule_of("fidelity.ccsd(t).time_limit").effect
    ('refused', 'next round')
    """
    for rule in RULES:
        if fnmatchcase(name, rule.pattern):
            return rule
    raise FidselError(f"the setting {name} has no rule in fidsel/campaign/edits.py: add one")


@dataclass(frozen=True)
class Edit:
    """A setting that is not what it was.

    Parameters
    ----------
    name : of the setting.
    then, now : its values.
    rule : what it means.
    """

    name: str
    then: Any  # what TOML holds
    now: Any
    rule: Rule


def enforce(campaign: Campaign, store: LabelStore) -> None:
    """Refuse edits that cannot be, and write down those that are taken with the round they begin with.

    Raises
    ------
    UsageError
        where the campaign was begun with settings that cannot change any more.
    """
    before, now = _begun(campaign, store), settings(campaign)
    edits = [
        Edit(name, before[name], now[name], rule_of(name))
        for name in now
        if name in before and before[name] != now[name]
    ]
    refused = [
        edit for edit in edits if edit.rule.effect == "refused" and _past(edit.rule.since, campaign, store)
    ]
    if refused:
        raise UsageError("; ".join([*(_refusal(edit, store) for edit in refused), ANEW]))
    if before != now:
        store.put_record(RECORD, now)
    if noted := [
        edit for edit in edits if edit.rule.effect != "harmless" and not edit.name.endswith(".labels")
    ]:
        index = campaign.folder.finished()
        told = [{"round": index, "text": _sentence(edit, campaign)} for edit in noted]
        store.put_record(NOTED, {"edits": [*_noted(store), *told]})


def notes(store: LabelStore, index: int) -> tuple[str, ...]:
    """Return a sentence for each edit that was first taken in a round."""
    return tuple(f"edited before this round: {row['text']}" for row in _noted(store) if row["round"] == index)


def settings(campaign: Campaign) -> dict[str, Any]:  # Any: plain values
    """Return all settings of a campaign by name: as configured, and what the campaign makes of them.

    Prices are in the base unit of the budget; `fidelity.NAME.labels` is the key of the labels of a level.
    """
    rules, budget = campaign.rules, campaign.budget
    found: dict[str, Any] = {}
    for section, values in campaign.config.items():
        if section == "fidelity":
            for level in values:
                found |= {f"fidelity.{level['name']}.{key}": value for key, value in level.items()}
        elif section != "budget":
            found |= _flat(section, values)
    found |= {"campaign.seed": campaign.seed, "budget.total": budget.total, "budget.unit": budget.unit}
    found |= {f"campaign.{name}": getattr(rules, name) for name in ("test", "validation", "start")}
    made_once = ("descriptor", "clusters", "energy_clusters")
    found |= {f"selector.{name}": getattr(rules, name) for name in made_once}
    found["fidelity"] = [fidelity.name for fidelity in campaign.fidelities]
    for fidelity in campaign.fidelities:
        found[f"fidelity.{fidelity.name}.labels"] = fidelity.key
        found[f"fidelity.{fidelity.name}.price"] = [fidelity.price.value, fidelity.price.per]
    return found


def _flat(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {name: value}
    return {
        key: leaf for part, inner in value.items() for key, leaf in _flat(f"{name}.{part}", inner).items()
    }


def _begun(campaign: Campaign, store: LabelStore) -> dict[str, Any]:
    """Return the settings the campaign was begun with, edits since then included; kept on the first call."""
    record = store.record(RECORD)
    if record is None:
        record = settings(campaign)
        store.put_record(RECORD, record)
    return record


def _noted(store: LabelStore) -> list[dict[str, Any]]:
    return list((store.record(NOTED) or {}).get("edits", []))


def _past(stage: Stage, campaign: Campaign, store: LabelStore) -> bool:
    """Return whether a campaign is past a stage."""
    match stage:
        case "pool" | "round 0":
            return store.record(stage.replace(" ", "-")) is not None
        case "money":
            return bool(store.query("SELECT 1 FROM ledger LIMIT 1"))
    return (campaign.folder.round(0) / "clusters.json").exists()


def _sentence(edit: Edit, campaign: Campaign) -> str:
    now, then = _told(edit.now), _told(edit.then)
    if edit.name == "budget.total":
        now, then = (campaign.budget.format(amount) for amount in (edit.now, edit.then))
    return f"{edit.name} = {now} (it was {then})"


def _refusal(edit: Edit, store: LabelStore) -> str:
    if edit.name.endswith(".labels"):
        level = edit.name.removeprefix("fidelity.").removesuffix(".labels")
        count = store.query("SELECT count(*) FROM labels WHERE key = ?", [edit.then])[0][0]
        return (
            f"the settings of fidelity {level!r} are not those the campaign was begun with, and its {count} "
            "labels would be left behind"
        )
    return (
        f"the campaign was begun with {edit.name} = {_told(edit.then)}, got {_told(edit.now)}, and it cannot "
        f"change {STAGES[edit.rule.since]}: {edit.rule.why}"
    )


def _told(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
