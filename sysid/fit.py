"""The fit: nonlinear least squares over plant parameters, with the delay profiled outside.

The solver is `mujoco.minimize.least_squares`, box-constrained Gauss-Newton, which `mujoco.sysid.optimize` runs by
default. `mujoco.sysid` itself builds plants by modifiers of an MjSpec, each compiled and rolled out on its own; that
expresses neither the effects of domain randomization (a mass with its inertia and its gravity compensation, gain and
bias of a servo together) nor a command path in front of the actuators. So the solver gets residuals from `Replay`: the
perturbed plants of a finite-difference Jacobian are rows of one batch, and what is identified is what can be
randomized. Nor does this need the packages that `mujoco.sysid` imports for its reports.

A delay inside the least squares is drawn to wrong values, because a late command and a damped joint look the same to
first order and the other parameters follow it downhill. Outside, every delay is judged by the best that the others can
do with it: a grid with the nominal plant for the neighbourhood, golden section in it, the vertex of a parabola.

What is known before enters as well: a parameter has the width of its range in the environment's spec as a weak prior,
so that what the data do not tell stays as uncertain as it was instead of becoming infinitely so.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from mujoco import minimize
from numpy.typing import NDArray

from ..envs.engine.task import Task
from ..envs.sensing import Channel
from ..errors import ShopfloorError
from .logs import Recording
from .parameters import Parameter
from .replay import Replay

Array = NDArray[np.float64]
Progress = Callable[[str], None]
Profile = tuple[tuple[float, float], ...]

_STEP: Final = 1e-4  # of finite differences, in units of the prior range
_DELAY_STEP_S: Final = 2e-4
_GRID: Final = 12
_GOLDEN: Final = 0.5 * (math.sqrt(5.0) - 1.0)
_DELAY_TOLERANCE_S: Final = 5e-4  # where golden section hands over to the parabola
_ITERATIONS: Final = 2  # for one delay, with the Jacobian of the delay before
_FULL_ITERATIONS: Final = 12
_MOST_BRACKETS: Final = 5
_SIGNIFICANT: Final = 1e-9


@dataclass(frozen=True)
class Fit:
    """The plant that explains the recordings best.

    Attributes:
        parameters: what was fitted; the delay, if any, among them.
        values: (parameters,) estimates.
        sigma: reading name -> standard deviation of what remains, in the reading's unit.
        jacobian: (residuals, parameters) of whitened residuals in standard deviations, by parameter values.
        covariance: (parameters, parameters) of the estimates, prior and correlation in time included.
        inflation: factor by which correlation of the residuals in time has widened the covariance.
        profile: (delay in s, cost) of every delay that was tried, in order; a cost is half a sum of squared standard
            deviations.
        evaluations: simulated trajectories.
    """

    parameters: tuple[Parameter, ...]
    values: Array
    sigma: dict[str, float]
    jacobian: Array
    covariance: Array
    inflation: float
    profile: Profile
    evaluations: int


class Solution(NamedTuple):
    """A solution of the inner least squares: normalized parameters, cost, and the Jacobian of the inner ones."""

    z: Array
    cost: float
    jacobian: Array | None


class Fitter:
    """Fits parameters to recordings.

    Args:
        task: the environment's task.
        parameters: what to fit; at most one delay.
        recordings: the trajectories.
        position, velocity: names of the compared readings.
        progress: told what is going on, a line at a time.
        threads: threads of physics; None for all cores.
    """

    def __init__(
        self,
        task: Task,
        parameters: Sequence[Parameter],
        recordings: Sequence[Recording],
        position: str,
        velocity: str,
        progress: Progress = lambda line: None,
        threads: int | None = None,
    ):
        self.parameters = tuple(parameters)
        self._inner = [i for i, p in enumerate(parameters) if not p.is_delay]
        self._delay = next((i for i, p in enumerate(parameters) if p.is_delay), None)
        self.replay = Replay(task, parameters, recordings, len(parameters) + 1, position, velocity, threads)
        self._position = position
        self._center = np.array([p.nominal for p in parameters])
        self._scale = np.array([p.scale for p in parameters])
        bounds = np.array([p.bounds for p in parameters])
        self._low, self._high = ((bounds[:, i] - self._center) / self._scale for i in (0, 1))
        channels = {c.name: c for c in task.channels}
        self.sigma = {name: _declared_noise(channels[name]) for name in self.replay.readings}
        self._progress = progress
        self.evaluations = 0

    # -- residuals --------------------------------------------------------------------------------------------

    def whitened(self, values: Array) -> Array:
        """Residuals (k, residuals) of plants (k, parameters) in standard deviations, independent of each other.

        A replay starts at the first reading, whose noise therefore is in all residuals of a position alike: with it
        their covariance is s^2 (I + 1 1^T), the inverse root of which is I - c 1 1^T.
        """
        return np.concatenate([r for r, _ in self.whitened_by_reading(values).values()], axis=1)

    def whitened_by_reading(self, values: Array) -> dict[str, tuple[Array, int]]:
        """As `whitened`: residuals (k, ...) of each reading, and how many of them were measured."""
        self.evaluations += len(values) * self.replay.count
        parts = {}
        for name, residual in self.replay.residuals(values).items():
            measured = np.isfinite(self.replay.measured[name])
            count = measured.sum(axis=1, keepdims=True)
            r = np.where(measured[None], residual, 0.0) / self.sigma[name]
            if name == self._position:
                share = (1.0 - 1.0 / np.sqrt(1.0 + count)) / np.maximum(count, 1)
                r = np.where(measured[None], r - share[None] * r.sum(axis=2, keepdims=True), 0.0)
            parts[name] = (r.reshape(len(values), -1), int(measured.sum()))
        return parts

    def _values(self, z: Array) -> Array:
        return self._center + self._scale * z

    # -- least squares inside ---------------------------------------------------------------------------------

    def _solve(self, z: Array, iterations: int, jacobian: Array | None = None) -> Solution:
        """Best inner parameters from a start (parameters,) in normalized units, its delay kept.

        Args:
            z: the start.
            iterations: most Gauss-Newton steps.
            jacobian: (residuals, inner) of a plant close by that saves computing others.
        """
        inner = self._inner

        def residual(x: Array) -> Array:
            points = np.tile(z, (x.shape[1], 1))
            points[:, inner] = x.T
            return np.concatenate((self.whitened(self._values(points)), points[:, inner]), axis=1).T

        if not inner:
            r = residual(np.zeros((0, 1)))
            return Solution(z, 0.5 * float((r * r).sum()), None)
        best, trace = minimize.least_squares(
            z[inner],
            residual,
            bounds=[self._low[inner], self._high[inner]],
            jacobian=None if jacobian is None else lambda x, r: jacobian,
            eps=_STEP,
            xtol=1e-4,
            mu_factor=10.0,
            mu_max=1e6,
            max_iter=iterations,
            verbose=minimize.Verbosity.FULLITER,
            output=io.StringIO(),
        )
        out = z.copy()
        out[inner] = best.reshape(-1)
        return Solution(out, float(trace[-1].objective), trace[-1].jacobian)

    # -- delay outside ----------------------------------------------------------------------------------------

    def _neighbourhood(self, z: Array) -> tuple[float, float]:
        """A delay of a grid that suits the nominal plant best, and the spacing of the grid, s."""
        assert self._delay is not None
        low, high = self.parameters[self._delay].bounds
        grid = np.linspace(low, high, _GRID + 1)
        points = np.tile(self._values(z), (grid.size, 1))
        points[:, self._delay] = grid
        most = self.replay.plants
        r = np.concatenate([self.whitened(points[i : i + most]) for i in range(0, grid.size, most)])
        cost = (r * r).sum(axis=1)
        best = int(np.nanargmin(cost))
        self._progress(f"delay about {1e3 * grid[best]:.3g} ms")
        return float(grid[best]), float(grid[1] - grid[0])

    def _at(self, z: Array, delay: float) -> Array:
        """The same point at another delay in s."""
        assert self._delay is not None
        out = z.copy()
        out[self._delay] = (delay - self._center[self._delay]) / self._scale[self._delay]
        return out

    def _search_delay(self, solution: Solution, around: float, width: float) -> tuple[Solution, Profile]:
        """Golden section in a bracket that moves on while the minimum is at its end, then a parabola's vertex."""
        assert self._delay is not None
        least, most = self.parameters[self._delay].bounds
        known: dict[float, Solution] = {}

        def cost(delay: float) -> float:
            if delay not in known:
                close = min(known.items(), key=lambda item: abs(item[0] - delay))[1] if known else solution
                known[delay] = self._solve(self._at(close.z, delay), _ITERATIONS, solution.jacobian)
                self._progress(f"delay {1e3 * delay:7.3f} ms   cost {known[delay].cost:.6g}")
            return known[delay].cost

        for _ in range(_MOST_BRACKETS):
            low, high = max(least, around - width), min(most, around + width)
            around = _golden_section(cost, low, high, _DELAY_TOLERANCE_S)
            at_end = min(around - low, high - around) < 2.0 * _DELAY_TOLERANCE_S
            if not at_end or min(around - least, most - around) < 2.0 * _DELAY_TOLERANCE_S:
                break
        vertex = _vertex([(d, s.cost) for d, s in known.items()])
        if vertex is not None:
            cost(vertex)
        best = min(known.values(), key=lambda s: s.cost)
        return best, tuple(sorted((d, s.cost) for d, s in known.items()))

    def run(self) -> Fit:
        """Fit everything.

        Raises:
            ShopfloorError: if the physics of the nominal plant fails under the recorded commands.
        """
        z = np.zeros(len(self.parameters))
        if not np.isfinite(self.whitened(self._values(z[None]))).all():
            raise ShopfloorError("the nominal plant fails under the recorded commands; is the log of this environment?")
        around = width = 0.0
        if self._delay is not None:
            around, width = self._neighbourhood(z)
            z = self._at(z, around)
        # the first solution only serves to tell noise from what parameters explain
        solution = self._solve(z, _FULL_ITERATIONS // 4)
        self._estimate_noise(solution.z)
        profile: Profile = ()
        if self._delay is not None:
            solution = self._solve(solution.z, 1)
            solution, profile = self._search_delay(solution, around, width)
            self._estimate_noise(solution.z)
        solution = self._solve(solution.z, _FULL_ITERATIONS)
        self._progress(f"fitted   cost {solution.cost:.6g}")
        return self._result(solution.z, profile)

    def _estimate_noise(self, z: Array) -> None:
        """Weights from what the best plant so far leaves unexplained."""
        for name, residual in self.replay.residuals(self._values(z[None])).items():
            r = residual[np.isfinite(residual)]
            self.sigma[name] = max(float(np.sqrt((r * r).mean())), _SIGNIFICANT)
        self.evaluations += self.replay.count

    def _result(self, z: Array, profile: Profile) -> Fit:
        steps = np.full(len(z), _STEP)
        if self._delay is not None:
            steps[self._delay] = _DELAY_STEP_S / self._scale[self._delay]
        steps = np.where(z + steps > self._high, -steps, steps)
        plants = np.concatenate((z[None], z[None] + np.diag(steps)))
        r = self.whitened(self._values(plants))
        jacobian = ((r[1:] - r[0]) / steps[:, None]).T
        inflation = max(1.0, _correlation_time(self.replay.residuals(self._values(z[None]))))
        information = (jacobian[:, :, None] * jacobian[:, None, :]).sum(axis=0) / inflation
        covariance = np.linalg.inv(information + np.eye(len(z)))
        scale = self._scale
        return Fit(
            self.parameters,
            self._values(z),
            dict(self.sigma),
            jacobian / scale,
            covariance * scale[:, None] * scale,
            inflation,
            profile,
            self.evaluations,
        )


def _declared_noise(channel: Channel) -> float:
    """A channel's white noise, or what stands for it where none is declared: 1e-5 of the range."""
    low, high = channel.bounds
    return max(channel.noise, channel.quantization / math.sqrt(12.0), 1e-5 * float((high - low).max()))


def _golden_section(cost: Callable[[float], float], low: float, high: float, tolerance: float) -> float:
    """Where a cost with one minimum is least, to `tolerance`."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    while high - low > tolerance:
        if cost(left) < cost(right):
            high, right, left = right, left, right - _GOLDEN * (right - low)
        else:
            low, left, right = left, right, left + _GOLDEN * (high - left)
    return 0.5 * (low + high)


def _vertex(points: Sequence[tuple[float, float]]) -> float | None:
    """Minimum of the parabola through the lowest of some points and its neighbours; None where it has none."""
    points = sorted(points)
    lowest = min(range(len(points)), key=lambda i: points[i][1])
    if not 0 < lowest < len(points) - 1:
        return None
    (a, fa), (b, fb), (c, fc) = points[lowest - 1 : lowest + 2]
    top = (b - a) ** 2 * (fb - fc) - (b - c) ** 2 * (fb - fa)
    bottom = (b - a) * (fb - fc) - (b - c) * (fb - fa)
    vertex = b if bottom == 0.0 else b - 0.5 * top / bottom
    return vertex if a < vertex < c else None


def _correlation_time(residuals: dict[str, Array]) -> float:
    """Over how many ticks residuals are correlated: 1 + 2 sum of autocorrelations, mean over readings."""
    times = []
    for value in residuals.values():
        r = np.where(np.isfinite(value[0]), value[0], 0.0)  # (trajectories, ticks, size)
        r = r - r.mean(axis=1, keepdims=True)
        power = (r * r).sum()
        total = 1.0
        for lag in range(1, min(200, r.shape[1])):
            rho = float((r[:, lag:] * r[:, :-lag]).sum() / power) if power else 0.0
            if rho < 2.0 / math.sqrt(r.size):
                break
            total += 2.0 * rho
        times.append(total)
    return float(np.mean(times))
