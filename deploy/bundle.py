"""Policy bundles: a folder with a policy, its contract and its golden pairs, sealed by a manifest.

    policy.onnx     raw readings in, set-points in physical units out, normalisation and scaling inside; or readings
                    and a mask in, logits of decisions out
    contract.json   see `shopfloor.contract`
    golden.npz      observations with the set-points, or logits, that ONNX Runtime computed for them at export
    manifest.json   size and SHA-256 of every file, and of itself

Nothing in a bundle is code or a pickle. The hashes find damage and mistakes; they are no signature and prove no origin.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contract import Contract, canonical_json, decode, parse_json, sha256_of
from ..errors import ShopfloorError
from .policy import DecisionPolicy, OnnxPolicy, arithmetic

MANIFEST, POLICY_FILE, CONTRACT_FILE, GOLDEN_FILE = "manifest.json", "policy.onnx", "contract.json", "golden.npz"
# in a run directory: the folder of its bundle, and the file by which a run is known
RUN_BUNDLE, RUN_CONFIG = "bundle", "config.yaml"
SCHEMA_VERSION = 1
FORMAT = "shopfloor-bundle"
MAX_FILE_BYTES = 256 * 2**20
# another CPU or ONNX Runtime sums in another order; float32 then differs in its last bits, relative to the range
GOLDEN_TOLERANCE = 1e-6
LOGIT_RANGE = 10.0  # what counts as the range of a logit
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class FileEntry:
    """Size and hash of one file."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """Content of manifest.json; `seal` is the hash of everything else in it."""

    format: str
    schema_version: int
    files: dict[str, FileEntry]
    seal: str


@dataclass(frozen=True)
class Golden:
    """Golden pairs and one closed-loop episode, as ONNX Runtime computed them at export.

    Where the policy decides, an observation is followed by the mask, and logits stand for the set-point.

    Attributes:
        observation, setpoint: (k, width) and (k, size) float32.
        trace_seed: seed of the episode.
        trace_observation, trace_setpoint: (steps, width) and (steps, size) float32.
        arithmetic: ONNX Runtime version and CPU of the export.
    """

    observation: NDArray[np.float32]
    setpoint: NDArray[np.float32]
    trace_seed: int
    trace_observation: NDArray[np.float32]
    trace_setpoint: NDArray[np.float32]
    arithmetic: str

    def to_bytes(self) -> bytes:
        """The golden.npz file."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **{k: np.asarray(v) for k, v in vars(self).items()})
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, width: int, size: int, source: str) -> Golden:
        """Parse golden.npz, without pickle.

        Raises:
            ShopfloorError: if it is malformed or its shapes are not the contract's.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except (ValueError, OSError, zipfile.BadZipFile, KeyError) as error:
            raise ShopfloorError(f"{source} is not a file of golden pairs: {error}") from None
        names = set(cls.__dataclass_fields__)
        if set(arrays) != names:
            raise ShopfloorError(f"{source} must hold {sorted(names)}, it holds {sorted(arrays)}")
        for name, columns in (("observation", width), ("setpoint", size)):
            for array in (arrays[name], arrays[f"trace_{name}"]):
                if array.dtype != np.float32 or array.ndim != 2 or array.shape[1] != columns or not len(array):
                    raise ShopfloorError(f"{source}: {name} must be float32 of width {columns}, got {array.shape}")
        arrays["trace_seed"] = int(arrays["trace_seed"])
        arrays["arithmetic"] = str(arrays["arithmetic"])
        return cls(**arrays)


@dataclass(frozen=True)
class SelfTest:
    """Result of comparing a policy with its golden pairs.

    Attributes:
        bit_equal: whether every set-point was reproduced in every bit.
        pairs: number of comparisons.
        max_error: largest deviation as a share of the component's range.
        note: one sentence for the log.
    """

    bit_equal: bool
    pairs: int
    max_error: float
    note: str


class Bundle:
    """A verified bundle, held in memory: what was hashed is what runs.

    Attributes:
        path: where it was read.
        contract: the policy's contract.
        golden: the golden pairs.
        policy: the policy.
        sha256: the manifest's seal, which identifies the whole bundle.
    """

    def __init__(self, path: Path, manifest: Manifest, files: Mapping[str, bytes]):
        self.path = path
        self.sha256 = manifest.seal
        self.contract = Contract.from_json(files[CONTRACT_FILE], str(path / CONTRACT_FILE))
        contract = self.contract
        kind = DecisionPolicy if contract.decisions else OnnxPolicy
        self.policy = kind(files[POLICY_FILE], contract.width, contract.outputs, str(path / POLICY_FILE))
        self.golden = Golden.from_bytes(files[GOLDEN_FILE], contract.inputs, contract.outputs, str(path / GOLDEN_FILE))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Bundle:
        """Read and verify a bundle, given its folder or that of the run it was exported into.

        Raises:
            ShopfloorError: if it is no bundle, or a file is missing, additional, altered, or not what it should be.
        """
        folder = Path(path)
        if is_bundle(folder / RUN_BUNDLE):
            folder = folder / RUN_BUNDLE
        elif (folder / RUN_CONFIG).is_file():
            raise ShopfloorError(f"the run {folder} has no bundle yet: `shopfloor export {folder}` writes it")
        manifest = _read_manifest(folder)
        return cls(folder, manifest, _read_files(folder, manifest))

    def self_test(self) -> SelfTest:
        """Compute the golden pairs anew and compare.

        Raises:
            ShopfloorError: if a set-point differs by any bit where version and CPU are those of the export, or by more
                than `GOLDEN_TOLERANCE` of its range elsewhere.
        """
        golden = self.golden
        observations = np.concatenate((golden.observation, golden.trace_observation))
        expected = np.concatenate((golden.setpoint, golden.trace_setpoint)).astype(np.float64)
        got = np.stack([self.policy(o) for o in observations])
        low, high = self.contract.setpoint_bounds
        deviation = np.abs(got - expected) / (LOGIT_RANGE if self.contract.decisions else high - low)
        error = float(np.max(deviation)) if np.isfinite(deviation).all() else float("inf")
        here, pairs = arithmetic(), len(observations)
        if np.array_equal(got, expected):
            return SelfTest(True, pairs, 0.0, f"{pairs} golden pairs reproduced in every bit")
        if here == golden.arithmetic or error > GOLDEN_TOLERANCE:
            raise ShopfloorError(
                f"{self.path / POLICY_FILE} does not reproduce its golden pairs: they differ by up to {error:.2g} of "
                f"the range (exported with {golden.arithmetic}; here: {here}). Export the policy again, or look for "
                "what is wrong with this system"
            )
        note = (
            f"{pairs} golden pairs reproduced to {error:.1g} of the range, not in every bit: "
            f"exported with {golden.arithmetic}; here: {here}"
        )
        return SelfTest(False, pairs, error, note)


def is_bundle(path: str | os.PathLike[str]) -> bool:
    """Whether a folder claims to be a bundle."""
    return (Path(path) / MANIFEST).is_file() and (Path(path) / CONTRACT_FILE).is_file()


def write_bundle(path: str | os.PathLike[str], files: Mapping[str, bytes]) -> Path:
    """Write the files of a bundle and its manifest; an existing bundle is replaced, the manifest last.

    Raises:
        ShopfloorError: if `path` holds something else.
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise ShopfloorError(f"cannot write a bundle to {folder}: it is a file")
    present = sorted(os.listdir(folder)) if folder.exists() else []
    foreign = [name for name in present if name not in {*files, MANIFEST}]
    if foreign:
        raise ShopfloorError(f"cannot write a bundle to {folder}: it holds {foreign[0]!r}; name an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    entries = {name: FileEntry(len(data), hashlib.sha256(data).hexdigest()) for name, data in sorted(files.items())}
    (folder / MANIFEST).write_bytes(_manifest_bytes(entries))
    return folder


def _manifest_bytes(files: Mapping[str, FileEntry]) -> bytes:
    content: dict[str, Any] = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "files": {name: vars(entry) for name, entry in files.items()},
    }
    return (canonical_json({**content, "seal": sha256_of(content)}) + "\n").encode()


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    if not folder.is_dir():
        raise ShopfloorError(f"there is no bundle at {folder}: `shopfloor export RUN` writes one")
    if not path.is_file() or path.is_symlink():
        raise ShopfloorError(f"{folder} is not a bundle: {MANIFEST} is missing")
    data = path.read_bytes()
    content = parse_json(data, str(path))
    if isinstance(content, dict) and content.get("schema_version") not in (None, SCHEMA_VERSION):
        raise ShopfloorError(
            f"{path}: schema version {content['schema_version']}, this shopfloor reads {SCHEMA_VERSION}"
        )
    manifest = decode(Manifest, content, str(path))
    # comparing whole files leaves no byte in which the manifest itself could differ
    if manifest.format != FORMAT or _manifest_bytes(manifest.files) != data:
        raise ShopfloorError(f"{path} was altered after export: its seal does not fit its content")
    return manifest


def _read_files(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    for name in (POLICY_FILE, CONTRACT_FILE, GOLDEN_FILE):
        if name not in manifest.files:
            raise ShopfloorError(f"{folder / MANIFEST} does not list {name}, so this is no policy bundle")
    for name in manifest.files:
        if not _FILE_NAME.fullmatch(name):
            raise ShopfloorError(f"{folder / MANIFEST} lists {name!r}, which is not a plain file name")
    extra = sorted(set(os.listdir(folder)) - {*manifest.files, MANIFEST})
    if extra:
        raise ShopfloorError(f"{folder / extra[0]} does not belong to the bundle: {MANIFEST} does not list it")
    return {name: _read_file(folder / name, entry) for name, entry in manifest.files.items()}


def _read_file(path: Path, entry: FileEntry) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise ShopfloorError(f"{path} is missing from the bundle, or is not a plain file")
    size = path.stat().st_size
    if size != entry.bytes or size > MAX_FILE_BYTES:
        raise ShopfloorError(f"{path} was altered after export: it has {size} bytes, the manifest says {entry.bytes}")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise ShopfloorError(f"{path} was altered after export: its SHA-256 is not the one in {MANIFEST}")
    return data
