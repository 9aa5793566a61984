"""Which form the learning law has: a sum of squares or a product, fitted to the errors of measured splits.

    python benchmarks/law_forms.py [--json] [planner_truth.json]

Reads what `planner_truth.py --json` wrote, by default benchmarks/results/planner_truth.json; seconds.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import least_squares

Array = np.ndarray[Any, Any]
FEW = 2
"""Cheap labels per accurate one below which a split counts as one of few cheap labels."""


def squares(p: Array, lo: Array, hi: Array) -> Array:
    """Return ln e of e² = (a·n_lo^−α)² + (b·n_hi^−β)²."""
    own, difference = p[0] - p[1] * np.log(lo / 100), p[2] - p[3] * np.log(hi / 20)
    found: Array = np.logaddexp(2 * own, 2 * difference) / 2
    return found


def product(p: Array, lo: Array, hi: Array) -> Array:
    """Return ln e of e = b·n_hi^(−β)·(γ + (1 + n_lo/n₀)^(−α))."""
    found: Array = p[0] - p[1] * np.log(hi / 20) + np.logaddexp(p[2], -p[4] * np.log1p(lo * np.exp(-p[3])))
    return found


FORMS: dict[str, tuple[Callable[[Array, Array, Array], Array], list[float]]] = {
    "squares": (squares, [-2.8, 0.9, -3.5, 0.7]),
    "product": (product, [-2.0, 0.7, -2.0, 4.0, 0.7]),
}


def misfits(cells: list[dict[str, Any]], data: str, column: str) -> dict[str, Any]:
    """Return r.m.s. misfits of ln error, mean over seeds, of each form."""
    errors: dict[tuple[int, int], list[float]] = {}
    for cell in cells:
        for split in cell["splits"] if cell["data"] == data and cell["cheap"] else ():
            if column in split:
                errors.setdefault((cell["cheap"], split["accurate"]), []).append(np.log(split[column]))
    seeds = max(map(len, errors.values()), default=0)
    known = [key for key, found in errors.items() if len(found) == seeds]
    if len(known) < 8:
        return {}
    lo, hi = np.array(known, float).T
    y, few = np.array([np.mean(errors[key]) for key in known]), lo < FEW * hi
    found: dict[str, Any] = {"splits": len(known), "few cheap": int(few.sum())}
    for name, (form, start) in FORMS.items():
        miss = least_squares(lambda p, form=form: form(p, lo, hi) - y, start).fun
        found[name] = {"all": _rms(miss), "few cheap": _rms(miss[few])}
    return found


def of_the_parts(cells: list[dict[str, Any]], data: str) -> dict[str, float]:
    """Return how far errors with true differences are from the root of their measured parts' squares."""
    miss = [
        np.log(split["paired_mae"] / np.hypot(cell["surrogate"], split["residual"]))
        for cell in cells
        if cell["data"] == data and cell["cheap"]
        for split in cell["splits"]
        if "paired_mae" in split
    ]
    return {"mean": float(np.mean(miss)), "rms": _rms(np.array(miss))} if miss else {}


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if len(values) else float("nan")


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    kept = Path(__file__).parent / "results" / "planner_truth.json"
    parser.add_argument("truth", nargs="?", type=Path, default=kept)
    given = parser.parse_args()
    cells = json.loads(given.truth.read_text(encoding="utf-8"))["cells"]
    found = {
        data: {column: misfits(cells, data, column) for column in ("mae", "paired_mae")}
        | {"parts": of_the_parts(cells, data)}
        for data in sorted({cell["data"] for cell in cells})
    }
    print(json.dumps({"benchmark": "law_forms", "misfits": found}, indent=1) if given.json else found)


if __name__ == "__main__":
    main()
