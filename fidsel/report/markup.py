"""HTML from nested calls; every text is escaped unless it is `Html` already."""

from collections.abc import Iterable
from html import escape


class Html(str):
    """Markup: text that is escaped already."""

    __slots__ = ()


VOID = {"meta", "input", "br"}


def tag(name: str, /, *children: str, **attributes: str | bool) -> Html:
    """Return an element; in names of attributes `_` stands for `-`, and one at the end is dropped.

    >>> tag("td", "a < b", tag("b", "&"), class_="x", data_value="1", hidden=True)
    '<td class="x" data-value="1" hidden>a &lt; b<b>&amp;</b></td>'
    """
    head = name
    for key, value in attributes.items():
        label = key.removesuffix("_").replace("_", "-")
        if value is True:
            head += f" {label}"
        elif value is not False:
            head += f' {label}="{escape(str(value))}"'
    return Html(f"<{head}>" if name in VOID else f"<{head}>{joined(children)}</{name}>")


def joined(parts: Iterable[str], between: str = "") -> Html:
    """Return parts one after the other, escaped where they are not markup."""
    return Html(between.join(part if isinstance(part, Html) else escape(part) for part in parts))
