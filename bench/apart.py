"""A measurement in a process of its own, which is gone afterwards whatever happened in it."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import uvloop

P = TypeVar("P")
R = TypeVar("R")


class ClientFailed(Exception):
    """No measurement; the message says why."""


def measured(measure: Callable[[P], Coroutine[Any, Any, R]], plan: P, deadline: float) -> R:
    """What ``measure(plan)`` returns, run on an event loop there. Raises ClientFailed, also after ``deadline`` s."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_main, args=(measure, plan, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(deadline):
            raise ClientFailed(f"the client did not end within {deadline:.0f} s")
        failure, result = ours.recv()
    except EOFError:
        raise ClientFailed("the client's process ended without a result") from None
    finally:
        process.kill()
        process.join()
        ours.close()
    if failure is not None:
        raise ClientFailed(str(failure))
    return result  # type: ignore[no-any-return]


def _main(measure: Callable[[P], Coroutine[Any, Any, R]], plan: P, connection: Connection) -> None:
    gc.disable()  # a collection in the middle of a run would show as latency; the process is short-lived
    try:
        connection.send((None, uvloop.run(measure(plan))))
    except Exception as error:  # the other process tells the user, whatever it was
        connection.send((str(error) if isinstance(error, ClientFailed) else f"{type(error).__name__}: {error}", None))
