"""What an edit of fidsel.toml means for a campaign that has begun: refused, taken, or harmless.

The one place that decides it, by the table `RULES`; docs/editing.md says the same in words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

from fidsel.campaign.journal import Journal
from fidsel.campaign.records.decisions import EditNote, EditNotes, Sampled, Settings
from fidsel.campaign.settings import Campaign
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.store.labels import LabelStore

Effect = Literal["refused", "next round", "harmless"]
Milestone = Literal["pool", "money", "round 0", "clusters"]

ANEW: Final = "set it back, or start a new campaign in another folder"

MILESTONES: Final[Mapping[Milestone, str]] = {
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
    since : refused from this milestone on; before, an edit is taken as it comes.
    """

    pattern: str
    effect: Effect
    why: str
    since: Milestone = "round 0"


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
    Rule("campaign.check", "next round", "rounds that are finished keep their checks"),
    Rule("pool.refresh", "next round", "it decides what is added to the pool"),
    Rule("pool.refresh_frames", "next round", "it decides what is added to the pool"),
    Rule("pool.refresh_bound", "next round", "it decides what is added to the pool"),
    Rule("pool.*", "refused", "the pool is sampled once and kept", "pool"),
    Rule("fidelity", "refused", "the levels, their order and the recipe that uses them make a campaign"),
    Rule("fidelity.*.name", "refused", "the levels make a campaign"),
    Rule(
        "fidelity.*.labels", "refused", "method, basis, file ...: labels bought so far would be left behind"
    ),
    Rule("fidelity.*.price", "refused", "what was spent and what is left would be in two currencies"),
    Rule("fidelity.*.*", "next round", "limits, threads and the like; labels bought so far stay as they are"),
    Rule("model.device", "harmless", "results change by their rounding"),
    Rule("model.member*.device", "harmless", "results change by their rounding"),
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

    Raises a `FidselError` where there is none: a setting must not be added without one.

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
    """A setting that is not what it was."""

    name: str
    then: Any  # what TOML holds
    now: Any
    rule: Rule


@dataclass(frozen=True)
class Pending:
    """Edits that no command has looked at yet.

    Parameters
    ----------
    refused : why the campaign does not go on with them, "" where it does.
    taken : a sentence for each that is taken from the next round on.
    """

    refused: str = ""
    taken: tuple[str, ...] = ()


def enforce(campaign: Campaign, journal: Journal) -> None:
    """Refuse edits that cannot be, and write down those that are taken with the round they begin with.

    Raises a `UsageError` where the campaign was begun with settings that cannot change any more.
    """
    now = settings(campaign)
    if (begun := journal.read(Settings)) is None:
        journal.write(Settings(now))
        return
    edits = _pending(changes(begun.values, now), campaign, journal)
    if edits.refused:
        raise UsageError(edits.refused)
    if begun.values != now:
        journal.write(Settings(now))
    if edits.taken:
        index = campaign.folder.finished()
        taken = tuple(EditNote(index, text) for text in edits.taken)
        journal.write(EditNotes((*_noted(journal), *taken)))


def pending(campaign: Campaign) -> Pending:
    """Return what the next command makes of the edits since the last one.

    Reads the store alone, also while another process drives the campaign; nothing where there is none.
    """
    if not campaign.folder.store.exists():
        return Pending()
    with LabelStore(campaign.folder.store, read_only=True) as store:
        journal = Journal(store)
        if (begun := journal.read(Settings)) is None:
            return Pending()
        return _pending(changes(begun.values, settings(campaign)), campaign, journal)


def _pending(edits: Sequence[Edit], campaign: Campaign, journal: Journal) -> Pending:
    others = [edit for edit in edits if edit.name.partition(".")[0] == "recipe"]
    refused = [
        _refusal(edit, journal.store, others)
        for edit in edits
        if edit.rule.effect == "refused" and _past(edit.rule.since, campaign, journal)
    ]
    taken = [
        _sentence(edit, campaign)
        for edit in edits
        if edit.rule.effect != "harmless" and not edit.name.endswith(".labels")
    ]
    return Pending("; ".join([*refused, ANEW])) if refused else Pending("", tuple(taken))


def notes(journal: Journal, index: int) -> tuple[str, ...]:
    """Return a sentence for each edit that was first taken in a round."""
    return tuple(f"edited before this round: {note.text}" for note in _noted(journal) if note.round == index)


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Edit, ...]:
    """Return how two sets of settings differ; one that is missing counts as None.

    A table that was added or removed as a whole is one edit, with the strictest rule of its settings. What
    came or went because the `kind` of its table is another one is no edit of its own.

    >>> begun, now = {"recipe.kind": "delta"}, {"recipe.kind": "delta", "recipe.base.kind": "sgdml"}
    >>> [(edit.name, edit.then, edit.now) for edit in changes(begun, now)]
    [('recipe.base', None, 'sgdml')]
    """
    found: dict[str, Edit] = {}
    for name in dict.fromkeys((*now, *before)):
        then, current = before.get(name), now.get(name)
        if then == current or _implied(name, before, now):
            continue
        whole = name
        if then is None or current is None:
            whole = _absent(name, before if then is None else now)
        rule = rule_of(name)
        if whole not in found or rule.effect == "refused":
            found[whole] = Edit(whole, _content(whole, before), _content(whole, now), rule)
    return tuple(found.values())


def _implied(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Return whether a setting came or went with another one that tells the edit."""
    if before.get(name) is not None and now.get(name) is not None:
        return False
    if name.startswith("fidelity.") and name.endswith((".labels", ".price")):
        return True  # `fidelity` lists the levels
    others = set(before.get("fidelity") or ()) ^ set(now.get("fidelity") or ())
    if any(name.startswith(f"fidelity.{level}.") for level in others):
        return True
    if rule_of(name).effect == "refused":
        return False
    kinds = [(before.get(f"{table}.kind"), now.get(f"{table}.kind")) for table in _tables(name)]
    return any(then != current and None not in (then, current) for then, current in kinds)


def _absent(name: str, where: Mapping[str, Any]) -> str:
    """Return the outermost table of a section that is missing around a setting, else the setting."""
    for table in _tables(name)[1:]:
        if _content(table, where) is None:
            return table
    return name


def _tables(name: str) -> list[str]:
    """Return the tables that a setting lies in, outermost first."""
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]


def _content(name: str, where: Mapping[str, Any]) -> Any:
    """Return the value of a setting; of a table its kind, or all that it holds as text; None for nothing."""
    if where.get(name) is not None:
        return where[name]
    inner = {
        key.removeprefix(f"{name}."): value
        for key, value in where.items()
        if key.startswith(f"{name}.") and value is not None
    }
    text = ", ".join(f"{key} = {_text(value)}" for key, value in inner.items())
    return inner.get("kind", text or None)


def settings(campaign: Campaign) -> dict[str, Any]:  # Any: plain values
    """Return all settings of a campaign by name: as configured, and what the campaign makes of them.

    Prices are in the base unit of the budget; `fidelity.NAME.labels` is the key of the labels of a level.
    """
    rules, budget = campaign.rules, campaign.budget
    found: dict[str, Any] = {}
    for section, values in campaign.config.items():
        if section == "fidelity":
            for level in values:
                name = f"fidelity.{level['name']}"
                found |= {f"{name}.{key}": value for key, value in level.items() if key != "price"}
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
    if isinstance(value, (list, tuple)) and all(isinstance(part, Mapping) for part in value) and value:
        value = dict(enumerate(value))
    if not isinstance(value, Mapping):
        return {name: value}
    return {
        key: leaf for part, inner in value.items() for key, leaf in _flat(f"{name}.{part}", inner).items()
    }


def _noted(journal: Journal) -> tuple[EditNote, ...]:
    return (journal.read(EditNotes) or EditNotes()).edits


def _past(milestone: Milestone, campaign: Campaign, journal: Journal) -> bool:
    """Return whether a campaign is past a milestone."""
    match milestone:
        case "pool":
            return journal.read(Sampled) is not None
        case "round 0":
            return journal.begun
        case "money":
            return bool(journal.store.query("SELECT 1 FROM ledger LIMIT 1"))
    return (campaign.folder.round(0) / "clusters.json").exists()


def _sentence(edit: Edit, campaign: Campaign) -> str:
    now, then = _text(edit.now), _text(edit.then)
    if edit.name == "budget.total":
        now, then = (campaign.budget.format(amount) for amount in (edit.now, edit.then))
    return f"{edit.name} = {now} (it was {then})"


def _refusal(edit: Edit, store: LabelStore, recipe: Sequence[Edit]) -> str:
    if edit.name.endswith(".labels"):
        level = edit.name.removeprefix("fidelity.").removesuffix(".labels")
        count = store.query("SELECT count(*) FROM labels WHERE key = ?", [edit.then])[0][0]
        return (
            f"the settings of fidelity {level!r} are not those the campaign was begun with, and its {count} "
            "labels would be left behind"
        )
    now = _text(edit.now)
    if edit.name == "fidelity" and recipe:
        first = recipe[0]
        now += f" (levels that {first.name} = {_text(first.now)} uses; it was {_text(first.then)})"
    return (
        f"the campaign was begun with {edit.name} = {_text(edit.then)}, got {now}, and it cannot "
        f"change {MILESTONES[edit.rule.since]}: {edit.rule.why}"
    )


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
