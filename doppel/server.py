"""``doppel serve``: everything is put together here, started, and taken down again."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import aiohttp.web as aiohttp_web
import torch
import uvloop
from aiortc import RTCIceServer

from doppel import models
from doppel.allocator import Sweeper, keep_frame_blocks
from doppel.config import Config, ConfigError
from doppel.device import choose
from doppel.downloads import DownloadLog
from doppel.warmup import Warmup
from signaling import ice_links
from signaling.errors import BadRequest
from signaling.rtmp import Authorizer, RtmpDoor, authorize_all, authorize_key
from signaling.sessions import Sessions
from signaling.source import SourceDoor
from stream.limits import Limits
from stream.loop_watch import LoopWatch
from stream.media.source import Allowed
from stream.metrics import Metrics
from stream.outputs import OutputRules
from stream.rtc.peer import PeerConfig
from stream.rtmp.server import RtmpServer
from stream.session import Engine
from stream.streams import Streams
from transforms.chain import Step
from transforms.packages.shelf import entries
from web import chain_document
from web.app import make_app, make_runner
from web.problem import Problem

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
    store = models.store(config, DownloadLog(), offline=not config.fetch_models)
    metrics = Metrics()
    metrics.watch(asyncio.get_running_loop())
    watch = LoopWatch(metrics)
    streams = Streams(Engine(device, store, _peers(config), metrics, outputs=_output_rules(config)))
    rtmp = RtmpServer(RtmpDoor(streams, _parse_chain, _authorizer(config)).on_publish)
    warmup = Warmup(device, store)
    app = make_app(
        sessions=Sessions(streams, config.codecs, config.start_bitrate, _ice_links(config)),
        streams=streams,
        sources=SourceDoor(streams, Allowed(config.pull_hosts, config.media_dir), config.max_pixels),
        models=lambda: entries(store),
        ready=warmup.why_not,
        metrics=metrics.registry,
        access_key=config.access_key,
        origins=config.cors_origins,
    )
    runner = make_runner(app)
    await runner.setup()
    worker = ThreadPoolExecutor(1, thread_name_prefix="doppel-warmup")
    watch.start()
    sweeper = Sweeper()
    sweeper.start()
    try:
        await aiohttp_web.TCPSite(runner, config.host, config.port).start()
        await _listen(rtmp, config)
        stopping = _stop_on_signals()
        warming = asyncio.get_running_loop().run_in_executor(worker, warmup.run)
        url = _url(runner)
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
                await runner.cleanup()
        except TimeoutError:
            logger.warning("not everything ended in %g s and is abandoned", config.shutdown_timeout)
        worker.shutdown(wait=False, cancel_futures=True)
        watch.stop()
        sweeper.close()
    return 0


async def _listen(rtmp: RtmpServer, config: Config) -> None:
    """Raises OSError where a port that was asked for cannot be had, and ConfigError where a certificate cannot be used."""
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
        assert config.tls_certificate is not None
        assert config.tls_key is not None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            await asyncio.to_thread(context.load_cert_chain, config.tls_certificate, config.tls_key)
        except OSError as error:
            raise ConfigError(
                f"{config.tls_certificate} and {config.tls_key} are no certificate and key that TLS can use "
                f"({error.strerror or error}); both are PEM files, and the key has no password"
            ) from error
        port = await rtmp.listen(config.host, config.rtmps_port, context)
        logger.info("RTMPS publishers may come to port %d, live/NAME", port)


def _parse_chain(text: str) -> Sequence[Step]:
    """As HTTP's ``?chain=`` is read. Raises BadRequest and TransformError."""
    try:
        return chain_document.parse_query(text)
    except Problem as problem:
        raise BadRequest(problem.detail) from problem


def _output_rules(config: Config) -> OutputRules:
    return OutputRules(config.recordings_dir, frozenset(config.push_hosts))


def _authorizer(config: Config) -> Authorizer:
    return authorize_key(config.access_key.get_secret_value()) if config.access_key is not None else authorize_all


def _ice_links(config: Config) -> list[str]:
    return [
        ice_links.link(server.urls, server.username, server.credential.get_secret_value() if server.credential else None)
        for server in config.ice_servers
    ]


def _ice_servers(config: Config) -> list[RTCIceServer]:
    return [
        RTCIceServer(server.urls, server.username, server.credential.get_secret_value() if server.credential else None)
        for server in config.ice_servers
    ]


def _peers(config: Config) -> PeerConfig:
    return PeerConfig(
        addresses=config.ice_address,
        ice_servers=_ice_servers(config),
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


def _url(runner: aiohttp_web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
