"""The table of a report with a row for each molecule."""

from collections.abc import Sequence
from dataclasses import dataclass

from fidsel.report.markup import Html, joined, tag
from fidsel.report.tables import error_text, unit_name


@dataclass(frozen=True)
class MoleculeLine:
    """What a report says of a molecule.

    Parameters
    ----------
    frames : held-out ones that the error is of.
    error : mean absolute error in the report's unit; None = not known.
    labels, cost : in words, what was bought and what it cost.
    picks : of the last round.
    """

    name: str
    frames: int
    error: float | None
    labels: str
    cost: str
    picks: int


def molecule_table(rows: Sequence[MoleculeLine], unit: str) -> Html:
    """Return a row for each molecule: its error, labels, cost and picks."""
    heads = ["molecule", joined(["MAE, ", unit_name(unit)]), "held-out frames", "labels", "cost", "picks"]
    body = [
        tag(
            "tr",
            tag("th", row.name, scope="row"),
            tag("td", "–" if row.error is None else error_text(row.error, unit)),
            *[tag("td", text) for text in (str(row.frames), row.labels, row.cost, str(row.picks))],
        )
        for row in rows
    ]
    head = tag("tr", *[tag("th", name, scope="col") for name in heads])
    return tag("table", tag("thead", head), tag("tbody", *body), id="molecules")
