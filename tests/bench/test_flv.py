from __future__ import annotations

import io

import av
import pytest

from bench import clip, flv
from bench.variants import FRAMES, Variant


@pytest.mark.parametrize("sound", [False, True])
def test_a_clip_becomes_tags_and_stays_what_it_was(sound: bool) -> None:
    frames = clip.encoded("H264").frames[:60]
    data = flv.mux("H264", frames, gop=clip.GOP_FRAMES, count=90, sound=sound)
    tags = list(flv.tags(data))
    pictures = [tag for tag in tags if tag.kind == flv.VIDEO and flv.is_picture(tag)]
    assert len(pictures) == 90, "the pictures begin again when they are over"
    assert [tag.body[0] for tag in pictures].count(0x17) == 2, "keyframes are marked"
    assert pictures[-1].time - pictures[0].time == round(89 * 1000 / clip.FPS)
    with av.open(io.BytesIO(data), "r") as container:
        assert bool(container.streams.audio) is sound
        assert sum(1 for _ in container.decode(video=0)) == 90
    assert any(tag.kind == flv.AUDIO for tag in tags) is sound


def test_enhanced_rtmp() -> None:
    frames = Variant("HEVC", 320, 180, 300_000).frames()
    tags = list(flv.tags(flv.mux("HEVC", frames, gop=clip.GOP_FRAMES, count=FRAMES)))
    video = [tag for tag in tags if tag.kind == flv.VIDEO]
    assert video[0].body[:5] == b"\x90hvc1", "a sequence header comes first"
    assert sum(flv.is_picture(tag) for tag in video) == FRAMES
