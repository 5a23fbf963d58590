"""`shopfloor list`, `shopfloor render` and `shopfloor view`: what environments there are and what they look like."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShopfloorError
from .playback import POLICIES, Playback, playback
from .registry import env_ids, event_driven_class, event_driven_ids, make_task

if TYPE_CHECKING:
    from .engine.rendering import CellRenderer

GIF_FPS = 25.0  # what browsers play reliably


def main(argv: Sequence[str]) -> int:
    """Run `list`, `render` or `view`.

    Raises:
        ShopfloorError: if an id, a camera or another argument is wrong.
    """
    options = _parser().parse_args(argv)
    run: int = options.run(options)
    return run


def list_environments(options: argparse.Namespace) -> int:
    """Print one line for each id."""
    rows = []
    for env_id in env_ids():
        task = make_task(env_id)
        sees = sum(c.width for c in task.channels if c.group == "policy")
        does, timing = len(task.make_action().terms), task.timing
        rows.append((env_id, str(sees), str(does), f"{timing.control_hz:g} Hz", f"{timing.horizon_s:g} s", task.title))
    for env_id in event_driven_ids():
        lot = event_driven_class(env_id)()
        sees = sum(c.width for c in lot.channels)
        rows.append((env_id, str(sees), "1", "decisions", f"{lot.max_steps}", lot.title))
    head = ("id", "observation", "action", "rate", "limit", "")
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def render(options: argparse.Namespace) -> int:
    """Write a picture, or with `--animate` an animation, of one episode."""
    from .engine.rendering import CellRenderer

    path = _out(options.animate or options.out, options.id, ".gif" if options.animate else ".png")
    play = playback(options.id, parse_kwargs(options.kwargs), options.policy, options.seed, options.randomization)
    for name, value in play.sample.items():
        print(f"{name}: {' '.join(f'{v:.4g}' for v in value)}")
    renderer = CellRenderer(play.cell, options.width, options.height, options.camera, options.quality)
    try:
        if options.animate:
            count = _animate(play, renderer, options.steps, path)
            print(f"{path}: {count} frames, {play.outcome}")
            return 0
        for _ in range(options.steps or 0):
            if not play.step():
                break
        save_png(renderer.render(), path)
        print(f"{path}: camera {renderer.camera}, {play.outcome}")
        return 0
    finally:
        renderer.close()


def _animate(play: Playback, renderer: CellRenderer, steps: int | None, path: Path) -> int:
    from PIL import Image

    every = max(1, round(1.0 / (play.period_s * GIF_FPS)))
    limit = play.longest if steps is None else steps
    frames = [Image.fromarray(renderer.render())]
    for step in range(1, limit + 1):
        going = play.step()
        if step % every == 0 or not going or step == limit:
            frames.append(Image.fromarray(renderer.render()))
        if not going:
            break
    # one palette for all frames: the colours of the first, which do not flicker
    palette = frames[0].quantize(192, method=Image.Quantize.MEDIANCUT)
    images = [frame.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for frame in frames]
    milliseconds = 1000.0 * every * play.period_s
    durations = [milliseconds] * (len(images) - 1) + [1500.0]  # the end stays on the screen for a moment
    images[0].save(path, save_all=True, append_images=images[1:], duration=durations, loop=0, optimize=True)
    return len(images)


def view(options: argparse.Namespace) -> int:
    """Play episodes in the browser until Ctrl-C."""
    try:
        from .web_viewer import show
    except ImportError as error:
        raise ShopfloorError(f"this MuJoCo has no web viewer ({error}); use `shopfloor render`") from None
    play = playback(options.id, parse_kwargs(options.kwargs), options.policy, options.seed, options.randomization)
    return show(play, options.id, options.host, options.port, options.camera)


def save_png(picture: NDArray[np.uint8], path: Path) -> None:
    """Write a picture (height, width, 3)."""
    from PIL import Image

    Image.fromarray(picture).save(path, optimize=True)


def parse_kwargs(words: Sequence[str]) -> dict[str, Any]:
    """Task arguments from `name=value` words; values are YAML.

    Raises:
        ShopfloorError: if a word is not of that form.
    """
    import yaml

    out: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name.isidentifier():
            raise ShopfloorError(f"--kwargs takes name=value, got {word!r}")
        try:
            out[name] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ShopfloorError(f"--kwargs {name}: {text!r} is not a YAML value") from None
    return out


def _out(given: str | None, env_id: str, suffix: str) -> Path:
    path = Path(given) if given else Path(env_id.rpartition("/")[2] + suffix)
    if path.suffix.lower() != suffix:
        raise ShopfloorError(f"the file name must end in {suffix}, got {str(path)!r}")
    if not path.parent.is_dir():
        raise ShopfloorError(f"the folder {str(path.parent)!r} does not exist")
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="shopfloor", description="What environments there are and look like.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="the environments, one line each")
    listing.set_defaults(run=list_environments)
    picture = commands.add_parser("render", help="a picture or an animation of an environment")
    picture.set_defaults(run=render)
    live = commands.add_parser("view", help="an environment live, in the browser")
    live.set_defaults(run=view)
    for command in (picture, live):
        command.add_argument("id", metavar="ID", help="environment, such as ArmReach-v0")
        command.add_argument("--policy", choices=POLICIES, default="expert", help="who acts (%(default)s)")
        command.add_argument("--seed", type=_whole(0), default=0, help="seed of the episode (%(default)s)")
        command.add_argument("--randomization", metavar="SPLIT|YAML", help="randomize the machine, such as train")
        command.add_argument("--camera", metavar="NAME", help="camera; default: the environment's first")
        command.add_argument("--kwargs", nargs="+", default=[], metavar="NAME=VALUE", help="task arguments")
    picture.add_argument("--out", metavar="PNG", help="file of the picture (NAME-vN.png)")
    picture.add_argument("--animate", metavar="GIF", help="write an animation of the episode instead")
    picture.add_argument("--steps", type=_whole(0), metavar="K", help="control steps before the picture (0), or in all")
    picture.add_argument("--width", type=_whole(1), default=960, help="pixels (%(default)s)")
    picture.add_argument("--height", type=_whole(1), default=720, help="pixels (%(default)s)")
    picture.add_argument("--quality", choices=("full", "fast"), default="full", help="shadows or speed (%(default)s)")
    live.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    live.add_argument("--port", type=_whole(0), default=0, help="port; 0 takes the first free one from 8080 on")
    return parser


def _whole(least: int) -> Any:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {value}")
        return value

    number.__name__ = "whole number"
    return number
