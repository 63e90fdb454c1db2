from __future__ import annotations

from bench import machine


def test_the_command_is_told_without_where_it_writes_to() -> None:
    told = machine.describe(["--only", "lossy", "--json", "/somewhere/a.json", "--markdown=b.md", "--seconds", "5"])
    assert told["command"] == "python -m bench --only lossy --seconds 5"
