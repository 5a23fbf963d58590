"""Domain randomization: what varies between machines, declared, sampled reproducibly and applied correctly."""

from .bodies import loosen_bodies
from .choice import Randomization, choose
from .distributions import Choice, Distribution, LogUniform, Normal, Posterior, Uniform
from .drawn import Episodes
from .randomizer import Randomizer
from .sampler import Sample, Sampler
from .spec import CORNERS, NOMINAL, OOD_FAR, OOD_NEAR, SPLITS, STRUCTURAL, TRAIN, Spec, Target, Term
from .spec_file import available_specs, load_spec, spec_from

__all__ = [
    "CORNERS",
    "NOMINAL",
    "OOD_FAR",
    "OOD_NEAR",
    "SPLITS",
    "STRUCTURAL",
    "TRAIN",
    "Choice",
    "Distribution",
    "Episodes",
    "LogUniform",
    "Normal",
    "Posterior",
    "Randomization",
    "Randomizer",
    "Sample",
    "Sampler",
    "Spec",
    "Target",
    "Term",
    "Uniform",
    "available_specs",
    "choose",
    "load_spec",
    "loosen_bodies",
    "spec_from",
]
