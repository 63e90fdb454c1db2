"""Writes ``docs/mqtt.md`` anew: ``python -m docs.mqtt``, from the root of the repository.

Topics, bounds and schemas are those of the code in ``signaling/mqtt``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from signaling.mqtt import limits
from signaling.mqtt.commands import ADAPTER, EXAMPLES
from signaling.mqtt.discovery import Discovery
from signaling.mqtt.documents import Event, Reply, Stats, Status, StreamState
from signaling.mqtt.metrics import DROPPABLE, RESULTS
from signaling.mqtt.topics import Topics

PAGE = Path(__file__).with_name("mqtt.md")

_TOPICS = Topics("doppel", "{node}")

HEAD = """\
# MQTT

<!-- Made by `python -m docs.mqtt`; change that, or signaling/mqtt, instead. -->

A server with `mqtt_url` is a node of a fleet: it tells a broker (MQTT 5: mosquitto, EMQX, HiveMQ, ...) how its streams do, and
takes commands to them from there.

```toml
# doppel.toml
mqtt_url = "mqtts://broker.example"
mqtt_username = "doppel"
mqtt_password_file = "/etc/doppel/mqtt"
mqtt_node = "studio-1"
```

**Who may publish on a `set` topic commands the streams**: the broker's access control says who that is. What a node needs
there: to read and write `doppel/{node}/#`; with `mqtt_discovery` the same of
`homeassistant/device/doppel-{node}/#`; and to write to the response topics that your clients name. For mosquitto:

```
user doppel
topic readwrite doppel/studio-1/#
topic readwrite homeassistant/device/doppel-studio-1/#

user desk
topic read doppel/#
topic write doppel/+/streams/+/set
```

`{node}` is `mqtt_node`, or the host's name up to its first dot; no two servers at one broker may share it. `{stream}` is a
stream's name. [configuration.md](configuration.md) has every setting.

## Topics
"""

RULES = f"""\

- **State** is retained. A stream that is over has none: its topic is cleared. After a reconnect everything is published anew, and
  what the node left at the broker before (another run of it, too) and is not there any more is cleared.
- While the broker is away, the newest state of each stream is kept, and {limits.MAX_QUEUED} other messages: of these the oldest
  stats are dropped first, then events, then replies. `doppel_mqtt_dropped_messages_total` counts them.
- For replies within some ms rather than 50, mosquitto wants `set_tcp_nodelay true` in its configuration, and clients TCP_NODELAY.
- A node that is lost is `offline` within {limits.KEEPALIVE * 1.5:g} s, by its last will; one that is stopped says so.
- It connects again after {limits.FIRST_RETRY:g} s, then after twice as long each time, up to {limits.LONGEST_RETRY:g} s, of which
  up to a half is left out by chance.

## Commands

Publish one of these on `{_TOPICS.of("{stream}", "set")}`, without the retain flag:

```json
{chr(10).join(EXAMPLES)}
```

- Each gets one **reply**, on `{_TOPICS.replies}`, or on the response topic that MQTT 5 lets you name, with your correlation data.
  A response topic below `doppel/` or `homeassistant/` is not used. Commands without an `id` are replied to without one.
- All of a node's commands are done **one after the other**, in the order in which they came. One that takes longer than
  {limits.COMMAND_PATIENCE:g} s (a model has to be fetched first) is replied to with 202 and goes on, and so does the next.
- {limits.MAX_COMMANDS} may wait, and {limits.MAX_COMMAND_BYTES // 2**20} MiB; one more is replied to with 503 (busy), at once.
- A command has at most {limits.MAX_PAYLOAD // 2**20} MiB. What cannot be read, or does not fit, is replied to in words.
- Retained commands are not done, since the broker would send them again with every connection.
- Sending a command again does no harm: a recording that runs is not started twice, and one that does not run ends just so.
- A command that is sent while the node is away is lost: without a reply, send it again.

`settings` changes those settings that it names, and costs what `PUT /api/streams/{{stream}}/chain` costs with the same
transforms: nothing is loaded anew, and they hold from the next frame on.

```sh
mosquitto_sub -h broker.example -t 'doppel/#' -v &
mosquitto_pub -h broker.example -t doppel/studio-1/streams/anna/set \\
  -m '{{"id": "1", "command": "settings", "transform": "anonymize", "settings": {{"style": "blur"}}}}'
```

## Home Assistant

With `mqtt_discovery = true` each stream is a device there, for as long as it lives: its state, its frame rate, and, where
`recordings_dir` is set, a switch that records. They come by
[device discovery](https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload), which needs Home Assistant 2024.11
or later with its discovery prefix left at `homeassistant`.

## Metrics

| name | meaning |
|---|---|
| `doppel_mqtt_connected` | 1 while the broker is there |
| `doppel_mqtt_connections_total` | times that it was connected to |
| `doppel_mqtt_dropped_messages_total{{kind}}` | messages that it never got: {", ".join(DROPPABLE)} |
| `doppel_mqtt_commands_total{{result}}` | commands: {", ".join(RESULTS)} |
| `doppel_mqtt_command_seconds` | from a command's arrival to its reply |

## Schemas

JSON Schema 2020-12. Members that are null are left out of what a node publishes.
"""


def _row(topic: str, about: str, schema: str, how: str) -> str:
    return f"| `{topic}` | {about} | [{schema}](#{schema.lower()}) | {how} |"


def _table() -> Iterable[str]:
    yield "| topic | what it says | payload | QoS, retained |\n|---|---|---|---|"
    yield _row(_TOPICS.status, "whether the node is there; also its last will", "Status", "1, retained")
    yield _row(_TOPICS.of("{stream}", "state"), "what a stream is now, at every change", "StreamState", "1, retained")
    yield _row(_TOPICS.of("{stream}", "stats"), "its figures, every `mqtt_stats_interval` seconds", "Stats", "0")
    yield _row(_TOPICS.of("{stream}", "events"), "what happened to it", "Event", "1")
    yield _row(_TOPICS.of("{stream}", "set"), "**to the node**: a command", "Command", "0 or 1, never retained")
    yield _row(_TOPICS.replies, "what came of commands", "Reply", "1")
    topic = Discovery(_TOPICS, "", recordings=True).topic("{stream}")
    yield f"| `{topic}` | a device for Home Assistant, with `mqtt_discovery` | Home Assistant's | 1, retained |"


def _schema(name: str, schema: dict[str, Any]) -> str:
    return f"### {name}\n\n```json\n{_folded(schema)}\n```\n"


def _folded(schema: dict[str, Any]) -> str:
    """A line for each property and definition."""
    lines = []
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            inner = ",\n".join(f"    {json.dumps(name)}: {json.dumps(each)}" for name, each in value.items())
            lines.append(f"  {json.dumps(key)}: {{\n{inner}\n  }}")
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}"


def _schemas() -> Iterable[str]:
    models: tuple[type[BaseModel], ...] = (Status, StreamState, Stats, Event, Reply)
    for model in models:
        yield _schema(model.__name__, model.model_json_schema(mode="serialization"))
    yield _schema("Command", ADAPTER.json_schema())


def document() -> str:
    return "\n".join([HEAD, *_table(), RULES, *_schemas()])


if __name__ == "__main__":
    PAGE.write_text(document())
    sys.exit(0)
