"""``doppel serve``: everything is put together here, started, and taken down again."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import aiohttp.web as aiohttp_web
import torch
import uvloop
from aiortc import RTCIceServer

from doppel.allocator import keep_frame_blocks
from doppel.config import Config
from doppel.device import choose
from doppel.warmup import Warmup
from signaling.loop import Loop
from stream.limits import Limits
from stream.loop_watch import LoopWatch
from stream.metrics import Metrics
from stream.rtc.peer import PeerConfig
from stream.session import Engine, Streams
from transforms.models.store import Store, default_root
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
    store = Store(config.models_dir or default_root(), offline=not config.fetch_models)
    metrics = Metrics()
    metrics.watch(asyncio.get_running_loop())
    watch = LoopWatch(metrics)
    streams = Streams(Engine(device, store, _peers(config), metrics))
    warmup = Warmup(device, store)
    app = make_app(
        loop=Loop(streams, config.codecs, config.start_bitrate),
        streams=streams,
        ready=warmup.why_not,
        metrics=metrics.registry,
        access_key=config.access_key,
        origins=config.cors_origins,
    )
    runner = make_runner(app)
    await runner.setup()
    worker = ThreadPoolExecutor(1, thread_name_prefix="doppel-warmup")
    watch.start()
    try:
        await aiohttp_web.TCPSite(runner, config.host, config.port).start()
        stopping = _stop_on_signals()
        warming = asyncio.get_running_loop().run_in_executor(worker, warmup.run)
        url = _url(runner)
        logger.info("doppel serves on %s, transforms on %s", url, device)
        await asyncio.wait({warming, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done() and warmup.why_not() is None:
            print(f"\n  doppel is ready: open {url} in a browser\n", flush=True)
        await stopping
    finally:
        logger.info("shutting down")
        warmup.cancel()
        try:
            async with asyncio.timeout(config.shutdown_timeout):
                await streams.close()
                await runner.cleanup()
        except TimeoutError:
            logger.warning("not everything ended in %g s and is abandoned", config.shutdown_timeout)
        worker.shutdown(wait=False, cancel_futures=True)
        watch.stop()
    return 0


def _peers(config: Config) -> PeerConfig:
    return PeerConfig(
        addresses=config.ice_address,
        ice_servers=[
            RTCIceServer(server.urls, server.username, server.credential.get_secret_value() if server.credential else None)
            for server in config.ice_servers
        ],
        limits=Limits(
            max_streams=config.max_streams,
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
