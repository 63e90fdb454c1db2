from __future__ import annotations

import logging
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import transforms.library
from tests.transforms.pictures import copied, flat, noise, same
from transforms import registry
from transforms.chain import Chain, Step
from transforms.context import Context
from transforms.errors import BrokenTransform, InvalidSettings, NotPrepared, UnknownTransform
from transforms.models.store import Store

PLUGIN = """
from transforms.base import Settings, Transform

class Adding(Settings):
    amount: int = 1
    fail: bool = False
    slow_to_change: bool = False

EVENTS = []

class Adder(Transform[Adding]):
    title = "Adder"
    summary = "Adds to the luma."
    settings_type = Adding
    {fails_closed}

    def prepare(self):
        if self.settings.amount < 0:
            raise RuntimeError("cannot be prepared")
        EVENTS.append(("prepare", id(self)))

    def accepts(self, settings):
        return not settings.slow_to_change

    def process(self, frame):
        if self.settings.fail:
            raise RuntimeError("on purpose")
        frame.writable().y.add_(self.settings.amount)
        return frame

    def close(self):
        EVENTS.append(("close", id(self)))
"""


@pytest.fixture(autouse=True)
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two transforms that are files and nothing else, and one that is broken."""
    (tmp_path / "adder.py").write_text(textwrap.dedent(PLUGIN.format(fails_closed="")))
    (tmp_path / "hider.py").write_text(textwrap.dedent(PLUGIN.format(fails_closed="fails_closed = True")))
    (tmp_path / "broken.py").write_text("import no_such_module_anywhere")
    (tmp_path / "empty.py").write_text("")
    monkeypatch.setattr(transforms.library, "__path__", [str(tmp_path)])
    yield
    for name in ("adder", "hider", "broken", "empty"):
        sys.modules.pop(f"transforms.library.{name}", None)


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(Context(torch.device("cpu"), Store(tmp_path)))


def put(chain: Chain, *steps: Step) -> None:
    chain.swap(chain.prepare(steps))


def adder(amount: int = 1, **more: bool) -> Step:
    return Step.parse("adder", {"amount": amount, **more})


def luma(chain: Chain) -> int:
    return int(chain.process(flat(8, 8, 100)).planes.y[0, 0])


def events(key: str = "adder") -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = sys.modules[f"transforms.library.{key}"].EVENTS
    return found


def test_the_registry_names_what_is_wrong() -> None:
    assert registry.keys() == ["adder", "broken", "empty", "hider"]
    assert registry.load("adder").title == "Adder"
    with pytest.raises(UnknownTransform, match="adder, broken"):
        registry.load("nothing")
    with pytest.raises(BrokenTransform, match=r"'broken'.*no_such_module_anywhere"):
        registry.load("broken")
    with pytest.raises(BrokenTransform, match="exactly one transform"):
        registry.load("empty")


def test_settings_are_refused_in_words() -> None:
    with pytest.raises(InvalidSettings, match="amount"):
        Step.parse("adder", {"amount": "much"})
    with pytest.raises(InvalidSettings, match="unknown"):
        Step.parse("adder", {"unknown": 1})


def test_an_empty_chain_hands_the_frame_through(chain: Chain) -> None:
    frame = noise(16, 16)
    frame.source = source = object()
    assert chain.process(frame) is frame
    assert frame.source is source
    assert not frame.changed


def test_steps_run_in_order_and_change_at_a_frame_boundary(chain: Chain) -> None:
    put(chain, adder(1), adder(10))
    assert luma(chain) == 111
    chain.swap(chain.prepare([adder(5)]))
    assert chain.steps == [adder(5)]
    assert luma(chain) == 105
    assert luma(chain) == 105


def test_what_stays_is_not_made_anew(chain: Chain) -> None:
    put(chain, adder(1))
    assert luma(chain) == 101
    put(chain, Step.parse("hider", {}), adder(2))
    assert luma(chain) == 103
    put(chain, adder(3), Step.parse("hider", {}))
    assert luma(chain) == 104
    assert [kind for kind, _ in events()] == ["prepare"]


def test_of_two_of_a_kind_the_right_one_goes(chain: Chain) -> None:
    put(chain, adder(1), adder(2))
    luma(chain)
    first, second = (identity for _, identity in events())
    put(chain, adder(2))
    luma(chain)
    assert events()[2:] == [("close", first)]
    assert second != first


def test_settings_that_need_preparing_make_a_new_one(chain: Chain) -> None:
    put(chain, adder(1))
    luma(chain)
    put(chain, adder(2, slow_to_change=True))
    luma(chain)
    assert [kind for kind, _ in events()] == ["prepare", "prepare", "close"]


def test_a_plan_that_was_overtaken_is_closed_too(chain: Chain) -> None:
    put(chain, adder(1))
    put(chain, Step.parse("hider", {}))
    luma(chain)
    assert [kind for kind, _ in events()] == ["prepare", "close"]
    chain.close()
    assert [kind for kind, _ in events("hider")] == ["prepare", "close"]


def test_a_failed_preparation_changes_nothing(chain: Chain) -> None:
    put(chain, adder(1))
    with pytest.raises(NotPrepared, match="'adder' could not be prepared: cannot be prepared"):
        chain.prepare([Step.parse("hider", {}), adder(7), adder(-1)])
    assert luma(chain) == 101
    assert [kind for kind, _ in events("hider")] == ["prepare", "close"]


def test_what_is_prepared_for_a_chain_that_is_over_is_closed(chain: Chain) -> None:
    chain.close()
    with pytest.raises(NotPrepared):
        chain.prepare([adder(1)])
    assert [kind for kind, _ in events()] == ["prepare", "close"]


def test_a_failing_transform_is_passed_by(chain: Chain, caplog: pytest.LogCaptureFixture) -> None:
    put(chain, adder(1, fail=True), adder(10))
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            assert luma(chain) == 110
    assert len(caplog.records) == 1
    assert [step.errors for step in chain.report()] == [5, 0]
    assert chain.covered == 0


def test_one_that_hides_covers_the_frame_when_it_fails(chain: Chain) -> None:
    put(chain, Step.parse("hider", {"fail": True}))
    frame = noise(16, 16)
    theirs, before = frame.planes, copied(frame)
    out = chain.process(frame)
    assert (out.planes.y == 16).all()
    assert (out.planes.u == 128).all()
    assert same(theirs, before)
    assert chain.covered == 1


def test_each_step_is_timed_by_the_clock(tmp_path: Path) -> None:
    ticks = iter(range(0, 10**12, 2_000_000))
    chain = Chain(Context(torch.device("cpu"), Store(tmp_path)), clock=lambda: next(ticks))
    put(chain, adder())
    for _ in range(10):
        luma(chain)
    assert chain.report()[0].duration.p50 == pytest.approx(2.0)
    assert chain.report()[0].duration.p99 == pytest.approx(2.0)


def test_a_voice_that_cannot_be_asked_for_is_none(chain: Chain, caplog: pytest.LogCaptureFixture) -> None:
    """It is asked for where a stream's packets come in."""
    put(chain, Step.parse("adder", {}))
    chain.process(flat(8, 8, 100))

    def voice(_: object) -> object:
        raise RuntimeError("on purpose")

    sys.modules["transforms.library.adder"].Adder.voice = property(voice)
    assert chain.voice is None
    assert "transform adder failed to say whether it has a voice" in caplog.text
