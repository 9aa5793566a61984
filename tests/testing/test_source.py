"""The contract check of a label source fails, naming the rule, for sources that break one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from fidsel.fidelity.source import Label, Value, check_positions
from fidsel.testing import check_source

FRAME = Atoms("Ar3", [[0, 0, 0], [1.1, 0, 0], [0.4, 1.2, 0.3]])


def springs(atoms: Atoms) -> tuple[float, np.ndarray]:
    """E = Σ_{i<j} (r_ij − 1)²/2 and its forces."""
    vectors = atoms.positions[:, None] - atoms.positions
    r = np.linalg.norm(vectors, axis=2) + np.eye(len(atoms))
    pairs = (r - 1.0) * (1 - np.eye(len(atoms)))
    return float((pairs**2).sum() / 4), -(pairs[:, :, None] * vectors / r[:, :, None]).sum(axis=1)


@dataclass(frozen=True)
class Springs:
    """A correct source."""

    forces: bool = True

    def settings(self) -> Mapping[str, Value]:
        return {"kind": "springs"}

    def label(self, atoms: Atoms) -> Label:
        check_positions(atoms)
        energy, forces = springs(atoms)
        return Label(energy, forces if self.forces else None, 0.0)


@dataclass(frozen=True)
class UnstableSettings(Springs):
    calls: list[int] = field(default_factory=list, compare=False)

    def settings(self) -> Mapping[str, Value]:
        self.calls.append(0)
        return {"kind": "springs", "calls": len(self.calls)}


class ArraySettings(Springs):
    def settings(self) -> Mapping[str, Any]:
        return {"kind": np.arange(3)}


@dataclass(frozen=True)
class ForgetfulPickle(Springs):
    k: float = 1.0

    def settings(self) -> Mapping[str, Value]:
        return {"k": self.k}

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return ForgetfulPickle, (True, 0.0)


class NoForces(Springs):
    def label(self, atoms: Atoms) -> Label:
        return Label(super().label(atoms).energy, None, 0.0)


class WrongShape(Springs):
    def label(self, atoms: Atoms) -> Label:
        return Label(super().label(atoms).energy, np.zeros((3, len(atoms) + 1)), 0.0)


class Nested(Springs):
    def label(self, atoms: Atoms) -> Label:
        label = super().label(atoms)
        return Label(label.energy, label.forces, provenance={"cycles": [3, 4]})  # type: ignore[dict-item]


class Tuple(Springs):
    def label(self, atoms: Atoms) -> Any:
        return springs(atoms)


class MovingWarmUp(Springs):
    def warm_up(self, atoms: Atoms) -> None:
        atoms.positions += 1.0


@dataclass(frozen=True)
class LearningWarmUp(Springs):
    shift: list[float] = field(default_factory=list, compare=False)

    def warm_up(self, _: Atoms) -> None:
        self.shift.append(0.1)

    def label(self, atoms: Atoms) -> Label:
        label = super().label(atoms)
        return Label(label.energy + sum(self.shift), label.forces)


class Mover(Springs):
    def label(self, atoms: Atoms) -> Label:
        label = super().label(atoms)
        atoms.positions -= atoms.positions.mean(axis=0)
        return label


class Marker(Springs):
    def label(self, atoms: Atoms) -> Label:
        atoms.info["seen"] = True
        return super().label(atoms)


class IgnoresNaN(Springs):
    def label(self, atoms: Atoms) -> Label:
        frame = atoms.copy()
        frame.positions = np.nan_to_num(frame.positions)
        return super().label(frame)


@dataclass(frozen=True)
class WarmStart(Springs):
    seen: list[float] = field(default_factory=list, compare=False)

    def label(self, atoms: Atoms) -> Label:
        label = super().label(atoms)
        self.seen.append(label.energy)
        return Label(label.energy + 1e-4 * self.seen[max(len(self.seen) - 2, 0)], label.forces, 0.0)


class Anchored(Springs):
    def label(self, atoms: Atoms) -> Label:
        label = super().label(atoms)
        assert label.forces is not None
        shift = np.zeros_like(label.forces)
        shift[:, 0] = -0.1
        return Label(label.energy + 0.1 * atoms.positions[:, 0].sum(), label.forces + shift, 0.0)


class Lattice(Springs):
    """Feels how it is turned, but not where it is."""

    def label(self, atoms: Atoms) -> Label:
        label = super().label(atoms)
        assert label.forces is not None
        forces = label.forces.copy()
        forces[:2, 0] += [-0.1, 0.1]
        return Label(label.energy + 0.1 * (atoms.positions[0, 0] - atoms.positions[1, 0]), forces, 0.0)


class Scaled(Springs):
    """A unit error in the forces."""

    def label(self, atoms: Atoms) -> Label:
        label = super().label(atoms)
        assert label.forces is not None
        return Label(label.energy, label.forces * 1.01, 0.0)


@pytest.mark.parametrize("source", [Springs(), Springs(forces=False)])
def test_correct_sources_pass(source: Springs) -> None:
    check_source(source, FRAME, forces=1e-6)


@pytest.mark.parametrize(("source", "rule"), [
    (UnstableSettings(), r"settings\(\) must not change"),
    (ArraySettings(), "setting 'kind' must be plain"),
    (ForgetfulPickle(), "pickled copy must have the same settings"),
    (NoForces(), "must label accordingly"),
    (WrongShape(), r"forces must be of shape \(3, 3\), got \(3, 4\)"),
    (Nested(), r"provenance must be plain .* got others: \['cycles'\]"),
    (Tuple(), "must return a Label, got tuple"),
    (MovingWarmUp(), r"warm_up\(\) must not change the atoms"),
    (LearningWarmUp(), r"warm_up\(\) must not change a label"),
    (Mover(), "must not change the atoms"),
    (Marker(), r"must not change atoms\.info"),
    (IgnoresNaN(), "NaN positions must raise LabelError"),
    (WarmStart(), "same frame must have the same label"),
    (Anchored(), "a shift must not change the energy"),
    (Lattice(), "a rotation must not change the energy"),
    (Scaled(), "forces must be −dE/dx"),
], ids=lambda x: type(x).__name__ if isinstance(x, Springs) else "")  # fmt: skip
def test_each_broken_rule_is_named(source: Springs, rule: str) -> None:
    with pytest.raises(AssertionError, match=rule):
        check_source(source, FRAME)
