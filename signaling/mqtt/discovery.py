"""A stream as Home Assistant finds it: one device with its state, its frame rate, and a switch for recording.

https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
"""

from __future__ import annotations

import json
from typing import Any

from signaling.mqtt.topics import Topics

PREFIX = "homeassistant"
"""Where Home Assistant looks, unless it is told otherwise."""


class Discovery:
    """The documents that a node retains there."""

    def __init__(self, topics: Topics, version: str, *, recordings: bool) -> None:
        """``recordings``: whether the operator allows any; else there is no switch."""
        self._topics = topics
        self._version = version
        self._recordings = recordings

    def topic(self, stream: str) -> str:
        """Where a stream's device is."""
        return f"{PREFIX}/device/doppel-{self._topics.node}/{stream}/config"

    @property
    def all(self) -> str:
        """A filter for this node's devices."""
        return self.topic("+")

    def stream(self, topic: str) -> str | None:
        """Whose device that is; None where it is something else."""
        start, end = self.topic("+").split("+")
        return topic[len(start) : -len(end)] if topic.startswith(start) and topic.endswith(end) else None

    def document(self, stream: str) -> bytes:
        id = f"doppel-{self._topics.node}-{stream}"
        parts: dict[str, Any] = {
            "state": {
                "platform": "sensor",
                "unique_id": f"{id}-state",
                "name": "State",
                "icon": "mdi:video",
                "state_topic": self._topics.of(stream, "state"),
                "value_template": "{{ value_json.state }}",
            },
            "fps": {
                "platform": "sensor",
                "unique_id": f"{id}-fps",
                "name": "Frame rate",
                "icon": "mdi:speedometer",
                "state_class": "measurement",
                "unit_of_measurement": "fps",
                "state_topic": self._topics.of(stream, "stats"),
                "value_template": "{{ value_json.fps_out }}",
            },
        }
        if self._recordings:
            parts["recording"] = {
                "platform": "switch",
                "unique_id": f"{id}-recording",
                "name": "Recording",
                "icon": "mdi:record-rec",
                "command_topic": self._topics.of(stream, "set"),
                "payload_on": json.dumps({"command": "record", "action": "start"}),
                "payload_off": json.dumps({"command": "record", "action": "stop"}),
                "state_topic": self._topics.of(stream, "state"),
                "value_template": "{{ 'ON' if value_json.recording else 'OFF' }}",
                "state_on": "ON",
                "state_off": "OFF",
            }
        document = {
            "device": {"identifiers": [id], "name": f"doppel {stream} on {self._topics.node}", "sw_version": self._version},
            "origin": {"name": "doppel", "sw_version": self._version},
            "availability": [{"topic": self._topics.status, "value_template": "{{ value_json.state }}"}],
            "components": parts,
        }
        return json.dumps(document).encode()
