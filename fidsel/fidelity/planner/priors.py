"""What is known of learning curves before any training: measured on other molecules, by kind of level."""

from collections.abc import Sequence
from itertools import combinations
from math import log
from typing import Literal

from fidsel.fidelity.planner.law import LawPrior, Link, LinkPrior, Normal

Kind = Literal["force field", "semi-empirical", "dft", "wavefunction"]
TYPICAL_ATOMS = 12


def law_prior(kinds: Sequence[Kind], atoms: int, exact: Sequence[int] = ()) -> LawPrior:
    last = len(kinds) - 1
    links = {Link(row): LinkPrior(Normal(0.0, 0.01 if row == last else 0.25), Normal(0.0, 0.1), 20.0) for row in range(len(kinds))}
    for base, level in combinations(range(len(kinds)), 2):
        links[Link(level, base)] = LinkPrior(Normal(log(0.25), 0.7), Normal(0.0, 0.15), 5.0)
    return LawPrior(links, Normal(0.0, 1.0), Normal(0.85, 0.2), frozenset(exact))


def kind_of(text: str) -> Kind:
    return "dft"
