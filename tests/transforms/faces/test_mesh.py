from __future__ import annotations

from collections import Counter

import torch

from transforms.faces import regions
from transforms.faces.mesh import CANONICAL, MIRROR, TRIANGLES, UV, VERTICES


def loop(name: str) -> list[int]:
    return list(getattr(regions, name))


def edges() -> Counter[tuple[int, int]]:
    """Of how many triangles each is."""
    pairs = torch.cat([TRIANGLES[:, pair] for pair in ([0, 1], [1, 2], [2, 0])]).sort(1).values.tolist()
    return Counter((one, other) for one, other in pairs)


def test_the_mesh_is_a_disc() -> None:
    assert (CANONICAL.shape, UV.shape, TRIANGLES.shape) == ((VERTICES, 3), (VERTICES, 2), (898, 3))
    assert VERTICES - len(edges()) + len(TRIANGLES) == 1


def test_its_rim_is_the_oval() -> None:
    assert {vertex for edge, count in edges().items() if count == 1 for vertex in edge} == set(regions.FACE_OVAL)


def test_it_faces_the_front_and_is_symmetric() -> None:
    a, b, c = CANONICAL[TRIANGLES].unbind(1)
    assert float((torch.linalg.cross(b - a, c - a)[:, 2] > 0).float().mean()) > 0.95
    assert torch.equal(MIRROR[MIRROR], torch.arange(VERTICES))
    flipped = CANONICAL * torch.tensor([-1.0, 1.0, 1.0])
    assert float((CANONICAL[MIRROR] - flipped).abs().max()) < 0.01


def test_left_is_the_persons_own() -> None:
    for name in ("EYE", "EYE_AROUND", "BROW", "CHEEK"):
        left, right = loop(f"LEFT_{name}"), loop(f"RIGHT_{name}")
        assert bool((CANONICAL[left, 0] > 0).all())
        assert bool((CANONICAL[right, 0] < 0).all())
        assert MIRROR[left].tolist() == right


def test_loops_go_round_once_without_crossing_themselves() -> None:
    for name in dir(regions):
        points = getattr(regions, name)
        if name.isupper() and isinstance(points, tuple) and "IRIS" not in name:
            x, y = CANONICAL[loop(name), 0], CANONICAL[loop(name), 1]
            turn = torch.atan2(y.roll(-1) - y, x.roll(-1) - x)
            change = (turn.roll(-1) - turn + torch.pi) % (2 * torch.pi) - torch.pi
            assert abs(abs(float(change.sum())) - 2 * torch.pi) < 0.01, name


def test_lips_have_their_corners_and_middles_at_the_same_places() -> None:
    for lips in (regions.LIPS_OUTER, regions.LIPS_INNER):
        x, y = CANONICAL[list(lips), 0], CANONICAL[list(lips), 1]
        assert (int(x.argmin()), int(x.argmax())) == (0, 10)
        assert y[5] < y[15]
