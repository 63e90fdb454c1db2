"""What commands do to streams."""

from __future__ import annotations

import pytest

from signaling.errors import Conflict
from signaling.mqtt.commands import Command, RecordCommand, SettingsCommand, StopCommand, parse, read
from signaling.mqtt.executor import Executor
from stream.errors import UnknownStream
from stream.outputs import OutputRefused
from tests.signaling.mqtt.fakes import FakeStream, FakeStreams
from transforms.chain import Step
from transforms.errors import InvalidSettings, UnknownTransform


def command(text: str) -> Command:
    return parse(read(text.encode()))


def settings(values: str, more: str = "") -> Command:
    return command(f'{{"command": "settings", "transform": "anonymize", "settings": {values}{more}}}')


@pytest.fixture
def streams() -> FakeStreams:
    return FakeStreams()


@pytest.fixture
def anna(streams: FakeStreams) -> FakeStream:
    steps = [Step.parse("grade", {}), Step.parse("anonymize", {"style": "blur", "strength": 30})]
    return streams.add("anna", steps=steps)


async def run(streams: FakeStreams, wanted: Command) -> str | None:
    return await Executor(streams).run("anna", wanted)


async def test_a_chain_takes_the_place_of_the_one_before(streams: FakeStreams, anna: FakeStream) -> None:
    await run(streams, command('{"command": "chain", "chain": [{"transform": "anonymize", "settings": {"style": "solid"}}]}'))
    assert [(step.key, step.settings.model_dump()["style"]) for step in anna.steps] == [("anonymize", "solid")]
    await run(streams, command('{"command": "chain", "chain": []}'))
    assert anna.steps == []


async def test_settings_that_are_left_out_stay_as_they_are(streams: FakeStreams, anna: FakeStream) -> None:
    grade = anna.steps[0]
    await run(streams, settings('{"style": "solid"}'))
    assert anna.steps[0] is grade
    assert anna.steps[1].settings.model_dump()["style"] == "solid"
    assert anna.steps[1].settings.model_dump()["strength"] == 30


async def test_of_several_steps_the_one_meant_must_be_said(streams: FakeStreams, anna: FakeStream) -> None:
    anna.steps = [Step.parse("anonymize", {}), Step.parse("anonymize", {})]
    with pytest.raises(Conflict, match="say which with `step`"):
        await run(streams, settings('{"style": "solid"}'))
    await run(streams, settings('{"style": "solid"}', ', "step": 1'))
    assert [step.settings.model_dump()["style"] for step in anna.steps] == ["pixelate", "solid"]
    with pytest.raises(Conflict, match="step 2 of the chain is not"):
        await run(streams, settings('{"style": "solid"}', ', "step": 2'))


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ('{"command": "settings", "transform": "makeup", "settings": {}}', Conflict),
        ('{"command": "settings", "transform": "grade", "settings": {"more": 1}}', InvalidSettings),
        ('{"command": "chain", "chain": [{"transform": "nothing"}]}', UnknownTransform),
        ('{"command": "chain", "chain": [{"transform": "grade", "settings": {"gamma": "x"}}]}', InvalidSettings),
    ],
)
async def test_what_cannot_be_leaves_the_chain_as_it_was(
    streams: FakeStreams, anna: FakeStream, wanted: str, error: type[Exception]
) -> None:
    before = list(anna.steps)
    with pytest.raises(error):
        await run(streams, command(wanted))
    assert anna.steps == before


async def test_a_chain_that_changed_meanwhile_is_not_overwritten(streams: FakeStreams, anna: FakeStream) -> None:
    class Changing(FakeStream):
        """Somebody else changes the chain after each look at it."""

        def __getattribute__(self, name: str) -> object:
            value = super().__getattribute__(name)
            if name == "steps":
                self.steps = [Step.parse("anonymize", {"strength": 40})]
            return value

    streams.streams["anna"] = Changing("anna", steps=anna.steps)
    with pytest.raises(Conflict, match="by somebody else"):
        await run(streams, settings('{"style": "solid"}'))


async def test_a_recording_is_started_once_and_ended(streams: FakeStreams, anna: FakeStream) -> None:
    start = RecordCommand(command="record", action="start")
    assert await run(streams, start) == "film0.mp4"
    assert await run(streams, start) == "film0.mp4"
    assert len(anna.outputs.listed) == 1
    for _ in range(2):
        assert await run(streams, RecordCommand(command="record", action="stop")) is None
        assert anna.outputs.listed == []


async def test_a_recording_that_may_not_be_is_refused(streams: FakeStreams, anna: FakeStream) -> None:
    anna.outputs.refusal = "recording is off"
    with pytest.raises(OutputRefused):
        await run(streams, RecordCommand(command="record", action="start"))


async def test_stop_ends_the_stream(streams: FakeStreams, anna: FakeStream) -> None:
    await run(streams, StopCommand(command="stop"))
    assert streams.ended == [("anna", "it was ended over MQTT")]


async def test_a_stream_that_is_not_there(streams: FakeStreams) -> None:
    for wanted in (StopCommand(command="stop"), SettingsCommand(command="settings", transform="grade", settings={})):
        with pytest.raises(UnknownStream):
            await run(streams, wanted)
