"""What MLflow is told of a round: metrics, series and parameters, as plain values."""

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
"""Characters of a parameter's value that MLflow stores."""


@dataclass(frozen=True)
class Point:
    """One value of a metric at an integer step."""

    name: str
    value: float
    step: int


def round_points(record: Round) -> tuple[Point, ...]:
    """Return the metrics of a round against its number, and its errors against what was spent by then."""
    against_spent = {f"vs_spent/{name}": value for name, value in error_metrics(record).items()}
    return (
        *(Point(name, value, record.index) for name, value in round_metrics(record).items()),
        *(Point(name, value, round(record.spent)) for name, value in against_spent.items()),
    )


def error_metrics(record: Round) -> dict[str, float]:
    """Return the errors on held-out labels, of the campaign and of its control arm (eV, eV/Å)."""
    values = _flat("test", record.metrics) | _flat("validation", record.validation)
    if record.control is not None:
        values["control/error"] = record.control.error
    measured = [error for error in record.cluster_errors.get("rmse", ()) if error is not None]
    if measured:
        values["test/worst_cluster_rmse"] = max(measured)
    return values


def round_metrics(record: Round) -> dict[str, float]:
    """Return every number of a round that is compared between rounds and campaigns."""
    values = error_metrics(record)
    values |= {"spent": record.spent, "remaining": record.remaining, "cost": record.cost}
    values["predicted_cost"] = record.predicted_cost
    for group, amounts in (
        ("labels", record.labels),
        ("account", record.accounts),
        ("seconds", record.seconds),
    ):
        names = safe_names(amounts)
        values |= {f"{group}/{names[name]}": float(amount) for name, amount in amounts.items()}
    names = safe_names(row.name for row in record.molecules)
    for row in record.molecules:
        values[f"molecule/{names[row.name]}/spent"] = row.spent
        values |= {} if row.metrics is None else _flat(f"molecule/{names[row.name]}", row.metrics)
    names = safe_names(str(one["molecule"]) for one in record.checks)
    for one in record.checks:
        values |= {f"at_rest/{names[one['molecule']]}/{name}": value for name, value in numbers(one).items()}
    if record.control is not None:
        saving = record.control.saving
        values["control/saving"] = saving.share
        if saving.low is not None and saving.high is not None:
            values |= {"control/saving_low": saving.low, "control/saving_high": saving.high}
    return values


def selection_points(one: SelectionRound, control: SelectionRound | None) -> tuple[Point, ...]:
    """Return the metrics of a round of a selection, named as those of a campaign; labels are what is spent.

    Parameters
    ----------
    one : a round that was measured.
    control : the same round of the control arm, None where there is none.
    """
    errors = {} if one.held_out is None else _flat("test", one.held_out)
    if one.pool is not None:
        errors |= _flat("pool", one.pool)
    if control is not None and control.held_out is not None:
        errors["control/error"] = control.held_out.headline
    values = errors | {"spent": float(one.labels), "seconds/round": one.seconds}
    if one.estimate is not None:
        ranks = {"cluster_rank": one.estimate.cluster_rank, "frame_rank": one.estimate.frame_rank}
        values |= {f"estimate/{name}": rank for name, rank in ranks.items() if rank is not None}
    return (
        *(Point(name, value, one.index) for name, value in values.items()),
        *(Point(f"vs_spent/{name}", value, one.labels) for name, value in errors.items()),
    )


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


def _flat(group: str, metrics: Metrics) -> dict[str, float]:
    return {f"{group}/{k}": float(v) for k, v in asdict(metrics).items() if v is not None and k != "frames"}


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
