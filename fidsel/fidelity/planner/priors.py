"""What is known of learning curves before any training: measured on other molecules, by kind of level."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from math import hypot, log
from typing import Final, Literal

from fidsel.exceptions import UsageError, unknown
from fidsel.fidelity.planner.law import LawPrior, Link, LinkPrior, Normal

Kind = Literal["force field", "semi-empirical", "dft", "wavefunction"]
"""Kinds of theory, from cheap to accurate."""
Learner = Literal["kernel", "network"]

TYPICAL_ATOMS: Final = 12
MEASURED: Final = "8 molecules of 4 to 21 atoms"
"""What the numbers below come from, see `benchmarks/learning_curves.py`."""

WORDS: Final[Mapping[Kind, str]] = {
    "force field": r"mmff|uff|gaff|openff|amber|charmm|opls|openmm|force|mm|ff",
    "semi-empirical": r"gfn|xtb|tblite|dftb|am1|pm3|pm6|pm7|rm1|om[23]",
    "wavefunction": r"hf|mp[234]|cc|ccsdt?|ccsd\(t\)|dlpno|cisd|caspt2|fci|qmc",
}
"""How names of methods begin; those of all others count as density functionals."""

MINIMAL: Final = r"sto-?[2-6]g|minao|mini"
"""Names of minimal basis sets. What is computed in one counts as semi-empirical: the difference of CCSD(T) to
PBE and MP2 in STO-3G left 0.4 to 0.6 of the error of CCSD(T) labels alone (formaldehyde, 22 labels, 3 seeds),
that to MP2 in 6-31G* 0.1; `benchmarks/cheap_levels.py`."""

FREEDOM: Final = 6
"""Internal motions 3N − 6 of a molecule of 4 atoms."""

OWN: Final[Mapping[Kind, Normal]] = {
    "force field": Normal(0.1, 0.3),
    "semi-empirical": Normal(-0.13, 0.1),
    "dft": Normal(0.02, 0.1),
    "wavefunction": Normal(0.06, 0.1),
}
"""ln of the error that a cheap level's own labels, of which a tenth validates, leave over that of as many
accurate ones."""

DIFFERENCE: Final[Mapping[Learner, Mapping[Kind, Normal]]] = {
    "kernel": {
        "force field": Normal(0.15, 0.3),
        "semi-empirical": Normal(-0.75, 0.25),
        "dft": Normal(-1.8, 0.45),
        "wavefunction": Normal(-1.8, 0.6),
    },
    "network": {
        "force field": Normal(-0.45, 0.35),
        "semi-empirical": Normal(-0.6, 0.4),
        "dft": Normal(-0.75, 0.45),
        "wavefunction": Normal(-0.75, 0.5),
    },
}
"""The same of the difference of a level to this cheaper one. That of PBE to PBE+TS left −2.1, that of
CCSD(T) to MD17's labels of other malonaldehyde frames −1.5 (`benchmarks/accuracy.py`). A kernel learns a
smooth difference for itself; a network moves a whole surface by it, which takes more labels."""

PER_FORCE: Final[Mapping[Kind, Normal]] = {
    "force field": Normal(1.15, 0.4),
    "semi-empirical": Normal(0.2, 0.25),
    "dft": Normal(-0.2, 0.2),
    "wavefunction": Normal(-0.2, 0.4),
}
"""The same for a kernel, over the ratio of the mean force difference to the mean force."""

SMALL: Final[Mapping[Kind, float]] = {
    "force field": 0.8,
    "semi-empirical": 0.55,
    "dft": 1.6,
    "wavefunction": 1.6,
}
"""What is added to both for a kernel and a molecule of 4 atoms, which is learnt as easily as a difference."""


def law_prior(
    kinds: Sequence[Kind],
    atoms: int,
    learner: Learner = "kernel",
    exact: Sequence[int] = (),
    ratios: Mapping[Link, Normal] | None = None,
    baseline: Kind | None = None,
) -> LawPrior:
    """Return what is expected of a chain of levels.

    Parameters
    ----------
    kinds : of the levels, cheapest first; the last is the accurate one.
    atoms : of the molecule.
    learner : what is trained.
    exact : rows of levels that are computed where the model predicts.
    ratios : ln of the mean force difference of two levels over their mean force, where measured.
    baseline : kind of what every label is counted from, computed where the model predicts: levels are learnt
        as differences to it, and the difference of two levels is what it was.

    Examples
    --------
    >>> prior = law_prior(["dft", "wavefunction"], atoms=9)
    >>> round(prior.exponent.mean, 2), round(prior.links[Link(1, 0)].scale.mean, 2)
    (0.64, -1.67)
    """
    if wrong := [kind for kind in kinds if kind not in OWN]:
        raise unknown("kind of level", wrong[0], tuple(OWN))
    if not kinds or atoms < 1:
        raise UsageError(f"a law needs at least one level and one atom, got {kinds} and {atoms}")
    freedom = max(3 * atoms - 6, 1)
    known, last = ratios or {}, len(kinds) - 1
    early = max(2.0, 3.3 * (freedom / 21) ** 2.5) if learner == "kernel" else 0.0
    own = [OWN[kind] for kind in kinds[:-1]] + [Normal(0.0, 0.01)]
    links = {Link(row): LinkPrior(scale, Normal(0.0, 0.05), early) for row, scale in enumerate(own)}
    for base, level in combinations(range(last + 1), 2):
        link, kind = Link(level, base), kinds[base]
        scale = DIFFERENCE[learner][kind]
        if learner == "kernel":
            more = SMALL[kind] * _smallness(freedom)
            scale = _shifted(scale, more, more / 2)
            if link in known:
                scale = _combined(scale, _shifted(PER_FORCE[kind], more, more / 2), known[link])
        links[link] = LinkPrior(scale, Normal(-0.25, 0.12), early)
    scale = _scale(atoms)
    if baseline is not None:
        gain = DIFFERENCE[learner][baseline]
        scale = _shifted(scale, gain.mean, gain.sd)
        links |= {
            link: replace(one, scale=_shifted(one.scale, -gain.mean, 0.0))
            for link, one in links.items()
            if link.base is not None
        }
    return LawPrior(links, scale, _exponent(freedom, learner), frozenset(exact))


def _shifted(known: Normal, by: float, sd: float) -> Normal:
    return Normal(known.mean + by, hypot(known.sd, sd))


def _combined(expected: Normal, per_force: Normal, ratio: Normal) -> Normal:
    """Return what is known of a difference by its kind and by the forces, each as much as it is worth."""
    measured, sd = per_force.mean + ratio.mean, hypot(per_force.sd, ratio.sd)
    weights = expected.sd**-2, sd**-2
    mean = (weights[0] * expected.mean + weights[1] * measured) / sum(weights)
    return Normal(mean, sum(weights) ** -0.5)


def _exponent(freedom: int, learner: Learner) -> Normal:
    """Return the exponent that the curves of a molecule share: small molecules are learnt the quickest.

    Kernels: 1.44 for 4 atoms and 0.57 from 9 atoms on. Networks: 1 (ASTEROID, fig. 1a), 0.72 and 0.75 (its
    −39 % error for 2 times the labels of GemNet, −56 % for 3 times those of EGNN;
    doi:10.48550/arXiv.2306.03109).
    """
    if learner == "network":
        return Normal(0.8, 0.2)
    return Normal(0.57 + 0.87 * _smallness(freedom), 0.1)


def _smallness(freedom: int) -> float:
    """Return 1 for a molecule of 4 atoms, near 0 for one of 9."""
    return min(1.0, (FREEDOM / freedom) ** 2)


def _scale(atoms: int) -> Normal:
    """Return ln of the error, eV/Å, that 100 accurate labels leave: known to a factor of five."""
    return Normal(log(0.0001 if atoms < 6 else 0.035), 1.0)


def kind_of(name: str) -> Kind:
    """Return what kind of theory a name of a method or a level says.

    >>> kind_of("MMFF94"), kind_of("GFN2-xTB"), kind_of("b3lyp"), kind_of("ccsdt"), kind_of("CCSD(T)-F12")
    ('force field', 'semi-empirical', 'dft', 'wavefunction', 'wavefunction')
    """
    for kind, words in WORDS.items():
        if re.search(rf"(?<![a-z])({words})(?![a-z])", name.lower()):
            return kind
    return "dft"


def is_minimal(basis: str) -> bool:
    """Return whether a basis set is a minimal one.

    >>> is_minimal("STO-3G"), is_minimal("6-31G*")
    (True, False)
    """
    return re.fullmatch(MINIMAL, basis.strip().lower()) is not None
