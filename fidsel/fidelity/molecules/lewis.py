"""The Lewis structure of a bond graph: bond orders and formal charges for a given total charge.

The cheapest structure is found exactly, as an integer program: each atom takes one of a few states
(formal charge, valence), each bond an order from 1 to 3, valences and total charge must match. The
answer depends on the graph alone, never on distances, so every frame of a molecule gives the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fidsel.arrays import FloatArray


class State(NamedTuple):
    """One way an element can be bonded; `cost` orders how common it is."""

    charge: int
    valence: int
    cost: float
    radical: int = 0


ION_COST, ATOM_COST, CARBENE_COST, RADICAL_COST, UNUSUAL_COST = 0.5, 2.0, 6.0, 3.0, 0.5

END_BONUS = 0.1
"""Of equal structures, the one with its negative charges at the ends is taken, as in CN=[N+]=[N-]."""

STATES: dict[int, tuple[State, ...]] = {
    1: (State(0, 1, 0),),
    5: (State(0, 3, 0), State(-1, 4, 1)),
    6: (State(0, 4, 0), State(1, 3, 2.5), State(-1, 3, 2.5)),
    7: (State(0, 3, 0), State(1, 4, 1), State(-1, 2, 1.5)),
    8: (State(0, 2, 0), State(-1, 1, 1), State(1, 3, 2)),
    9: (State(0, 1, 0),),
    13: (State(0, 3, 0), State(-1, 4, 1)),
    14: (State(0, 4, 0), State(-1, 3, 2.5), State(1, 3, 2.5)),
    15: (State(0, 3, 0), State(0, 5, 0.5), State(1, 4, 1), State(-1, 2, 1.5)),
    16: (State(0, 2, 0), State(0, 4, 0.5), State(0, 6, 0.5), State(-1, 1, 1), State(1, 3, 1.5)),
    17: (State(0, 1, 0), State(0, 3, 1), State(0, 5, 1), State(0, 7, 1)),
    34: (State(0, 2, 0), State(0, 4, 0.5), State(0, 6, 0.5), State(-1, 1, 1), State(1, 3, 1.5)),
    35: (State(0, 1, 0), State(0, 3, 1), State(0, 5, 1), State(0, 7, 1)),
    53: (State(0, 1, 0), State(0, 3, 1), State(0, 5, 1), State(0, 7, 1)),
}
"""States of atoms with bonds, by atomic number; elements not listed take any valence."""

IONS: dict[int, tuple[int, ...]] = {
    1: (1, -1), 3: (1,), 9: (-1,), 11: (1,), 12: (2,), 17: (-1,), 19: (1,), 20: (2,), 26: (2, 3),
    29: (1, 2), 30: (2,), 35: (-1,), 53: (-1,),
}  # fmt: skip
"""Charges of atoms without bonds."""


NOBLE = frozenset([2, 10, 18, 36, 54])

IONIC = frozenset([3, 11, 12, 19, 20])
"""Metals that have no bonds, only neighbours."""


@dataclass(frozen=True)
class LewisStructure:
    """Bond orders, one per bond, and formal charges, one per atom."""

    orders: tuple[int, ...]
    charges: tuple[int, ...]


def lewis_structure(
    numbers: Sequence[int], bonds: Sequence[tuple[int, int]], charge: int
) -> LewisStructure | None:
    """Return the cheapest Lewis structure with this total charge, None where there is none.

    With an odd number of electrons exactly one atom is a radical.

    Parameters
    ----------
    numbers : atomic number of each atom.
    bonds : pairs of bonded atoms.
    charge : total charge, e.

    Examples
    --------
    >>> nitrite = lewis_structure([8, 7, 8], [(0, 1), (1, 2)], -1)
    >>> sorted(nitrite.orders), sorted(nitrite.charges)
    ([1, 2], [-1, 0, 0])
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    odd = (sum(numbers) - charge) % 2
    degree = np.bincount(np.ravel(bonds).astype(int), minlength=len(numbers))
    states = [_states(z, int(d), bool(odd)) for z, d in zip(numbers, degree, strict=True)]
    owner = np.repeat(np.arange(len(numbers)), [len(s) for s in states])
    flat = [state for s in states for state in s]
    n_bonds, n_atoms = len(bonds), len(numbers)
    takes = (owner == np.arange(n_atoms)[:, None]).astype(float)
    touches = np.zeros((n_atoms, n_bonds))
    for column, pair in enumerate(bonds):
        touches[list(pair), column] = 1
    none = np.zeros((1, n_bonds))
    rows = np.block(
        [
            [np.zeros((n_atoms, n_bonds)), takes],
            [touches, -takes * [s.valence for s in flat]],
            [none, np.array([[s.charge for s in flat]])],
            [none, np.array([[s.radical for s in flat]])],
        ]
    )
    target = np.concatenate([np.ones(n_atoms), np.zeros(n_atoms), [charge, odd]])
    size = n_bonds + len(flat)
    found = milp(
        np.concatenate([np.zeros(n_bonds), [s.cost for s in flat]]),
        integrality=np.ones(size),
        bounds=Bounds(_limits(n_bonds, len(flat), 1.0, 0.0), _limits(n_bonds, len(flat), 3.0, 1.0)),
        constraints=LinearConstraint(rows, target, target),
    )
    if found.x is None:
        return None
    values = np.rint(found.x).astype(int)
    chosen = np.flatnonzero(values[n_bonds:])
    return LewisStructure(tuple(values[:n_bonds].tolist()), tuple(flat[k].charge for k in chosen))


def _limits(n_bonds: int, n_states: int, bond: float, state: float) -> FloatArray:
    return np.concatenate([np.full(n_bonds, bond), np.full(n_states, state)])


def _states(number: int, degree: int, odd: bool) -> list[State]:
    """Return the states of an atom with `degree` bonds; radicals only for an odd number of electrons."""
    if degree == 0:
        if number in NOBLE:
            return [State(0, 0, 0)]
        ions = [State(q, 0, ION_COST) for q in IONS.get(number, (1, 2, 3, -1, -2))]
        return [State(0, 0, ATOM_COST), State(0, 0, ATOM_COST, 1), *ions]
    usual = STATES.get(number)
    if usual is None:
        return [State(0, valence, UNUSUAL_COST) for valence in range(degree, 9)]
    carbenes = [State(0, usual[0].valence - 2, CARBENE_COST)] if number in (6, 7, 14, 15) else []
    radicals = [State(s.charge, s.valence - 1, s.cost + RADICAL_COST, 1) for s in usual] if odd else []
    bonus = END_BONUS if degree == 1 else 0.0
    return [
        s._replace(cost=s.cost - bonus) if s.charge < 0 else s
        for s in [*usual, *carbenes, *radicals]
        if s.valence >= degree
    ]
