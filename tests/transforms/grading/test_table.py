from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.transforms.pictures import noise
from transforms.color import Color, rgb_to_yuv, rgb_to_yuv444, yuv444_to_rgb
from transforms.frame import Planes
from transforms.grading.light import coded, exposed, linear
from transforms.grading.table import Table

CPU = torch.device("cpu")


@pytest.mark.parametrize("color", [Color(), Color(matrix=1, full_range=True)])
@pytest.mark.parametrize("size", [(640, 360), (3, 5), (2, 2), (321, 181)])
def test_what_changes_nothing_changes_nothing(color: Color, size: tuple[int, int]) -> None:
    planes = noise(*size).planes
    shown = Table(lambda rgb: rgb, color, CPU)(planes)
    assert torch.equal(shown.y, planes.y)
    for new, old in zip(shown[1:], planes[1:], strict=True):
        # The last entry stands for 256, which is no code: above 248 chroma may be one lower.
        assert torch.equal(new[old <= 248], old[old <= 248])
        assert int((new.int() - old.int()).abs().max()) <= 1


def ramp() -> Tensor:
    """(3, 256, 256) RGB, smooth, so that chroma of 2x2 pixels is that of each."""
    x, y = torch.linspace(0.1, 0.9, 256)[None], torch.linspace(0.1, 0.9, 256)[:, None]
    return torch.stack((x.expand(256, 256), y.expand(256, 256), 1 - (x + y) / 2))


@pytest.mark.parametrize("color", [Color(), Color(matrix=1, full_range=True)])
def test_it_is_near_to_the_change_itself(color: Color) -> None:
    def change(rgb: Tensor) -> Tensor:
        return coded(exposed(linear(rgb), 2.0)) * torch.tensor([1.0, 0.9, 0.8])[:, None]

    planes = Planes(*rgb_to_yuv(ramp(), color))
    up = [plane.float().repeat_interleave(2, 0).repeat_interleave(2, 1) for plane in planes[1:]]
    rgb = yuv444_to_rgb(torch.stack((planes.y.float(), *up)), color)
    wanted = rgb_to_yuv444(change(rgb.reshape(3, -1)), color).reshape(rgb.shape)
    shown = Table(change, color, CPU)(planes)
    luma = shown.y.float() - wanted[0]
    # Where the change has a kink, a pixel may be some codes off; its neighbours make it good.
    assert float(luma.abs().max()) < 5
    assert abs(float(luma.mean())) < 0.15
    assert float(F.avg_pool2d(luma[None], 2).abs().mean()) < 0.6
    chroma = torch.stack(shown[1:]).float() - F.avg_pool2d(wanted[1:][None], 2)[0]
    assert float(chroma.abs().mean()) < 0.5


def test_grey_has_no_trace_of_colour_left() -> None:
    shown = Table(lambda rgb: rgb[1:2].expand(3, -1), Color(), CPU)(Planes(*rgb_to_yuv(ramp(), Color())))
    for plane in shown[1:]:
        assert int((plane.int() - 128).abs().max()) <= 1
