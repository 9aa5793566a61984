from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from morse_molecule import SWAP, frames

from fidsel.data import Frames
from fidsel.exceptions import FidselError, UsageError
from fidsel.models import SGDML, load
from fidsel.models.checkpoints import Checkpoints
from fidsel.models.sgdml.kernel import geometry
from fidsel.models.sgdml.solver.solve import QUICK, SOLVERS, Solver
from fidsel.models.watch import Progress, Watch

NONE, TEST = frames(0), frames(30, seed=9)
GIB = 2**30


def model(solver: str, lam: float = 1e-8, **more: float) -> SGDML:
    return SGDML([10.0], lam, symmetries=[SWAP], solver=solver, **more)


def force_mae(fitted: SGDML, test: Frames = TEST) -> float:
    return float(np.abs(fitted.predict(test).forces - test.forces).mean())


@pytest.mark.parametrize("weights", [None, np.linspace(0.01, 2, 60)])
def test_iteration_ends_at_the_exact_fit(weights: np.ndarray | None) -> None:
    exact, _ = model("exact", 1e-6).fit(frames(60), NONE, weights)
    found, record = model("iterative", 1e-6, tolerance=1e-9).fit(frames(60), NONE, weights)
    assert record["solver"]["kind"] == "iterative"
    assert record["solver"]["residual"] <= 1e-9
    assert "warning" not in record["solver"]
    assert found.predict(TEST).forces == pytest.approx(exact.predict(TEST).forces, abs=1e-6)
    assert found.predict(TEST).energy == pytest.approx(exact.predict(TEST).energy, abs=1e-6)


def test_the_default_tolerance_keeps_the_error() -> None:
    exact, iterative = (model(kind, 1e-10).fit(frames(100), NONE)[0] for kind in ("exact", "iterative"))
    assert force_mae(iterative) == pytest.approx(force_mae(exact), rel=0.01)


def test_what_does_not_fit_is_iterated() -> None:
    """360 equations: a factor takes 4.9 MB, the columns of a preconditioner 2 MB."""
    kinds = [
        model("auto", memory=size / GIB).fit(frames(60), NONE)[1]["solver"]["kind"] for size in (6e6, 3e6)
    ]
    assert kinds == ["exact", "iterative"]
    with pytest.raises(UsageError, match=r"an exact fit to 360 equations needs .* GiB"):
        model("exact", memory=3e6 / GIB).fit(frames(60), NONE)
    with pytest.raises(UsageError, match="even an iterative fit"):
        model("auto", memory=1e5 / GIB).fit(frames(60), NONE)


def test_less_memory_takes_more_iterations() -> None:
    records = [
        model("iterative", memory=size / GIB).fit(frames(60), NONE)[1]["solver"] for size in (3e6, 5e5)
    ]
    assert records[0]["rank"] > 2 * records[1]["rank"]
    assert records[0]["iterations"] < records[1]["iterations"]


def test_a_search_on_some_frames_ends_in_iteration_on_all() -> None:
    chosen, record = SGDML([2.0, 10.0], 1e-8, solver="iterative", metric="identity").fit(
        frames(40), frames(20, seed=1)
    )
    assert (record["searched"], record["solver"]["kind"]) == (40, "iterative")
    assert len(record["tried"]) > 2
    assert record["tried"][-1]["force_rmse"] == pytest.approx(record["validation_force_rmse"])
    alone, _ = SGDML([record["sigma"]], 1e-8, nus=[record["nu"]], solver="iterative").fit(frames(40), NONE)
    assert np.array_equal(chosen.predict(TEST).forces, alone.predict(TEST).forces)


def test_too_few_iterations_are_said_or_refused() -> None:
    _, record = model("iterative", memory=2e5 / GIB, iterations=30).fit(frames(60), NONE)
    assert 1e-5 < record["solver"]["residual"] <= 0.1
    assert "not converged" in record["solver"]["warning"]
    with pytest.raises(FidselError, match="left a relative residual of"):
        model("iterative", memory=2e5 / GIB, iterations=1).fit(frames(60), NONE)


class KilledError(Exception):
    """Ends a fit."""


def test_a_fit_goes_on_with_fewer_columns_where_memory_has_become_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fidsel.models.watch.BETWEEN", -1.0)
    monkeypatch.setattr("fidsel.models.checkpoints.SHARE", 0.0)
    heard: list[Progress] = []

    def hear(progress: Progress) -> None:
        heard.append(progress)
        if killing and progress.unit == "iterations" and progress.step == 4:
            raise KilledError

    def fit(memory: float) -> tuple[SGDML, dict[str, Any]]:
        watch = Watch(hear, Checkpoints(tmp_path, "0" * 32, every=-1.0))
        fresh = model("iterative", 1e-6, tolerance=1e-9, memory=memory / GIB)
        return fresh.watched(watch).fit(frames(60), NONE)

    killing = True
    with pytest.raises(KilledError):
        fit(3e5)
    killing, before = False, len(heard)
    found, record = fit(2e5)
    steps = [progress.step for progress in heard[before:] if progress.unit == "iterations"]
    assert steps[0] == 4  # the third was kept
    assert record["solver"]["residual"] <= 1e-9
    exact, _ = model("exact", 1e-6).fit(frames(60), NONE)
    assert found.predict(TEST).forces == pytest.approx(exact.predict(TEST).forces, abs=1e-6)


def test_an_iterated_model_is_continued() -> None:
    start, _ = model("iterative", 1e-6, tolerance=1e-9).fit(frames(40), NONE)
    updated, record = start.update(frames(10, seed=1))
    assert record["refit"] == "iterative"
    assert record["solver"]["kind"] == "iterative"
    exact, _ = model("exact", 1e-6).fit(frames(40) + frames(10, seed=1), NONE)
    assert updated.predict(TEST).forces == pytest.approx(exact.predict(TEST).forces, abs=1e-6)


def test_the_quick_way_is_exact_up_to_a_number_of_equations() -> None:
    way = {kind: [Solver(kind, 1e12, 1e-5, 9).way(n) for n in (QUICK, QUICK + 1)] for kind in SOLVERS}
    assert way["quick"] == ["exact", "iterative"]
    assert way["auto"] == way["exact"] == ["exact", "exact"]
    assert way["iterative"] == ["iterative", "iterative"]
    assert Solver("quick", 1e3, 1e-5, 9).way(QUICK) == "iterative"


def test_how_it_is_solved_is_saved(tmp_path: Path) -> None:
    again = load(model("iterative", tolerance=1e-3, iterations=7, memory=2.0).save(tmp_path))
    assert isinstance(again, SGDML)
    assert (again.solver, again.tolerance, again.iterations) == ("iterative", 1e-3, 7)
    assert again.memory is None


def test_solvers_and_limits_are_checked() -> None:
    with pytest.raises(UsageError, match="did you mean 'iterative'"):
        SGDML([1.0], solver="iterativ")
    for name, wrong in (("memory", 0.0), ("tolerance", 1.0), ("iterations", 0)):
        with pytest.raises(UsageError, match=f"{name} of sgdml must be"):
            model("auto", **{name: wrong})


def cloud(n: int, atoms: int) -> Frames:
    """Return frames of a grid of helium atoms, slightly displaced, with forces that add up to none."""
    rng = np.random.default_rng(0)
    side = int(np.ceil(atoms ** (1 / 3)))
    rest = 2.0 * np.stack(np.meshgrid(*[np.arange(side)] * 3), -1).reshape(-1, 3)[:atoms]
    shift = 0.05 * rng.normal(size=(n, atoms, 3))
    return Frames.stack([2] * atoms, rest + shift, forces=shift.mean(1, keepdims=True) - shift)


def test_frames_too_large_for_a_kernel_are_refused_with_a_number_and_a_remedy() -> None:
    """Derivatives of 780 distances by 114 coordinates take 0.71 MB a frame."""
    some, none = cloud(5, 40), cloud(0, 40)
    said = r"a kernel of 5 frames of 40 atoms needs 0.00382 GiB for the 780 distances .* 0.003 may be used"
    with pytest.raises(UsageError, match=said + r": take at most 3 frames, a network \(kind = 'painn'\)"):
        SGDML([10.0], symmetries=False, solver="iterative", memory=0.003).fit(some, none)
    with pytest.raises(
        UsageError, match=r"an exact fit to 570 equations needs 0.00773 GiB, 0.00169 may be used"
    ):
        SGDML([10.0], symmetries=False, solver="exact", memory=0.005).fit(some, none)
    with pytest.raises(UsageError, match=r"of 1000 atoms needs .* take a network \(kind"):
        Solver("auto", 2**30, 1e-5, 100).beside(1, 1000)
    _, record = SGDML([10.0], 1e-8, symmetries=False, solver="auto", memory=0.05).fit(some, none)
    assert record["solver"]["kind"] == "exact"


def test_frames_described_in_parts_are_described_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    positions = torch.tensor(frames(9).dense().positions)
    known = [torch.full((6,), value, dtype=torch.float64) for value in (0.7, 1.5)]
    whole = geometry(positions, *known)
    monkeypatch.setattr("fidsel.models.sgdml.kernel.JACOBIAN_BYTES", 1)
    parts = geometry(positions, *known)
    assert torch.equal(whole.x, parts.x)
    assert torch.allclose(whole.basis, parts.basis, atol=1e-12)
    assert torch.allclose(whole.reduced, parts.reduced, atol=1e-12)
