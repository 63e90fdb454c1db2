"""Writes ``docs/conformance.md`` anew: ``python -m docs.conformance``, from the root of the repository.

What is asked, and by which section, is in the marks of the tests; whether it is kept is what running them says.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from tests.contract import test_whep, test_whip
from tests.contract.musts import Row, rows

PAGE = Path(__file__).with_name("conformance.md")

MODULES: Mapping[str, ModuleType] = {
    "WHIP: publishing": test_whip,
    "WHEP: watching": test_whep,
}

HEAD = """\
# Conformance

What WHIP ([RFC 9725](https://www.rfc-editor.org/rfc/rfc9725)) and WHEP
([draft-ietf-wish-whep-03](https://datatracker.ietf.org/doc/html/draft-ietf-wish-whep-03)) ask of a server, the test that shows
it, and how that test went. Made by `python -m docs.conformance`; the tests run against a whole server on loopback, and are to
be read beside the documents. One of their clients is shaped like OBS: no candidates, no PATCH, no answer to a keyframe request.

Where the documents leave a choice, or disagree:

- ICE restarts are not taken (422): both documents leave them out at will. Trickle is.
- An answer says `rtcp-mux-only`, as RFC 9725 section 4.4.1 and RFC 9143 section 9.3.1.2 ask; RFC 8858 section 4.2 would not
  have it there, and no client is known to mind.
- `If-Match: *` is for restarts alone: a candidate is always one ICE session's.
- WHEP's counter-offers (406) and its extensions for events and layers are left out; both are optional.
"""


class Results:
    """A plugin that notes how each test function went; the worst of its parameters counts."""

    def __init__(self) -> None:
        self.failed: set[str] = set()
        self.passed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.partition("[")[0]
        if report.failed or report.skipped:
            self.failed.add(name)
        elif report.when == "call":
            self.passed.add(name)

    def of(self, module: ModuleType, test: str) -> str:
        name = f"{module.__name__.replace('.', '/')}.py::{test}"
        return "fails" if name in self.failed else "passes" if name in self.passed else "did not run"


def line(row: Row, result: str) -> str:
    return f"| {row.section} | {row.text} | `{row.test}` | {result} |"


def tables(results: Results) -> Iterable[str]:
    yield HEAD
    for title, module in MODULES.items():
        found = list(rows(module))
        yield f"## {title}\n\n{found[0].document}; `{module.__name__.replace('.', '/')}.py`\n"
        yield "| section | what it asks | test | result |\n|---|---|---|---|"
        yield from (line(row, results.of(module, row.test)) for row in found)
        yield ""


def main() -> int:
    """0 where all is kept."""
    results = Results()
    root = PAGE.parent.parent
    paths = [str(root / (module.__name__.replace(".", "/") + ".py")) for module in MODULES.values()]
    status = pytest.main(["-q", f"--rootdir={root}", *paths], plugins=[results])
    PAGE.write_text("\n".join(tables(results)))
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
