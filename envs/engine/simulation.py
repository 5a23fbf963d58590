"""`Simulation`: n simulations of one cell on MuJoCo's batch engine. The only module that imports `mujoco.batch`.

What it adds to `mujoco.batch.Batch`: names that resolve once and loudly, control that may change within a control
step, and failures that stay in their row. A row whose physics raises an error, warns of divergence or leaves a
non-finite state is reported as failed, with the state and control that led there, and the other rows go on.
"""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from mujoco.batch import Batch, SimulationError
from numpy.typing import NDArray

from ...errors import ShopfloorError

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

_VEL = mujoco.mjtStage.mjSTAGE_VEL.value
_NONE = mujoco.mjtStage.mjSTAGE_NONE.value
# what MuJoCo warns of while it steps; after any of these a row is not the machine that it stands for
_WARNINGS = {
    int(mujoco.mjtWarning.mjWARN_INERTIA): "the inertia matrix is nearly singular",
    int(mujoco.mjtWarning.mjWARN_CONTACTFULL): "too many contacts for the arena",
    int(mujoco.mjtWarning.mjWARN_CNSTRFULL): "too many constraints for the arena",
    int(mujoco.mjtWarning.mjWARN_BADQPOS): "a position is huge or not finite",
    int(mujoco.mjtWarning.mjWARN_BADQVEL): "a velocity is huge or not finite",
    int(mujoco.mjtWarning.mjWARN_BADQACC): "an acceleration is huge or not finite",
    int(mujoco.mjtWarning.mjWARN_BADCTRL): "a control is huge or not finite",
}
_OBJECTS = {
    "joint": mujoco.mjtObj.mjOBJ_JOINT,
    "site": mujoco.mjtObj.mjOBJ_SITE,
    "body": mujoco.mjtObj.mjOBJ_BODY,
    "geom": mujoco.mjtObj.mjOBJ_GEOM,
    "actuator": mujoco.mjtObj.mjOBJ_ACTUATOR,
    "sensor": mujoco.mjtObj.mjOBJ_SENSOR,
    "camera": mujoco.mjtObj.mjOBJ_CAMERA,
    "pair": mujoco.mjtObj.mjOBJ_PAIR,
    "key": mujoco.mjtObj.mjOBJ_KEY,
}


def default_threads(rows: int) -> int:
    """Threads for a batch: the cores this process may use, but never more than rows."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, min(rows, cores))


def compile_physics(spec: mujoco.MjSpec) -> mujoco.MjModel:
    """Compile a spec for stepping: divergence raises a warning instead of a silent reset to the start state."""
    model = spec.compile()
    model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)
    return model


class Simulation:
    """n simulations of one model, stepped on a thread pool, with fields by name.

    Args:
        model: the physics model.
        n: number of rows.
        threads: pool size including the caller; None chooses from the machine. Never changes a result.
        dump_dir: where failed rows leave their state; None for a folder in the system's temporary directory.
    """

    def __init__(
        self, model: mujoco.MjModel, n: int, threads: int | None = None, dump_dir: str | os.PathLike[str] | None = None
    ):
        if n < 1:
            raise ShopfloorError(f"the number of environments must be at least 1, got {n}")
        if threads is not None and threads < 1:
            raise ShopfloorError(f"threads must be at least 1, got {threads}")
        self.model = model
        self.n = n
        self.threads = default_threads(n) if threads is None else min(threads, n)
        self.batch = Batch(model, n, self.threads, persistent=True)
        self.timestep = float(model.opt.timestep)
        self.qpos: Array = self.batch.bind("qpos")
        self.qvel: Array = self.batch.bind("qvel")
        self.ctrl: Array = self.batch.bind("ctrl")
        self._warnings = self.batch.warning[:, :, 1]  # how often; the other component only says where
        self._dump_dir = dump_dir
        self._start = self.batch.state.copy()
        self.failed = np.zeros(n, dtype=bool)
        self.failure: dict[int, str] = {}
        self._fields: dict[str, Array] = {}
        self._stale = np.zeros(n, dtype=bool)
        #: turns commands (k, substeps, nu) of rows (None for all) into what reaches the actuators
        self.drive: Callable[[Array, Rows | None], Array] | None = None

    # -- names, resolved at build -----------------------------------------------------------------------------

    def id(self, kind: str, name: str) -> int:
        """Index of a named object.

        Raises:
            ShopfloorError: if the model has no such object; lists the candidates.
        """
        obj = _OBJECTS[kind]
        index = int(mujoco.mj_name2id(self.model, int(obj), name))
        if index < 0:
            count = {"key": self.model.nkey, "camera": self.model.ncam, "pair": self.model.npair}.get(kind)
            count = int(getattr(self.model, f"n{_COUNTS[kind]}")) if count is None else count
            names = [mujoco.mj_id2name(self.model, int(obj), i) or "" for i in range(count)]
            close = difflib.get_close_matches(name, names, n=3)
            hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
            raise ShopfloorError(f"the model has no {kind} {name!r}{hint} It has: {', '.join(filter(None, names))}")
        return index

    def ids(self, kind: str, names: Sequence[str]) -> NDArray[np.intp]:
        """Indices of named objects."""
        return np.array([self.id(kind, name) for name in names], dtype=np.intp)

    def qpos_index(self, joints: Sequence[str]) -> NDArray[np.intp]:
        """First qpos address of each joint."""
        return self.model.jnt_qposadr[self.ids("joint", joints)].astype(np.intp)

    def qvel_index(self, joints: Sequence[str]) -> NDArray[np.intp]:
        """First qvel address of each joint."""
        return self.model.jnt_dofadr[self.ids("joint", joints)].astype(np.intp)

    def sensor(self, name: str) -> Array:
        """A live view (n, dim) of a sensor's data."""
        index = self.id("sensor", name)
        start, dim = int(self.model.sensor_adr[index]), int(self.model.sensor_dim[index])
        return self.batch.bind("sensordata")[:, start : start + dim]

    def sensor_slice(self, name: str) -> slice:
        """Where a sensor stands in a row of sensor data."""
        index = self.id("sensor", name)
        start = int(self.model.sensor_adr[index])
        return slice(start, start + int(self.model.sensor_dim[index]))

    def output(self, field: str, kind: str | None = None, name: str | None = None) -> Array:
        """A live, read-only view (n, ...) of a derived field, of one object if named."""
        array: Array = self.batch.bind(field)
        return array if kind is None or name is None else array[:, self.id(kind, name)]

    def field(self, name: str) -> Array:
        """A model field with a value for each row, (n, ...), writable; call `set_const` after writing inputs of it."""
        if name not in self._fields:
            self._fields[name] = self.batch.expand(name)
        return self._fields[name]

    # -- stepping ---------------------------------------------------------------------------------------------

    def reset(self, rows: Rows, keyframe: int = -1) -> None:
        """Put rows at the model's start state or a keyframe; write the state, then call `forward`."""
        self.batch.reset(rows, keyframe, stage=_NONE)
        self.failed[rows] = False
        for row in rows.tolist() if self.failure else ():
            self.failure.pop(row, None)

    def set_const(self, rows: Rows) -> None:
        """Recompute the constants that MuJoCo derives from model fields, in the given rows."""
        self._guard(lambda: self.batch.set_const(rows))
        self._stale[rows] = False

    def stale(self, rows: Rows) -> None:
        """Note that fields of rows have changed on which constants depend; `forward` recomputes them."""
        self._stale[rows] = True

    def forward(self, rows: Rows | None = None) -> None:
        """Bring derived constants and position- and velocity-dependent fields up to date with fields and state."""
        if self._stale.any():
            stale = np.flatnonzero(self._stale) if rows is None else rows[self._stale[rows]]
            if stale.size:
                self.set_const(stale)
        self._guard(lambda: self.batch.forward(rows, stage=_VEL))

    def step(self, substeps: int, rows: Rows | None = None) -> None:
        """Advance by `substeps` physics steps under the present controls; derived fields are current afterwards."""
        before = self._begin()
        self._guard(lambda: self.batch.step(rows, substeps, _VEL), self._start)
        self._end(before)

    def follow(self, controls: Array, rows: Rows | None = None, record: bool = False) -> Array | None:
        """Advance one physics step for each control of a sequence.

        Args:
            controls: (k, substeps, nu) for the k rows of the call.
            rows: the rows, or None for all.
            record: whether to return the sensor data that MuJoCo computed on the way.

        Returns:
            With `record`, (k, substeps, nsensordata): entry j is at the beginning of physics step j, except the last,
            which is at the end of the control step.
        """
        if self.drive is not None:
            controls = self.drive(controls, rows)
        before = self._begin()
        count, substeps = controls.shape[:2]
        records = np.zeros((count, substeps, self.model.nsensordata)) if record else None
        sensors = self.batch.bind("sensordata")
        # the fields are current at the beginning, which saves the first step half of its work; the steps between know
        # nothing of that, and the last one ends in the velocity stage so that the next control step has it as well
        if substeps > 1:
            self._set_controls(controls[:, 0], rows)
            self._guard(lambda: self.batch.step(rows, 1, _NONE), self._start)
            if records is not None:
                records[:, 0] = sensors if rows is None else sensors[rows]
        if substeps > 2:
            # our own buffer, because the call returns none when a row raises
            out: dict[Any, Array] = {}
            if records is not None:
                out["sensordata"] = np.zeros((count, substeps - 2, self.model.nsensordata))
            self._guard(
                lambda: self.batch.rollout(substeps - 2, controls[:, 1:-1], record=tuple(out), ids=rows, out=out),
                self._start,
            )
            if records is not None:
                records[:, 1:-1] = out["sensordata"]
        self._set_controls(controls[:, -1], rows)
        self._guard(lambda: self.batch.step(rows, 1, _VEL), self._start)
        self._end(before)
        if records is not None:
            records[:, -1] = sensors if rows is None else sensors[rows]
        return records

    def _set_controls(self, controls: Array, rows: Rows | None) -> None:
        if rows is None:
            self.ctrl[:] = controls
        else:
            self.ctrl[rows] = controls

    def jacobian(self, body: int, point: Array) -> tuple[Array, Array]:
        """Translational and rotational Jacobians (n, 3, nv) of world points (n, 3) on a body."""
        return self.batch.jac(body, point)

    def ray(
        self, origin: Array, direction: Array, groups: NDArray[np.uint8] | None = None, rows: Rows | None = None
    ) -> Array:
        """Distances (k, rays) in m from origins along unit directions, both (k, rays, 3), in the k rows of the call.

        Args:
            origin, direction: world frame.
            groups: mask (6,) of the geom groups that a ray sees; None for all.
            rows: the rows, or None for all.

        Returns:
            Distance to the nearest geom as the rows' states and fields are now, -1 where there is none.
        """
        distance: Array = self.batch.ray(origin, direction, geomgroup=groups, ids=rows)[0]
        return distance

    # -- failures ---------------------------------------------------------------------------------------------

    def _begin(self) -> NDArray[np.int32]:
        np.copyto(self._start, self.batch.state)
        return self._warnings.copy()

    def _guard(self, call: Any, start: Array | None = None) -> None:
        """Run a call on the batch; rows in which it raises fail, from `start` (n, nstate) or their present state."""
        try:
            call()
        except SimulationError as error:
            # all messages first: the next call on the batch overwrites them
            messages = {row: self.batch.error(row) for row in error.ids.tolist()}
            for row, message in messages.items():
                self._fail(row, message, self.batch.state[row] if start is None else start[row])

    def _end(self, before: NDArray[np.int32]) -> None:
        raised = self._warnings != before
        # one reduction finds any non-finite number, since a sum that meets NaN or inf stays non-finite
        if not raised.any() and np.isfinite(self.batch.state.sum()):
            return
        bad = raised.any(axis=1) | ~np.isfinite(self.batch.state).all(axis=1)
        for row in np.flatnonzero(bad & ~self.failed).tolist():
            causes = [text for kind, text in _WARNINGS.items() if raised[row, kind]]
            self._fail(
                row, "the simulation failed: " + ("; ".join(causes) or "its state is not finite"), self._start[row]
            )

    def fail(self, rows: Rows, message: str, arrays: Mapping[str, Array]) -> None:
        """Let rows fail for a reason beyond this simulation; (n, ...) arrays that show it are left with the state."""
        for row in rows.tolist():
            self._fail(row, message, self.batch.state[row], {k: v[row] for k, v in arrays.items()})

    def _fail(self, row: int, message: str, start: Array, shown: Mapping[str, Array] | None = None) -> None:
        if self.failed[row]:
            return
        start = start.copy()
        path = self._dump(row, message, start, shown or {})
        self.failed[row] = True
        self.failure[row] = f"{message}; state before: {path}"
        # a finite state lets the row be observed once more and then reset
        self.batch.state[row] = start
        if not np.isfinite(start).all():
            self.batch.reset(np.array([row]), stage=_NONE)
        self.qvel[row] = 0.0
        self._guard(lambda: self.batch.forward(np.array([row]), stage=_VEL))

    def _dump(self, row: int, message: str, start: Array, shown: Mapping[str, Array]) -> Path:
        folder = Path(self._dump_dir) if self._dump_dir else Path(tempfile.gettempdir()) / "shopfloor-failures"
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="state-", suffix=".npz", dir=folder)
        with os.fdopen(handle, "wb") as file:
            arrays: dict[str, Any] = {f"process_{k}": v for k, v in shown.items()}
            arrays["message"], arrays["mujoco"] = np.array(message), np.array(mujoco.__version__)
            np.savez(file, state=start, ctrl=self.ctrl[row], **arrays)
        return Path(name)

    # -- state ------------------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Physics state of all rows (mjSTATE_INTEGRATION), failures and per-row model fields, copied."""
        return {
            "state": self.batch.state.copy(),
            "failed": self.failed.copy(),
            "failure": dict(self.failure),
            "fields": {k: v.copy() for k, v in self._fields.items()},
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned and bring derived fields up to date."""
        if state["state"].shape != self.batch.state.shape:
            raise ShopfloorError(
                f"the saved state is of shape {state['state'].shape}, this simulation's is {self.batch.state.shape}"
            )
        for name, values in state["fields"].items():
            self.field(name)[...] = values
        for name in self._fields.keys() - state["fields"].keys():  # as designed when the state was saved
            self._fields[name][...] = attrgetter(name)(self.model)
        if self._fields:
            self.batch.state[...] = state["state"]
            self.batch.set_const()
            self._stale[...] = False
        self.batch.state[...] = state["state"]
        self.failed[...] = state["failed"]
        self.failure = dict(state["failure"])
        self.batch.forward(stage=_VEL)

    def copy_row(self, row: int, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Write one row's state, and its per-row model fields, into a model and data of equal layout (to render).

        A model with more geoms gets the fields of geoms by name, and so does the drawn copy `<name>_drawn` of a geom.
        """
        for name, values in self._fields.items():
            if not name.startswith("opt."):
                target = getattr(model, name)
                if target.shape == values[row].shape:
                    target[...] = values[row]
                elif name in _GEOM_SHAPES:
                    ours, theirs = self._geom_pairs(model)
                    target[theirs] = values[row][ours]
        mujoco.mj_setState(model, data, self.batch.state[row], int(mujoco.mjtState.mjSTATE_INTEGRATION))
        mujoco.mj_forward(model, data)

    def _geom_pairs(self, model: mujoco.MjModel) -> tuple[Rows, Rows]:
        """Geoms of this model and those of another that show them."""
        ours, theirs = [], []
        for geom in range(self.model.ngeom):
            name = self.model.geom(geom).name
            for shown in (name, f"{name}_drawn") if name else ():
                index = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, shown)
                if index >= 0:
                    ours.append(geom)
                    theirs.append(index)
        return np.array(ours, dtype=np.intp), np.array(theirs, dtype=np.intp)


# what the shape and place of a primitive geom are made of
_GEOM_SHAPES = ("geom_pos", "geom_quat", "geom_size", "geom_rbound", "geom_aabb", "geom_sameframe")
_COUNTS = {
    "joint": "jnt",
    "site": "site",
    "body": "body",
    "geom": "geom",
    "actuator": "u",
    "sensor": "sensor",
}
