"""Whatever a source returns or raises becomes a plain label or an error with a cause."""

import errno
import json
import pickle
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any, get_args

import numpy as np
import pytest
import torch
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fidsel.exceptions import FidselError, MissingExtraError, UsageError
from fidsel.fidelity.engine.boundary import CHARACTERS, ENTRIES, error_of, label_or_error, provenance_of
from fidsel.fidelity.label_values import LONGEST
from fidsel.fidelity.source import Cause, Label, LabelError, Value

N = 3
ATOMS = Atoms("H3", np.eye(3))
FORCES = np.arange(9.0).reshape(3, 3)


@dataclass(frozen=True)
class Told:
    """A source that does what it is told."""

    act: Callable[[], Any]
    forces: bool = True

    def settings(self) -> Mapping[str, Value]:
        return {"kind": "any"}

    def label(self, _: Atoms) -> Label:
        found: Label = self.act()
        return found


def outcome(act: Callable[[], Any], forces: bool = True) -> Label | LabelError:
    return label_or_error(Told(act, forces), ATOMS.copy())


def error(act: Callable[[], Any], forces: bool = True) -> LabelError:
    found = outcome(act, forces)
    assert isinstance(found, LabelError)
    return found


def check_plain(found: Label | LabelError) -> None:
    """Check that an outcome can be sent, stored and shown, and claims no time."""
    again = pickle.loads(pickle.dumps(found))
    assert found.seconds == 0
    if isinstance(found, LabelError):
        assert type(found) is LabelError
        assert found.cause in get_args(Cause)
        assert 0 < len(str(found)) < 3 * LONGEST
        assert str(again) == str(found)
        stored(str(found))
        return
    assert type(found.energy) is float
    assert np.isfinite(found.energy)
    assert found.forces is None or (
        found.forces.dtype == np.float64
        and found.forces.shape == (N, 3)
        and found.forces.flags.c_contiguous
        and np.isfinite(found.forces).all()
    )
    assert again.energy == found.energy
    text = json.dumps(dict(found.provenance), allow_nan=False)
    assert len(found.provenance) <= ENTRIES + 1
    assert len(text) < 10 * CHARACTERS
    stored(text)


def stored(text: str) -> None:
    with sqlite3.connect(":memory:") as store:
        assert store.execute("SELECT ?", (text,)).fetchone() == (text,)
    store.close()
    assert "\x00" not in text


@pytest.mark.parametrize("energy", [
    -1.5, np.float32(-1.5), np.float64(-1.5), np.array(-1.5), np.array([-1.5]),
    np.array([[-1.5]], np.float32),
    np.longdouble(-1.5), torch.tensor(-1.5), torch.tensor([-1.5], dtype=torch.float64),
])  # fmt: skip
def test_one_number_of_any_real_type_is_an_energy(energy: Any) -> None:
    found = outcome(lambda: Label(energy, FORCES))
    assert isinstance(found, Label)
    assert (type(found.energy), found.energy) == (float, -1.5)


@pytest.mark.parametrize(("energy", "message"), [
    (None, "one number in eV, got none"),
    ((-1.5,), "one number in eV, got tuple"),
    ([-1.5], "one number in eV, got list"),
    (True, "one number in eV, got bool"),
    ("-1.5", "real numbers, got str"),
    (1j, "real numbers, got complex"),
    (np.zeros(2), r"one number in eV, got an array of shape \(2,\)"),
    (np.zeros(0), r"one number in eV, got an array of shape \(0,\)"),
    (np.nan, "finite, got nan"),
    (np.inf, "finite, got inf"),
    (10**400, "real numbers, got int of type object"),
    (Decimal("1.5"), "real numbers, got Decimal"),
    (Fraction(3, 2), "real numbers, got Fraction"),
    (np.ma.masked, "masked array"),
    (torch.tensor(1.0, requires_grad=True), r"got Tensor \(RuntimeError\)"),
    (np.datetime64("2020-01-01"), "real numbers"),
    (lambda: 0, "real numbers, got function"),
])  # fmt: skip
def test_anything_else_is_no_energy(energy: Any, message: str) -> None:
    found = outcome(lambda: Label(energy, FORCES))
    assert isinstance(found, LabelError)
    assert found.cause == "invalid"
    with pytest.raises(LabelError, match=message):
        raise found


class Quantity:
    """A number with a unit, as packages of units have it."""

    units = "hartree"

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        return np.array(-1.5)


def test_a_unit_is_not_stripped() -> None:
    found = error(lambda: Label(Quantity(), FORCES))  # type: ignore[arg-type]
    assert found.cause == "invalid"
    assert "with units: convert it" in str(found)


@pytest.mark.parametrize("forces", [
    FORCES, FORCES.astype(np.float32), FORCES.tolist(), np.asfortranarray(FORCES), FORCES.astype(int),
    FORCES[:, ::-1][:, ::-1], torch.tensor(FORCES),
])  # fmt: skip
def test_forces_become_float64_in_c_order(forces: Any) -> None:
    found = outcome(lambda: Label(0.0, forces))
    assert isinstance(found, Label)
    assert np.array_equal(found.forces, FORCES)
    check_plain(found)


@pytest.mark.parametrize(("forces", "message"), [
    (None, r"declares forces of shape \(3, 3\), the source returned none"),
    (np.zeros((2, 3)), r"shape \(3, 3\), got \(2, 3\)"),
    (np.zeros(9), r"shape \(3, 3\), got \(9,\)"),
    (np.zeros((3, 3, 1)), r"got \(3, 3, 1\)"),
    (np.zeros((3, 3), complex), "real numbers"),
    (np.full((3, 3), np.nan), "NaN or infinite"),
    ([[1, 2], [3]], r"forces must be numbers, got list \(ValueError\)"),
    ("forces", "real numbers, got str"),
    (np.array([["a"] * 3] * 3), "real numbers"),
])  # fmt: skip
def test_anything_else_is_no_forces(forces: Any, message: str) -> None:
    found = outcome(lambda: Label(0.0, forces))
    assert isinstance(found, LabelError)
    assert found.cause == "invalid"
    with pytest.raises(LabelError, match=message):
        raise found


def test_transposed_forces_are_recognised() -> None:
    pair = Atoms("H2", np.eye(3)[:2])
    found = label_or_error(Told(lambda: Label(0.0, np.zeros((3, 2)))), pair)
    assert "are they transposed?" in str(found)


def test_forces_that_are_not_declared_are_left_out() -> None:
    found = outcome(lambda: Label(0.0, np.zeros((7, 3))), forces=False)
    assert isinstance(found, Label)
    assert found.forces is None


@pytest.mark.parametrize("what", [None, (-1.5, FORCES), [-1.5], {"energy": 0.0}, -1.5, "label", Label])
def test_what_is_no_label_says_so(what: Any) -> None:
    found = error(lambda: what)
    assert found.cause == "invalid"
    assert "must return a Label(energy, forces), got" in str(found)


def test_claims_of_time_are_not_believed() -> None:
    for claim in (1e300, -1.0, None, np.nan, "long"):
        found = outcome(lambda claim=claim: Label(0.0, FORCES, claim))  # type: ignore[misc]
        assert isinstance(found, Label)
        assert found.seconds == 0.0
    assert error(lambda: (_ for _ in ()).throw(LabelError("no", seconds=1e300))).seconds == 0


class Rude(Label):
    """A label that cannot be looked at."""

    forces = FORCES
    provenance: Mapping[str, Value] = {}

    @property
    def energy(self) -> float:  # type: ignore[override]
        raise KeyError("no energy")

    def __init__(self) -> None:
        pass


class Unspeakable(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise RuntimeError("I will not tell")


class Endless(Exception):  # noqa: N818
    def __str__(self) -> str:
        return str(self)


class OwnCauseError(LabelError):
    """Has a cause of its own making."""

    def __init__(self) -> None:
        super().__init__("what", cause="bad luck")  # type: ignore[arg-type]


def throw(what: BaseException) -> Callable[[], Any]:
    def act() -> None:
        raise what

    return act


def deep() -> None:
    deep()


@pytest.mark.parametrize(("act", "cause", "text"), [
    (throw(LabelError("no", cause="unconverged")), "unconverged", "no"),
    (throw(LabelError("no", cause="lost")), "failed", "no"),
    (throw(LabelError("no", cause="cancelled")), "failed", "no"),
    (throw(OwnCauseError()), "failed", "what"),
    (throw(UsageError("no such element")), "refused", "no such element"),
    (throw(NotImplementedError("Fe")), "refused", "NotImplementedError: Fe"),
    (throw(MissingExtraError("tblite", "xtb")), "environment", "tblite is not installed"),
    (throw(FileNotFoundError(2, "No such file", "orca")), "environment", "'orca'"),
    (throw(PermissionError("licence")), "environment", "licence"),
    (throw(ModuleNotFoundError("psi4")), "environment", "psi4"),
    (throw(OSError(errno.ENOSPC, "No space left")), "environment", "No space left"),
    (throw(OSError(errno.ENOMEM, "Cannot allocate")), "memory", "Cannot allocate"),
    (throw(MemoryError()), "memory", "MemoryError"),
    (throw(torch.cuda.OutOfMemoryError("CUDA out of memory")), "memory", "CUDA out of memory"),
    (throw(TimeoutError("slow")), "timeout", "slow"),
    (throw(TimeoutExpired("orca", 3)), "timeout", "orca"),
    (throw(KeyError("x")), "failed", "KeyError: 'x' (test_boundary.py, line"),
    (throw(SystemExit(3)), "failed", "SystemExit: 3"),
    (throw(GeneratorExit()), "failed", "GeneratorExit"),
    (throw(Unspeakable()), "failed", "its text cannot be read"),
    (throw(Endless()), "failed", "its text cannot be read"),
    (throw(ValueError("a" + chr(0xD800) + "\x00b")), "failed", "a\\ud800 b"),
    (throw(ValueError("x" * 10**6)), "failed", "(1000000 characters)"),
    (throw(BaseExceptionGroup("two", [KeyError(1), SystemExit(2)])), "failed", "two"),
    (deep, "failed", "RecursionError"),
    (Rude, "invalid", "cannot be read (KeyError: 'no energy')"),
])  # fmt: skip
def test_every_error_has_a_cause(act: Callable[[], Any], cause: str, text: str) -> None:
    found = error(act)
    assert (found.cause, text in str(found)) == (cause, True), str(found)
    check_plain(found)


def test_only_a_persons_interrupt_goes_through() -> None:
    with pytest.raises(KeyboardInterrupt):
        outcome(throw(KeyboardInterrupt()))
    assert error_of(KeyboardInterrupt()).cause == "failed"


def test_a_source_that_cannot_say_whether_it_has_forces() -> None:
    class Torn:
        forces = property(lambda _: 1 / 0)

        def settings(self) -> Mapping[str, Value]:
            return {}

        def label(self, _: Atoms) -> Label:
            return Label(0.0, FORCES)

    found = label_or_error(Torn(), ATOMS)  # type: ignore[arg-type]
    assert isinstance(found, LabelError)
    assert "ZeroDivisionError" in str(found)


def test_a_provenance_is_plain_and_bounded() -> None:
    circle: list[Any] = []
    circle.append(circle)
    given_ = {
        "program": "x", "pid": np.int64(3), "energy": np.float32(0.5), "flag": np.True_, "none": None,
        "nan": np.nan, "huge": 10**30, "text": "a\ud800", "list": [1, "b", None], "nested": {"a": {"b": 1}},
        "array": np.array([1.0, 2.0]), "path": Path("a") / "b", "function": lambda: 0, "circle": circle,
        "big": np.zeros(10**6), 7: "seven", b"k": 1,
    }  # fmt: skip
    found = provenance_of(given_)
    assert found == {
        "program": "x", "pid": 3, "energy": 0.5, "flag": True, "none": None, "nan": "nan",
        "huge": "<integer of 100 bits>", "text": "a\\ud800", "list": "[1, b, None]", "nested": "{a: {b: 1}}",
        "array": "[1.0, 2.0]", "path": str(Path("a") / "b"), "function": "<function>",
        "circle": "[[[<list>]]]", "big": "<ndarray>", "7": "seven", "<bytes>": 1,
    }  # fmt: skip
    assert type(found["pid"]) is int
    many = provenance_of({f"k{i}": i for i in range(10**4)})
    assert (len(many), many["left_out"]) == (ENTRIES + 1, 10 * ENTRIES - ENTRIES)
    long = provenance_of({f"k{i}": "x" * 10**7 for i in range(50)})
    assert sum(len(str(value)) for value in long.values()) <= CHARACTERS + 2 * LONGEST
    assert provenance_of(None) == {}
    assert provenance_of(["a"]) == {"provenance": "[a]"}


class Grudging(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Any:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


def test_a_label_is_not_lost_for_its_provenance() -> None:
    found = outcome(lambda: Label(0.5, FORCES, provenance=Grudging()))
    assert isinstance(found, Label)
    assert found.energy == 0.5
    assert "cannot be read (KeyError" in str(found.provenance["provenance"])


TEXTS = st.text(st.characters(codec=None, categories=None), max_size=30)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), TEXTS, st.binary(max_size=5),
    st.decimals(), st.fractions(),
    st.floats(width=32, allow_nan=False).map(np.float32), st.just(object()),
)  # fmt: skip
ARRAYS = st.one_of(
    arrays.arrays(
        st.one_of(arrays.scalar_dtypes(), st.just(np.dtype(object))),
        st.one_of(arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4), st.just((3, 3))),
    ),
    arrays.arrays(np.float64, (3, 3)),
)
ANYTHING = st.recursive(
    st.one_of(SCALARS, ARRAYS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.tuples(inner, inner), st.dictionaries(TEXTS, inner, max_size=4)
    ),
    max_leaves=8,
)
ERRORS = st.builds(
    lambda kind, text: kind(text),
    st.sampled_from(
        [ValueError, OSError, MemoryError, UsageError, LabelError, SystemExit, RecursionError, FidselError]
    ),
    TEXTS,
)


@settings(deadline=None, max_examples=150)
@given(energy=ANYTHING, forces=ANYTHING, seconds=ANYTHING, provenance=ANYTHING, declared=st.booleans())
def test_any_label_comes_out_plain(
    energy: Any, forces: Any, seconds: Any, provenance: Any, declared: bool
) -> None:
    check_plain(outcome(lambda: Label(energy, forces, seconds, provenance), declared))
    check_plain(outcome(lambda: Label(-1.5, FORCES, seconds, provenance), declared))


@settings(deadline=None, max_examples=100)
@given(what=ANYTHING)
def test_anything_else_returned_comes_out_plain(what: Any) -> None:
    found = outcome(lambda: what)
    assert isinstance(found, LabelError)
    check_plain(found)


@settings(deadline=None, max_examples=100)
@given(what=ERRORS)
def test_any_error_comes_out_plain(what: BaseException) -> None:
    found = outcome(throw(what))
    assert isinstance(found, LabelError)
    check_plain(found)
