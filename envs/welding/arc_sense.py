"""WeldArcSense: keep a weaving torch in its joint by the current of its own arc."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from ...assets.cells.weld_cell import WELDERS
from ..engine.task import Array, RowIndex, Rows, Timing
from ..randomness import episode_key
from .arc_sense_expert import ArcTracker
from .arc_sense_terms import channels, start_terms
from .fit_up import Plates
from .seam_task import SeamTask, Tolerance, rewards
from .seam_weld import Procedure
from .sensors.arc_signal import ArcSignal
from .torch_motion import CorrectionLimits, TorchMotion
from .weave import PATTERNS, Weave

SLOWEST_STEPS = 8  # of the signal's lag
EXPECTED_LAG = 3  # control steps: servos, a mean over a step, and the usual delay of the signal
TREND_S = 2.5


class WeldArcSense(SeamTask):
    """A robot weaves along a fillet and finds its way by the arc alone: no sensor looks at the joint.

    Towards either plate the contact tip comes closer to the work, the wire's free end grows shorter and the current
    rises, until burn-off has restored the arc. A torch that swings evenly about the root sees two equal rises a weave;
    one that is off sees the nearer wall more. The mean over a weave tells the height. Both drown in the noise of
    drops and short circuits, come late, depend on how fast the torch swings, and lie: over a tack, where the pool
    rounds the corner, where the plates are not square. The state that matters is not in any one reading.

    Reward is paid by the millimetre of seam and not by the second. The travel speed is fixed by the procedure, so that
    a discount by the step is one by the millimetre.

    Args:
        pattern: of the weave, "sine" or "triangle".
        robot: a robot of the welding cell.
    """

    title: ClassVar[str] = "robot weaves along a fillet by what the arc's current tells"
    timing = Timing(control_hz=25.0, timestep_s=0.005, horizon_s=26.0)
    tolerance = Tolerance(rms=0.6, largest=1.2, height_rms=1.3, height_largest=2.5, run_in=15.0)
    success_text = tolerance.text
    versions: ClassVar[Mapping[str, str]] = {"v0": "first version"}
    randomization = "weld_arc_sense"
    references: ClassVar[tuple[str, ...]] = (
        "Bolmsjo, Olsson: Sensors in robotic arc welding to support small series production, Industrial Robot 32, 2005",
        "Moore, Naidu, Ozcelik: Modeling, Sensing and Control of Gas Metal Arc Welding, Elsevier 2003",
        "HD Hyundai Robotics: arc sensor manual (cycles that are skipped, reference of the height, tacks)",
        "DUCO: arc tracking manual (samples of 10 ms, lag of 165 ms, dead band)",
    )
    fine_mm, height_mm, fastest_mm_s = 0.4, 0.8, 7.0
    rewards = rewards(fine_mm, height_mm, weight=0.05)
    length_mm = 130.0
    corrections = CorrectionLimits(rate_mm_s=4.5, acceleration_mm_s2=45.0)
    # 6 to 9 mm plates by Daihen/OTC's table: 250 to 300 A; slower than there, as a weave of 2.5 mm lays a larger leg
    procedure = Procedure(current_a=250.0, voltage_v=27.0, travel_mm_s=6.0, ctwd_mm=18.0, throat_mm=3.5)
    kind = "fillet"

    def __init__(self, pattern: str = "sine", robot: str = "ar1440"):
        self.check_argument("pattern", pattern, PATTERNS)
        self.check_argument("robot", robot, tuple(WELDERS))
        self.robot = robot
        self.weave = Weave(2.5, 12, pattern)
        self.plates = Plates("fillet", length=1e-3 * self.length_mm, upper=0.009)
        self.start = start_terms(self.plates.tacks, (5.5, 6.5))
        self.channels = channels(self.weave.steps, self.procedure.current_a)

    def make_action(self) -> TorchMotion:
        """Correction rates of the weave's middle."""
        return TorchMotion(self.torch(), self.corrections, weave=self.weave)

    def expert(self) -> ArcTracker:
        """Arc tracking by weave ends."""
        return ArcTracker()

    # -- episode ----------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """Signals, and the middle of the weave."""
        super().allocate(s)
        self._signal = ArcSignal(s, self._weld.process, self.weave, EXPECTED_LAG, SLOWEST_STEPS)
        pool = s.new("pool_mm")
        self._weld.surface["pool_mm"] = pool
        self._alpha = self._weld.process.parameters.alpha.copy()
        for name, shape in (("current_noise_a", ()), ("trend", (2,)), ("swung_mm", (self.weave.steps,))):
            s.new(name, shape)
        s.new("signal_lag_steps", dtype=np.int64)

    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """The part, and the arc of this episode."""
        super().begin(s, rows, params)
        s.pool_mm[rows] = params["pool"]
        surface = self._weld.surface
        surface["angle_deg"][rows] = 90.0 + params["lean"]
        # the wire stands at 45 degrees to the base whatever the other plate does
        surface["tilt_deg"][rows] = 0.5 * params["lean"]
        s.current_noise_a[rows] = np.maximum(params["current_noise"], 0.0)
        s.signal_lag_steps[rows] = np.clip(params["signal_lag"], 0, SLOWEST_STEPS).astype(np.int64)
        self._weld.process.parameters.alpha[rows] = self._alpha[rows] * (1.0 + params["melting"])

    def commence(self, s: Rows, rows: RowIndex) -> None:
        """Strike the arc; the weave begins in the middle."""
        s.swung_mm[rows] = s.wire_mm[rows, :1]
        self.judge(s)
        super().commence(s, rows)
        s.trend[rows] = 0.0
        self._signal.begin(rows, self.procedure.current_a, self.procedure.voltage_v)

    def judge(self, s: Rows) -> None:
        """The middle of the last weave."""
        s.deviation_mm[:, 0] = np.sum(s.swung_mm, axis=1) / self.weave.steps
        s.deviation_mm[:, 1] = s.wire_mm[:, 1]

    def deposit(self, s: Rows, travel_mm_s: Array) -> None:
        """Weld through the control step; the bead lies where the middle of the weave is."""
        s.swung_mm[:, :-1] = s.swung_mm[:, 1:].copy()
        s.swung_mm[:, -1] = s.wire_mm[:, 0]
        self.judge(s)
        wire, middle = s.wire_mm, s.deviation_mm[:, 0]
        self._weld.step(s, wire[:, 0], wire[:, 1], travel_mm_s, middle, self.weave.amplitude_mm)

    def sense(self, s: Rows) -> None:
        """The signals of this step, and the trend of the corrections."""
        key = episode_key(s.seed, s.episode)
        self._signal.read(s.step, s.current_noise_a, s.signal_lag_steps, key)
        s.trend += (s.correction_rate_mm_s - s.trend) * (s.timing.control_dt / TREND_S)

    # -- observations -----------------------------------------------------------------------------------------

    def observe_current(self, s: Rows) -> Array:
        """Current as it is known."""
        return self._signal.current_a[:, None]

    def observe_voltage(self, s: Rows) -> Array:
        """Voltage as it is known."""
        return self._signal.voltage_v[:, None]

    def observe_weave(self, s: Rows) -> Array:
        """Phase of the commanded swing."""
        angle = 2.0 * np.pi * s.weave_phase
        return np.stack((np.sin(angle), np.cos(angle)), axis=1)

    def observe_swing(self, s: Rows) -> Array:
        """What swings with the torch."""
        return self._signal.swing_a

    def observe_mean_current(self, s: Rows) -> Array:
        """Mean over its reference, and the reference."""
        signal = self._signal
        known = signal.reference_a > 0.0
        return np.stack((np.where(known, signal.mean_a - signal.reference_a, 0.0), signal.reference_a), axis=1)

    def observe_tack(self, s: Rows) -> Array:
        """Throat of the tack under the arc."""
        return self._part.tack_mm(s.place_mm)[:, None]

    def observe_signal_lag(self, s: Rows) -> Array:
        """Of the signal."""
        return s.signal_lag_steps[:, None].astype(np.float64)
