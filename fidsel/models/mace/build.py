"""Building MACE networks from plain values, and plain values from MACE's checkpoints."""

import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fidsel.exceptions import MissingExtraError, UsageError, unknown
from fidsel.models.device import BUILDING

UNSAFE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
BLOCKS = ("interaction_cls", "interaction_cls_first")
IRREPS = ("hidden_irreps", "MLP_irreps", "edge_irreps")
GIVEN = ("r_max", "num_elements", "heads", "cueq_config")
"""Arguments of MACE that follow from others, or that a plain CPU network does not have."""

Config = dict[str, Any]  # Any: JSON values


@dataclass(frozen=True)
class Checkpoint:
    """What a file of MACE's own holds, for one level of theory.

    Parameters
    ----------
    config : arguments of `build`.
    cutoff : Å.
    tensors : parameters and buffers; their atomic energies are zero.
    energies : atomic energy of each element, eV.
    dtype : precision of the parameters.
    """

    config: Config
    cutoff: float
    tensors: Mapping[str, Tensor]
    energies: Mapping[int, float]
    dtype: torch.dtype


def build(config: Config, cutoff: float) -> nn.Module:
    """Return a `ScaleShiftMACE` in float64.

    Raises a `MissingExtraError` where mace-torch is not installed.

    Parameters
    ----------
    config : its arguments as JSON values: classes and functions by name, irreps as text.
    cutoff : Å.
    """
    with _mace():
        import e3nn
        from e3nn import o3
        from e3nn.util.codegen import CodeGenMixin
        from mace import modules

        values = config | {name: o3.Irreps(config[name]) for name in IRREPS if config.get(name)}
        values |= {name: modules.interaction_classes[config[name]] for name in BLOCKS}
        values |= {"gate": modules.gate_dict[config["gate"]], "num_elements": len(config["atomic_numbers"])}
        values["readout_cls"] = modules.readout_classes[config["readout_cls"]]
        values["avg_num_neighbors"] = config["avg_num_neighbors"] or 1.0
        optimisation = e3nn.get_optimization_defaults()
        e3nn.set_optimization_defaults(jit_script_fx=False)
        try:
            network: nn.Module = modules.ScaleShiftMACE(r_max=cutoff, **values)
        finally:
            e3nn.set_optimization_defaults(**optimisation)
        for module in network.modules():
            if isinstance(module, CodeGenMixin):
                # e3nn copies what it lists here through TorchScript; FX graphs copy as they are.
                module.__codegen__ = []
        for buffer in network.buffers():
            # Files keep no strides, and other strides give other last bits.
            buffer.data = buffer.data.contiguous()
    return network


def read_checkpoint(path: Path, head: str | None) -> Checkpoint:
    """Return what is in a file that MACE's training wrote. Reading it can run code.

    Parameters
    ----------
    head : which of several levels of theory; None where there is one.
    """
    with _mace():
        from mace.tools.scripts_utils import extract_config_mace_model, remove_pt_head

        model = _unpickled(path)
        dtype, heads = next(model.parameters()).dtype, list(getattr(model, "heads", None) or ["Default"])
        if len(heads) > 1 and head is None:
            raise UsageError(f"{path} has several levels of theory: choose head = {' or '.join(heads)}")
        if head is not None and head not in heads:
            raise unknown(f"head of {path.name}", head, heads)
        if len(heads) > 1:
            model = remove_pt_head(model, head)
        config = _plain(extract_config_mace_model(model))
    if config["embedding_specs"] is not None:
        raise UsageError(
            f"{path} needs more than atoms and positions: {', '.join(config['embedding_specs'])}"
        )
    energies = model.atomic_energies_fn.atomic_energies
    tensors = model.state_dict() | {"atomic_energies_fn.atomic_energies": torch.zeros_like(energies)}
    each = dict(zip(config["atomic_numbers"], energies.flatten().tolist(), strict=True))
    return Checkpoint(config, float(model.r_max), tensors, each, dtype)


def _unpickled(path: Path) -> Any:  # Any: a class of mace-torch
    try:
        model = torch.load(path, map_location="cpu", weights_only=False)
    except (OSError, RuntimeError, UnpicklingError, EOFError, AttributeError, ImportError) as error:
        raise UsageError(f"{path} must be a *.model file of MACE, cannot read it: {error}") from error
    if type(model).__name__ != "ScaleShiftMACE":
        raise UsageError(
            f"{path} must hold a ScaleShiftMACE, got {type(model).__name__}: give the *.model file that "
            "MACE's training writes, not a *_compiled.model or a *.pt checkpoint"
        )
    return model


def _plain(config: Config) -> dict[str, Any]:
    """Return MACE's arguments as JSON values, atomic energies zero."""
    from mace.modules import gate_dict

    plain: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, type):
            plain[name] = value.__name__
        elif name in IRREPS:
            plain[name] = None if value is None else str(value)
        else:
            plain[name] = value.tolist() if isinstance(value, np.ndarray | np.generic | Tensor) else value
    plain["gate"] = next(name for name, function in gate_dict.items() if function is config["gate"])
    plain["atomic_energies"] = np.zeros_like(config["atomic_energies"]).tolist()
    return {name: value for name, value in plain.items() if name not in GIVEN}


@contextmanager
def _mace() -> Iterator[None]:
    """Import and build MACE with constants in float64, and leave the process as it was."""
    # MACE reports missing accelerators on stdout; e3nn warns of its own TorchScript and torch.load.
    with BUILDING, warnings.catch_warnings(), redirect_stdout(sys.stderr):
        environment, dtype = os.environ.get(UNSAFE), torch.get_default_dtype()
        warnings.simplefilter("ignore")
        torch.set_default_dtype(torch.float64)
        os.environ[UNSAFE] = "1"
        try:
            yield
        except ModuleNotFoundError as error:
            if error.name not in {"mace", "e3nn"}:
                raise
            raise MissingExtraError("mace-torch", "mace") from error
        finally:
            torch.set_default_dtype(dtype)
            # e3nn needs it to be imported and MACE sets it; left, any torch.load could run code.
            os.environ.pop(UNSAFE, None)
            os.environ.update({} if environment is None else {UNSAFE: environment})
