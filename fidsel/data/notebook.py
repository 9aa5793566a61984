"""Tables for notebooks: what `_repr_html_` of records returns."""

from collections.abc import Iterable, Sequence
from html import escape


def html_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], notes: Iterable[str] = ()
) -> str:
    """Return a small HTML table; every cell is escaped, None becomes a dash.

    >>> html_table("x < y", ["a"], [[None], [0.25]])
    '<table><caption>x &lt; y</caption><tr><th>a</th></tr><tr><td>–</td></tr><tr><td>0.25</td></tr></table>'
    """
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in rows)
    told = "".join(f"<li>{escape(note)}</li>" for note in notes)
    table = f"<table><caption>{escape(title)}</caption>{f'<tr>{head}</tr>' if head else ''}{body}</table>"
    return f"{table}<ul>{told}</ul>" if told else table


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return escape(f"{value:.4g}" if isinstance(value, float) else str(value))
