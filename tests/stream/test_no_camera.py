"""A publisher without a camera, and one who watches an avatar speak: over ICE, DTLS and SRTP on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np

from stream.blanks import INTERVAL
from stream.limits import SECOND
from stream.pipeline import BLANK, blank
from tests.stream.client import PATIENCE
from tests.stream.conftest import House
from tests.stream.test_broadcast import live
from transforms.chain import Step
from transforms.frame import NO_CAMERA

Open = Callable[..., Awaitable[House]]


def test_a_blank_says_what_it_is() -> None:
    frame = blank(7)
    assert (frame.pts, frame.width, frame.height) == (7, *BLANK)
    assert NO_CAMERA in frame.notes
    assert not frame.changed


async def test_sound_alone_becomes_a_speaking_avatar(open_house: Open) -> None:
    house = await open_house()
    publisher = house.client(role="publish", sound=True, pictures=False)
    await publisher.connect(house.sessions, "one", [Step.parse("avatar", {})])
    await live(house)
    viewer = house.client(role="watch", sound=True)
    await viewer.connect(house.sessions, "one")
    await viewer.more(12)
    await viewer.until(lambda: viewer.loud)
    assert {(picture.width, picture.height) for picture in viewer.pictures} == {BLANK}
    luma = viewer.pictures[-1].to_ndarray(format="gray")
    assert luma[100:600, 400:880].std() > 20, "a face, not a blank"
    assert luma[100:600, 400:880].std() > 2 * luma[:, :100].std()
    pts = [picture.pts for picture in viewer.pictures]
    assert all(np.diff([each for each in pts if each is not None]) > 0)
    report = house.streams.report("one")
    assert [step.key for step in report.chain] == ["avatar"]
    assert report.chain[0].errors == 0
    # Without it there is nothing to be seen.
    await house.streams.set_chain("one", [])
    async with asyncio.timeout(PATIENCE):
        count = -1
        while len(viewer.pictures) != count:
            count = len(viewer.pictures)
            await asyncio.sleep(10 * INTERVAL / SECOND)


async def test_a_camera_that_comes_is_seen_at_once(open_house: Open) -> None:
    house = await open_house()
    first = house.client(role="publish", sound=True, pictures=False)
    await first.connect(house.sessions, "one", [Step.parse("avatar", {"driver": "voice"})])
    await live(house)
    viewer = house.client(role="watch")
    await viewer.connect(house.sessions, "one")
    await viewer.more(3)
    await first.close()
    second = house.client(role="publish", sound=True)
    await second.connect(house.sessions, "one", None)
    await viewer.until(lambda: viewer.pictures[-1].width == second.camera.width)
    await viewer.more(20)
    assert {picture.width for picture in viewer.pictures[-20:]} == {second.camera.width}
