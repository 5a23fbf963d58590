"""Shared look of the cells: materials, textures, lights, cameras and renderer settings.

Everything here is cosmetic: nothing in this module changes the dynamics of a model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

Image = NDArray[np.uint8]

# Geom groups: 0 floor and surroundings, 1 machines, 2 work pieces and tools, 3 collision shapes (hidden by default).
GROUP_SCENE, GROUP_MACHINE, GROUP_PART, GROUP_COLLISION = 0, 1, 2, 3


@dataclass(frozen=True)
class Finish:
    """A material: colour, highlight strength and width, mirror share, optional texture.

    `texrepeat` counts repetitions a metre; without it the texture follows the texture coordinates of the mesh.
    """

    rgba: tuple[float, float, float, float]
    specular: float = 0.3
    shininess: float = 0.4
    reflectance: float = 0.0
    emission: float = 0.0
    texture: str | None = None
    texrepeat: tuple[float, float] | None = None


FINISHES: dict[str, Finish] = {
    # Robots.
    "cast_aluminium": Finish((0.74, 0.76, 0.78, 1.0), 0.55, 0.55),
    "white_enamel": Finish((0.88, 0.89, 0.89, 1.0), 0.6, 0.75),
    "graphite": Finish((0.16, 0.17, 0.19, 1.0), 0.5, 0.5),
    "joint_blue": Finish((0.16, 0.38, 0.62, 1.0), 0.55, 0.65),
    "black_rubber": Finish((0.055, 0.057, 0.062, 1.0), 0.15, 0.15),
    "bright_steel": Finish((0.80, 0.82, 0.84, 1.0), 1.0, 0.85),
    "dark_steel": Finish((0.30, 0.32, 0.34, 1.0), 0.6, 0.6),
    "ruby": Finish((0.78, 0.06, 0.12, 1.0), 1.0, 0.95),
    "status_green": Finish((0.15, 0.95, 0.45, 1.0), 0.2, 0.2, emission=0.9),
    "status_amber": Finish((1.0, 0.62, 0.08, 1.0), 0.2, 0.2, emission=0.35),
    "status_red": Finish((0.75, 0.08, 0.06, 1.0), 0.4, 0.5, emission=0.1),
    # Workshop.
    "epoxy_floor": Finish((1.0, 1.0, 1.0, 1.0), 0.25, 0.35, 0.06, texture="concrete", texrepeat=(0.4, 0.4)),
    "workshop_wall": Finish((0.79, 0.81, 0.82, 1.0), 0.05, 0.1),
    "wall_dado": Finish((0.43, 0.50, 0.55, 1.0), 0.1, 0.2),
    "safety_yellow": Finish((0.96, 0.74, 0.07, 1.0), 0.35, 0.45),
    "guard_panel": Finish((0.80, 0.88, 0.92, 0.14), 0.9, 0.9),
    "screen": Finish((0.16, 0.34, 0.50, 1.0), 0.7, 0.9, emission=0.5),
    "brass": Finish((0.80, 0.63, 0.30, 1.0), 0.8, 0.7),
    "machine_grey": Finish((0.52, 0.55, 0.57, 1.0), 0.35, 0.45),
    "fixture_plate": Finish((1, 1, 1, 1), 0.6, 0.5, texture="hole_grid", texrepeat=(20.0, 20.0)),
    "brushed_plate": Finish((0.62, 0.64, 0.66, 1.0), 0.7, 0.55),
    # Clean room.
    "clean_floor": Finish((0.9, 0.9, 0.91, 1), 0.15, 0.5, 0.07, texture="floor_tiles", texrepeat=(1 / 1.2, 1 / 1.2)),
    "clean_wall": Finish((0.90, 0.915, 0.925, 1.0), 0.1, 0.2),
    "window": Finish((0.40, 0.51, 0.58, 1.0), 0.6, 0.9),
    "machined_aluminium": Finish((0.80, 0.812, 0.825, 1.0), 0.6, 0.45),
    "chamber_floor": Finish((1.0, 1.0, 1.0, 1.0), 0.6, 0.6, texture="turned_metal"),
    "milled_pocket": Finish((0.60, 0.615, 0.63, 1.0), 0.6, 0.55),
    "anodised": Finish((0.77, 0.785, 0.805, 1.0), 0.5, 0.5),
    "slit_dark": Finish((0.05, 0.055, 0.06, 1.0), 0.3, 0.4),
    "alumina": Finish((0.945, 0.925, 0.875, 1.0), 0.5, 0.6),
    "perfluoro_pad": Finish((0.09, 0.09, 0.10, 1.0), 0.3, 0.3),
    "susceptor": Finish((0.33, 0.33, 0.345, 1.0), 0.45, 0.4),
    "quartz": Finish((0.80, 0.88, 0.92, 0.35), 1.0, 0.95),
    "glass": Finish((0.75, 0.87, 0.93, 0.13), 1.0, 0.95),
    "silicon": Finish((1.0, 1.0, 1.0, 1.0), 1.0, 0.9, texture="wafer_dies"),
    "silicon_edge": Finish((0.42, 0.43, 0.47, 1.0), 1.0, 0.9),
}  # fmt: skip


def _noise(rng: np.random.Generator, size: int, cells: int) -> NDArray[np.float64]:
    """(size, size) periodic value noise with `cells` lattice cells a side, in [0, 1]."""
    lattice = rng.random((cells, cells))
    t = np.arange(size) / size * cells
    i, f = t.astype(int), t - t.astype(int)
    f = f * f * (3.0 - 2.0 * f)
    j = (i + 1) % cells
    low = lattice[np.ix_(i, i)] * (1 - f) + lattice[np.ix_(i, j)] * f
    high = lattice[np.ix_(j, i)] * (1 - f) + lattice[np.ix_(j, j)] * f
    return np.asarray(low * (1 - f[:, None]) + high * f[:, None])


def _concrete() -> Image:
    rng = np.random.default_rng(7)
    value = sum(_noise(rng, 512, n) * w for n, w in ((4, 0.5), (16, 0.25), (64, 0.15), (256, 0.10)))
    grey = 0.56 + 0.10 * (np.asarray(value) - 0.5)
    return _to_image(grey[..., None] * np.array([0.97, 1.0, 1.02]))


def _hole_grid() -> Image:
    """One 50 mm cell of a fixture plate: a threaded bore with a countersunk rim on ground steel."""
    rng = np.random.default_rng(3)
    n = 128
    y, x = np.mgrid[0:n, 0:n] / n - 0.5
    r = np.hypot(x, y)
    brushed = np.convolve(rng.random(n * 8), np.ones(5) / 5, mode="same")[:n]
    plate = 0.52 + 0.05 * (brushed - 0.5)[:, None] * np.ones((1, n))
    plate = np.where(r < 0.19, 0.62 - 0.5 * y, plate)
    plate = np.where(r < 0.15, 0.07, plate)
    return _to_image(plate[..., None] * np.array([0.98, 1.0, 1.03]))


def _floor_tiles() -> Image:
    """Two by two raised-floor panels (600 mm) with perforations and joints."""
    n = 512
    y, x = np.mgrid[0:n, 0:n] / n * 2.0
    u, v = x % 1.0, y % 1.0
    edge = np.minimum.reduce([u, 1 - u, v, 1 - v])
    tile = np.where((x.astype(int) + y.astype(int)) % 2 == 0, 0.83, 0.81)
    hole = np.hypot((u * 14) % 1.0 - 0.5, (v * 14) % 1.0 - 0.5) < 0.20
    tile = np.where(hole & (edge > 0.07), 0.62, tile)
    tile = np.where(edge < 0.006, 0.50, tile)
    return _to_image(tile[..., None] * np.array([0.985, 1.0, 1.01]))


def _wafer_dies() -> Image:
    """Patterned wafer: 26 x 33 mm fields of dies, thin-film colours, 3 mm edge exclusion."""
    n, diameter = 768, 0.300
    y, x = (np.mgrid[0:n, 0:n] + 0.5) / n * diameter - diameter / 2
    r = np.hypot(x, y)
    # Interference colours of a film that is a little thicker towards the edge.
    phase = 2.0 * np.pi * (0.55 + 0.16 * (r / 0.15) ** 2 + 0.10 * x / 0.15 - 0.06 * y / 0.15)
    film = np.stack([0.20 + 0.11 * np.cos(phase + k) for k in (0.3, 2.5, 4.3)], axis=-1)
    film = film * np.array([1.0, 0.9, 1.75]) + np.array([0.03, 0.04, 0.09])
    die_x, die_y = 0.0130, 0.0165
    ix, iy = np.floor(x / die_x), np.floor(y / die_y)
    fx, fy = x / die_x - ix, y / die_y - iy
    line = (np.minimum(fx, 1 - fx) * die_x < 0.00022) | (np.minimum(fy, 1 - fy) * die_y < 0.00022)
    core = (np.abs(fx - 0.32) < 0.20) & (np.abs(fy - 0.30) < 0.17) | (np.abs(fx - 0.72) < 0.14) & (
        np.abs(fy - 0.62) < 0.28
    )
    cache = (np.abs(fx - 0.30) < 0.20) & (np.abs(fy - 0.70) < 0.18) & ((fy * 26) % 1.0 < 0.55)
    film = film * np.where(core, 1.35, 1.0)[..., None] + np.where(cache, 0.05, 0.0)[..., None]
    film = np.where(line[..., None], film * 0.55 + 0.18, film)
    corner = np.hypot(
        np.maximum(np.abs(ix * die_x), np.abs((ix + 1) * die_x)),
        np.maximum(np.abs(iy * die_y), np.abs((iy + 1) * die_y)),
    )
    bare = np.array([0.28, 0.285, 0.33])
    film = np.where((corner > 0.147)[..., None], bare, film)
    return _to_image(film)


def _to_image(value: NDArray[np.float64]) -> Image:
    return np.ascontiguousarray(np.clip(value * 255.0, 0.0, 255.0).astype(np.uint8))


def _turned_metal() -> Image:
    """Face-turned aluminium: fine concentric marks and the two bright fans that a lathe finish shows under lamps."""
    rng = np.random.default_rng(11)
    n = 768
    y, x = (np.mgrid[0:n, 0:n] + 0.5) / n * 2.0 - 1.0
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    marks = np.interp(r, np.linspace(0.0, 1.5, 900), np.convolve(rng.random(900), np.ones(3) / 3, mode="same"))
    fans = np.exp(4.0 * (np.cos(2.0 * (angle - 0.9)) - 1.0)) + 0.6 * np.exp(7.0 * (np.cos(2.0 * (angle + 0.35)) - 1.0))
    value = 0.60 + 0.035 * (marks - 0.5) + 0.17 * fans * (0.35 + 0.65 * np.clip(r * 1.6, 0.0, 1.0))
    return _to_image(value[..., None] * np.array([0.985, 1.0, 1.015]))


@cache
def _texture(name: str) -> tuple[int, int, bytes]:
    """Width, height and RGB bytes; kept, because a process may build many cells."""
    image = TEXTURES[name]()
    return image.shape[1], image.shape[0], image.tobytes()


TEXTURES: dict[str, Callable[[], Image]] = {
    "concrete": _concrete,
    "hole_grid": _hole_grid,
    "floor_tiles": _floor_tiles,
    "wafer_dies": _wafer_dies,
    "turned_metal": _turned_metal,
}


def material(spec: mujoco.MjSpec, name: str) -> str:
    """Add the material `name` of `FINISHES` (and its texture) to `spec` unless it is there; return `name`."""
    if spec.material(name) is not None:
        return name
    finish = FINISHES[name]
    m = spec.add_material(
        name=name, rgba=finish.rgba, specular=finish.specular, shininess=finish.shininess,
        reflectance=finish.reflectance, emission=finish.emission, texrepeat=finish.texrepeat or (1.0, 1.0),
        texuniform=finish.texrepeat is not None,
    )  # fmt: skip
    if finish.texture is not None:
        if spec.texture(finish.texture) is None:
            width, height, data = _texture(finish.texture)
            texture = spec.add_texture(
                name=finish.texture, type=mujoco.mjtTexture.mjTEXTURE_2D, width=width, height=height, nchannel=3
            )
            texture.data = data
        m.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = finish.texture
    return name


def look_at(pos: ArrayLike, target: ArrayLike, up: ArrayLike = (0.0, 0.0, 1.0)) -> list[float]:
    """`xyaxes` of a camera at `pos` that looks at `target` with `up` upwards in the picture (all (3,), metres)."""
    back = np.asarray(pos, float) - np.asarray(target, float)
    x = np.cross(np.asarray(up, float), back)
    x /= np.linalg.norm(x)
    y = np.cross(back / np.linalg.norm(back), x)
    return [*x.tolist(), *y.tolist()]


def add_camera(
    body: mujoco.MjsBody,
    name: str,
    pos: tuple[float, float, float],
    target: tuple[float, float, float],
    fovy: float,
    up: tuple[float, float, float] = (0.0, 0.0, 1.0),
) -> None:
    """Fixed camera `name` in the frame of `body`; `fovy` is the vertical field of view in degrees."""
    body.add_camera(name=name, pos=pos, xyaxes=look_at(pos, target, up), fovy=fovy)


def add_light(
    spec: mujoco.MjSpec,
    name: str,
    pos: tuple[float, float, float],
    target: tuple[float, float, float],
    diffuse: float,
    *,
    specular: float = 0.3,
    shadow: bool = False,
    spot: bool = False,
    cutoff: float = 60.0,
    exponent: float = 2.0,
) -> None:
    """Lamp at `pos` that points at `target`: directional, or a spot with half-angle `cutoff` (degrees) and falloff."""
    direction = np.asarray(target, float) - np.asarray(pos, float)
    spec.worldbody.add_light(
        name=name, pos=pos, dir=direction / np.linalg.norm(direction), diffuse=[diffuse] * 3,
        specular=[specular] * 3, ambient=[0.0] * 3, castshadow=shadow, cutoff=cutoff, exponent=exponent,
        type=mujoco.mjtLightType.mjLIGHT_SPOT if spot else mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
    )  # fmt: skip


def render_settings(
    spec: mujoco.MjSpec,
    *,
    center: tuple[float, float, float],
    extent: float,
    horizon: tuple[float, float, float] = (0.80, 0.83, 0.86),
    zenith: tuple[float, float, float] = (0.52, 0.58, 0.64),
    headlight: float = 0.25,
) -> None:
    """Framebuffer, shadow quality, clipping planes, headlight and sky shared by all cells.

    Args:
        spec: specification to configure.
        center: point that the free camera orbits (m).
        extent: size of the scene (m); scales the clipping planes and the shadow map.
        horizon: sky colour near the horizon.
        zenith: sky colour overhead.
        headlight: diffuse strength of the lamp that travels with the camera.
    """
    spec.stat.center = center
    spec.stat.extent = extent
    visual = spec.visual
    visual.global_.offwidth, visual.global_.offheight = 1920, 1080
    visual.global_.azimuth, visual.global_.elevation = 130.0, -22.0
    visual.quality.shadowsize = 4096
    visual.quality.offsamples = 4
    visual.map.znear, visual.map.zfar = 0.005, 30.0
    visual.map.shadowscale = 0.6
    visual.headlight.ambient = [0.28, 0.28, 0.29]
    visual.headlight.diffuse = [headlight] * 3
    visual.headlight.specular = [0.15] * 3
    spec.add_texture(
        name="sky", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=zenith, rgb2=horizon, width=256, height=1536,
    )  # fmt: skip
