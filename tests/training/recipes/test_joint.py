from dataclasses import replace

import numpy as np
import pytest
import torch
from morse_molecule import frames
from torch import Tensor

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import SGDML, Ensemble, NetworkForceField, PaiNN
from fidsel.training.evaluate import errors
from fidsel.training.labels import centred, prepare, usable_loss
from fidsel.training.optimise.members import Members
from fidsel.training.recipes.joint import Joint, mixture
from fidsel.training.recipes.standard import Standard
from fidsel.training.stage import Loss, Stage, TrainingData

SHORT = Stage("short", steps=4, batch=4, validate_every=2)
LONG = Stage("long", steps=300, batch=10, learning_rate=5e-3, validate_every=50)
TEST = frames(60, 9)


def painn(seed: int) -> PaiNN:
    return PaiNN("morse", features=8, layers=2, radial=6, seed=seed)


def low(n: int, seed: int = 5) -> Frames:
    """Return frames of a cheap level whose bonds are 10 % too weak and energies 90 eV off."""
    made = frames(n, seed, depth=3.6, level="low")
    return made.replace(energy=made.energy + 90.0)


def data(accurate: int = 6, cheap: int = 30) -> TrainingData:
    return TrainingData(frames(accurate, 0), frames(6, 1), (low(cheap),))


def slope(levels: list[Frames], shares: list[float], loss: Loss) -> dict[str, Tensor]:
    """Return the gradient of a mixture's loss by the parameters of a network with two heads."""
    mixed = mixture(levels, shares, loss)
    model = centred(painn(0).to(dtype=torch.float64).with_heads(["low", "morse"]), mixed.frames)
    members = Members([model])
    batch = prepare([model], mixed.frames, mixed.weights[None]).batch(slice(None))
    slopes = members.gradient(members.free, batch, loss)[1]
    return members.parameters(slopes[0], members.fixed[0])


LABELS = ("both", "energies", "forces")


def labelled(made: Frames, labels: str) -> Frames:
    made = made if labels != "energies" else made.replace(forces=None)
    return made if labels != "forces" else made.replace(energy=None)


@pytest.mark.parametrize("accurate", LABELS)
@pytest.mark.parametrize("cheap", LABELS)
def test_each_level_has_its_share_of_the_loss_whatever_labels_it_has(accurate: str, cheap: str) -> None:
    levels, loss = [labelled(low(30), cheap), labelled(frames(4), accurate)], Loss(rho=0.01)
    mixed = mixture(levels, [0.3, 0.7], loss)
    model = centred(painn(0).with_heads(["low", "morse"]), mixed.frames)
    batch = prepare([model], mixed.frames, mixed.weights[None]).batch(slice(None))
    usable = usable_loss(loss, mixed.frames, mixed.frames).train
    assert isinstance(usable, Loss)
    masses = ((1 - usable.rho) * batch.force_weight + usable.rho * batch.energy_weight)[0].numpy()
    masses /= len(mixed.frames)
    assert masses[mixed.frames.level == "morse"].sum() == pytest.approx(0.7, rel=1e-5)
    assert masses.sum() == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize(
    ("cheap", "accurate"), [("both", "both"), ("forces", "energies"), ("energies", "forces")]
)
def test_the_gradient_of_each_head_is_in_proportion_to_the_share_of_its_level(
    cheap: str, accurate: str
) -> None:
    levels = [labelled(low(30), cheap), labelled(frames(4), accurate)]
    few, many = (slope(levels, [1 - share, share], Loss(rho=0.01)) for share in (0.2, 0.8))
    for head, ratio in ((0, 0.25), (1, 4.0)):
        for name in ("readout.weight", "readout.output"):
            assert few[name][head].norm() > 0
            torch.testing.assert_close(many[name][head], ratio * few[name][head], rtol=1e-8, atol=1e-12)


def test_each_kind_of_label_moves_the_head_of_its_level_alone() -> None:
    loss = Loss(rho=0.01)
    mixed = mixture([low(30), frames(4).replace(forces=None)], [0.5, 0.5], loss)
    model = centred(painn(0).to(dtype=torch.float64).with_heads(["low", "morse"]), mixed.frames)
    members = Members([model])
    batch = prepare([model], mixed.frames, mixed.weights[None]).batch(slice(None))
    accurate = torch.from_numpy(mixed.frames.level == "morse")

    def heads(**weights: Tensor) -> Tensor:
        slopes = members.gradient(members.free, batch._replace(**weights), loss)[1][0]
        return members.parameters(slopes, members.fixed[0])["readout.weight"]

    before = heads()
    energies = heads(energy_weight=torch.where(accurate, 2.0, 1.0) * batch.energy_weight)
    torch.testing.assert_close(energies[1], 2 * before[1])
    torch.testing.assert_close(energies[0], before[0])
    forces = heads(force_weight=torch.where(accurate, 1.0, 2.0) * batch.force_weight)
    assert (forces[0] - before[0]).norm() > 0.1 * before[0].norm()
    torch.testing.assert_close(forces[1], before[1])
    assert not batch.force_weight[0, accurate].any()


def test_repeats_make_batches_of_the_asked_composition() -> None:
    made = mixture([low(30), frames(4)], [0.25, 0.75], Loss())
    assert made.repeats == (1, 22)
    assert made.weights.mean() == pytest.approx(1.0)
    np.testing.assert_allclose(made.weights, 1.0, atol=0.05)
    plain = mixture([frames(3, 1, level="a"), frames(3, 2, level="b")], [0.5, 0.5], Loss())
    assert plain.repeats == (1, 1)
    np.testing.assert_array_equal(plain.weights, np.ones(6))


def test_cheap_labels_beat_accurate_ones_alone() -> None:
    known = data(accurate=5, cheap=120)
    alone = Standard(stage=LONG)(known, painn, 1)
    both = Joint(stage=LONG)(known, painn, 1)
    assert errors(both.model, TEST).force_mae < 0.8 * errors(alone.model, TEST).force_mae
    assert errors(both.model, TEST).energy_mae < errors(alone.model, TEST).energy_mae
    assert both.model.level == "morse"
    (surrogate,) = both.surrogates
    own = low(40, 8)
    assert surrogate.level == surrogate.model.level == "low"
    assert errors(surrogate.model, own).force_mae < 0.5 * errors(both.model, own).force_mae
    assert errors(surrogate.model, own).energy_mae < 0.5


def test_accurate_energies_are_learnt_better_beside_cheap_forces() -> None:
    known = data(accurate=10, cheap=120)
    bare = replace(
        known, train=known.train.replace(forces=None), validation=known.validation.replace(forces=None)
    )
    alone = Standard(stage=LONG)(bare, painn, 0)
    both = Joint(stage=LONG)(bare, painn, 0)
    assert errors(both.model, TEST).energy_mae < 0.5 * errors(alone.model, TEST).energy_mae
    assert errors(both.model, TEST).force_mae < 0.5 * errors(alone.model, TEST).force_mae
    assert both.histories[0].notes["validation"] == "by energies only"


def test_three_levels_share_a_body() -> None:
    known = data()
    middle = frames(20, 6, depth=3.9, level="middle").replace(forces=None)
    three = replace(known, cheap=(*known.cheap, middle))
    trained = Joint(stage=SHORT, share=0.6)(three, painn, 0)
    assert isinstance(trained.model, NetworkForceField)
    assert trained.model.levels == ("low", "middle", "morse")
    assert [s.level for s in trained.surrogates] == ["low", "middle"]
    assert [level["level"] for level in trained.diagnostics["levels"]] == ["low", "middle", "morse"]
    found = trained.diagnostics["levels"][1]["held_out"]
    assert found["energy_mae"] > 0
    assert found["force_mae"] is None
    for surrogate in trained.surrogates:
        own, shared = surrogate.model.predict(TEST), trained.model.predict(TEST, surrogate.level)
        np.testing.assert_allclose(own.energy, shared.energy, rtol=0, atol=1e-4)
        np.testing.assert_allclose(own.forces, shared.forces, rtol=0, atol=1e-4)


def test_the_record_says_what_was_done() -> None:
    known = data()
    leak = replace(known, cheap=(known.cheap[0] + known.validation.replace(level="low"),))
    trained = Joint(stage=SHORT, share=0.5)(leak, painn, 0)
    cheap, accurate = trained.diagnostics["levels"]
    assert (cheap["dropped"], cheap["train"], cheap["validation"], cheap["alignment"]) == (6, 27, 3, None)
    assert (cheap["repeats"], accurate["repeats"], accurate["train"]) == (1, 4, 6)
    assert (trained.diagnostics["kept"], trained.diagnostics["warnings"]) == ("joint", ())
    assert [h.stage for h in trained.histories] == ["short"]
    assert set(trained.surrogates[0].unseen) <= set(known.cheap[0].ids)
    assert len(trained.surrogates[0].unseen) == 3
    again = Joint(stage=SHORT, share=0.5)(leak, painn, 0)
    np.testing.assert_array_equal(trained.model.predict(TEST).forces, again.model.predict(TEST).forces)


def test_what_a_surrogate_has_not_seen_the_body_was_not_trained_on_at_any_level() -> None:
    known = data()
    middle = frames(20, 5, depth=3.9, level="middle")
    both = replace(known, train=frames(16, 5), cheap=(*known.cheap, middle))  # all nested
    trained = Joint(stage=SHORT, held_out=0.4)(both, painn, 0)
    for surrogate, level in zip(trained.surrogates, trained.diagnostics["levels"], strict=False):
        assert 0 < len(surrogate.unseen) < level["validation"]
        assert not set(surrogate.unseen) & set(both.train.ids)


def test_fine_tuning_ends_with_the_accurate_head_alone_unless_it_spoils_it() -> None:
    good = replace(LONG, steps=40, validate_every=20)
    wild = replace(SHORT, learning_rate=0.5, ema=0.0, warmup=0.0, clip=1e3)
    tuned = Joint(stage=good, fine_tune=True, finetune=good)(data(), painn, 0)
    assert isinstance(tuned.model, NetworkForceField)
    assert tuned.model.levels == ("morse",)
    assert tuned.diagnostics["kept"] == "fine-tune"
    assert tuned.diagnostics["validation_error"]["fine-tune"] < tuned.diagnostics["validation_error"]["joint"]
    spoilt = Joint(stage=good, fine_tune=True, finetune=wild)(data(), painn, 0)
    plain = Joint(stage=good)(data(), painn, 0)
    np.testing.assert_array_equal(spoilt.model.predict(TEST).forces, plain.model.predict(TEST).forces)
    frozen = replace(good, steps=10, validate_every=1, frozen=("embedding", "blocks"))
    head = Joint(stage=good, fine_tune=True, finetune=frozen)(data(), painn, 0)
    assert isinstance(head.model, NetworkForceField)
    assert isinstance(plain.model, NetworkForceField)
    np.testing.assert_array_equal(head.model.latent(TEST), plain.model.latent(TEST))


def test_what_joint_cannot_do_is_refused() -> None:
    with pytest.raises(UsageError, match="'joint' trains networks, and a sgdml model is none"):
        Joint()(data(), lambda _: SGDML([10.0]), 0)
    with pytest.raises(UsageError, match="'joint' trains one network, not an ensemble"):
        Joint()(data(), lambda seed: Ensemble.of(painn, 2, seed), 0)
    with pytest.raises(UsageError, match=r"needs cheap labels .*; take 'standard'"):
        Joint()(replace(data(), cheap=()), painn, 0)
    with pytest.raises(UsageError, match="share must be a finite number > 0 and < 1, got 1"):
        Joint(share=1)(data(), painn, 0)
    with pytest.raises(UsageError, match=r"must differ, got \['morse', 'morse'\]"):
        Joint()(replace(data(), cheap=(frames(20, 5),)), painn, 0)
    bare = replace(data(), cheap=(low(30).replace(forces=None),))
    with pytest.raises(UsageError, match="looks at no label of level 'low': it has no forces"):
        Joint(stage=replace(SHORT, rho=0.0))(bare, painn, 0)
