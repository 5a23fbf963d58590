"""Export and bundles: the graph is the policy, and nothing in a bundle can change unnoticed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deploy_toy import ToyArm, export_toy, untrained
from numpy.typing import NDArray

from shopfloor.contract import Contract
from shopfloor.deploy.bundle import GOLDEN_TOLERANCE, Bundle, is_bundle, write_bundle
from shopfloor.deploy.graph import ALLOWED_OPS, audit
from shopfloor.deploy.policy import OnnxPolicy
from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.engine.describe import contract_of
from shopfloor.errors import ShopfloorError

onnx = pytest.importorskip("onnx")
pytest.importorskip("stable_baselines3")

FILES = ("contract.json", "golden.npz", "manifest.json", "policy.onnx")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that no test may change."""
    return export_toy(tmp_path_factory.mktemp("bundle") / "toy")


@pytest.fixture
def bundle(original: Path, tmp_path: Path) -> Path:
    """A bundle to tamper with."""
    return Path(shutil.copytree(original, tmp_path / "toy"))


def reseal(folder: Path, **files: bytes) -> None:
    """Replace files and write the manifest anew, as somebody would who wants to get by the hashes."""
    names = {"policy": "policy.onnx", "contract": "contract.json", "golden": "golden.npz"}
    content = {name: (folder / name).read_bytes() for name in names.values()}
    content.update({names[key]: data for key, data in files.items()})
    shutil.rmtree(folder)
    write_bundle(folder, content)


# -- what is in it ------------------------------------------------------------------------------------------------


def test_a_bundle_is_four_files_that_fit_together(original: Path) -> None:
    assert tuple(sorted(os.listdir(original))) == FILES
    assert is_bundle(original) and not is_bundle(original.parent)
    bundle = Bundle.load(original)
    expected = contract_of(ToyArm(), "shopfloor/Toy-v0")
    assert bundle.contract.observation == expected.observation
    assert bundle.contract.action == expected.action
    assert bundle.contract.fingerprint == expected.fingerprint
    assert bundle.contract.provenance.packages["torch"] and bundle.contract.provenance.created_utc
    manifest = json.loads((original / "manifest.json").read_text())
    for name, entry in manifest["files"].items():
        data = (original / name).read_bytes()
        assert entry == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_the_self_test_reproduces_every_bit(original: Path) -> None:
    bundle = Bundle.load(original)
    result = bundle.self_test()
    assert result.bit_equal and result.max_error == 0.0
    assert result.pairs == len(bundle.golden.observation) + len(bundle.golden.trace_observation) >= 64


def test_golden_pairs_reach_the_ends_of_the_range(original: Path) -> None:
    golden, contract = Bundle.load(original).golden, Bundle.load(original).contract
    low = np.concatenate([np.tile(t.low, t.history) for t in contract.observation]).astype(np.float32)
    high = np.concatenate([np.tile(t.high, t.history) for t in contract.observation]).astype(np.float32)
    np.testing.assert_array_equal(golden.observation[:2], [low, high])
    assert (golden.observation >= low).all() and (golden.observation <= high).all()
    # the policy saturates in both directions, which shows that its clipping is in the graph
    bounds = np.stack(contract.setpoint_bounds).astype(np.float32)
    np.testing.assert_array_equal([golden.setpoint.min(axis=0), golden.setpoint.max(axis=0)], bounds)


def test_the_closed_loop_trace_can_be_played_again(original: Path) -> None:
    bundle = Bundle.load(original)
    golden = bundle.golden
    cell = BatchedCell(ToyArm(), 1, threads=1)
    cell.reset(None, np.array([golden.trace_seed]))
    for observation, setpoint in zip(golden.trace_observation, golden.trace_setpoint, strict=True):
        np.testing.assert_array_equal(cell.observation()[0], observation)
        np.testing.assert_array_equal(bundle.policy(observation).astype(np.float32), setpoint)
        assert not (cell.terminated[0] or cell.truncated[0])
        cell.step(setpoint[None].astype(np.float64))
    assert cell.terminated[0] or cell.truncated[0]


def test_the_file_is_read_as_onnx_reads_it(original: Path) -> None:
    data = (original / "policy.onnx").read_bytes()
    model, found = onnx.load_from_string(data), audit(data)
    assert found.ops == tuple(node.op_type for node in model.graph.node)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", found.opset)]
    assert [i.name for i in model.graph.input] == ["observation"]
    assert [o.name for o in model.graph.output] == ["setpoint"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_export_writes_the_same_bytes_for_the_same_policy(original: Path, tmp_path: Path) -> None:
    again = export_toy(tmp_path / "again")
    for name in ("policy.onnx", "golden.npz"):
        assert (again / name).read_bytes() == (original / name).read_bytes()


# -- the graph is the policy --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "activation", "resolutions"),
    [
        *((a, b, (1.0,)) for a in ("ppo", "sac") for b in ("tanh", "relu", "elu", "silu")),
        ("ppo", "relu", (1.0, 10.0)),
        ("sac", "tanh", (4.0,)),
    ],
)
def test_the_graph_computes_what_the_learner_does(
    algorithm: str, activation: str, resolutions: tuple[float, ...]
) -> None:
    from shopfloor.train.export import build_graph, golden_observations

    task = ToyArm()
    learner = untrained(task, algorithm, activation, resolutions)
    contract = contract_of(task, "toy")
    policy = OnnxPolicy(build_graph(learner, contract), contract.width, len(contract.action))
    random = np.random.default_rng(3)
    low, high = (
        np.concatenate([np.tile(getattr(t, k), t.history) for t in contract.observation]) for k in ("low", "high")
    )
    many = random.uniform(low, high, (300, contract.width)).astype(np.float32)
    observations = np.concatenate((many, golden_observations(contract), 10.0 * many[:20]))
    actions, _ = learner.predict(observations, deterministic=True)
    cell = BatchedCell(ToyArm(), len(observations), threads=1)
    expected = cell.setpoints(actions)
    got = np.stack([policy(o) for o in observations])
    span = cell.action_high - cell.action_low
    assert np.max(np.abs(got - expected) / span) < 1e-5
    assert (np.abs(actions) == 1.0).any() or algorithm == "sac"
    # float32 must not stick out of the float64 range, or the controller would report that it cut a command
    assert (got >= cell.action_low).all() and (got <= cell.action_high).all()


def test_bounds_that_float32_cannot_hold_are_rounded_inwards() -> None:
    from shopfloor.train.export import _inside

    low, high = np.array([-0.1, 0.1, -1.0]), np.array([0.1, 0.3, 1.0])
    a, b = _inside(low, high)
    assert a.dtype == b.dtype == np.float32
    assert (a.astype(np.float64) >= low).all() and (b.astype(np.float64) <= high).all()
    np.testing.assert_allclose(a, low, rtol=1e-6)
    np.testing.assert_allclose(b, high, rtol=1e-6)


def test_export_fails_when_the_graph_is_not_the_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from shopfloor.train import export

    learner = untrained(ToyArm())
    build = export.build_graph

    def wrong(learner: Any, contract: Contract) -> bytes:
        model = build(learner, contract)
        with torch.no_grad():
            learner.policy.action_net.bias += 1e-3
        return model

    monkeypatch.setattr(export, "build_graph", wrong)
    with pytest.raises(ShopfloorError, match=r"differs from the policy by .* of the range"):
        export.export_learner(learner, ToyArm(), tmp_path / "out", env_id="toy")
    assert not (tmp_path / "out").exists()


def test_a_policy_of_another_observation_is_not_exported(tmp_path: Path) -> None:
    from shopfloor.train.export import export_learner

    learner = untrained(ToyArm())
    changed = ToyArm()
    changed.channels = changed.channels[:1] + changed.channels[2:]
    with pytest.raises(ShopfloorError, match="normalizes 10 components otherwise than toy declares"):
        export_learner(learner, changed, tmp_path / "out", env_id="toy")


def test_an_unknown_layer_is_named(tmp_path: Path) -> None:
    from torch import nn

    from shopfloor.train.export import export_learner

    learner = untrained(ToyArm())
    learner.policy.mlp_extractor.policy_net[1] = nn.Softplus()
    with pytest.raises(ShopfloorError, match="a Softplus layer cannot be exported; known are: Linear"):
        export_learner(learner, ToyArm(), tmp_path / "out", env_id="toy")


# -- tampering ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_anywhere_is_found(bundle: Path, name: str) -> None:
    path = bundle / name
    data = path.read_bytes()
    random = np.random.default_rng(0)
    places = sorted({0, len(data) - 1, *random.integers(0, len(data), 25).tolist()})
    for place in places:
        altered = bytearray(data)
        altered[place] ^= 1 << int(random.integers(8))
        path.write_bytes(altered)
        with pytest.raises(ShopfloorError) as caught:
            Bundle.load(bundle)
        assert str(path) in str(caught.value), f"byte {place}: {caught.value}"
        assert "\n" not in str(caught.value)
    path.write_bytes(data)
    Bundle.load(bundle)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d + b"\0", lambda d: d + b" ", lambda d: b""])
def test_a_shorter_or_longer_file_is_found(bundle: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    path = bundle / name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ShopfloorError, match=name):
        Bundle.load(bundle)


def test_missing_and_additional_files_are_found(bundle: Path) -> None:
    (bundle / "notes.txt").write_text("hello")
    with pytest.raises(ShopfloorError, match=r"notes\.txt does not belong to the bundle"):
        Bundle.load(bundle)
    (bundle / "notes.txt").unlink()
    (bundle / "golden.npz").unlink()
    with pytest.raises(ShopfloorError, match=r"golden\.npz is missing from the bundle"):
        Bundle.load(bundle)
    (bundle / "manifest.json").unlink()
    with pytest.raises(ShopfloorError, match=r"is not a bundle: manifest\.json is missing"):
        Bundle.load(bundle)
    with pytest.raises(ShopfloorError, match="there is no bundle at"):
        Bundle.load(bundle / "nowhere")


def test_links_are_not_followed(bundle: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.onnx"
    (bundle / "policy.onnx").rename(elsewhere)
    (bundle / "policy.onnx").symlink_to(elsewhere)
    with pytest.raises(ShopfloorError, match=r"policy\.onnx is missing from the bundle, or is not a plain file"):
        Bundle.load(bundle)


@pytest.mark.parametrize("name", ["../outside.bin", "/etc/hostname", "a/b", "..", ".hidden", ""])
def test_names_that_lead_elsewhere_are_refused(bundle: Path, name: str) -> None:
    from shopfloor.deploy.bundle import FileEntry, _manifest_bytes

    files = json.loads((bundle / "manifest.json").read_text())["files"]
    entries = {key: FileEntry(**value) for key, value in files.items()} | {name: FileEntry(1, "0" * 64)}
    (bundle / "manifest.json").write_bytes(_manifest_bytes(entries))
    with pytest.raises(ShopfloorError, match="is not a plain file name"):
        Bundle.load(bundle)


def test_weights_changed_together_with_the_hashes_fail_the_self_test(bundle: Path) -> None:
    model = onnx.load_from_string((bundle / "policy.onnx").read_bytes())
    weights = next(w for w in model.graph.initializer if w.name.startswith("bias"))
    values = onnx.numpy_helper.to_array(weights).copy()
    values[0] += 1e-3
    weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
    reseal(bundle, policy=model.SerializeToString())
    with pytest.raises(ShopfloorError, match=r"policy\.onnx does not reproduce its golden pairs"):
        Bundle.load(bundle).self_test()


def test_another_computer_may_round_otherwise_and_says_so(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shopfloor.deploy import bundle as module

    loaded = Bundle.load(bundle)
    exact = loaded.policy
    low, high = loaded.contract.setpoint_bounds

    def rounded(observation: NDArray[np.float32]) -> NDArray[np.float64]:
        return exact(observation) + 0.5 * GOLDEN_TOLERANCE * (high - low)

    loaded.policy = rounded
    with pytest.raises(ShopfloorError, match="does not reproduce"):  # same version, same CPU
        loaded.self_test()
    monkeypatch.setattr(module, "arithmetic", lambda: "onnxruntime 9.9, riscv64")
    result = loaded.self_test()
    assert not result.bit_equal and result.max_error < GOLDEN_TOLERANCE
    assert "not in every bit" in result.note and "onnxruntime 9.9, riscv64" in result.note
    loaded.policy = lambda o: exact(o) + 2.0 * GOLDEN_TOLERANCE * (high - low)
    with pytest.raises(ShopfloorError, match="does not reproduce"):
        loaded.self_test()


def _with_node(data: bytes, **node: object) -> bytes:
    model = onnx.load_from_string(data)
    model.graph.node.append(onnx.helper.make_node(inputs=["observation"], outputs=["extra"], **node))
    return model.SerializeToString()


def _external(data: bytes) -> bytes:
    model = onnx.load_from_string(data)
    tensor = model.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, "../weights.bin")
    tensor.ClearField("raw_data")
    return model.SerializeToString()


def _branch(data: bytes) -> bytes:
    graph = onnx.helper.make_graph([], "inner", [], [])
    return _with_node(data, op_type="Relu", then_branch=graph)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: _with_node(d, op_type="Loop"), "uses the operator 'Loop'; a policy may use: Add, Clip"),
        (lambda d: _with_node(d, op_type="Relu", domain="com.evil"), r"the operator 'com\.evil\.Relu'"),
        (_branch, "the operator Relu holds a tensor or a graph"),
        (_external, "keeps weights in another file"),
        (lambda d: b"not a model", "is not an ONNX file"),
        (lambda d: d[: len(d) // 2], "is not an ONNX file"),
        (lambda d: b"", "is not an ONNX file"),
    ],
)
def test_a_graph_that_does_more_than_arithmetic_is_refused(
    bundle: Path, change: Callable[[bytes], bytes], words: str
) -> None:
    reseal(bundle, policy=change((bundle / "policy.onnx").read_bytes()))
    with pytest.raises(ShopfloorError, match=words):
        Bundle.load(bundle)


def test_a_graph_of_other_shapes_is_refused(bundle: Path) -> None:
    contract = Contract.from_json((bundle / "contract.json").read_bytes())
    data = (bundle / "policy.onnx").read_bytes()
    with pytest.raises(ShopfloorError, match=r"has inputs and outputs .* the contract demands"):
        OnnxPolicy(data, contract.width + 1, len(contract.action))


def test_operators_of_every_activation_are_allowed() -> None:
    assert {"Gemm", "Tanh", "Relu", "Elu", "Sigmoid"} <= ALLOWED_OPS
    assert not {"Loop", "If", "Scan", "MatMulNBits"} & ALLOWED_OPS


def test_a_wrong_contract_in_a_sealed_bundle_is_refused(bundle: Path) -> None:
    data = json.loads((bundle / "contract.json").read_text())
    del data["control_hz"]
    reseal(bundle, contract=json.dumps(data).encode())
    with pytest.raises(ShopfloorError, match=r"contract\.json: \$\.control_hz is missing"):
        Bundle.load(bundle)


def test_golden_pairs_of_other_shapes_or_with_pickles_are_refused(bundle: Path) -> None:
    reseal(bundle, golden=b"PK nothing")
    with pytest.raises(ShopfloorError, match=r"golden\.npz is not a file of golden pairs"):
        Bundle.load(bundle)
    path = bundle / "golden.npz"
    np.savez(path, observation=np.array([print], dtype=object), allow_pickle=True)
    reseal(bundle, golden=path.read_bytes())
    with pytest.raises(ShopfloorError, match=r"golden\.npz is not a file of golden pairs"):
        Bundle.load(bundle)


def test_writing_never_overwrites_what_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ShopfloorError, match=r"it holds 'thesis\.tex'; name an empty folder"):
        write_bundle(tmp_path, {"policy.onnx": b""})
    with pytest.raises(ShopfloorError, match="it is a file"):
        write_bundle(tmp_path / "thesis.tex", {"policy.onnx": b""})
