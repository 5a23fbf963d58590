"""`shopfloor export RUN`: from a trained policy to a bundle that runs without torch.

The ONNX graph is assembled node by node from the policy's weights rather than traced: normalisation, layers, clipping
and scaling to physical units, nothing else. It is then compared with the original before anything is written.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from stable_baselines3 import PPO, SAC
from torch import nn

from .. import __version__
from ..contract import Contract, ObservationAssembler, Provenance
from ..deploy.bundle import CONTRACT_FILE, GOLDEN_FILE, LOGIT_RANGE, POLICY_FILE, RUN_BUNDLE, Golden, write_bundle
from ..deploy.decision import choose
from ..deploy.policy import INPUT, LOGITS, MASK_INPUT, OUTPUT, DecisionPolicy, OnnxPolicy, arithmetic
from ..deploy.twin import MujocoTwin
from ..envs.engine.describe import canonical_id, contract_of, fingerprint
from ..envs.engine.task import Task
from ..envs.registry import declaration_arguments, make_cell, make_declaration
from ..errors import ShopfloorError
from .policy import MASK, MASKED, ChannelNormalizer
from .run_dir import BEST, RunDir

# pinned: a controller's ONNX Runtime may be older than the library that writes the file
OPSET, IR_VERSION = 17, 8
PARITY_TOLERANCE = 1e-5  # of the range of a set-point; float32 sums differ by about 1e-6
GOLDEN_PAIRS = 128
GOLDEN_CORNERS = 32
TRACE_SEED = 1_000_000
PACKAGES = ("numpy", "mujoco", "gymnasium", "torch", "stable-baselines3", "onnx", "onnxruntime")

Weights = NDArray[np.float32]


# -- the graph ----------------------------------------------------------------------------------------------------


class GraphBuilder:
    """A chain of ONNX nodes, each fed by the one before."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.last = INPUT

    def constant(self, name: str, values: Weights) -> str:
        """Store weights under a name."""
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype=np.float32, order="C"), name))
        return name

    def node(self, op: str, *more: str, output: str | None = None, **attributes: Any) -> str:
        """Append an operator on the last result and further inputs; returns the name of its result."""
        result = output or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, [self.last, *more], [result], **attributes))
        self.last = result
        return result

    def model(self, inputs: Mapping[str, int], outputs: Mapping[str, int]) -> bytes:
        """The finished file; `inputs` and `outputs` are numbers of components by name."""
        graph = helper.make_graph(self.nodes, "policy", _values(inputs), _values(outputs), self.weights)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="shopfloor")
        onnx.checker.check_model(model, full_check=True)
        data: bytes = model.SerializeToString(deterministic=True)
        return data


def _values(sizes: Mapping[str, int]) -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size]) for name, size in sizes.items()]


def build_graph(learner: PPO | SAC, contract: Contract) -> bytes:
    """The deterministic policy as an ONNX file: raw readings in, set-points in physical units or logits out.

    Raises:
        ShopfloorError: if the policy observes something else than the contract's readings, or has a layer that has no
            counterpart here.
    """
    if contract.decisions:
        return _decision_graph(learner, contract)
    normalizer, layers, squashed = _parts(learner)
    offset, scale = _affine(normalizer, contract)
    builder = GraphBuilder()
    builder.node("Sub", builder.constant("offset", offset))
    builder.node("Div", builder.constant("scale", scale))
    _magnify(builder, normalizer)
    for index, layer in enumerate(layers):
        _append(builder, layer, index)
    if squashed:
        builder.node("Tanh")
    one = np.array(1.0, dtype=np.float32)
    builder.node("Clip", builder.constant("minus_one", -one), builder.constant("one", one))
    low, high = contract.setpoint_bounds
    builder.node("Mul", builder.constant("half_range", (0.5 * (high - low)).astype(np.float32)))
    builder.node("Add", builder.constant("centre", (0.5 * (high + low)).astype(np.float32)))
    inner_low, inner_high = _inside(low, high)
    builder.node("Max", builder.constant("low", inner_low))
    builder.node("Min", builder.constant("high", inner_high), output=OUTPUT)
    return builder.model({INPUT: contract.width}, {OUTPUT: len(contract.action)})


def _decision_graph(learner: PPO | SAC, contract: Contract) -> bytes:
    """Readings and mask in, logits out, with those of what is not allowed lowered as in training."""
    normalizer, layers, _ = _parts(learner)
    offset, scale = _affine(normalizer, contract)
    builder = GraphBuilder()
    builder.node("Sub", builder.constant("offset", offset))
    parts = {"observation": builder.node("Div", builder.constant("scale", scale)), MASK: MASK_INPUT}
    assert isinstance(normalizer, ChannelNormalizer)
    builder.last, *others = [parts[key] for key in normalizer.keys]
    builder.node("Concat", *others, axis=1)
    _magnify(builder, normalizer)
    for index, layer in enumerate(layers):
        _append(builder, layer, index)
    logits, builder.last = builder.last, MASK_INPUT
    builder.node("Sub", builder.constant("one", np.array(1.0, dtype=np.float32)))
    builder.node("Mul", builder.constant("masked", np.array(MASKED, dtype=np.float32)))
    builder.node("Add", logits, output=LOGITS)
    return builder.model({INPUT: contract.width, MASK_INPUT: contract.outputs}, {LOGITS: contract.outputs})


def _inside(low: NDArray[np.float64], high: NDArray[np.float64]) -> tuple[Weights, Weights]:
    """Bounds in float32 that do not stick out of the float64 range by rounding."""
    a, b = low.astype(np.float32), high.astype(np.float32)
    a = np.where(a < low, np.nextafter(a, np.float32(np.inf)), a)
    b = np.where(b > high, np.nextafter(b, np.float32(-np.inf)), b)
    return a, b


def _parts(learner: PPO | SAC) -> tuple[nn.Module, list[nn.Module], bool]:
    """Features extractor, layers up to the action, and whether the action is squashed by tanh."""
    if isinstance(learner, PPO):
        policy = learner.policy
        return policy.pi_features_extractor, [*policy.mlp_extractor.policy_net, policy.action_net], False
    actor = learner.actor
    return actor.features_extractor, [*actor.latent_pi, actor.mu], True


def _affine(normalizer: nn.Module, contract: Contract) -> tuple[Weights, Weights]:
    """Offset and scale (width,) of the policy, checked against the contract."""
    expected_keys = {"observation", MASK} if contract.decisions else {""}
    if not isinstance(normalizer, ChannelNormalizer) or set(normalizer.keys) != expected_keys:
        raise ShopfloorError(
            "only policies that observe the flat vector of the policy group, and a mask if they decide, can be "
            f"exported; this one observes {getattr(normalizer, 'keys', type(normalizer).__name__)}"
        )
    index = normalizer.keys.index("observation") if contract.decisions else 0
    offset, scale = (getattr(normalizer, f"{name}_{index}").cpu().numpy() for name in _AFFINE)
    declared = [np.concatenate([np.tile(getattr(t, k), t.history) for t in contract.observation]) for k in _AFFINE]
    for found, expected in zip((offset, scale), declared, strict=True):
        if found.shape != expected.shape or not np.array_equal(found, expected.astype(np.float32)):
            raise ShopfloorError(
                f"the policy normalizes {found.size} components otherwise than {contract.env_id} declares "
                f"({expected.size} components): it was trained on another observation or an older version"
            )
    return offset, scale


_AFFINE = ("offset", "scale")


def _magnify(builder: GraphBuilder, normalizer: nn.Module) -> None:
    """Append the copies of the normalized input at the normalizer's resolutions."""
    assert isinstance(normalizer, ChannelNormalizer)
    if normalizer.resolutions == (1.0,):
        return
    whole, copies = builder.last, []
    low, high = (builder.constant(f"{name}_of_copies", np.array(v, dtype=np.float32)) for name, v in _CLIPPED)
    for index, factor in enumerate(normalizer.resolutions):
        builder.last = whole
        if factor != 1.0:
            builder.node("Mul", builder.constant(f"resolution_{index}", np.array(factor, dtype=np.float32)))
            builder.node("Clip", low, high)
        copies.append(builder.last)
    builder.last, *others = copies
    builder.node("Concat", *others, axis=1)


_CLIPPED = (("low", -1.0), ("high", 1.0))


def _append(builder: GraphBuilder, layer: nn.Module, index: int) -> None:
    """Append the nodes of one torch layer."""
    if isinstance(layer, nn.Linear):
        weight = builder.constant(f"weight_{index}", layer.weight.detach().cpu().numpy())
        bias = builder.constant(f"bias_{index}", layer.bias.detach().cpu().numpy())
        builder.node("Gemm", weight, bias, transB=1)
    elif isinstance(layer, nn.SiLU):
        before = builder.last
        builder.node("Sigmoid")
        builder.node("Mul", before)
    elif isinstance(layer, nn.ELU):
        builder.node("Elu", alpha=float(layer.alpha))
    elif type(layer) in _PLAIN_LAYERS:
        builder.node(_PLAIN_LAYERS[type(layer)])
    else:
        known = ", ".join(["Linear", "SiLU", "ELU", *(k.__name__ for k in _PLAIN_LAYERS)])
        raise ShopfloorError(f"a {type(layer).__name__} layer cannot be exported; known are: {known}")


_PLAIN_LAYERS: dict[type[nn.Module], str] = {nn.Tanh: "Tanh", nn.ReLU: "Relu", nn.Sigmoid: "Sigmoid"}


# -- golden pairs and parity --------------------------------------------------------------------------------------


def golden_observations(contract: Contract) -> NDArray[np.float32]:
    """Observations (k, width) from the whole range: both ends, random corners, the point that normalizes to zero."""
    low, high, offset = (
        np.concatenate([np.tile(getattr(t, key), t.history) for t in contract.observation])
        for key in ("low", "high", "offset")
    )
    random = np.random.Generator(np.random.Philox(key=0))
    corners = np.where(random.random((GOLDEN_CORNERS, contract.width)) < 0.5, low, high)
    inner = low + (high - low) * random.random((GOLDEN_PAIRS - GOLDEN_CORNERS - 3, contract.width))
    observations = np.concatenate(([low, high, offset], corners, inner)).astype(np.float32)
    if not contract.decisions:
        return observations
    mask = random.random((GOLDEN_PAIRS, len(contract.decisions))) < 0.5
    mask[np.arange(GOLDEN_PAIRS), random.integers(len(contract.decisions), size=GOLDEN_PAIRS)] = True
    return np.concatenate((observations, mask), axis=1, dtype=np.float32)


def play_trace(policy: OnnxPolicy, task: Task, contract: Contract, seed: int) -> tuple[Weights, Weights]:
    """Observations and set-points of one episode on the twin, or inputs and logits of one that is decided."""
    if contract.decisions:
        return _play_decisions(policy, task, seed)
    twin = MujocoTwin.from_task(task, contract.env_id, contract.task_kwargs)
    assemble = ObservationAssembler(contract.observation)
    observations, setpoints = [], []
    twin.start(seed)
    while not (frame := twin.read()).finished:
        observations.append(assemble(frame.readings))
        setpoints.append(policy(observations[-1]))
        twin.write(len(setpoints) - 1, setpoints[-1])
    return np.stack(observations), np.stack(setpoints).astype(np.float32)


def _play_decisions(policy: OnnxPolicy, task: Task, seed: int) -> tuple[Weights, Weights]:
    cell: Any = make_cell(task, 1)
    cell.reset(None, np.array([seed], dtype=np.int64))
    inputs, outputs = [], []
    while not (cell.terminated[0] or cell.truncated[0]):
        inputs.append(np.concatenate((cell.observation()[0], cell.mask[0]), dtype=np.float32))
        outputs.append(policy(inputs[-1]))
        cell.step(np.array([[choose(outputs[-1], cell.mask[0])]]))
    return np.stack(inputs), np.stack(outputs).astype(np.float32)


def check_parity(
    learner: PPO | SAC, contract: Contract, observations: NDArray[np.float32], setpoints: NDArray[np.float32]
) -> float:
    """Largest difference between the learner's own set-points, or logits, and the graph's, as a share of the range.

    Raises:
        ShopfloorError: if it exceeds `PARITY_TOLERANCE`.
    """
    if contract.decisions:
        error = _logit_difference(learner, contract, observations, setpoints)
    else:
        actions, _ = learner.predict(observations, deterministic=True)
        low, high = contract.setpoint_bounds
        own = 0.5 * (low + high) + 0.5 * (high - low) * np.clip(actions.astype(np.float64), -1.0, 1.0)
        error = float(np.max(np.abs(own - setpoints) / (high - low)))
    if not error <= PARITY_TOLERANCE:
        raise ShopfloorError(
            f"the exported graph differs from the policy by {error:.2g} of the range (at most {PARITY_TOLERANCE:g} is "
            "float32 rounding); the export was not written"
        )
    return error


def _logit_difference(
    learner: PPO | SAC, contract: Contract, observations: NDArray[np.float32], logits: NDArray[np.float32]
) -> float:
    """Largest difference of log-probabilities of allowed decisions, which logits determine up to a constant."""
    assert isinstance(learner, PPO)
    mask = observations[:, contract.width :]
    parts = {"observation": observations[:, : contract.width], MASK: mask}
    tensors, _ = learner.policy.obs_to_tensor(parts)
    with torch.no_grad():
        distribution: Any = learner.policy.get_distribution(tensors).distribution
        own = distribution.logits.cpu().numpy()
    normalized = logits - np.log(np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True))
    normalized -= logits.max(axis=1, keepdims=True)
    return float(np.max(np.abs(own - normalized)[mask > 0.0]) / LOGIT_RANGE)


def export_learner(
    learner: PPO | SAC,
    task: Task,
    out: str | Path,
    *,
    env_id: str,
    task_kwargs: Mapping[str, Any] | None = None,
    provenance: Provenance | None = None,
) -> tuple[Path, float]:
    """Write the bundle of a trained policy.

    Args:
        learner: the policy's learner.
        task: the task it was trained on; a fresh one, since it is bound to a cell here.
        out: folder of the bundle; an existing bundle there is replaced.
        env_id, task_kwargs: how the task is made again.
        provenance: where the policy comes from; versions and time are added.

    Returns:
        The folder and the largest deviation from the original, as a share of the range.

    Raises:
        ShopfloorError: if the policy cannot be exported, or the exported one behaves differently.
    """
    origin = replace(
        provenance or Provenance(),
        packages=dict(_versions()),
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    contract = replace(contract_of(task, env_id, task_kwargs), provenance=origin)
    model = build_graph(learner, contract)
    policy = (DecisionPolicy if contract.decisions else OnnxPolicy)(model, contract.width, contract.outputs)
    observations = golden_observations(contract)
    setpoints = np.stack([policy(o) for o in observations]).astype(np.float32)
    seen, commanded = play_trace(policy, task, contract, TRACE_SEED)
    error = check_parity(
        learner, contract, np.concatenate((observations, seen)), np.concatenate((setpoints, commanded))
    )
    golden = Golden(observations, setpoints, TRACE_SEED, seen, commanded, arithmetic())
    files = {POLICY_FILE: model, CONTRACT_FILE: contract.to_json().encode(), GOLDEN_FILE: golden.to_bytes()}
    return write_bundle(out, files), error


def _versions() -> Iterator[tuple[str, str]]:
    yield "shopfloor", __version__
    yield "python", platform.python_version()
    for name in PACKAGES:
        yield name, metadata.version(name)


# -- a run --------------------------------------------------------------------------------------------------------


def export_run(path: str | Path, out: str | Path | None = None, checkpoint: str = "best") -> tuple[Path, float]:
    """Write the bundle of a run's policy; by default into the run, where `shopfloor eval RUN` looks for it.

    Args:
        path: run directory.
        out: folder of the bundle; None for `bundle` in the run directory.
        checkpoint: "best" or "latest".

    Raises:
        ShopfloorError: if the run has no such policy, its environment has changed since, or export fails.
    """
    run = RunDir(path)
    env_id = canonical_id(run.config.env.id)
    known = declaration_arguments(env_id)
    task_kwargs = {k: v for k, v in run.config.env.kwargs.items() if k in known}
    task = make_declaration(env_id, **task_kwargs)
    manifest = run.manifest()
    trained_on, now = manifest["environment"]["fingerprint"], fingerprint(task)
    if trained_on != now:
        raise ShopfloorError(
            f"{run.path} was trained on another version of {env_id} (fingerprint {trained_on[:12]}, now {now[:12]}): "
            "export it with the version it was trained with, or train again"
        )
    model = run.model_path(checkpoint)
    provenance = Provenance(
        git_commit=_commit(manifest.get("git")),
        run=run.path.name,
        training_steps=policy_steps(model, checkpoint),
        seed=run.config.seed,
        randomization=manifest.get("randomization", {}),
    )
    return export_learner(
        run.load_learner(checkpoint),
        task,
        out or run.path / RUN_BUNDLE,
        env_id=env_id,
        task_kwargs=task_kwargs,
        provenance=provenance,
    )


def _commit(git: Mapping[str, Any] | None) -> str:
    return f"{git['commit']}{' with changes' if git['dirty'] else ''}" if git else ""


def policy_steps(model: Path, checkpoint: str) -> int:
    """Environment steps that a policy was trained for."""
    if checkpoint == BEST:
        return int(json.loads((model.parent / "evaluation.json").read_text())["step"])
    return int(model.parent.name.rpartition("_")[2])


def main(argv: Sequence[str]) -> int:
    """Export a run."""
    parser = argparse.ArgumentParser(prog="shopfloor export", description="Write the policy bundle of a training run.")
    parser.add_argument("run", metavar="RUN", help="run directory")
    parser.add_argument("--out", metavar="DIR", help="folder of the bundle (RUN/bundle)")
    parser.add_argument("--checkpoint", choices=("best", "latest"), default="best", help="which policy (%(default)s)")
    arguments = parser.parse_args(argv)
    folder, error = export_run(arguments.run, arguments.out, arguments.checkpoint)
    print(f"bundle written to {folder}; it differs from the original by at most {error:.1g} of the range")
    print(f"  shopfloor eval {folder}")
    if not Contract.from_json((folder / CONTRACT_FILE).read_text()).decisions:  # which no fixed-rate loop runs
        print(f"  shopfloor run {folder}")
    return 0
