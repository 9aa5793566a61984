"""What MLflow is told of a round: metrics, series and parameters, as plain values in units of people."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fidsel.campaign.records.at_rest import numbers
from fidsel.campaign.records.round import Round
from fidsel.campaign.selection.settings import SelectionRound
from fidsel.training.evaluate import Metrics

POINTS = 200
"""Most points of one loss curve."""
LONGEST = 6000
"""Characters of the value of a parameter or tag that MLflow stores."""
DIGITS = 5
"""Significant digits of a metric; `round.json` has all."""
SPENT, SAVED = "spent", "saved percent"
FORCE, ENERGY = "meV per Å", "meV"
"""Units of errors as metrics are named by them; MLflow's charts show a metric's name and nothing else."""


@dataclass(frozen=True)
class Point:
    """One value of a metric at an integer step."""

    name: str
    value: float
    step: int


def headline(forces: bool) -> str:
    """Return the metric that campaigns are compared by."""
    return f"force MAE {FORCE}" if forces else f"energy MAE {ENERGY}"


def worst_cluster(forces: bool) -> str:
    """Return the metric of the cluster with the largest error."""
    return f"worst cluster RMSE {FORCE if forces else ENERGY}"


def round_points(record: Round, size: float) -> tuple[Point, ...]:
    """Return what is compared of a round between campaigns, at its number.

    Parameters
    ----------
    size : base units of spend in the unit that it is shown in.
    """
    forces = record.metrics.force_mae is not None
    values = {headline(forces): 1000 * record.metrics.headline, SPENT: record.spent / size}
    if (worst := record.worst_cluster) is not None:
        values[worst_cluster(forces)] = 1000 * worst
    if record.control is not None:
        saving = record.control.saving
        values |= {SAVED: 100 * saving.share, f"{SAVED} low": 100 * saving.low}
        values[f"{SAVED} high"] = 100 * saving.high
    values |= _errors("test", record.metrics, forces) | _errors("validation", record.validation, forces)
    values |= _named("labels", record.labels) | _named("seconds", record.seconds)
    money = {"remaining": record.remaining, "round": record.cost, "round predicted": record.predicted_cost}
    values |= _named(
        "money", {name: amount / size for name, amount in (money | dict(record.accounts)).items()}
    )
    names = safe_names(row.name for row in record.molecules)
    for row in record.molecules:
        values[f"molecule {names[row.name]}/spent"] = row.spent / size
        if row.metrics is not None:
            values |= _errors(f"molecule {names[row.name]}", row.metrics, forces)
    names = safe_names(str(one["molecule"]) for one in record.checks)
    for one in record.checks:
        values |= _named(f"at rest {names[one['molecule']]}", numbers(one))
    return _points(values, record.index)


def control_points(record: Round, size: float, accurate: str) -> tuple[Point, ...]:
    """Return what is compared of the control arm, at the number of the round; nothing where there is none.

    Parameters
    ----------
    accurate : name of the level it trains on.
    """
    arm = record.control
    if arm is None:
        return ()
    forces = record.metrics.force_mae is not None
    name = headline(forces)
    values = {name: 1000 * arm.error, SPENT: arm.at / size} | _named("labels", {accurate: arm.labels})
    if arm.low != arm.high:
        values |= {f"{name} low": 1000 * arm.low, f"{name} high": 1000 * arm.high}
    if arm.metrics is not None:
        values |= _errors("test", arm.metrics, forces)
    return _points(values, record.index)


def selection_points(one: SelectionRound) -> tuple[Point, ...]:
    """Return what is compared of a round of a selection that was measured; labels are what is spent."""
    values = {SPENT: float(one.labels), "seconds/round": one.seconds}
    if one.held_out is not None:
        forces = one.held_out.force_mae is not None
        values |= {headline(forces): 1000 * one.held_out.headline} | _errors("test", one.held_out, forces)
        values |= {} if one.pool is None else _errors("pool", one.pool, forces)
        if one.clusters is not None:
            values[worst_cluster(forces)] = 1000 * one.clusters.worst
    if one.estimate is not None:
        ranks = {"cluster rank": one.estimate.cluster_rank, "frame rank": one.estimate.frame_rank}
        values |= {f"estimate/{name}": rank for name, rank in ranks.items() if rank is not None}
    return _points(values, one.index)


def stage_points(history: Mapping[str, Any]) -> tuple[Point, ...]:
    """Return the loss curves of a training stage, thinned to `POINTS` each, and how long it took."""
    points = [Point("seconds", float(history["seconds"]), 0)]
    points.append(Point("best_step", float(history["best_step"]), 0))
    for name in ("train", "validation"):
        curve = list(zip(history["step"], history[name], strict=False))
        count = min(POINTS, len(curve))
        rows = [round(i * (len(curve) - 1) / max(count - 1, 1)) for i in range(count)]
        points += [Point(f"loss/{name}", float(curve[i][1]), int(curve[i][0])) for i in rows]
    return tuple(points)


def parameters(values: Mapping[str, Any]) -> dict[str, str]:
    """Return nested settings as MLflow parameters: dotted names, lists of tables numbered, no empty text.

    >>> parameters({"pool": {"smiles": "O", "path": ""}, "fidelity": [{"name": "pbe", "grid": 3}]})
    {'pool.smiles': 'O', 'fidelity.0.name': 'pbe', 'fidelity.0.grid': '3'}
    """
    flat = {name: without_passwords(text)[:LONGEST] for name, text in _flatten(values) if text}
    names = safe_names(flat)
    return {names[name]: text for name, text in flat.items()}


def without_passwords(text: str) -> str:
    """Return a text without the user name and password of any URI in it.

    >>> without_passwords("tracking at postgresql://ada:secret@db.org/runs failed")
    'tracking at postgresql://…@db.org/runs failed'
    """
    return re.sub(r"://[^/@\s]+@", "://…@", text)


def safe_names(names: Iterable[str]) -> dict[str, str]:
    """Return for each name one that MLflow accepts, different for different names.

    >>> safe_names(["pbe", "ccsd(t)", "ccsd[t]"])
    {'pbe': 'pbe', 'ccsd(t)': 'ccsd_t_', 'ccsd[t]': 'ccsd_t_2'}
    """
    safe: dict[str, str] = {}
    for name in names:
        plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_. ") else "_" for c in name)
        taken, number = set(safe.values()), 2
        unique = plain
        while unique in taken:
            unique, number = f"{plain}{number}", number + 1
        safe[name] = unique
    return safe


def _points(values: Mapping[str, float], step: int) -> tuple[Point, ...]:
    """Return points whose values have the digits that MLflow's tables have room for."""
    return tuple(Point(name, float(f"{value:.{DIGITS}g}"), step) for name, value in values.items())


def _named(group: str, amounts: Mapping[str, float]) -> dict[str, float]:
    names = safe_names(amounts)
    return {f"{group}/{names[name]}": float(amount) for name, amount in amounts.items()}


def _errors(group: str, metrics: Metrics, forces: bool) -> dict[str, float]:
    """Return the errors of some frames by names that say their unit."""
    found = {}
    for field, error in asdict(metrics).items():
        if error is not None and field != "frames":
            kind, _, statistic = field.partition("_")
            of_forces = forces if kind in ("worst", "p99") else kind == "force"
            words = f"{kind} {statistic.upper()}".strip()
            found[f"{group}/{words} {FORCE if of_forces else ENERGY}"] = 1000.0 * error
    return found


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{name}.")
        elif isinstance(value, (list, tuple)) and value and isinstance(value[0], Mapping):
            for number, row in enumerate(value):
                yield from _flatten(row, f"{name}.{number}.")
        else:
            yield name, value if isinstance(value, str) else json.dumps(value, default=str)
