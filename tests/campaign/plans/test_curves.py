"""Learning curves from labels that are bought anyway."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_trainings
from morse_molecule import NUMBERS, frames, morse
from tiny_campaign import run, write_campaign

from fidsel.campaign import plan_campaign
from fidsel.campaign.plans.curves import (
    campaign_law,
    difference,
    force_ratios,
    level_kind,
    measured_curves,
    pilot_labels,
    source_kind,
)
from fidsel.campaign.settings import Campaign, silent
from fidsel.config.build import open_campaign
from fidsel.data import Frames
from fidsel.fidelity import LabelStore
from fidsel.fidelity.engine.local import LocalEngine
from fidsel.fidelity.planner.law import Link
from fidsel.fidelity.sources.pyscf import PySCFSource
from fidsel.models import SGDML, ForceField, PaiNN
from fidsel.training.apart import Trainer
from fidsel.training.evaluate import errors

PRICES = {"cheap": 0.05, "accurate": 1.0}


def kernel(seed: int) -> ForceField:
    return SGDML(sigmas=[5.0, 10.0, 20.0])


def levels(n: int, seed: int = 0) -> tuple[Frames, Frames]:
    """Return the same configurations at two levels that differ by the depth and width of the bonds."""
    cheap = frames(n, seed, depth=4.0, width=1.5, level="cheap")
    energy, forces = morse(cheap.dense().positions, 4.4, 1.55)
    accurate = Frames.stack(
        NUMBERS, cheap.dense().positions, energy=energy - 2000.0, forces=forces, level="accurate"
    )
    return cheap, accurate


def campaign(folder: Path, *given: str) -> Campaign:
    return open_campaign(write_campaign(folder), [*given])


def test_curves_say_what_a_large_test_set_says() -> None:
    cheap, accurate = levels(60)
    points = measured_curves([cheap, accurate[:24]], kernel, seed=0)
    assert {point.link for point in points} == {Link(0), Link(1), Link(1, 0)}
    test, others = levels(300, seed=9), levels(150, seed=5)
    for link, labels, true in [
        (Link(0), others[0], test[0]),
        (Link(1), others[1], test[1]),
        (Link(1, 0), difference(others[1], others[0]), difference(test[1], test[0])),
    ]:
        found = {point.labels: point for point in points if point.link == link}
        n = round(max(found) * (0.9 if link == Link(0) else 1.0))
        # one draw of so few labels may do twice as well as another
        draws = [kernel(0).fit(labels[k : k + n], labels[k + n : k + n + 4])[0] for k in (0, 50, 100)]
        ratio = found[max(found)].error / np.median([errors(model, true).force_mae for model in draws])
        assert 0.5 < ratio < 2.0, link
        assert found[max(found)].error == min(point.error for point in found.values())
    smooth = max((p for p in points if p.link == Link(1, 0)), key=lambda p: p.labels)
    assert smooth.error < 0.5 * max((p for p in points if p.link == Link(1)), key=lambda p: p.labels).error


def test_fits_in_other_processes_come_to_the_same(tmp_path: Path) -> None:
    cheap, accurate = levels(30)
    with LocalEngine(1) as engine:
        trainer = Trainer(engine, 1, tmp_path)
        found = measured_curves([cheap, accurate[:12]], small_trainings.kernel, 0, trainer=trainer)
        assert found == measured_curves([cheap, accurate[:12]], small_trainings.kernel, 0)
        assert {point.link for point in found} == {Link(0), Link(1), Link(1, 0)}
        assert trainer.seconds > 0


def test_what_cannot_be_measured_is_left_out() -> None:
    cheap, accurate = levels(40)
    assert {p.link for p in measured_curves([cheap, accurate[:4]], kernel, seed=0)} == {Link(0)}
    assert measured_curves([cheap[:5], accurate[:2]], kernel, seed=0) == ()
    assert (
        measured_curves([cheap, accurate], lambda seed: PaiNN(features=8, layers=1, seed=seed), seed=0) == ()
    )
    short = measured_curves([cheap], kernel, seed=0, most=15)
    assert max(point.labels for point in short) <= 12 / 0.9


def test_the_same_labels_give_the_same_curves() -> None:
    cheap, accurate = levels(20)
    assert measured_curves([cheap, accurate], kernel, 0) == measured_curves([cheap, accurate], kernel, 0)


def test_differences_are_taken_frame_by_frame() -> None:
    cheap, accurate = levels(6)
    found = difference(accurate[[4, 0, 2]], cheap[[2, 3, 4, 5]])
    assert found.ids == accurate[[4, 2]].ids
    np.testing.assert_allclose(found.forces, accurate[[4, 2]].forces - cheap[[4, 2]].forces)
    np.testing.assert_allclose(found.energy, accurate[[4, 2]].energy - cheap[[4, 2]].energy)
    assert len(difference(accurate[[0]], cheap[[1]])) == 0


def test_force_ratios_are_means_over_frames() -> None:
    cheap, accurate = levels(30)
    found = force_ratios([cheap, accurate[:12]])[Link(1, 0)]
    gap = np.abs(accurate[:12].forces - cheap[:12].forces)
    assert found.mean == pytest.approx(np.log(gap.mean() / np.abs(cheap.forces).mean()))
    each = gap.reshape(12, -1).mean(axis=1)
    assert found.sd == pytest.approx(each.std(ddof=1) / each.mean() / np.sqrt(12))
    assert force_ratios([cheap, accurate[:1]]) == {}


def test_a_pilot_takes_a_small_part_of_the_budget(tmp_path: Path) -> None:
    for total in (30, 100, 1000):
        found = pilot_labels(campaign(tmp_path / str(total), f"budget.total={total}"), PRICES)
        assert found["accurate"] >= 3
        assert found["cheap"] >= found["accurate"]
        assert found["accurate"] + found["cheap"] * 0.05 <= 0.15 * total
    tiny = campaign(tmp_path / "tiny")
    assert pilot_labels(tiny, PRICES) == {"cheap": 0, "accurate": 0}, "22 labels do not pay for 3 pairs"
    started = campaign(tmp_path / "started", "budget.total=1000", "campaign.start=5")
    assert pilot_labels(started, PRICES)["accurate"] == 5
    free = pilot_labels(campaign(tmp_path / "free", "budget.total=100"), {"cheap": 0.0, "accurate": 1.0})
    assert free["cheap"] == 300
    owned = pilot_labels(campaign(tmp_path / "owned"), {"cheap": 0.0, "accurate": 0.0})
    assert owned == {"cheap": 300, "accurate": 20}


def test_no_pilot_where_nothing_can_be_learnt(tmp_path: Path) -> None:
    none = {"cheap": 0, "accurate": 0}
    painn = "model={kind='painn',features=8,layers=1}"
    network = campaign(tmp_path / "network", "budget.total=100", painn, "recipe={kind='joint'}")
    assert pilot_labels(network, PRICES) == none
    alone = campaign(tmp_path / "alone", "budget.total=100", "recipe={kind='standard'}", "selector.probes=2")
    assert pilot_labels(alone, {"accurate": 1.0}) == {"accurate": 0}
    pairs = campaign(tmp_path / "pairs", "budget.total=100", "recipe={kind='delta'}", "selector.probes=2")
    assert pilot_labels(pairs, PRICES) == {"cheap": 10, "accurate": 10}


def test_the_law_of_a_campaign_is_that_of_its_levels_and_labels(tmp_path: Path) -> None:
    one = campaign(tmp_path / "a", "budget.total=100")
    cheap, accurate = levels(40)
    measured = campaign_law(one, [cheap, accurate[:16]], 4, seed=0)
    assert measured.law.points == len(measured.points) > 3
    assert measured.seconds > 0
    blind = campaign_law(one, [cheap[:0], accurate[:0]], 4, seed=0)
    assert (blind.law.points, blind.points) == (0, ())
    spread = [law.draws[:, law.links.index(Link(1, 0)), 0].std() for law in (measured.law, blind.law)]
    assert spread[0] < spread[1]
    delta = campaign(tmp_path / "b", "budget.total=100", "recipe={kind='delta'}", "selector.probes=2")
    assert campaign_law(delta, [cheap, accurate], 4, seed=0).law.exact == {0}


def test_kinds_of_levels_come_from_their_sources(tmp_path: Path) -> None:
    cheap, accurate = campaign(tmp_path).fidelities
    assert level_kind(cheap) == "dft"
    assert level_kind(replace(cheap, name="mmff94")) == "force field"
    assert level_kind(replace(accurate, name="ccsd(t)")) == "wavefunction"


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (PySCFSource("mp2", "6-31G*"), "wavefunction"),
        (PySCFSource("dft", "def2-SVP", xc="pbe"), "dft"),
        (PySCFSource("mp2", "sto-3g"), "semi-empirical"),
        (PySCFSource("dft", "STO-3G", xc="pbe"), "semi-empirical"),
    ],
)
def test_a_method_in_a_minimal_basis_is_semi_empirical(source: PySCFSource, kind: str) -> None:
    assert source_kind(source, "a level") == kind


@pytest.mark.slow
def test_a_campaign_measures_before_it_plans_and_in_every_round(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    given = ["budget.total=40", "campaign.rounds=2"]
    made = plan_campaign(open_campaign(folder, given), silent)
    assert made.basis == "pilot"
    assert made.pilot[1] == 4
    assert made.recommended.error is not None
    with LabelStore(folder / "labels.db", read_only=True) as store:
        bought = store.query("SELECT count(*) FROM ledger WHERE account = 'pilot' AND kind = 'label'")
    assert bought == [(sum(made.pilot),)]
    found = run(folder, *given)
    assert [record.index for record in found] == [0, 1, 2]
    assert found[-1].spent <= 40
    with LabelStore(folder / "labels.db", read_only=True) as store:
        lines = store.query("SELECT account, note, amount FROM ledger WHERE note LIKE 'learning curves%'")
    assert [note for _, note, _ in lines] == [f"learning curves before round {k}" for k in (0, 1, 2)]
    assert {(account, amount) for account, _, amount in lines} == {("training", 0.0)}
    assert found[0].labels["cheap"] >= made.pilot[0]
