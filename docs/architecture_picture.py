"""Write docs/images/architecture.svg: the parts in their order, and the steps of a frame beside them."""

from html import escape
from pathlib import Path
from typing import NamedTuple

PICTURE = Path(__file__).parent / "images" / "architecture.svg"
WIDTH, ROW, TOP = 860, 34, 46


class Part(NamedTuple):
    """A part, what it is for, and the steps of docs/architecture.md that happen in it."""

    name: str
    does: str
    steps: tuple[int, ...] = ()


GROUPS = {
    "what a user touches": (
        "#dbe7f6",
        (
            Part("cli", "one small file per command"),
            Part("tasks", "what a command does; the functions of import fidsel"),
            Part("config", "fidsel.toml, checked and built"),
            Part("testing", "contract checks for classes of your own"),
        ),
    ),
    "the loop": (
        "#fbe3d0",
        (
            Part("tracking", "rounds to MLflow", (10,)),
            Part("campaign", "buy, train, measure, pick again", (2, 3, 5, 6, 8, 9, 10)),
            Part("refine", "shift of new systems, refinement at test time"),
            Part("report", "pages, figures, sentences", (10,)),
        ),
    ),
    "the method": (
        "#dff0dd",
        (
            Part("md", "pools by dynamics, stability of a model", (1,)),
            Part("training", "stages, bias weights, recipes", (9,)),
            Part("models", "force fields behind one contract"),
            Part("selector", "clusters, error sources, pickers; arrays in, indices out", (4, 5, 6)),
            Part("fidelity", "label sources, store, ledger, engine, planner", (2, 3, 7)),
            Part("data", "frames; reading, checking, splitting", (1, 8)),
            Part("arrays", "names of array types"),
            Part("arguments", "what the arguments of a class may be"),
            Part("exceptions", "FidselError, UsageError"),
        ),
    ),
}


def picture() -> str:
    """Return the picture as SVG."""
    body, y = [], TOP
    for group, (colour, parts) in GROUPS.items():
        height = ROW * len(parts)
        body += [
            f'<rect x="10" y="{y}" width="{WIDTH - 20}" height="{height}" rx="6" fill="{colour}"/>',
            _text(24, y + 22, group, "italic"),
        ]
        for part in parts:
            body += [_text(180, y + 22, part.name, "bold"), _text(280, y + 22, part.does)]
            body += [_step(660 + 26 * i, y + 17, step) for i, step in enumerate(part.steps)]
            y += ROW
        y += 8
    head = [_text(180, 30, "part", "italic"), _text(640, 30, "steps of a frame", "italic")]
    arrow = f'<path d="M166 {TOP + 6} V{y - 16} m-4 -8 l4 8 l4 -8" stroke="#444" fill="none"/>'
    size = f'width="{WIDTH}" height="{y + 2}" viewBox="0 0 {WIDTH} {y + 2}"'
    style = 'font-family="sans-serif" font-size="14" fill="#222"'
    back = f'<rect width="{WIDTH}" height="{y + 2}" fill="#fff"/>'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>', back, *head, *body, arrow, "</svg>"]
    return "\n".join(lines) + "\n"


def _text(x: int, y: int, text: str, look: str = "") -> str:
    styles = {"bold": ' font-weight="bold"', "italic": ' font-style="italic"'}
    return f'<text x="{x}" y="{y}"{styles.get(look, "")}>{escape(text)}</text>'


def _step(x: int, y: int, number: int) -> str:
    circle = f'<circle cx="{x}" cy="{y}" r="11" fill="#fff" stroke="#444"/>'
    return f'{circle}<text x="{x}" y="{y + 5}" text-anchor="middle" font-size="12">{number}</text>'


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
