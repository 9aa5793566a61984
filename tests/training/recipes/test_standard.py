from morse_molecule import frames

from fidsel.models import SGDML, PaiNN
from fidsel.training.recipes.standard import Standard
from fidsel.training.stage import Stage, TrainingData


def kernel(seed: int) -> SGDML:
    return SGDML([10.0])


def painn(seed: int) -> PaiNN:
    return PaiNN(features=4, radial=3, seed=seed)


def test_a_kernel_and_a_network_are_trained_on_the_accurate_frames() -> None:
    data = TrainingData(frames(10), frames(5, 1))
    exact = Standard()(data, kernel, 0)
    assert exact.model.kind == "sgdml"
    assert exact.histories[0].notes["sigma"] == 10.0
    network = Standard(stage=Stage(steps=4, validate_every=2))(data, painn, 0)
    assert network.histories[0].step == (2, 4)
    assert network.model.level == "morse"
