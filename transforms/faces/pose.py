"""How a head is turned: the mean face laid onto the landmarks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from transforms.faces.mesh import CANONICAL

RIGID = (10, 151, 9, 168, 6, 197, 195, 33, 133, 362, 263, 127, 356, 234, 454, 21, 251, 54, 284, 103, 332, 116, 345, 93, 323)
"""Landmarks that neither brows nor mouth nor jaw move: forehead, bridge of the nose, corners of the eyes, temples, cheekbones."""


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """From the mean face's cm (x to the person's left, y up, z to the front) to the picture, without perspective."""

    rotation: Tensor
    """(3, 3) on the host, a proper rotation."""
    scale: float
    """px of a cm."""
    origin: tuple[float, float]
    """Frame px of the mean face's origin, which lies between the ears, a little below the eyes."""

    def view(self, points: Tensor) -> Tensor:
        """(N, 3) cm to (N, 3) px: x to the right and y down in the frame, z to the viewer."""
        turned = (points @ self.rotation.T) * self.scale
        return torch.stack((turned[:, 0] + self.origin[0], self.origin[1] - turned[:, 1], turned[:, 2]), 1)

    @property
    def degrees(self) -> tuple[float, float, float]:
        """Yaw (to the person's left), pitch (up) and roll (clockwise as the picture is seen)."""
        forward, right = self.rotation[:, 2].tolist(), self.rotation[:, 0].tolist()
        yaw = math.degrees(math.atan2(forward[0], forward[2]))
        pitch = math.degrees(math.asin(max(-1.0, min(1.0, forward[1]))))
        return yaw, pitch, -math.degrees(math.atan2(right[1], right[0]))


def pose_of(landmarks: Tensor) -> Pose:
    """From (478, 3) landmarks in frame px, z growing away from the viewer.

    Least squares over rotation, scale and place (Umeyama, PAMI 1991). A few points, so it is done on the host.
    """
    seen = landmarks[list(RIGID)].to("cpu", torch.float64) * torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64)
    mean_face = CANONICAL[list(RIGID)].double()
    centre, middle = seen.mean(0), mean_face.mean(0)
    away, ideal = seen - centre, mean_face - middle
    u, size, vt = torch.linalg.svd(away.T @ ideal)
    mirrored = torch.tensor([1.0, 1.0, float(torch.sign(torch.linalg.det(u @ vt)))], dtype=torch.float64)
    rotation = u @ (mirrored[:, None] * vt)
    scale = float((size * mirrored).sum() / ideal.square().sum())
    origin = centre - scale * (rotation @ middle)
    return Pose(rotation.float(), scale, (float(origin[0]), float(-origin[1])))
