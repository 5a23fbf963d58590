"""The cluster tool in motion: poses of robot and wafers at and between the decisions of a schedule.

The event simulation knows when the robot arrives and when a transfer ends. In between the robot turns and its arm
reaches out and comes back along smooth curves of time; wafers are where their owner is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from ....assets.cells import cluster_tool
from ....assets.cells.wafer_cell import turn_quat
from ....assets.robots import dual_scara
from .channels import LOCK_NAMES, STATIONS
from .layout import Array, Bools, Ints
from .simulator import PLACE, SWAP, WAIT, ClusterSimulator

PADDLES = ("paddle_a", "paddle_b")
# a body for each place that can hold a wafer: it is shown while there is one
WAFERS: Mapping[str, str] = MappingProxyType({f"wafer_{place}": place for place in (*STATIONS, *PADDLES)})
ANGLES = tuple(cluster_tool.STATIONS[name] for name in STATIONS)
HIDDEN = -3.0  # m, under the floor
SEEN = ("time", "robot_at", "module_wafer", "arm_wafer", "raw", "finished")


def smooth(share: float) -> float:
    """From 0 to 1 with zero velocity and acceleration at both ends."""
    t = min(max(share, 0.0), 1.0)
    return t * t * t * (10.0 + t * (6.0 * t - 15.0))


class Scene:
    """Poses a model of the tool as one row is, or was on the way to it.

    Attributes:
        share: of the last decision's time that has passed in pictures, 0 to 1.
    """

    def __init__(self, simulator: ClusterSimulator) -> None:
        self.share = 1.0
        self._simulator = simulator
        self._before = {name: getattr(simulator.state, name).copy() for name in SEEN}
        self._kind = np.full(simulator.num_rows, WAIT, np.int64)
        self._transfer = np.zeros(simulator.num_rows)

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Forget decisions of rows whose lot begins."""
        for name, values in self._before.items():
            values[rows] = getattr(self._simulator.state, name)[rows]
        self._kind[rows] = WAIT

    def remember(self, rows: Bools, actions: Ints) -> None:
        """Keep the state before a decision (n,) in each of `rows`."""
        sim = self._simulator
        for name, values in self._before.items():
            now = getattr(sim.state, name)
            values[...] = np.where(rows.reshape(-1, *[1] * (now.ndim - 1)), now, values)
        kind, at = sim.kind[actions], (np.arange(sim.num_rows), sim.station[actions])
        tools = sim.tools
        length = np.where(kind == SWAP, tools.exchange[at], np.where(kind == PLACE, tools.give[at], tools.take[at]))
        self._kind[...] = np.where(rows, kind, self._kind)
        self._transfer[...] = np.where(rows, length, self._transfer)

    def duration(self, row: int) -> float:
        """Time in s that the last decision has taken."""
        return float(self._simulator.state.time[row] - self._before["time"][row])

    def share_at(self, row: int, progress: float) -> float:
        """The `share` of the last decision at which its transfer has got to `progress`, 0 to 1."""
        duration = self.duration(row)
        return 1.0 - (1.0 - progress) * float(self._transfer[row]) / duration if duration > 0.0 else 1.0

    def copy_row(self, row: int, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Pose a model as a row is at `share` of its last decision."""
        theta, reach, shown = self._pose(row)
        data.qpos[:] = model.key("home").qpos
        data.qvel[:] = 0.0
        radii = {f"radius_{arm}": radius for arm, radius in zip("ab", reach, strict=True)}
        for joint, value in dual_scara.joint_positions(theta=theta, **radii).items():
            data.joint(joint).qpos[0] = value
        places = cluster_tool.stations("dual_scara")
        for (name, place), visible in zip(WAFERS.items(), shown, strict=True):
            (x, y, z), turn = places[place]
            if place in PADDLES:
                radius, turn = reach[PADDLES.index(place)], theta
                x, y = radius * np.cos(theta), radius * np.sin(theta)
            address = model.jnt_qposadr[model.body(name).jntadr[0]]
            data.qpos[address : address + 7] = (x, y, z if visible else HIDDEN, *turn_quat(turn))
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_camlight(model, data)

    def _pose(self, row: int) -> tuple[float, tuple[float, float], list[bool]]:
        """Direction of the robot (rad), extension of its arms (m), and which of `WAFERS` are there."""
        state, before = self._simulator.state, self._before
        start, end, home = float(before["time"][row]), float(state.time[row]), cluster_tool.HOME_RADIUS
        origin, target = ANGLES[before["robot_at"][row]], ANGLES[state.robot_at[row]]
        now = start + self.share * (end - start)
        old, new = (self._wafers(source, row) for source in (before, {k: getattr(state, k) for k in SEEN}))
        if self._kind[row] > SWAP or end <= start:
            return target, (home, home), new if self.share >= 1.0 else old
        move = float(self._simulator.tools.move[row])
        turn = (target - origin + np.pi) % (2.0 * np.pi) - np.pi
        theta = origin + turn * (smooth((now - start) / move) if move > 0.0 else 1.0)
        transfer = float(self._transfer[row])
        progress = (now - (end - transfer)) / transfer if transfer > 0.0 else 1.0
        if progress <= 0.0:
            return theta, (home, home), old
        return target, *self._transferring(row, progress, old, new)

    def _transferring(
        self, row: int, progress: float, old: list[bool], new: list[bool]
    ) -> tuple[tuple[float, float], list[bool]]:
        """Extensions and wafers at a share of a transfer; a swap takes with one arm and then gives with the other."""
        far, home = cluster_tool.STATION_RADIUS, cluster_tool.HOME_RADIUS
        first = len(STATIONS)
        arm = taking = 0 if new[first] and not old[first] else 1
        share, shown = progress, old if progress < 0.5 else new
        if self._kind[row] == SWAP:
            station = int(self._simulator.state.robot_at[row])
            half = list(old)
            half[station], half[first + taking] = station < len(LOCK_NAMES) and old[station], True
            share = 2.0 * progress % 1.0 if progress < 1.0 else 1.0
            shown = old if progress < 0.25 else half if progress < 0.75 else new
            arm = taking if progress < 0.5 else 1 - taking
        elif self._kind[row] == PLACE:
            arm = 0 if old[first] and not new[first] else 1
        out = home + (far - home) * smooth(1.0 - abs(2.0 * share - 1.0))
        return ((out, home) if arm == 0 else (home, out)), shown

    @staticmethod
    def _wafers(source: Mapping[str, NDArray[Any]], row: int) -> list[bool]:
        stored = (source["module_wafer"][row] >= 0) | (source["raw"][row] + source["finished"][row] > 0)
        return [*stored.tolist(), *(source["arm_wafer"][row] >= 0).tolist()]

    # -- state ------------------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Array | Ints]:
        """What the pictures between decisions depend on."""
        return {**{k: v.copy() for k, v in self._before.items()}, "kind": self._kind.copy(),
                "transfer": self._transfer.copy()}  # fmt: skip

    def set_state(self, state: Mapping[str, Array | Ints]) -> None:
        """Restore what `get_state` returned."""
        for name, values in self._before.items():
            values[...] = state[name]
        self._kind[...], self._transfer[...] = state["kind"], state["transfer"]
