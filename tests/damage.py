"""Damage done to plain values and their text, as hypothesis strategies: what people and disks do to files."""

import json
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

REPLACEMENTS: list[Any] = [
    None, True, "", "text", "nan", 0, -1, 3, 1.5, float("nan"), float("inf"), 10**30, [], {}, [None],
    [1, "a"], {"a": 1}, {"kind": None}, "ü–\ud800",
]  # fmt: skip


def paths(value: Any, here: tuple = ()) -> list[tuple]:
    """Return the place of every entry in nested tables and lists."""
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    found = [here] if here else []
    for name, inner in entries:
        found += paths(inner, (*here, name))
    return found


@st.composite
def damaged(draw: st.DrawFn, value: Any) -> Any:
    """Return a copy of a value with up to three entries removed, added or replaced."""
    value = json.loads(json.dumps(value))
    for _ in range(draw(st.integers(1, 3))):
        places = paths(value)
        if not places:
            break
        *way, last = draw(st.sampled_from(places))
        inner = value
        for name in way:
            inner = inner[name]
        match draw(st.sampled_from(["remove", "replace", "add"])):
            case "remove":
                del inner[last]
            case "replace":
                inner[last] = deepcopy(draw(st.sampled_from(REPLACEMENTS)))
            case "add" if isinstance(inner, dict):
                name = draw(st.sampled_from(["extra", "", "kind"]))
                inner[name] = deepcopy(draw(st.sampled_from(REPLACEMENTS)))
    return value


@st.composite
def damaged_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Return bytes cut off, with a byte changed, or replaced altogether."""
    where = draw(st.integers(0, len(content)))
    match draw(st.sampled_from(["cut", "change", "other", "nested"])):
        case "cut":
            return content[:where]
        case "change":
            return content[:where] + bytes([draw(st.integers(0, 255))]) + content[where + 1 :]
        case "nested":
            return b"[" * 100_000
    return draw(st.sampled_from([b"", b"null", b"[]", b"{}", b"3", b'"x"', b"\xff\xfe", b"\x00" * 64]))
