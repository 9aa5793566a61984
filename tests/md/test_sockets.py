"""A model behind ASE's socket client, as i-PI drives it."""

from threading import Thread
from uuid import uuid4

import numpy as np
from ase.calculators.socketio import SocketClient, SocketIOCalculator
from mmff_force_field import MMFFForceField
from spring_systems import shaken

from fidsel.fidelity.molecules.molecule import from_smiles


def test_a_driver_gets_energy_and_forces_over_a_unix_socket() -> None:
    name, model = f"fidsel-{uuid4().hex[:8]}", MMFFForceField(from_smiles("O"))
    atoms, remote = shaken("H2O", 1)[0], shaken("H2O", 1, 9)[0]
    remote.calc = model.calculator()
    with SocketIOCalculator(unixsocket=name) as server:
        client = Thread(target=lambda: SocketClient(unixsocket=name).run(remote), daemon=True)
        client.start()
        atoms.calc = server
        found = [(atoms.get_potential_energy(), atoms.get_forces())]
        atoms.positions[1] += 0.05
        found.append((atoms.get_potential_energy(), atoms.get_forces()))
        last = atoms.copy()
    client.join(timeout=60)
    last.calc = model.calculator()
    assert abs(found[1][0] - last.get_potential_energy()) < 1e-8
    np.testing.assert_allclose(found[1][1], last.get_forces(), atol=1e-8)
    assert abs(found[0][0] - found[1][0]) > 1e-3
    assert not client.is_alive()
