"""What comes back into Chromium, looked at: faces are hidden from the first picture on, rooms are replaced."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.e2e.browser import BY_ID, Visit, decoded, frame_of, rgb_of, until
from transforms.context import Context
from transforms.faces.detector import SURE_SCORE, Detector
from transforms.models.store import Store

LOOKED_AT = 30
"""Pictures of a video, a second of them."""

NEARLY_ALL = 0.9
"""Share of untouched pictures in which the detector finds the face that is in all of them."""

Seen = Callable[[bytes], bool]


@pytest.fixture(scope="module")
def seen(store: Store) -> Seen:
    """Whether the detector is sure of a face in a picture."""
    device = torch.device("cpu")
    detector = Detector(Context(device, store).network("face_detector"), device)
    return lambda picture: any(found.score >= SURE_SCORE for found in detector(frame_of(picture)))


@pytest.fixture
def elsewhere(visit: Visit) -> Visit:
    """On the server, and not on its page."""
    visit.forgiven.append("404")  # of the icon that browsers look for
    return visit.open("/healthz")


@pytest.mark.parametrize("style", ["Pixelate", "Blur", "Solid"])
def test_anonymize_hides_the_face(visit: Visit, seen: Seen, style: str) -> None:
    visit.open("/?chain=").live()
    visit.add("anonymize")
    card = visit.page.get_by_test_id("chain-item")
    card.get_by_text(style, exact=True).click()
    visit.wait_chain("anonymize")
    visit.page.wait_for_timeout(500)  # the picture on its way was sent with the old chain
    before, after = visit.grab("before", LOOKED_AT), visit.grab("after", LOOKED_AT)
    assert sum(map(seen, before)) >= NEARLY_ALL * LOOKED_AT, "the webcam shows no face, so that none had to be hidden"
    assert sum(map(seen, after)) == 0
    assert visit.chain()[0]["settings"]["style"] == style.lower()
    # Only the head is hidden: the picture beside it has come through.
    for corner in (slice(0, 40), slice(-40, None)):
        came, went = rgb_of(after[-1])[:, :40, corner], rgb_of(before[-1])[:, :40, corner]
        assert (came.mean((1, 2)) - went.mean((1, 2))).abs().max() < 0.1


def test_the_page_hides_the_face_from_the_first_picture_on(visit: Visit, seen: Seen) -> None:
    visit.page.add_init_script(f"""
      addEventListener("DOMContentLoaded", () => {{ window.first = grabber({BY_ID}("after"), {LOOKED_AT}); }});
    """)
    visit.open("/?chain=anonymize")
    pictures = decoded(visit.page.evaluate("first"))
    assert len(pictures) == LOOKED_AT
    assert sum(map(seen, pictures)) == 0


CONNECT = """
async ([path, count]) => {
  const stream = await navigator.mediaDevices.getUserMedia({ video: true });
  const peer = new RTCPeerConnection({ iceServers: [] });
  peer.addTransceiver(stream.getVideoTracks()[0], { direction: "sendrecv" });
  const video = Object.assign(document.createElement("video"), { muted: true, autoplay: true });
  document.body.append(video);
  const pictures = grabber(video, count);
  peer.addEventListener("track", ({ track }) => { video.srcObject = new MediaStream([track]); });
  await peer.setLocalDescription();
  while (peer.iceGatheringState !== "complete") await new Promise((go) => setTimeout(go, 20));
  const body = peer.localDescription.sdp;
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/sdp" }, body });
  await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  const grabbed = await pictures;
  peer.close();
  await fetch(answer.headers.get("Location"), { method: "DELETE" });
  return grabbed;
}
"""
"""A client of the API that is not ours, as short as it can be."""


def test_a_chain_in_the_offer_hides_the_face_from_the_first_picture_on(elsewhere: Visit, seen: Seen) -> None:
    pictures = decoded(elsewhere.page.evaluate(CONNECT, ["/loop/first?chain=anonymize", LOOKED_AT]))
    assert len(pictures) == LOOKED_AT
    assert sum(map(seen, pictures)) == 0


def test_without_a_chain_the_face_comes_back(elsewhere: Visit, seen: Seen) -> None:
    """What the others rely on: this detector finds this face in what comes back."""
    pictures = decoded(elsewhere.page.evaluate(CONNECT, ["/loop/untouched", LOOKED_AT]))
    assert sum(map(seen, pictures)) >= NEARLY_ALL * LOOKED_AT


def test_colours_come_back_as_they_were(visit: Visit) -> None:
    """A matrix that one side takes for another shifts every colour."""
    visit.open("/?chain=").live()
    visit.wait_size("after", visit.size("before"))

    def off() -> float:
        """How far apart they are in the corner, where nothing moves."""
        before, after = (rgb_of(visit.grab(video, 1)[0])[:, :40, :40].mean((1, 2)) for video in ("before", "after"))
        return float((before - after).abs().max())

    until(lambda: off() < 0.02, "the colours agree within 2 %")


def test_a_colour_takes_the_place_of_the_room(visit: Visit, seen: Seen) -> None:
    color = "#20a040"
    visit.open("/?chain=background").live()
    card = visit.page.get_by_test_id("chain-item")
    card.locator("[data-setting=style]").get_by_text("Color", exact=True).click()
    card.locator("[data-setting=color] input").fill(color)
    wanted = torch.tensor([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])

    def off() -> float:
        """How far the upper corners are from it."""
        rgb = rgb_of(visit.grab("after", 1)[0])
        corners = torch.cat((rgb[:, :24, :24], rgb[:, :24, -24:]), 2)
        return float((corners.mean((1, 2)) - wanted).abs().max())

    until(lambda: off() < 0.02, "the corners have the colour")
    assert seen(visit.grab("after", 1)[0]), "the person went with the room"
