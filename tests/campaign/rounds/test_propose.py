"""Campaigns of one round of picking, with every kind of selector and error source."""

import re
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from family_campaign import write_family
from tiny_campaign import opened, rounds, run, write_campaign

from fidsel.campaign import Round, iterate
from fidsel.campaign.plans.plan import prepare
from fidsel.campaign.records.round import Draft
from fidsel.campaign.rounds.propose import choose
from fidsel.config.build import open_campaign
from fidsel.exceptions import UsageError
from fidsel.fidelity import LabelStore
from fidsel.models import Ensemble, load

SHORT = ("campaign.rounds=1", "campaign.start=4", "budget.total=26")
CLUSTERS = "selector={clusters=3,energy_clusters=2,per_round=4}"
NETWORK = "{kind='painn',features=4,layers=1}"
STAGE = "{steps=6,validate_every=3,batch=4}"
QUICK = f"recipe={{kind='standard',stage={STAGE}}}"
BOTH = f"recipe={{kind='cokriging',stage={STAGE},surrogate_stage={STAGE}}}"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a campaign whose random start is done; look, do not change."""
    folder = write_campaign(tmp_path_factory.mktemp("begun"))
    loop = iterate(open_campaign(folder, [*SHORT, CLUSTERS]))
    next(loop)
    loop.close()
    return folder


def picked(folder: Path, selector: str, *overrides: str) -> Round:
    """Return the round of picking of a short campaign in a folder."""
    found = run(folder, *SHORT, CLUSTERS, *(f"selector.{one}" for one in selector.split()), *overrides)
    assert len(found) == 2
    return found[1]


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("stratified", "drawn at random from those of energy "),
        ("farthest-point", "farthest from all frames labelled or picked"),
        ("lcmd", "in the largest cluster around a frame labelled or picked"),
        ("random", "drawn at random from"),
        ("variance-reduction", "takes the expected RMSE of "),
    ],
)
def test_kinds_that_need_no_errors_buy_nothing_for_them(
    begun: Path, tmp_path: Path, kind: str, why: str
) -> None:
    found = picked(copytree(begun, tmp_path / "copy"), f"kind={kind} error=probe probes=3")
    assert len(found.picks) == 4
    assert all(why in pick.reason and "; at accurate, cost 1" in pick.reason for pick in found.picks)
    assert all(f"cluster {pick.cluster} (" in pick.reason for pick in found.picks)
    assert found.error_source == {"kind": "none"}
    assert "probe" not in found.accounts


@pytest.mark.parametrize("kind", ["kind=greedy", "kind=lcmd weights=errors"])
def test_kinds_that_need_errors_estimate_them(begun: Path, tmp_path: Path, kind: str) -> None:
    found = picked(copytree(begun, tmp_path / "copy"), kind)
    assert found.error_source["kind"] == "cheap"
    estimates = [found.error_source["estimates"][pick.frame] for pick in found.picks]
    if "greedy" in kind:
        assert estimates == sorted(estimates, reverse=True)
        assert min(estimates) > found.error_source["overall"]
    assert all("meV/Å: " in pick.reason for pick in found.picks)


@pytest.mark.parametrize("recipe", [QUICK, BOTH])
def test_errors_from_a_committee(tmp_path: Path, recipe: str) -> None:
    ensemble = f"model={{kind='ensemble',members=2,member={NETWORK}}}"
    found = picked(write_campaign(tmp_path), "kind=greedy error=committee", ensemble, recipe)
    assert found.error_source["kind"] == "committee"
    assert found.error_source["labelled"] == 0
    assert "probe" not in found.accounts
    if "standard" in recipe:
        model = load(tmp_path / "rounds" / "0000" / "model")
        assert isinstance(model, Ensemble)
        with LabelStore(tmp_path / "labels.db", read_only=True) as store:
            apart = model.disagreement(store.frames([pick.frame for pick in found.picks])).frame_forces
        told = [found.error_source["estimates"][pick.frame] for pick in found.picks]
        np.testing.assert_allclose(told, apart, rtol=1e-4)


def test_errors_from_latent_distances(tmp_path: Path) -> None:
    found = picked(write_campaign(tmp_path), "error=latent probes=3", f"model={NETWORK}", QUICK)
    assert found.error_source["kind"] == "latent"
    assert found.error_source["labelled"] == 3
    assert found.accounts["probe"] == 3.0
    assert min(found.error_source["estimates"].values()) > 0
    assert "bounds" not in found.error_source


@pytest.mark.parametrize(
    ("error", "calibration"), [("error=cheap coverage=0.75", 4), ("error=probe coverage=0.5", 2)]
)
def test_bounds_are_recorded(begun: Path, tmp_path: Path, error: str, calibration: int) -> None:
    found = picked(copytree(begun, tmp_path / "copy"), f"{error} probes=4")
    source, bounds = found.error_source, found.error_source["bounds"]
    assert found.accounts["probe"] == 4 == source["labelled"]
    assert bounds["frames"] == calibration
    assert set(bounds["clusters"]) >= {str(pick.cluster) for pick in found.picks}
    assert set(bounds["picks"]) == {pick.frame for pick in found.picks}
    held = source["score"]["coverage"] * len(found.picks)
    assert held == pytest.approx(round(held))


def test_too_few_labels_for_bounds_are_said(begun: Path, tmp_path: Path) -> None:
    """Five frames are affordable, of which two are probes, where four were to be drawn."""
    money = rounds(begun)[0].spent + 5.3
    folder = copytree(begun, tmp_path / "copy")
    found = picked(folder, "error=cheap coverage=0.8 probes=4", f"budget.total={money}")
    assert found.accounts["probe"] == 2
    assert "needs at least 4 calibration frames, got 2" in found.error_source["bounds"]["why_none"]
    assert found.error_source["score"]["coverage"] is None


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("error='committee'", "needs models that can disagree"),
        ("error='latent'", "needs a network's features, and 'sgdml' has none"),
        ("error='probe',coverage=0.9,probes=17", "selector.probes of at least 18, got 17"),
        ("coverage=0.9,probes=8", "with errors from 'cheap' needs selector.probes of at least 9, got 8"),
        ("error='reference',coverage=0.9", "knows the errors: leave out selector.coverage"),
        ("kind='farthest-point',coverage=0.9", "FarthestPoint needs none: leave out selector.coverage"),
        ("kind='greedi'", "did you mean 'greedy'"),
        ("kind='lcmd',weights='error'", "did you mean 'errors'"),
        ("kind='variance-reduction',coverage=0.9", "VarianceReduction needs none: leave out"),
    ],
)
def test_contradictions(tmp_path: Path, selector: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_campaign(write_campaign(tmp_path), [f"selector={{{selector}}}"])


def test_a_surrogate_of_another_kind_cannot_disagree(tmp_path: Path) -> None:
    ensemble = f"model={{kind='ensemble',members=2,member={NETWORK}}}"
    folder, surrogate = write_campaign(tmp_path), "recipe.surrogate={kind='sgdml'}"
    with pytest.raises(UsageError, match=r"recipe\.surrogate too, where it is given"):
        open_campaign(folder, [ensemble, surrogate, "selector.error=committee"])
    with pytest.raises(UsageError, match=r"recipe\.surrogate too, where it is given"):
        open_campaign(folder, [f"model={NETWORK}", surrogate, "selector.error=latent"])


MEASURED = ("selector.error=probe", "selector.probes=6", "selector.fine_clusters=4")


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a family whose accurate labels cost what they take, after the random start; do not change."""
    pytest.importorskip("tblite", reason="needs pip install 'fidsel[xtb]'")
    folder = write_family(
        tmp_path_factory.mktemp("priced"),
        ('price = { per = "label", value = 1 }', ""),
        ('unit = "label"', 'unit = "core-s"'),
        ("total = 22", "total = 200"),
        ("value = 0.05", "value = 0"),
    )
    loop = iterate(open_campaign(folder, MEASURED))
    next(loop)
    loop.close()
    return folder


def test_a_stop_after_the_probes_changes_no_pick(priced: Path, tmp_path: Path) -> None:
    """Probes are measured, so that labels of their molecules cost more or less than before."""
    with opened(copytree(priced, tmp_path / "copy"), *MEASURED) as ws:
        ready = prepare(ws)
        whole = choose(ws, ready, 1)
        assert len(whole.accurate) > 1
        assert choose(ws, ready, 1) == whole


def test_picks_of_a_fixed_number_cost_no_more_than_is_left(priced: Path, tmp_path: Path) -> None:
    """As written down the round takes 30 frames, of which what is left pays for some."""
    folder = copytree(priced, tmp_path / "copy")
    with opened(folder, *MEASURED) as ws:
        ws.journal.write(Draft(30, (), {}), 1)
        money = ws.spent() + 9 * ws.price(ws.campaign.accurate)
    with opened(folder, *MEASURED, "selector.per_round=30", f"budget.total={money}") as ws:
        made = choose(ws, prepare(ws), 1)
        each = ws.price_of_each(ws.campaign.accurate)[ws.members.of[ws.pool.rows(made.accurate)]]
        assert 1 <= len(made.accurate) < 30
        assert each.sum() <= ws.remaining() + 1e-9
        told = f"{len(made.accurate)} picks of 30: what is left pays for no more of these frames"
        assert any(note.startswith(told) for note in made.notes)


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ((f"model={NETWORK}", QUICK), "take model.kind = 'sgdml'"),
        (("model.solver=iterative",), "take model.solver"),
    ],
)
def test_picks_by_variance_need_an_exact_kernel(tmp_path: Path, given: tuple[str, ...], remedy: str) -> None:
    with pytest.raises(UsageError, match=f"of a kernel's forces, of an exact fit: {re.escape(remedy)}"):
        open_campaign(write_campaign(tmp_path), ["selector={kind='variance-reduction'}", *given])
