"""Find the part of ArmPickPlace in the pictures of two RGB-D cameras, with a small network.

python examples/estimate_pose.py [PICTURES]

It learns from pictures of the scripted expert at work. The labels are the readings of the vision system that
`observation="rgbd"` leaves out. Pictures are one control step old while the arm moves on, so the network gets the
readings of encoders and wrist sensor beside them.
"""

from __future__ import annotations

import sys

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from torch import nn

import shopfloor  # noqa: F401  (registers the environments)

ENV_ID = "shopfloor/ArmPickPlace-v0"
CAMERAS = ("wrist", "cell")
READINGS = "part_offset"  # m, from the tip to the part's grasping point


class Estimator(nn.Module):
    """Two small convolutional networks and the readings, into three numbers."""

    def __init__(self, readings: int):
        super().__init__()
        self.eyes = nn.ModuleDict({camera: self._eye() for camera in CAMERAS})
        self.head = nn.Sequential(nn.Linear(2 * 32 * 8 * 8 + readings, 128), nn.ReLU(), nn.Linear(128, 3))

    @staticmethod
    def _eye() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(4, 16, 5, stride=2, padding=2), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(32, 32, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(),
        )  # fmt: skip

    def forward(self, pictures: dict[str, torch.Tensor], state: torch.Tensor) -> torch.Tensor:
        """Offsets (batch, 3) in units of the labels' spread, of pictures (batch, 4, 64, 64) and readings."""
        return self.head(torch.cat([*(self.eyes[c](pictures[c]) for c in CAMERAS), state], dim=1))


def collect(count: int, rows: int, seed: int) -> dict[str, np.ndarray]:
    """Pictures of the expert at work, disturbed so that it is not always where it belongs, and what is to be found."""
    envs = gymnasium.make_vec(
        ENV_ID, num_envs=rows, observation=("rgbd", "policy"), autoreset_mode=AutoresetMode.SAME_STEP
    ).unwrapped
    rng = np.random.default_rng(seed)
    observation, _ = envs.reset(seed=seed)
    expert = envs.task.expert()
    expert.reset(envs.cell.s, np.arange(rows))
    kept: dict[str, list[np.ndarray]] = {k: [] for k in ("state", "label", *CAMERAS)}
    waiting = rng.integers(0, 60, rows)  # until the expert takes over, so that rows are in different phases of the work
    for step in range(-(-count // rows)):
        kept["state"].append(observation["state"])
        kept["label"].append(envs.cell.readings()[READINGS])
        for camera in CAMERAS:
            depth = (observation[f"{camera}_depth"] * 250.0).clip(0, 255).astype(np.uint8)  # 4 mm, to save memory
            kept[camera].append(np.concatenate((observation[f"{camera}_rgb"], depth[..., None]), axis=-1))
        action = envs.cell.actions(expert.act(envs.cell.s, envs.cell.readings()))
        action[:, :3] += rng.normal(0.0, 0.3, (rows, 3))
        action[step < waiting] = rng.uniform(-1.0, 1.0, action.shape[1])
        observation, _, terminated, truncated, _ = envs.step(action.astype(np.float32))
        if (done := np.flatnonzero(terminated | truncated)).size:
            expert.reset(envs.cell.s, done)
    envs.close()
    return {k: np.concatenate(v)[:count] for k, v in kept.items()}


def tensors(data: dict[str, np.ndarray], where: np.ndarray) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Network inputs."""
    pictures = {c: torch.from_numpy(data[c][where]).permute(0, 3, 1, 2).float() / 255.0 for c in CAMERAS}
    return pictures, torch.from_numpy(data["state"][where])


def main(count: int = 6000, epochs: int = 25, rows: int = 8) -> None:
    torch.manual_seed(0)
    train, test = collect(count, rows, seed=0), collect(max(count // 6, rows), rows, seed=1_000_000)
    center, spread = train["state"].mean(axis=0), train["state"].std(axis=0) + 1e-6
    middle, scale = train["label"].mean(axis=0), train["label"].std(axis=0)
    for data in (train, test):
        data["state"] = ((data["state"] - center) / spread).clip(-5.0, 5.0).astype(np.float32)
    label = torch.from_numpy(((train["label"] - middle) / scale).astype(np.float32))
    network = Estimator(train["state"].shape[1])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    order = np.random.default_rng(0)
    for epoch in range(epochs):
        for where in np.array_split(order.permutation(count), max(1, count // 64)):
            loss = nn.functional.smooth_l1_loss(network(*tensors(train, where)), label[where], beta=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        if epoch % 5 == 4 or epoch == epochs - 1:
            with torch.no_grad():
                found = network(*tensors(test, np.arange(len(test["label"])))).numpy() * scale + middle
            off = 1e3 * np.linalg.norm(found - test["label"], axis=1)
            near = np.linalg.norm(test["label"], axis=1) < 0.05
            print(
                f"epoch {epoch + 1}: median error {np.median(off):.1f} mm, near the part {np.median(off[near]):.1f} mm"
            )
    blind = 1e3 * np.linalg.norm(test["label"] - middle, axis=1)
    print(f"without looking: {np.median(blind):.1f} mm; {len(off)} pictures that it has not seen")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
