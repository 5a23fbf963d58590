"""Work cell for any arm: the arm on a pedestal behind a fixture table, inside a fenced workshop bay.

World frame: z up, origin on the floor below the robot's base, +x from the robot over the table. Tools are screwed to
the arm's flange and work pieces are set on the table by whoever builds the cell further.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from .. import look
from ..robots.arm import Arm
from ..robots.arm_drive import Actuators
from . import work_cell_shapes

CAMERAS = ("overview", "side", "top", "close")

TABLE_TOP = 0.70  # m
TABLE_EDGE = 0.33  # m, edge of the table nearest to the robot's axis
TABLE_SIZE = (0.90, 1.30)  # m, depth (x) and width (y)


@dataclass(frozen=True)
class WorkCell:
    """A cell with an arm and a table, to be filled.

    Attributes:
        spec: the specification, not yet compiled.
        robot: the arm.
        home_flange: (3,) where the flange is in the home configuration, world frame, m.
        visual: whether what is only seen is built too.
    """

    spec: mujoco.MjSpec
    robot: Arm
    home_flange: NDArray[np.float64]
    visual: bool

    @property
    def station(self) -> tuple[float, float]:
        """Point (x, y) of the table below the home flange, where every arm works well, m."""
        return float(self.home_flange[0]), float(self.home_flange[1])


def work_cell(
    robot: Arm,
    *,
    actuators: Actuators = "position",
    timestep: float = 0.002,
    visual: bool = True,
    table_top: float = TABLE_TOP,
) -> WorkCell:
    """Build a cell.

    Joints and actuators have the robot's names; cameras are in `CAMERAS`, of which `close` looks at the station.
    Without the visual part there are no drawn geoms, lights, textures and cameras; everything that is part of the
    state or of the dynamics is the same, in the same order, so that states can be copied between the two models.

    Args:
        robot: the arm.
        actuators: kind of joint actuators.
        timestep: physics step, s.
        visual: also build what is only seen.
        table_top: height of the table, m.

    Raises:
        ShopfloorError: if the arm would have to stand below the floor.
    """
    base = table_top + robot.base_height
    if base < 0.0:
        raise ShopfloorError(f"robot={robot.name!r}: its base would be {-base:.2f} m below the floor")
    spec = mujoco.MjSpec()
    spec.modelname = "work_cell"
    spec.compiler.degree = False
    spec.option.timestep = timestep
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.memory = 2**19  # bytes of arena; a batch allocates one for every row
    center = (TABLE_EDGE + 0.5 * TABLE_SIZE[0], 0.0)
    _add_obstacles(spec.worldbody, base, table_top, center)
    robot.add(spec, spec.worldbody, pos=(0.0, 0.0, base), quat=robot.base_quat, actuators=actuators, visual=visual)
    cell = WorkCell(spec, robot, _home_flange(spec, robot), visual)
    if visual:
        work_cell_shapes.add_scene(spec, base, table_top, center, TABLE_SIZE)
        _add_view(spec, cell, table_top)
    return cell


def home_configuration(spec_model: mujoco.MjModel, robot: Arm) -> NDArray[np.float64]:
    """Joint positions (nq,) of a whole cell with the arm at home and everything else where it was designed."""
    q = np.array(spec_model.qpos0)
    for joint, angle in zip(robot.joints, robot.home, strict=True):
        q[spec_model.joint(joint).qposadr[0]] = angle
    return q


def _home_flange(spec: mujoco.MjSpec, robot: Arm) -> NDArray[np.float64]:
    model = spec.compile()
    data = mujoco.MjData(model)
    data.qpos[:] = home_configuration(model, robot)
    mujoco.mj_kinematics(model, data)
    return np.array(data.site(robot.flange).xpos)


def _add_obstacles(world: mujoco.MjsBody, base: float, table_top: float, center: tuple[float, float]) -> None:
    """Collision shapes of floor, pedestal and table; contype 1 is what an arm's capsules look for."""
    common = {"contype": 1, "conaffinity": 0, "group": look.GROUP_COLLISION}
    world.add_geom(name="floor_collision", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[4.0, 4.0, 0.1], **common)
    half = 0.5 * (base - 0.02)
    if half > 0.02:
        world.add_geom(
            name="pedestal_collision", type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.15, 0.15, half], pos=[0.0, 0.0, half],
            **common,
        )  # fmt: skip
    world.add_geom(
        name="table_collision", type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[TABLE_SIZE[0] / 2, TABLE_SIZE[1] / 2, table_top / 2], pos=[*center, table_top / 2], **common,
    )  # fmt: skip


def _add_view(spec: mujoco.MjSpec, cell: WorkCell, table_top: float) -> None:
    world = spec.worldbody
    x, y = cell.station
    look.render_settings(spec, center=(0.5 * x, 0.0, table_top + 0.25), extent=2.2, headlight=0.17)
    look.add_light(
        spec, "key", (x + 0.5, y - 1.1, 5.2), (0.6 * x, y, 0.6), 0.62, specular=0.5, shadow=True, spot=True,
        cutoff=42.0, exponent=1.0,
    )  # fmt: skip
    look.add_light(spec, "fill", (1.5, -3.0, 2.6), (0.5, 0.0, 0.9), 0.24, specular=0.25)
    look.add_light(spec, "back", (-3.0, -1.0, 3.0), (0.5, 0.0, 1.0), 0.14, specular=0.25)
    look.add_camera(world, "overview", (x + 1.60, y - 1.85, 1.75), (0.70 * x, 0.5 * y, 0.88), 38.0)
    look.add_camera(world, "side", (x, -3.1, 1.15), (0.8 * x, 0.0, 0.92), 36.0)
    look.add_camera(world, "top", (0.8 * x, 0.0, 3.7), (0.8 * x, 0.0, 0.0), 37.0, up=(1.0, 0.0, 0.0))
    look.add_camera(world, "close", (x + 0.34, y - 0.40, table_top + 0.30), (x, y, table_top + 0.10), 34.0)
