from pathlib import Path

import pytest
import torch
from morse_molecule import frames

from fidsel.exceptions import UsageError
from fidsel.models import SGDML, EnergyReference, Offset, PaiNN, Sum, load
from fidsel.models.device import building, gradients, resolve

ABSENT = "cuda:99"


@pytest.mark.parametrize(
    ("devices", "asked", "found"),
    [
        (0, "auto", "cpu"),
        (0, "cpu:0", "cpu"),
        (2, "auto", "cuda:1"),
        (2, "cuda", "cuda:1"),
        (2, "cuda:0", "cuda:0"),
        (2, "cpu", "cpu"),
        (2, torch.device("cuda", 0), "cuda:0"),
    ],
)
def test_a_device_has_one_name(
    devices: int, asked: torch.device | str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("is_available", devices > 0), ("device_count", devices), ("current_device", 1)):
        monkeypatch.setattr(torch.cuda, name, lambda value=value: value)
    assert resolve(asked) == found


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (ABSENT, "device 'cuda:99' must be on this machine, of whose CUDA devices PyTorch finds"),
        ("gpu", "unknown device 'gpu'"),
        ("mps", "unknown device 'mps'"),
        ("cuda:-1", "unknown device 'cuda:-1', did you mean 'cuda'"),
        ("", "unknown device ''"),
    ],
)
def test_a_device_that_cannot_be_had_is_named(asked: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolve(asked)


def test_no_model_goes_where_nothing_is(tmp_path: Path) -> None:
    offset = Offset(EnergyReference({1: -13.0}, 1), "morse")
    for model in (offset, Sum([offset]), PaiNN("morse", features=4), SGDML([10.0])):
        with pytest.raises(UsageError, match="must be on this machine"):
            model.to(ABSENT)
    with pytest.raises(UsageError, match="must be on this machine"):
        SGDML([10.0], device=ABSENT)
    with pytest.raises(UsageError, match="must be on this machine"):
        load(offset.save(tmp_path), ABSENT)


def test_a_loaded_model_is_on_the_cpu_unless_asked_for_elsewhere(tmp_path: Path) -> None:
    network = PaiNN("morse", features=4).save(tmp_path / "network")
    kernel = SGDML([10.0]).fit(frames(5), frames(0))[0].save(tmp_path / "kernel")
    best = resolve("auto")
    for folder in (network, kernel):
        assert [str(load(folder, *device).device) for device in ((), ("auto",))] == ["cpu", best]


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_gradients_are_there_where_a_caller_has_turned_them_off(off: type[torch.no_grad]) -> None:
    with off():
        with gradients():
            x = torch.ones(2, requires_grad=True)
        assert not torch.is_grad_enabled()
    (slope,) = torch.autograd.grad((x * x).sum(), x)
    assert slope.tolist() == [2.0, 2.0]


def test_what_is_built_does_not_depend_on_the_precision_of_the_caller() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        with building():
            assert torch.ones(1).dtype == torch.float32
        with pytest.raises(ZeroDivisionError), building():
            1 / 0  # noqa: B018
        assert torch.ones(1).dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
