"""``doppel doctor``: looks at everything that a server with this configuration needs, and says what to do."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import Literal

import aiomqtt
import av
import torch
from aiortc import RTCIceServer

from doppel import models, mqtt, network
from doppel.config import Config, ConfigError
from doppel.device import DeviceError, choose
from doppel.health import url_of
from signaling.turn import IceServer
from stream.rtc.ice import host_addresses, probe
from transforms.packages.shelf import entries

PATIENCE = 5.0
"""s for a server to answer."""

FILES = 4096
"""Descriptors that a full server may need: some for each peer, push and recording."""

SPACE = 2 << 30
"""Bytes free below which recordings and models are in danger: two hours of one recording at 2 Mb/s."""

CODECS = {"H264": ("h264", "libx264"), "VP8": ("vp8", "libvpx")}
"""Decoder and encoder by the name in ``codecs``."""

Level = Literal["ok", "look", "wrong"]
COLOURS: dict[Level, str] = {"ok": "32", "look": "33", "wrong": "31"}


@dataclass(frozen=True, slots=True)
class Finding:
    about: str
    level: Level
    """``look``: it will work, but not as somebody may expect."""
    told: str
    """What was found, and what to do about it."""


def examine(config: Config) -> int:
    """Prints all findings; 1 where something is wrong. Sends nothing but to the servers that the configuration names."""
    return asyncio.run(_examine(config))


async def _examine(config: Config) -> int:
    worst = 0
    colours = os.isatty(1)
    for look in _checks(config):
        found = look()
        for finding in await found if isinstance(found, Awaitable) else found:
            mark = f"\033[{COLOURS[finding.level]}m{finding.level:5}\033[0m" if colours else f"{finding.level:5}"
            print(f"{mark}  {finding.about:10} {finding.told}", flush=True)
            worst = max(worst, finding.level == "wrong")
    return int(worst)


def _checks(config: Config) -> Iterator[Callable[[], list[Finding] | Awaitable[list[Finding]]]]:
    yield partial(_ports, config)
    yield partial(_addresses, config)
    for server in network.ice_servers(config):
        yield partial(_server, server)
    yield partial(_device, config)
    yield partial(_codecs, config)
    yield partial(_weights, config)
    if config.mqtt_url is not None:
        yield partial(_broker, config)
    yield partial(_machine, config)


def _ports(config: Config) -> list[Finding]:
    wanted = [("HTTP", config.port)]
    wanted += [("RTMP", config.rtmp_port)] if config.rtmp else []
    wanted += [("RTMPS", config.rtmps_port)] if config.rtmps_port is not None else []
    found = []
    for name, port in wanted:
        if port == 0:
            continue
        error = _taken(config.host, port, socket.SOCK_STREAM)
        if error is None:
            found.append(Finding("ports", "ok", f"{name} can have TCP port {port} of {config.host}"))
        elif error.errno == 98:
            found.append(
                Finding("ports", "look", f"TCP port {port} for {name} is taken: by doppel itself? {url_of(config)}/readyz tells")
            )
        else:
            found.append(Finding("ports", "wrong", f"TCP port {port} of {config.host} cannot be had: {error.strerror}"))
    return found


def _addresses(config: Config) -> list[Finding]:
    found = []
    addresses = list(config.ice_address) or host_addresses()
    if not addresses:
        return [Finding("ICE", "wrong", "this machine has no address that peers could reach; name one with --ice-address")]
    ports = [config.udp_port] if config.udp_port is not None else [0]
    if config.udp_ports is not None:
        ports = [int(word) for word in config.udp_ports.split("-")]
    for address in addresses:
        errors = [error for port in ports if (error := _taken(address, port, socket.SOCK_DGRAM)) is not None]
        if errors and errors[0].errno == 98:
            found.append(Finding("ICE", "look", f"UDP port {ports[0]} of {address} is taken: by doppel itself?"))
        elif errors:
            advice = "name an address of this machine with --ice-address, and what clients see with --announce-address"
            found.append(Finding("ICE", "wrong", f"{address} cannot be bound ({errors[0].strerror}); {advice}"))
        else:
            where = "any UDP port" if ports == [0] else f"UDP port {'-'.join(map(str, ports))}"
            found.append(Finding("ICE", "ok", f"peers can come to {where} of {address}"))
    told = list(config.announce_address) or addresses
    if all(ip_address(address).is_loopback for address in told) and not _loopback(config.host):
        found.append(Finding("ICE", "wrong", "others may call, but media stays on this machine; set announce_address"))
    elif not config.announce_address and not _loopback(config.host) and all(ip_address(a).is_private for a in told):
        advice = "behind NAT set announce_address to the address that clients reach"
        found.append(Finding("ICE", "look", f"only private addresses are told ({', '.join(told)}): {advice}"))
    return found


async def _server(server: IceServer) -> list[Finding]:
    about = "TURN" if server.relays else "STUN"
    advice = "check its address, port, secret and clock"
    try:
        address = await probe(RTCIceServer(server.url, server.username, server.credential), PATIENCE)
    except (OSError, TimeoutError, ValueError) as error:
        return [Finding(about, "wrong", f"{server.url}: {str(error) or 'it refuses, or does not answer'}; {advice}")]
    if address is None:
        return [Finding(about, "wrong", f"{server.url} does not answer as it should; {advice}")]
    return [Finding(about, "ok", f"{server.url} gives {address}")]


def _device(config: Config) -> list[Finding]:
    try:
        device = choose(config.device)
    except DeviceError as error:
        return [Finding("device", "wrong", str(error))]
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        free, total = torch.cuda.mem_get_info(device)
        return [Finding("device", "ok", f"{device}, {name}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free")]
    cores = len(os.sched_getaffinity(0))
    level: Level = "ok" if cores >= 2 else "look"
    return [Finding("device", level, f"the CPU, {cores} cores: some {cores * 3} streams of 720p30, fewer with transforms")]


def _codecs(config: Config) -> list[Finding]:
    found = []
    for name in config.codecs:
        decoder, encoder = CODECS[name]
        missing = [codec for codec, there in ((decoder, _has(decoder, "r")), (encoder, _has(encoder, "w"))) if not there]
        if missing:
            found.append(Finding("codecs", "wrong", f"{name}: PyAV lacks {' and '.join(missing)}; install a wheel of av"))
        else:
            found.append(Finding("codecs", "ok", f"{name}: {' and '.join(CODECS[name])}"))
    return found


def _has(codec: str, mode: Literal["r", "w"]) -> bool:
    try:
        av.Codec(codec, mode)
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def _weights(config: Config) -> list[Finding]:
    store = models.store(config)
    absent = [entry.id for entry in entries(store) if entry.id in store.catalogue.usual and not entry.present]
    if not absent:
        return [Finding("weights", "ok", f"all that is used unasked is in {store.root}")]
    told = f"absent from {store.root}: {', '.join(absent)}; run `doppel models fetch`"
    return [Finding("weights", "look" if config.fetch_models else "wrong", told)]


async def _broker(config: Config) -> list[Finding]:
    try:
        broker = mqtt.broker(config)
    except ConfigError as error:
        return [Finding("broker", "wrong", str(error))]
    assert broker is not None
    client = aiomqtt.Client(
        broker.host,
        broker.port,
        username=broker.username,
        password=broker.password,
        tls_context=broker.tls,
        timeout=PATIENCE,
    )
    try:
        async with asyncio.timeout(2 * PATIENCE), client:
            pass
    except (aiomqtt.MqttError, OSError, TimeoutError) as error:
        return [
            Finding("broker", "wrong", f"{broker.host}:{broker.port}: {error or 'no answer'}; check mqtt_url and the password")
        ]
    return [Finding("broker", "ok", f"{broker.host}:{broker.port} lets this node in")]


def _machine(config: Config) -> list[Finding]:
    found = []
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES:
        found.append(Finding("machine", "look", f"{soft} open files are allowed; a full server wants {FILES}: ulimit -n {FILES}"))
    for name, folder in (("recordings_dir", config.recordings_dir), ("models_dir", models.store(config).root)):
        if folder is None:
            continue
        there = next(each for each in (folder, *folder.parents) if each.exists())
        if not os.access(there, os.W_OK):
            found.append(Finding("machine", "wrong", f"{name} {folder} cannot be written to"))
        elif (free := shutil.disk_usage(there).free) < SPACE:
            found.append(Finding("machine", "look", f"{name} {folder} has {free / 1e9:.1f} GB left"))
    if shutil.which("ffmpeg") is None:
        found.append(Finding("machine", "look", "there is no ffmpeg program: sources by SRT need it, nothing else does"))
    return found or [Finding("machine", "ok", "files, folders and programs are as they should be")]


def _taken(host: str, port: int, kind: socket.SocketKind) -> OSError | None:
    """Why that port cannot be bound."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=kind)[0]
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:
                # What was closed a moment ago does not count.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
