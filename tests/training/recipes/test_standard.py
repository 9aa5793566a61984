from morse_molecule import frames

from fidsel.models import SGDML, PaiNN
from fidsel.training.recipes.standard import standard
from fidsel.training.stage import Stage, TrainingData


def kernel(seed: int) -> SGDML:
    return SGDML([10.0])


def painn(seed: int) -> PaiNN:
    return PaiNN(features=4, radial=3, seed=seed)


def test_a_kernel_and_a_network_are_trained_on_the_accurate_frames() -> None:
    data = TrainingData(frames(10), frames(5, 1))
    exact = standard(data, kernel, 0)
    assert exact.model.kind == "sgdml"
    assert exact.histories[0].notes["sigma"] == 10.0
    network = standard(data, painn, 0, stage=Stage(steps=4, validate_every=2))
    assert network.histories[0].step == (2, 4)
    assert network.model.level == "morse"
