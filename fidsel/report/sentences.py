"""What a report says in words: what is unusual about the worst cluster, what has changed, what was picked."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import TYPE_CHECKING

import numpy as np

from fidsel.report.content import ClusterDescription, Energies, Mark
from fidsel.report.pictures.plot import ENERGY_UNITS, FORCE_UNITS
from fidsel.report.rows import Row, cluster_rows

if TYPE_CHECKING:
    from fidsel.report.document import Report

FEW = 20
"""Frames of known error below which an error's own uncertainty is worth a word."""
TELLING = 1.0
"""Shift, in standard deviations, from which a distance is said to mark a cluster."""


@dataclass(frozen=True)
class Quantity:
    """An error inside a sentence, in the report's unit; the reader may change what it is shown in."""

    value: float


Sentence = tuple[str | Quantity, ...]


def number(value: float) -> str:
    """Return a number with three significant digits, more before the point, an exponent where tiny.

    >>> number(1234.5), number(54.04), number(0.04567), number(2e-7), number(float("nan"))
    ('1234', '54.0', '0.0457', '2e-07', '–')
    """
    if not np.isfinite(value):
        return "–"
    if abs(value) < 1e-4:  # 0 too
        return f"{value:.3g}"
    return f"{value:.{max(0, 2 - floor(log10(abs(value))))}f}"


def in_unit(value: float, unit: str) -> str:
    """Return an error of eV/Å (or eV) as a number in another unit, without its name."""
    return number(value * (FORCE_UNITS | ENERGY_UNITS)[unit])


def as_text(sentence: Sentence, unit: str) -> str:
    """Return a sentence as text, its errors in a unit."""
    return "".join(
        part if isinstance(part, str) else f"{in_unit(part.value, unit)} {unit}" for part in sentence
    )


def findings(report: "Report") -> tuple[Sentence, ...]:
    """Return what a reader of the report should see first, in paragraphs."""
    paragraphs = _worst(report, cluster_rows(report)), _changes(report), _picks(report)
    return tuple(
        tuple(part for sentence in sentences for part in (" ", *sentence))[1:]
        for sentences in paragraphs
        if sentences
    )


def length(mean: float, spread: float, size: int) -> str:
    """Return a distance with its standard deviation, where there is more than one frame.

    >>> length(1.123, 0.049, 10), length(1.123, 0.0, 1)
    ('1.12 ± 0.05 Å', '1.12 Å')
    """
    return f"{mean:.2f} ± {spread:.2f} Å" if size > 1 else f"{mean:.2f} Å"


def mark_text(mark: Mark, size: int, others: int) -> str:
    """Return a distance that marks a cluster, beside what it is elsewhere."""
    here, there = (
        length(mark.mean, mark.spread, size),
        length(mark.elsewhere, mark.elsewhere_spread, others),
    )
    return f"{mark.label} is {here} against {there} elsewhere"


def _worst(report: "Report", rows: Sequence[Row]) -> list[Sentence]:
    """Say which cluster is the worst, by how much, and what is unusual about it."""
    known = [row for row in rows if np.isfinite(row.rmse)]
    if not known:
        return [("The error of no cluster is known.",)] if rows else []
    worst = known[0]
    if len(rows) == 1:
        return [(f"There is one cluster, {worst.cluster}; its error is ", Quantity(worst.rmse), ".")]
    holds = f" holds {percent(worst.described.share)} of the frames and" if worst.described else ""
    told: Sentence = (f"Cluster {worst.cluster}{holds} is the worst: its error is ", Quantity(worst.rmse))
    if worst.overall > 0:
        told += (f", {worst.rmse / worst.overall:.1f} × the overall error of ", Quantity(worst.overall))
    found: list[Sentence] = [(*told, ".")]
    if worst.described and report.clusters:
        found += _marks(worst.described) + _energy(worst.described.energies, report.clusters.lowest)
    return found + _caution(known)


def _caution(known: Sequence[Row]) -> list[Sentence]:
    """Say so where few frames make a cluster the worst, and which is the worst of the others."""
    worst, sure = known[0], next((row for row in known if row.measured >= FEW), None)
    if worst.measured >= FEW:
        return []
    frames = "1 frame" if worst.measured == 1 else f"{worst.measured} frames"
    told: Sentence = (f"The error of cluster {worst.cluster} rests on {frames} only",)
    if sure:
        told += (f"; of clusters with at least {FEW} the worst is {sure.cluster}, ", Quantity(sure.rmse))
    return [(*told, ".")]


def _marks(cluster: ClusterDescription) -> list[Sentence]:
    telling = [mark for mark in cluster.marks if abs(mark.shift) >= TELLING]
    if telling:
        told = "; ".join(mark_text(mark, cluster.size, cluster.others) for mark in telling)
        return [(f"What marks it: {told}.",)]
    if cluster.marks:
        most = mark_text(cluster.marks[0], cluster.size, cluster.others)
        return [(f"No distance sets it apart; the one that differs most: {most}.",)]
    return []


def _energy(energies: Energies | None, lowest: float) -> list[Sentence]:
    if energies is None or np.isnan(energies.rank):
        return []
    where = "high" if energies.rank >= 0.75 else "low" if energies.rank <= 0.25 else "neither high nor low"
    above = f"{number(energies.median - lowest)} eV above the lowest frame"
    return [
        (f"In energy it is {where}: its median, {above}, exceeds {percent(energies.rank)} of other frames.",)
    ]


def percent(share: float) -> str:
    """Return a share as a percentage that is 0 or 100 only where it is exact.

    >>> percent(0.0213), percent(0.9996), percent(1.0), percent(0.00002)
    ('2.1 %', '> 99.9 %', '100 %', '< 0.1 %')
    """
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def _changes(report: "Report") -> list[Sentence]:
    """Compare with the errors before."""
    now, before = report.errors, report.before
    if now is None or before is None:
        return []
    overall, worst = (_change(before.overall, now.overall), _change(before.worst, now.worst))
    start = f"Between {report.names[0]} and {report.names[1]} the error over all frames "
    return [(start, *overall, "; that of the worst cluster ", *worst, ".")]


def _change(old: float, new: float) -> Sentence:
    if new == old:
        return ("stayed at ", Quantity(old))
    ratio = f" ({new / old:.2f} ×)" if old > 0 else ""
    return ("fell from " if new < old else "rose from ", Quantity(old), " to ", Quantity(new), ratio)


def _picks(report: "Report") -> list[Sentence]:
    """Say how many frames were picked and where, frames drawn at random apart."""
    chosen = [pick for pick in report.picks if not pick.at_random]
    drawn = len(report.picks) - len(chosen)
    if not chosen:
        return [(f"{_frames(drawn)} drawn at random.",)] if drawn else []
    known = Counter(pick.cluster for pick in chosen if pick.cluster >= 0)
    beside = f" ({drawn} more at random)" if drawn else ""
    return [(f"{_frames(len(chosen))} picked{_from(known, len(chosen), beside)}.",)]


def _frames(count: int) -> str:
    return "1 frame was" if count == 1 else f"{count} frames were"


def _from(known: Counter[int], count: int, beside: str) -> str:
    """Say which clusters some frames are from, and which gave the most unless all gave alike."""
    if not known:
        return beside
    some = "" if known.total() == count else f", {known.total()} of them"
    if len(known) == 1:
        return f"{some} from cluster {next(iter(known))}{beside}"
    told, most = f"{some} from {len(known)} clusters{beside}", max(known.values())
    leading = sorted(cluster for cluster, found in known.items() if found == most)
    if len(leading) == len(known):
        return told
    if 2 * most > count:
        return f"{told}; most of them, {most}, from cluster {leading[0]}"
    if len(leading) == 1:
        return f"{told}; cluster {leading[0]} gave the most, {most}"
    return f"{told}; clusters {', '.join(map(str, leading))} gave the most, {most} each"
