"""What a campaign plans: levels of no use are not bought, test labels are bounded, gaps are no candidates."""

from pathlib import Path

import numpy as np
import pytest
from morse_molecule import NUMBERS
from tiny_campaign import check_consistent, labels, rounds, run, write_campaign

from fidsel.campaign import plan_campaign
from fidsel.campaign.journal import Journal
from fidsel.campaign.loop import silent
from fidsel.campaign.records.round import HeldOut
from fidsel.config.build import open_campaign
from fidsel.exceptions import UsageError
from fidsel.fidelity import LabelStore

PAINN = "model={kind='painn',features=8,layers=1}"
SHORT = "{steps=4,validate_every=4,batch=4}"


def bought(folder: Path) -> dict[str, int]:
    """Return how many labels of each level a campaign has."""
    with LabelStore(folder / "labels.db", read_only=True) as store:
        names = "SELECT f.name, count(*) FROM labels l JOIN fidelities f USING (key) GROUP BY 1"
        return dict(store.query(names))


@pytest.mark.parametrize(
    ("recipe", "model", "why"),
    [
        ("{kind='standard'}", "model.lam=1e-10", "recipe 'standard' trains on accurate labels alone"),
        (
            f"{{kind='asteroid-unlabelled',temperature=500,baseline={SHORT},pretrain={SHORT},finetune={SHORT}}}",
            PAINN,
            "recipe 'asteroid-unlabelled' trains on configurations without labels",
        ),
    ],
)
def test_a_level_of_no_use_is_not_bought(tmp_path: Path, recipe: str, model: str, why: str) -> None:
    folder = write_campaign(tmp_path)
    given = [f"recipe={recipe}", model, "campaign.rounds=1", "selector.per_round=2", "selector.probes=1"]
    made = plan_campaign(open_campaign(folder, given), silent)
    assert made.levels == ("accurate",)
    assert (
        made.warnings[0] == f"no labels of cheap are bought: {why}; another recipe uses them, or leave it out"
    )
    found = run(folder, *given)
    assert set(bought(folder)) == {"accurate"}
    assert any(why in note for note in found[0].notes)
    assert bought(folder)["accurate"] == found[-1].spent + found[-1].accounts["test"]


def test_cheap_labels_of_other_frames_are_of_no_use_to_pairs(tmp_path: Path) -> None:
    """Δ-learning takes the cheap labels of accurate frames alone, of the last cheap level."""
    folder = write_campaign(tmp_path)
    made = plan_campaign(open_campaign(folder, ["recipe={kind='delta'}"]), silent)
    assert made.recommended.bought[0] == 0
    last = run(folder, "recipe={kind='delta'}", "selector.probes=2")[-1]
    assert last.labels["cheap"] == last.labels["accurate"] - 5, "validation labels have no companion"


def test_test_labels_cost_no_more_than_half_of_the_budget(tmp_path: Path) -> None:
    path = write_campaign(tmp_path) / "fidsel.toml"
    path.write_text(path.read_text().replace("test = 10\n", ""))
    made = plan_campaign(open_campaign(tmp_path, ["budget.total=30"]), silent)
    assert [(row.what, row.labels, row.cost) for row in made.beside] == [("test labels", 15, 15.0)]
    made = plan_campaign(open_campaign(tmp_path, ["budget.total=22"]), silent)
    assert made.beside[0].labels == 11
    (found,) = run(tmp_path, "budget.total=22", "campaign.rounds=0")
    assert found.accounts["test"] == 11
    assert found.metrics.frames == 11
    owned = ["budget.total=22", "fidelity.1.price.value=0", "fidelity.0.price.value=0"]
    other = write_campaign(tmp_path / "owned") / "fidsel.toml"
    other.write_text(other.read_text().replace("test = 10\n", ""))
    assert plan_campaign(open_campaign(other.parent, owned), silent).beside[0].labels == 24, "a fifth of all"


def test_what_is_bought_beside_the_budget_is_told(tmp_path: Path) -> None:
    made = plan_campaign(open_campaign(write_campaign(tmp_path), ["campaign.control=bought"]), silent)
    told = [(row.what, row.labels, row.cost, row.wall) for row in made.beside]
    assert told == [("test labels", 10, 10.0, None), ("labels of the control arm at most", 17, 17.0, None)]


@pytest.mark.parametrize(
    ("frames", "settings"),
    [
        (120, ["campaign.rounds=0"]),
        (120, ["budget.total=40", "fidelity.0.price.value=0.3"]),
        (120, ["budget.total=120", "fidelity.0.price.value=0.1"]),
        (400, ["budget.total=60", "fidelity.0.price.value=0.7"]),
    ],
)
def test_a_campaign_buys_the_labels_that_its_plan_counts(
    tmp_path: Path, frames: int, settings: list[str]
) -> None:
    """A frame with two labels is paid once at each level; those picked later have the expected number."""
    folder = write_campaign(tmp_path, frames)
    made = plan_campaign(open_campaign(folder, settings), silent)
    last = run(folder, *settings)[-1]
    found = (last.labels["cheap"], last.labels["accurate"] - 5)
    planned = made.recommended.labels
    assert made.recommended.cost == pytest.approx(
        planned[0] * made.prices[0] + (planned[1] + 5) * (made.prices[1] - made.companion)
    )
    settled = "campaign.rounds=0" in settings or planned[1] == planned[0]
    assert found == pytest.approx(planned, abs=0 if settled else 3)
    assert last.spent == pytest.approx(made.recommended.cost, abs=1e-6 if settled else made.prices[1] * 3)


def test_round_0_is_drawn_by_the_plan_that_is_shown_from_then_on(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    first = plan_campaign(open_campaign(folder, ["campaign.rounds=1"]), silent)
    assert not any("round 0 is drawn" in text for text in first.warnings)
    run(folder, "campaign.rounds=1")
    again = plan_campaign(open_campaign(folder, ["campaign.rounds=1"]), silent)
    larger = plan_campaign(open_campaign(folder, ["campaign.rounds=1"], budget="80"), silent)
    told = "round 0 is drawn: this is the plan for 22 labels that it was drawn by, and none is made anew"
    assert again.warnings[0].startswith(f"{told}; to spend more raise budget.total")
    assert larger.warnings[0].startswith(f"{told} for 80 labels. A larger budget goes to rounds to come")
    assert again.warnings[1:] == larger.warnings[1:] == first.warnings
    assert larger.recommended == first.recommended
    assert run(folder, "campaign.rounds=2", "budget.total=80")[-1].spent > 60, "as the sentence says"


def partial_tables(folder: Path, accurate: int, cheap: int) -> Path:
    """Write a campaign whose tables have labels of the first frames of the pool alone."""
    write_campaign(folder)
    with np.load(folder / "pool.npz") as pool:
        arrays = dict(pool)
    for level, n in (("accurate", accurate), ("cheap", cheap)):
        some = {f"{kind}_{level}": arrays[f"{kind}_{level}"][:n] for kind in "EF"}
        np.savez(folder / f"{level}.npz", z=NUMBERS, R=arrays["R"][:n], **some)
    path = folder / "fidsel.toml"
    text = path.read_text()
    for level in ("accurate", "cheap"):
        text = text.replace(
            f'path = "pool.npz"\nunits = "eV,Angstrom"\nenergy_key = "E_{level}"',
            f'path = "{level}.npz"\nunits = "eV,Angstrom"\nenergy_key = "E_{level}"',
        )
    path.write_text(text)
    return folder


def test_frames_without_a_label_are_no_candidates(tmp_path: Path) -> None:
    folder = partial_tables(tmp_path, accurate=70, cheap=100)
    first = run(folder)[0]
    with LabelStore(folder / "labels.db", read_only=True) as store:
        assert store.query("SELECT count(*) FROM attempts WHERE status != 'done'") == [(0,)]
        ids = store.frames().ids
        held = Journal(store).require(HeldOut)
    check_consistent(folder)
    known = set(ids[:70])
    assert {pick.frame for record in rounds(folder) for pick in record.picks} <= known
    assert {*held.test, *held.validation} <= known
    assert "50 of 120 configurations have no label of accurate" in " ".join(first.notes)
    assert "20 of 120 configurations have no label of cheap" in " ".join(first.notes)
    cheap = {frame for frame, _ in labels(folder)} - known
    assert cheap, "cheap labels of frames without an accurate one are of use"
    assert cheap <= set(ids[:100])


def test_a_table_that_has_grown_is_planned_anew(tmp_path: Path) -> None:
    """Until round 0 is drawn; what is drawn then comes from all that has labels by now."""
    folder = partial_tables(tmp_path, accurate=40, cheap=40)
    first = plan_campaign(open_campaign(folder), silent)
    assert any("80 of 120 configurations have no label of accurate" in text for text in first.warnings)
    partial_tables(tmp_path, accurate=120, cheap=120)
    second = plan_campaign(open_campaign(folder), silent)
    assert not any("have no label" in text for text in second.warnings)
    assert second != first
    assert plan_campaign(open_campaign(folder), silent) == second
    (found,) = run(folder, "campaign.rounds=0")
    assert not any("have no label" in note for note in found.notes)
    assert max(pick.row for pick in found.picks) >= 40
    with LabelStore(folder / "labels.db", read_only=True) as store:
        held = Journal(store).require(HeldOut)
        row = {frame: i for i, frame in enumerate(store.frames().ids)}
    assert max(row[frame] for frame in held.test) >= 40, "the held-out frames are drawn anew as well"


def test_too_few_frames_with_labels(tmp_path: Path) -> None:
    folder = partial_tables(tmp_path, accurate=14, cheap=100)
    with pytest.raises(
        UsageError, match=r"at least 17 .* got 14: .*; 106 of 120 configurations have no label of"
    ):
        run(folder)
