"""What every test gets: one torch thread, the models, and a check that nothing is left running."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
import time
from collections.abc import AsyncIterator, Generator, Iterator

import pytest
import torch
from xdist.scheduler import LoadFileScheduling

from transforms.models.store import Store, default_root

IN_CI = os.environ.get("CI") == "true"

GRACE = 5.0
"""s that threads may take to end after a test: the shutdown's own limit."""

TASK_GRACE = 1.0
"""s that tasks may take: they were cancelled, and have a callback or two to go."""

LASTING = ("tqdm_monitor", "asyncio_", "waitpid-")
"""Threads of libraries that outlive their use by design, by the start of their names."""


BROWSER = ("tests/e2e/test_browser_", "tests/e2e/test_stranger", "tests/e2e/test_turn")
"""How the modules begin that keep a browser busy."""


class Modules(LoadFileScheduling):  # type: ignore[misc]
    """Each module's tests in one process, in the order of ``pytest_collection_modifyitems``.

    Those with a browser are one unit: two browsers at once would leave none of them enough of two cores.
    """

    def _split_scope(self, nodeid: str) -> str:
        return BROWSER[0] if nodeid.startswith(BROWSER) else str(super()._split_scope(nodeid))


def pytest_configure(config: pytest.Config) -> None:
    torch.set_num_threads(1)
    config.option.loadscopereorder = False


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Modules:
    return Modules(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest unit first, and what waits for other processes next: what computes fills the gaps, to the end."""
    items.sort(key=lambda item: (not item.nodeid.startswith(BROWSER), not item.nodeid.startswith("tests/e2e/")))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test is a test that did not pass."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", f"skipped, and nothing may be in CI: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Likewise for a module that skips itself."""
    report = yield
    if IN_CI and report.skipped:
        report.outcome, report.longrepr = "failed", f"skipped, and nothing may be in CI: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def store() -> Store:
    """The user's models: fetched by the first test that needs one, and kept for the next run."""
    return Store(default_root())


@pytest.fixture(autouse=True)
def nothing_left_running(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves a thread or, where it is a coroutine, a task behind."""
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("no_task_left")
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + GRACE
    while left := [t for t in threading.enumerate() if t not in before and t.is_alive() and not t.name.startswith(LASTING)]:
        if time.monotonic() > deadline:
            pytest.fail(f"threads left running: {', '.join(thread.name for thread in left)}", pytrace=False)
        left[0].join(timeout=0.05)


@pytest.fixture
async def no_task_left() -> AsyncIterator[None]:
    """Fails a test whose tasks are still there after its fixtures are gone."""
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=TASK_GRACE)
    if left:
        pytest.fail(f"tasks left running: {', '.join(str(task.get_coro()) for task in left)}", pytrace=False)
