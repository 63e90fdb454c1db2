"""What the configuration says of UDP ports, STUN and TURN, made of the parts that know how."""

from __future__ import annotations

from collections.abc import Iterator

from aiortc import RTCIceServer

from doppel.config import Config, ConfigError
from signaling.turn import IceServer, IceServers, TurnSecret
from stream.metrics import Metrics
from stream.rtc.ice import host_addresses
from stream.rtc.ports import FreePorts, PortRange, Ports
from stream.rtc.udp_mux import REASONS, UdpMux


def ice_servers(config: Config) -> IceServers:
    """Those that clients are told of."""
    servers = [
        IceServer(server.urls, server.username, server.credential.get_secret_value() if server.credential else None)
        for server in config.ice_servers
    ]
    return IceServers(servers, TurnSecret(config.turn_secret.get_secret_value(), config.turn_ttl) if config.turn_secret else None)


class OwnServers:
    """Those that this server asks itself, for each peer anew."""

    def __init__(self, servers: IceServers, turn: bool) -> None:
        self._servers = servers
        self._turn = turn

    def __iter__(self) -> Iterator[RTCIceServer]:
        return (RTCIceServer(s.url, s.username, s.credential) for s in self._servers if self._turn or not s.relays)


async def listen(ports: Ports, config: Config) -> None:
    """Binds the port that all peers share, if they do. Raises ConfigError where that cannot be had."""
    if isinstance(ports, UdpMux):
        try:
            await ports.start(config.ice_address or host_addresses(), all_of_them=bool(config.ice_address))
        except OSError as error:
            raise ConfigError(str(error.strerror or error)) from error


def ports(config: Config, metrics: Metrics) -> Ports:
    """Where peers' sockets come from."""
    if config.udp_port is not None:
        dropped = {reason: metrics.datagrams.labels(reason) for reason in REASONS}
        return UdpMux(config.udp_port, lambda reason: dropped[reason].inc())
    if config.udp_ports is not None:
        first, last = config.udp_ports.split("-")
        return PortRange(int(first), int(last))
    return FreePorts()
