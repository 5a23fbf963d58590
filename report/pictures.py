"""Pictures of one episode: an animation, and stills for a strip."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..envs.engine.core import BatchedCell
from ..envs.engine.rendering import CellRenderer

if TYPE_CHECKING:
    from PIL import Image

Picture = NDArray[np.uint8]

MIME = "image/webp"
SLOWER = 2.5  # the animation shows a second in this many


class Film:
    """Takes pictures of row 0 of a cell; pass it to `record`.

    Args:
        rate_hz: pictures a second of simulated time, at most the control rate.
        width, height: in pixels.
        quality: see `CellRenderer`.

    Raises:
        ShopfloorError: at the first picture, if no GL context can be made.
    """

    def __init__(self, rate_hz: float = 25.0, width: int = 720, height: int = 540, quality: str = "full"):
        self.rate_hz = rate_hz
        self.width, self.height, self.quality = width, height, quality
        self.pictures: list[Picture] = []
        self.times_s: list[float] = []
        self._renderer: CellRenderer | None = None

    def __call__(self, cell: BatchedCell) -> None:
        """Take a picture if one is due, and in any case at the end of the episode."""
        if self._renderer is None:
            self._renderer = CellRenderer(cell, self.width, self.height, quality=self.quality)
        every = max(1, round(cell.timing.control_hz / self.rate_hz))
        ended = bool(cell.terminated[0] or cell.truncated[0])
        if int(cell.s.step[0]) % every == 0 or ended:
            self.pictures.append(self._renderer.render(0))
            self.times_s.append(float(cell.s.time_s[0]))

    def close(self) -> None:
        """Free the GL context."""
        if self._renderer is not None:
            self._renderer.close()


def animation(pictures: Sequence[Picture], times_s: Sequence[float], hold_s: float = 1.5) -> bytes:
    """An endless WebP animation in slow motion, with the time written into each picture.

    Args:
        pictures: at least one.
        times_s: when each was taken.
        hold_s: how long the last one stays.
    """
    frames = [_captioned(p, f"{t:.2f} s") for p, t in zip(pictures, times_s, strict=True)]
    steps = np.diff(np.asarray(times_s), append=times_s[-1])
    durations = [max(20, round(1000 * SLOWER * step)) for step in steps]
    durations[-1] = round(1000 * hold_s)
    return _encoded(frames[0], save_all=True, append_images=frames[1:], duration=durations, loop=0, quality=72)


def stills(pictures: Sequence[Picture], times_s: Sequence[float], count: int = 5) -> list[tuple[float, bytes]]:
    """Time and WebP file of some pictures, evenly spaced from the first to the last."""
    chosen = sorted({round(i) for i in np.linspace(0, len(pictures) - 1, count)})
    return [(times_s[i], _encoded(_image(pictures[i]), quality=80)) for i in chosen]


def _image(picture: Picture) -> Image.Image:
    from PIL import Image

    return Image.fromarray(picture)


def _captioned(picture: Picture, text: str) -> Image.Image:
    from PIL import ImageDraw, ImageFont

    image = _image(picture)
    size = max(12, image.height // 28)
    draw = ImageDraw.Draw(image)
    at = (image.width - size // 2, image.height - size // 2)
    draw.text(
        at, text, fill=(255, 255, 255), stroke_fill=(0, 0, 0), stroke_width=max(1, size // 10), anchor="rb",
        font=ImageFont.load_default(size),
    )  # fmt: skip
    return image


def _encoded(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", method=4, **options)
    return buffer.getvalue()


def why_no_pictures() -> str | None:
    """What is missing to take pictures, as far as it can be told without a GL context; None if nothing."""
    try:
        from PIL import features
    except ModuleNotFoundError:
        return 'pillow is not installed: pip install "shopfloor[render]"'
    return None if features.check("webp") else "the installed pillow cannot write WebP"
