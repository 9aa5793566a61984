"""The tables of a report: clusters and picks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from fidsel.report.content import UNITS, Mark, Picked
from fidsel.report.markup import Html, joined, tag
from fidsel.report.rows import Row, cluster_rows
from fidsel.report.sentences import in_unit, length, number, percent

if TYPE_CHECKING:
    from fidsel.report.document import Report


@dataclass(frozen=True)
class Cell:
    """What a cell of a table shows, and the number it is sorted by; None = not sorted by."""

    shown: str
    order: float | None = None


UNKNOWN = Cell("–", np.nan)


T = TypeVar("T")


@dataclass(frozen=True)
class Column(Generic[T]):
    """A column: its heading and how a row fills it."""

    name: str
    cell: Callable[[T], Cell]


def error_text(value: float, unit: str) -> Html:
    """Return an error in the unit that the reader chose, without that unit's name."""
    texts = [in_unit(value, shown) for shown in UNITS[unit]]
    return tag("data", texts[0], value=repr(float(value)), data_in_0=texts[0], data_in_1=texts[1])


def unit_name(unit: str) -> Html:
    """Return the name of the unit that errors are shown in."""
    names = UNITS[unit]
    return tag("span", names[0], data_in_0=names[0], data_in_1=names[1])


def cluster_table(report: "Report") -> Html:
    """Return the clusters, the worst first; a reader may sort them and look at their frames."""
    rows = cluster_rows(report)
    columns = _columns(report, rows)
    told = "Energies: median, lowest and highest, above the lowest frame of all. Atoms are counted from 1."
    caption = ["RMSE in ", unit_name(report.unit), f". {told}"]
    body = [tag("tr", _heading(row), *_cells(columns, row), data_cluster=str(row.cluster)) for row in rows]
    names = [tag("button", name, type="button") for name in ("cluster", *[column.name for column in columns])]
    head = tag("tr", *[tag("th", name, scope="col") for name in names])
    parts = tag("caption", *caption), tag("thead", head), tag("tbody", *body)
    return tag("table", *parts, id="clusters", class_="sortable")


def _columns(report: "Report", rows: Sequence[Row]) -> list[Column[Row]]:
    """Return the columns there is something to put in."""
    found = [Column[Row]("frames", lambda row: Cell(str(row.size), row.size))]
    if report.clusters:
        found.append(Column("share", _share))
    if any(row.measured != row.size for row in rows):
        found.append(Column("of known error", lambda row: Cell(str(row.measured), row.measured)))
    found.append(Column("RMSE", lambda row: _error(row.rmse, report.unit)))
    if report.before is not None:
        found.append(Column(f"RMSE, {report.names[0]}", lambda row: _error(row.before, report.unit)))
    if report.bounds:
        found.append(Column(f"{percent(report.coverage)} bound", lambda row: _bound(row, report)))
    if any(row.overall > 0 for row in rows):
        found.append(Column("× overall", lambda row: _ratio(row.rmse / row.overall)))
    if report.clusters and np.isfinite(report.clusters.lowest):
        lowest = report.clusters.lowest
        found.append(Column("energy, eV", lambda row: _energy(row, lowest)))
    if any(row.described and row.described.marks for row in rows):
        found.append(Column("what marks it (elsewhere, shift)", _marks))
    if any(row.described and row.described.molecules for row in rows):
        found.append(Column("molecules", _molecules))
    return found


def _heading(row: Row) -> Html:
    shown: str = str(row.cluster)
    if row.described and (row.described.representative or row.described.worst):
        shown = tag("button", shown, type="button", title=f"show frames of cluster {row.cluster}")
    return tag("th", shown, scope="row", data_order=str(row.cluster))


def _cells(columns: Sequence[Column[Row]], row: Row) -> list[Html]:
    cells = [column.cell(row) for column in columns]
    return [
        tag("td", cell.shown)
        if cell.order is None
        else tag("td", cell.shown, class_="n", data_order=repr(float(cell.order)))
        for cell in cells
    ]


def _error(value: float, unit: str) -> Cell:
    return Cell(error_text(value, unit), value) if np.isfinite(value) else UNKNOWN


def _bound(row: Row, report: "Report") -> Cell:
    value = report.bounds.get(row.cluster, np.nan)
    if row.cluster not in report.pooled or not np.isfinite(value):
        return _error(value, report.unit)
    return Cell(joined([error_text(value, report.unit), " (pooled)"]), value)


def _ratio(value: float) -> Cell:
    return Cell(number(value), value) if np.isfinite(value) else UNKNOWN


def _share(row: Row) -> Cell:
    return Cell(percent(row.described.share), row.described.share) if row.described else UNKNOWN


def _energy(row: Row, lowest: float) -> Cell:
    energies = row.described.energies if row.described else None
    if energies is None:
        return UNKNOWN
    low, median, high = (value - lowest for value in (energies.low, energies.median, energies.high))
    return Cell(f"{median:.2f} ({low:.2f} to {high:.2f})", median)


def _marks(row: Row) -> Cell:
    if row.described is None:
        return Cell("–")
    return Cell(joined([_mark(mark, row) for mark in row.described.marks]))


def _molecules(row: Row) -> Cell:
    counts = row.described.molecules if row.described else ()
    return Cell(", ".join(f"{name} {count}" for name, count in counts) or "–")


def _mark(mark: Mark, row: Row) -> Html:
    others = row.described.others if row.described else 0
    here, there = (
        length(mark.mean, mark.spread, row.size),
        length(mark.elsewhere, mark.elsewhere_spread, others),
    )
    shift = f"{mark.shift:+.1f} σ".replace("-", "−")
    return tag("div", tag("b", mark.label), f" {here} ({there}, {shift})", class_="mark")


def pick_table(picks: Sequence[Picked], unit: str) -> Html:
    """Return the picks in order, columns that are empty throughout left out."""
    columns = [
        Column[Picked]("frame", lambda pick: Cell(pick.frame)),
        Column[Picked]("round", lambda pick: Cell("" if pick.round < 0 else str(pick.round))),
        Column[Picked]("cluster", lambda pick: Cell("" if pick.cluster < 0 else str(pick.cluster))),
        Column[Picked](joined(["estimated error, ", unit_name(unit)]), lambda pick: _estimate(pick, unit)),
        Column[Picked]("level", lambda pick: Cell(pick.level)),
        Column[Picked]("cost", lambda pick: Cell(pick.cost)),
        Column[Picked]("reason", lambda pick: Cell(pick.reason)),
    ]
    filled = [column for column in columns if any(column.cell(pick).shown for pick in picks)]
    head = tag("tr", *[tag("th", name, scope="col") for name in ("pick", *[c.name for c in filled])])
    body = [
        tag("tr", tag("th", str(n), scope="row"), *[tag("td", c.cell(pick).shown) for c in filled])
        for n, pick in enumerate(picks, 1)
    ]
    return tag("table", tag("thead", head), tag("tbody", *body), id="picks")


def _estimate(pick: Picked, unit: str) -> Cell:
    return Cell(error_text(pick.error, unit) if np.isfinite(pick.error) else "")
