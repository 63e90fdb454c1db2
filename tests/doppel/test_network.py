from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from doppel import network
from doppel.config import Config, ConfigError, IceServer
from stream.metrics import Metrics
from stream.rtc.ports import FreePorts, PortRange
from stream.rtc.udp_mux import REASONS, UdpMux

SECRET = SecretStr("s3cret-" * 4)
TURN = IceServer(urls="turn:turn.example:3478")
STUN = IceServer(urls="stun:stun.example:3478")


def test_ports() -> None:
    metrics = Metrics()
    assert isinstance(network.ports(Config(), metrics), FreePorts)
    assert isinstance(network.ports(Config(udp_ports="50000-50100"), metrics), PortRange)
    assert isinstance(network.ports(Config(udp_port=0), metrics), UdpMux)


def test_what_the_shared_port_drops_is_counted_by_reason() -> None:
    metrics = Metrics()
    ports = network.ports(Config(udp_port=0), metrics)
    assert isinstance(ports, UdpMux)
    ports._on_dropped("unknown_peer")
    counted = {
        reason: metrics.registry.get_sample_value("doppel_dropped_datagrams_total", {"reason": reason}) for reason in REASONS
    }
    assert counted == dict.fromkeys(REASONS, 0) | {"unknown_peer": 1}


async def test_a_port_that_cannot_be_had_is_a_setting_that_cannot_be_used() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        config = Config(udp_port=other.getsockname()[1], ice_address=("127.0.0.1",))
        with pytest.raises(ConfigError, match="cannot be had: Address already in use; choose another udp_port"):
            await network.listen(network.ports(config, Metrics()), config)


def test_clients_are_told_of_every_server_and_this_one_asks_turn_only_where_it_is_told_to() -> None:
    config = Config(ice_servers=(STUN, TURN), turn_secret=SECRET, turn_ttl=60)
    servers = network.ice_servers(config)
    assert [server.url for server in servers] == [STUN.urls, TURN.urls]
    assert [server.urls for server in network.OwnServers(servers, turn=False)] == [STUN.urls]
    own = list(network.OwnServers(servers, turn=True))
    assert [server.urls for server in own] == [STUN.urls, TURN.urls]
    assert own[1].username
    assert own[1].credential


def test_the_turn_secret_can_stand_in_a_file_and_is_not_printed(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET.get_secret_value() + "\n")
    config = Config(ice_servers=(TURN,), turn_secret_file=file)
    assert config.turn_secret == SECRET
    for printed in (repr(config), str(config), config.model_dump_json()):
        assert SECRET.get_secret_value() not in printed
    with pytest.raises(ValidationError, match="both set; keep one"):
        Config(ice_servers=(TURN,), turn_secret_file=file, turn_secret=SECRET)
    with pytest.raises(ValidationError, match=r"turn_secret_file .*absent cannot be read: No such file"):
        Config(ice_servers=(TURN,), turn_secret_file=tmp_path / "absent")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"udp_port": 70_000}, "less than or equal to 65535"),
        ({"udp_ports": "50000"}, "first and the last port, such as 50000-50100"),
        ({"udp_ports": "50100-50000"}, "first and the last port"),
        ({"udp_ports": "0-100"}, "first and the last port"),
        ({"udp_ports": "60000-70000"}, "first and the last port"),
        ({"udp_ports": "50000-50100", "udp_port": 50_000}, "both set; keep udp_port"),
        ({"announce_address": ["media.example"]}, "is no IP address"),
        ({"announce_address": ["0.0.0.0"]}, r"no peer can reach 0\.0\.0\.0"),
        ({"turn_secret": SECRET}, "there is no TURN server: name it in ice_servers"),
        ({"turn_for_server": True, "ice_servers": [STUN]}, "there is no TURN server"),
        ({"ice_servers": [TURN]}, "turn:turn.example:3478 needs credentials: set turn_secret_file"),
        ({"ice_servers": [TURN], "turn_secret": "too-short"}, "16 to 256 characters"),
        ({"ice_servers": [TURN], "turn_secret": SECRET, "turn_ttl": 1}, "greater than or equal to 60"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told) as caught:
        Config(**wrong)
    assert "too-short" not in str(caught.value)
