"""``doppel serve``: everything is put together here, started, and taken down again."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import aiohttp.web as aiohttp_web
import torch
import uvloop

from doppel import authority, logs, models, mqtt, network
from doppel.allocator import Sweeper, keep_frame_blocks
from doppel.config import Config
from doppel.device import choose
from doppel.downloads import DownloadLog
from doppel.reloading import Reloader
from doppel.tls import Certificate
from doppel.warmup import Warmup
from doppel.webhook import WebhookClient
from signaling import chain_document
from signaling.auth.keyring import KeyRing
from signaling.ice_links import IceLinks
from signaling.rtmp import RtmpDoor
from signaling.sessions import Sessions
from signaling.source import SourceDoor
from stream.engine import Engine
from stream.exposition import Exposition
from stream.limits import Limits
from stream.loop_watch import LoopWatch
from stream.media.source import Allowed
from stream.metrics import Metrics
from stream.outputs import OutputRules
from stream.rtc.peer import PeerConfig
from stream.rtc.ports import Ports
from stream.rtc.udp_mux import UdpMux
from stream.rtmp.server import RtmpServer
from stream.streams import Streams
from stream.system import System
from transforms.packages.shelf import entries
from web.app import make_app, make_runner

logger = logging.getLogger(__name__)

SWITCH_INTERVAL = 0.001
"""s a thread may keep the GIL while others want it: the default of 5 ms would be a third of a frame's way."""


def serve(config: Config) -> int:
    """Runs until SIGINT or SIGTERM. Raises DeviceError, and OSError where the port cannot be had."""
    # Streams share the cores by their threads; torch's own would only compete with them.
    torch.set_num_threads(1)
    keep_frame_blocks()
    sys.setswitchinterval(SWITCH_INTERVAL)
    return uvloop.run(_serve(config))


async def _serve(config: Config) -> int:
    device = choose(config.device)
    keys = authority.ring(config)
    certificate = Certificate(config.tls_certificate, config.tls_key) if config.tls_certificate and config.tls_key else None
    webhook = WebhookClient(config.auth_webhook) if config.auth_webhook else None
    reloader = Reloader([*_key_reloads(keys), *([certificate.reload] if certificate else [])])
    broker = mqtt.broker(config)
    store = models.store(config, DownloadLog(), offline=not config.fetch_models)
    metrics = Metrics()
    decider = authority.make(config, keys, webhook, lambda action: metrics.refused_calls.labels(action).inc())
    ports = network.ports(config, metrics)
    metrics.watch(asyncio.get_running_loop())
    watch = LoopWatch(metrics)
    engine = Engine(
        device,
        store,
        _peers(config, ports),
        metrics,
        outputs=_output_rules(config),
        allow_listening=config.allow_listening,
    )
    streams = Streams(engine)
    rtmp = RtmpServer(RtmpDoor(streams, chain_document.parse_query, decider).on_publish)
    node = mqtt.node(config, broker, streams, metrics) if broker else None
    exposition = Exposition(streams.tallies, store.meter.snapshot)
    metrics.registry.register(exposition)
    warmup = Warmup(device, store)
    app = make_app(
        sessions=Sessions(streams, config.codecs, config.start_bitrate, IceLinks(network.ice_servers(config))),
        streams=streams,
        sources=SourceDoor(streams, Allowed(config.pull_hosts, config.media_dir), config.max_pixels),
        models=lambda: entries(store),
        ready=warmup.why_not,
        metrics=metrics.registry,
        look=exposition.look,
        system=System(engine, streams, watch).report,
        authority=decider,
        origins=config.cors_origins,
        trusted_proxies=config.trusted_proxies,
        hsts=config.hsts,
    )
    runner = make_runner(app, encrypted=config.https)
    await runner.setup()
    worker = ThreadPoolExecutor(1, thread_name_prefix="doppel-warmup")
    watch.start()
    sweeper = Sweeper()
    sweeper.start()
    reloader.start()
    try:
        await network.listen(ports, config)
        context = certificate.context if certificate else None
        await aiohttp_web.TCPSite(runner, config.host, config.port, ssl_context=context if config.https else None).start()
        await _listen(rtmp, config, context)
        if node is not None:
            node.start()
        stopping = _stop_on_signals()
        warming = asyncio.get_running_loop().run_in_executor(worker, warmup.run)
        url = _url(runner, "https" if config.https else "http")
        logger.info("doppel serves on %s, transforms on %s", url, device)
        await asyncio.wait({warming, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done() and warmup.why_not() is None:
            # What is here now stays: each look for garbage, which holds up every thread, is then at the streams' objects alone.
            gc.freeze()
            print(f"\n  doppel is ready: open {url} in a browser\n", flush=True)
        await stopping
    finally:
        logger.info("shutting down")
        warmup.cancel()
        try:
            async with asyncio.timeout(config.shutdown_timeout):
                await asyncio.gather(rtmp.close(), streams.close())
                if node is not None:
                    await node.close()
                await runner.cleanup()
        except TimeoutError:
            logger.warning("not everything ended in %g s and is abandoned", config.shutdown_timeout)
        if isinstance(ports, UdpMux):
            ports.close()
        worker.shutdown(wait=False, cancel_futures=True)
        watch.stop()
        sweeper.close()
        await reloader.close()
        await decider.close()
        if webhook is not None:
            await webhook.close()
    return 0


def _key_reloads(keys: KeyRing | None) -> list[Callable[[], bool]]:
    """What reads the keys again; those that are sent as they are never get into the log."""
    if keys is None:
        return []
    logs.hide(authority.secrets(keys))

    def reload() -> bool:
        changed = keys.reload()
        if changed:
            logs.hide(authority.secrets(keys))
        return changed

    return [reload]


async def _listen(rtmp: RtmpServer, config: Config, context: ssl.SSLContext | None) -> None:
    """Raises OSError where a port that was asked for cannot be had."""
    if config.rtmp:
        try:
            port = await rtmp.listen(config.host, config.rtmp_port)
        except OSError as error:
            if "rtmp_port" in config.model_fields_set:
                raise
            # Nobody asked for it: two servers on one machine are no fault.
            logger.warning(
                "no RTMP: port %d cannot be had (%s); choose another with --rtmp-port", config.rtmp_port, error.strerror
            )
        else:
            logger.info("RTMP publishers may come to port %d, live/NAME", port)
    if config.rtmps_port is not None:
        assert context is not None  # which the configuration sees to
        port = await rtmp.listen(config.host, config.rtmps_port, context)
        logger.info("RTMPS publishers may come to port %d, live/NAME", port)


def _output_rules(config: Config) -> OutputRules:
    return OutputRules(config.recordings_dir, frozenset(config.push_hosts))


def _peers(config: Config, ports: Ports) -> PeerConfig:
    return PeerConfig(
        addresses=config.ice_address,
        ice_servers=network.OwnServers(network.ice_servers(config), config.turn_for_server),
        ports=ports,
        announced=config.announce_address,
        limits=Limits(
            max_streams=config.max_streams,
            max_viewers=config.max_viewers,
            max_renditions=config.max_renditions,
            publisher_timeout=config.publisher_timeout,
            steady_bitrate=config.steady_bitrate,
            max_pixels=config.max_pixels,
            max_fps=config.max_fps,
            max_bitrate=config.max_bitrate,
            start_bitrate=config.start_bitrate,
            connect_timeout=config.connect_timeout,
            silence_timeout=config.silence_timeout,
        ),
    )


def _stop_on_signals() -> asyncio.Future[None]:
    loop = asyncio.get_running_loop()
    stopping: asyncio.Future[None] = loop.create_future()

    def stop() -> None:
        if not stopping.done():
            stopping.set_result(None)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    return stopping


def _url(runner: aiohttp_web.AppRunner, scheme: str) -> str:
    host, port = runner.addresses[0][:2]
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    return f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"
