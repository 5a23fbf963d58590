"""Episodes live in the browser, through MuJoCo studio's web viewer; no OpenGL is needed where this runs.

The viewer serves page, model and state on one port, without a password and without encryption. MuJoCo binds it to all
interfaces; here it is bound to the loopback address unless the user names another one.
"""

from __future__ import annotations

import copy
import ipaddress
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import mujoco
from mujoco.experimental.studio import (
    launch_web,
    messages,
    plugin,
    sim,
    viewer_app,
    viewer_protocol,
    web_viewer,
)

from ..errors import ShopfloorError
from .engine.rendering import draw_overlay

if TYPE_CHECKING:
    from .playback import Playback

PAUSE_S = 1.0  # between two episodes
FIRST_PORT, PORTS = 8080, 100
F = TypeVar("F", bound=Callable[..., Any])


def bind(host: str, port: int) -> socket.socket:
    """A bound TCP socket; port 0 takes the first free one from 8080 on.

    Raises:
        ShopfloorError: if the address does not exist here or the port is taken.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ShopfloorError(f"cannot listen on {host!r}: {error.strerror}") from None
    problem: OSError | None = None
    for candidate in [port] if port else range(FIRST_PORT, FIRST_PORT + PORTS):
        opened = socket.socket(family, socket.SOCK_STREAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind((address[0], candidate))
            return opened
        except OSError as error:
            opened.close()
            problem = error
    where = str(port) if port else f"{FIRST_PORT} to {FIRST_PORT + PORTS - 1}"
    raise ShopfloorError(f"cannot listen on {host} port {where}: {problem.strerror if problem else ''}")


def announce(host: str, port: int) -> str:
    """What to print: the URL, and who can open it where that is not only this machine."""
    named = "localhost" if ipaddress.ip_address(host).is_loopback else host
    if ipaddress.ip_address(host).is_unspecified:
        named = socket.getfqdn()
    url = f"http://[{named}]:{port}/" if ":" in named else f"http://{named}:{port}/"
    lines = [f"{url}   Ctrl-C to stop"]
    if not ipaddress.ip_address(host).is_loopback:
        lines.append(
            "warning: the viewer has no authentication and no encryption; everyone who reaches this port can watch, "
            "and upload files. Keep it on 127.0.0.1 and use an ssh tunnel: ssh -L 8080:localhost:8080 ..."
        )
    return "\n".join(lines)


def show(play: Playback, title: str, host: str, port: int, camera: str | None) -> int:
    """Serve the viewer and play episodes at their own speed until Ctrl-C.

    Raises:
        ShopfloorError: if the camera or the address does not exist, or the port is taken.
    """
    model = _model(play, camera)
    opened = bind(host, port)
    address, number = opened.getsockname()[:2]
    overlay, controls = OverlayGeoms(), Controls()
    viewer = _launch(opened, title, overlay, controls)
    print(announce(address, number), flush=True)
    data = mujoco.MjData(model)
    try:
        with viewer:
            while viewer.is_running():
                _play_episode(play, viewer, model, data, overlay, controls)
    except KeyboardInterrupt:
        print()
    return 0


def _model(play: Playback, camera: str | None) -> mujoco.MjModel:
    cameras = play.cell.task.cameras
    name = cameras[0] if camera is None else camera
    if name not in cameras:
        raise ShopfloorError(f"no camera {name!r}; this cell has: {', '.join(cameras)}")
    model = play.cell.render_model()
    model.vis.global_.cameraid = model.camera(name).id  # where studio begins
    return model


def _play_episode(
    play: Playback, viewer: Any, model: Any, data: Any, overlay: OverlayGeoms, controls: Controls
) -> None:
    cell = play.cell
    going, waited = True, 0.0
    while viewer.is_running() and waited < PAUSE_S:
        begin = time.perf_counter()
        cell.sim.copy_row(0, model, data)
        overlay.geoms = _overlay_geoms(model, cell.task.overlay(cell.s, 0))
        viewer.sync(model, data)
        period = play.period_s * 100.0 / max(controls.speed, 1.0)
        if not controls.paused and going:
            going = play.step()
        elif not going:
            waited += period
        time.sleep(max(0.0, period - (time.perf_counter() - begin)))
    print(play.outcome, flush=True)
    play.next_episode()


def _overlay_geoms(model: mujoco.MjModel, overlay: Any) -> list[Any]:
    scene = mujoco.MjvScene(model, maxgeom=200)
    draw_overlay(scene, overlay)
    return [copy.copy(scene.geoms[i]) for i in range(scene.ngeom)]


def _handler(method: F) -> F:
    """`messages.handler`, which tells studio by the annotation what a method handles, with a type."""
    return cast(F, messages.handler(method))


class OverlayGeoms(plugin.ViewerPlugin):
    """Draws what the task wants to be seen beside the model."""

    def __init__(self) -> None:
        self.geoms: list[Any] = []

    @_handler
    def on_update(self, _: messages.UpdateEvent) -> None:
        """Studio draws a frame."""
        self.viewer.extra_geoms[:] = self.geoms


class Controls(plugin.SimPlugin):
    """Knows whether the viewer's user has paused and at what speed to play, in percent."""

    def __init__(self) -> None:
        self.paused, self.speed = False, 100.0

    @_handler
    def on_step_control(self, snapshot: messages.StepControlSnapshot) -> None:
        """The user has changed one of them."""
        self.paused, self.speed = snapshot.pause_state != sim.PauseState.UNPAUSED, snapshot.speed


def _launch(opened: socket.socket, title: str, overlay: OverlayGeoms, controls: Controls) -> Any:
    # studio offers no way to choose the address, and its banner would name the wrong one
    web_viewer.web_server.bind_public_socket = lambda host, port: opened
    web_viewer._print_url_banner = lambda host, port: None
    app = viewer_app.ViewerApp(viewer_app.ViewerAppConfig(show_options=False, show_inspector=False))
    config = viewer_protocol.ViewerConfig(title=title, gfx="web")
    return launch_web.launch(config, plugins=[app, overlay, controls])
