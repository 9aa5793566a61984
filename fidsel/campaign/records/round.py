"""`Round`: the frozen record of one round, as plain values that survive a trip through JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from fidsel.arrays import html_table
from fidsel.campaign.records.molecules import MoleculeRow
from fidsel.campaign.records.parts import check_parts
from fidsel.data.typed import from_plain
from fidsel.exceptions import UsageError
from fidsel.training.evaluate import Metrics


@dataclass(frozen=True)
class Pick:
    """One configuration that a round decided to label.

    Parameters
    ----------
    frame : `frame_id` of the configuration.
    row : its row in the campaign's pool.
    fidelity : name of the level it is labelled at.
    cluster : broad cluster, −1 where it was drawn at random.
    reason : why, in words.
    """

    frame: str
    row: int
    fidelity: str
    cluster: int
    reason: str


@dataclass(frozen=True)
class Saving:
    """What the campaign saved at equal error.

    Parameters
    ----------
    share : of the control arm's spend; negative = the campaign cost more.
    at_least : whether it is a lower bound, the control's curve not being believed further out.
    low, high : 90 % interval of the share, by what is known of the control's curve.
    high_at_least : whether `high` is a lower bound of the interval's end, for the same reason.
    """

    share: float
    at_least: bool
    low: float
    high: float
    high_at_least: bool = False

    @property
    def certain(self) -> bool:
        """Whether the interval leaves out no saving at all."""
        return self.low > 0 or (self.high < 0 and not self.high_at_least)

    @property
    def cell(self) -> str:
        """The share and its interval, for a table.

        >>> Saving(0.31, False, -0.2, 0.61).cell, Saving(0.74, True, 0.6, 0.8, True).cell
        ('+31 % (−20 to +61)', '≥ +74 % (+60 to ≥ +80)')
        """
        bound, more = "≥ " * self.at_least, "≥ " * self.high_at_least
        low, high = _percent(self.low), _percent(self.high)
        spread = f"{more}{high}" if low == high else f"{low} to {more}{high}"
        return f"{bound}{_percent(self.share)} % ({spread})"

    @property
    def words(self) -> str:
        """What it says, in a sentence's words.

        >>> Saving(0.31, False, -0.2, 0.61).words
        'not distinguishable from no saving at equal error: +31 %, 90 % interval −20 to +61 %'
        >>> Saving(0.6, False, 0.3, 0.7).words
        '60 % of its spend saved at equal error, 90 % interval +30 to +70 %'
        >>> Saving(-0.2, True, -0.2, -0.2, True).words
        'not distinguishable from no saving at equal error: at least −20 %, 90 % interval −20 % or more'
        """
        bound, more = "at least " if self.at_least else "", " or more" if self.high_at_least else ""
        low, high = _percent(self.low), _percent(self.high)
        spread = f"90 % interval {high if low == high else f'{low} to {high}'} %{more}"
        if not self.certain:
            middle = f"{bound}{_percent(self.share)} %"
            return f"not distinguishable from no saving at equal error: {middle}, {spread}"
        if self.share < 0:
            return f"{-100 * self.share:.0f} % more spent than it at equal error, saving {spread}"
        return f"{bound}{100 * self.share:.0f} % of its spend saved at equal error, {spread}"


def _percent(share: float) -> str:
    """Return a share in percent with its sign, a true minus.

    >>> _percent(0.314), _percent(-0.2), _percent(-0.001)
    ('+31', '−20', '+0')
    """
    rounded = round(100 * share)
    return f"{rounded:+d}".replace("-", "−")


@dataclass(frozen=True)
class ControlArm:
    """Standard training on randomly drawn accurate labels, at the spend of the campaign.

    Parameters
    ----------
    kind : "owned" (extrapolated from labels the campaign owns) or "bought" (measured).
    labels : accurate labels that it pays for, those for validation among them, as a round counts its own.
    error, low, high : headline error there with its 90 % interval (equal when measured).
    spent : what the arm cost so far, beside the budget.
    saving : what the campaign saved at equal error.
    metrics : measured metrics, for a bought arm.
    extrapolated_from : random labels its learning curve was measured on; 0 for a bought arm.
    trained : those of its labels that it trains on.
    at : spend that its error belongs to, base units: the campaign's, or what its labels cost where the pool
        has no more of them.
    used_up : whether the pool has fewer labels than the campaign's spend would have bought.
    """

    kind: str
    labels: int
    error: float
    low: float
    high: float
    spent: float
    saving: Saving
    metrics: Metrics | None = None
    extrapolated_from: int = 0
    trained: int = 0
    at: float = 0.0
    used_up: bool = False

    @property
    def basis(self) -> str:
        """What its error and saving rest on."""
        if self.kind == "bought":
            return f"measured{', on every label that the pool gives' * self.used_up}"
        known = f" from {self.extrapolated_from} random labels" if self.extrapolated_from else ""
        return f"extrapolated{known}, not measured"


@dataclass(frozen=True, repr=False)
class Round:
    """What one round decided, bought, trained and measured.

    Parameters
    ----------
    campaign : identity of the campaign, drawn when it began.
    index : 0 is the random start.
    picks : configurations it decided to label at the accurate level, in order.
    labels : labels owned per fidelity, over accounts of the budget, after the round.
    predicted_cost, cost : of this round's purchases, base units.
    spent, remaining : of the budget after the round, base units; late labels count as spent, with what they
        are expected to cost.
    accounts : money per account of the ledger (those beside the budget included), base units.
    metrics : on the held-out test set (reported only, never used to decide).
    validation : on the accurate validation labels (used to decide).
    cluster_errors : of the test set, see `fidsel.selector.ClusterErrors.to_dict`.
    control : the control arm, None when it is off.
    error_source : how the pool's errors were estimated and how well that ranked the clusters.
    training : diagnostics and histories of the recipe.
    seconds : wall time of labelling, training and measuring, over all processes that worked on the round.
    notes : what a person should know.
    stop : why the campaign ended here when the round was written, "" where it went on; edits since may have
        changed that, see `fidsel.campaign.records.end.why_ended`.
    molecules : of each, where there are several.
    checks : of each molecule at rest, see `fidsel.campaign.rounds.at_rest`.
    finished : Unix time at which it was measured; 0 in records of before this was kept.
    """

    campaign: str
    index: int
    picks: tuple[Pick, ...]
    labels: Mapping[str, int]
    predicted_cost: float
    cost: float
    spent: float
    remaining: float
    accounts: Mapping[str, float]
    metrics: Metrics
    validation: Metrics
    cluster_errors: Mapping[str, Any]
    control: ControlArm | None
    error_source: Mapping[str, Any]
    training: Mapping[str, Any]
    seconds: Mapping[str, float]
    notes: tuple[str, ...] = ()
    stop: str = ""
    molecules: tuple[MoleculeRow, ...] = ()
    checks: tuple[Mapping[str, Any], ...] = ()
    finished: float = 0.0

    @property
    def worst_cluster(self) -> float | None:
        """RMSE of the worst cluster of the test set, eV/Å or eV; None where no cluster was measured."""
        return max((e for e in self.cluster_errors.get("rmse", ()) if e is not None), default=None)

    def __repr__(self) -> str:
        labels = ", ".join(f"{count} {name}" for name, count in self.labels.items())
        saved = f"; saving {self.control.saving.cell}" if self.control else ""
        ended = f"; {self.stop}" if self.stop else ""
        return f"Round({self.index}: {labels}; {self.metrics}; spent {self.spent:.4g}{saved}{ended})"

    def _repr_html_(self) -> str:
        """Return a table for a notebook."""
        rows: list[tuple[str, object]] = [("labels of " + name, count) for name, count in self.labels.items()]
        rows += [
            ("picked in this round", len(self.picks)),
            (f"errors on {self.metrics.frames} test labels", self.metrics),
            (f"errors on {self.validation.frames} validation labels", self.validation),
            (
                "spent of the budget, base units",
                f"{self.spent:.4g} ({self.cost:.4g} in this round), {self.remaining:.4g} left",
            ),
        ]
        if self.control is not None:
            arm = f"{self.control.labels} random labels, {self.control.basis}: {self.control.saving.words}"
            rows.append(("control arm", arm))
        rows.append(("state", self.stop or "goes on"))
        return html_table(f"round {self.index}", (), rows, self.notes)

    def to_json(self) -> str:
        """Return the record as a JSON document."""
        return json.dumps(asdict(self), indent=1, default=list)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the record that `to_json` wrote.

        Raises
        ------
        UsageError
            where the text is not such a record.
        """
        try:
            record = from_plain(cls, json.loads(text))
            check_parts(record.cluster_errors, record.error_source, record.training)
        except (ValueError, RecursionError, OverflowError) as error:
            raise UsageError(f"not a round record: {error}") from error
        if record.control is None or record.control.trained:
            return record
        return replace(record, control=_with_validation(record.control, record))


def _with_validation(arm: ControlArm, record: Round) -> ControlArm:
    """Return the control arm of a record that counted no validation labels of it, with them."""
    labels = arm.labels + record.validation.frames
    return replace(arm, labels=labels, trained=arm.labels, at=record.spent)


def last_arms(rounds: Sequence[Round]) -> tuple[tuple[Round, ControlArm], ...]:
    """Return the rounds that have a control arm of the kind that the last such round has, with it.

    `campaign.control` can be edited; measured and extrapolated errors are not one curve.
    """
    known = [(one, one.control) for one in rounds if one.control is not None]
    return tuple((one, arm) for one, arm in known if arm.kind == known[-1][1].kind)


@dataclass(frozen=True)
class HeldOut:
    """Which configurations are never trained on, and which only validate.

    Parameters
    ----------
    test, validation : frame ids, in order of drawing.
    barred : frames next to them in a trajectory, on no side.
    """

    test: tuple[str, ...]
    validation: tuple[str, ...]
    barred: tuple[str, ...]

    @property
    def all(self) -> frozenset[str]:
        """Frames that are never trained on."""
        return frozenset(self.test + self.validation + self.barred)


@dataclass(frozen=True)
class Allocation:
    """What a round buys, written down before its first purchase.

    Parameters
    ----------
    accurate, cheap : ids to label at the accurate level, and per cheap level.
    picks : the accurate ones with their reasons.
    predicted_cost : of all of it, base units.
    error_source : how the errors behind the picks were estimated.
    """

    accurate: tuple[str, ...]
    cheap: Mapping[str, tuple[str, ...]]
    picks: tuple[Pick, ...]
    predicted_cost: float
    error_source: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Draft:
    """How much a round of picking buys, written down before its probes are bought.

    Parameters
    ----------
    picks : frames to pick.
    probes : ids to label first, to estimate errors from.
    cheap : ids of frames that get a cheap label too, per cheap level.
    """

    picks: int
    probes: tuple[str, ...]
    cheap: Mapping[str, tuple[str, ...]]
