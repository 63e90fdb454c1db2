"""The commands, as somebody types them."""

from __future__ import annotations

import errno
import subprocess
import sys
import types
from pathlib import Path

import pytest

from doppel.cli import main
from doppel.config import Config
from doppel.device import DeviceError
from doppel.flags import NO_FLAG, flag
from transforms import registry

COMMANDS = [
    [],
    ["serve"],
    ["models"],
    ["models", "list"],
    ["models", "fetch"],
    ["models", "verify"],
    ["token"],
    ["token", "keygen"],
    ["transforms"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {' '.join(['doppel', *command])} ")


def test_serve_has_a_flag_for_every_setting_but_secrets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    told = capsys.readouterr().out
    for name, field in Config.model_fields.items():
        assert (f"{flag(name)} " in told or f"{flag(name)}," in told) == (name not in NO_FLAG), name
        assert name in NO_FLAG or str(field.description).replace("`", "") in told


def test_the_module_runs_too() -> None:
    done = subprocess.run([sys.executable, "-m", "doppel", "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("doppel 0.")


@pytest.mark.parametrize(
    "command", [[], ["serve", "--prot", "1"], ["serve", "--por", "1"], ["models"], ["serve", "--log-level", "loud"]]
)
def test_wrong_usage(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(command)
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


class Served:
    """Stands in for the server, and keeps the configuration that it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> None:
        self.config: Config | None = None
        self.error = error
        module = types.ModuleType("doppel.server")
        module.serve = self.serve  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "doppel.server", module)
        monkeypatch.setattr("doppel.logs.configure", lambda *_: None)

    def serve(self, config: Config) -> int:
        self.config = config
        if self.error:
            raise self.error
        return 0


def test_serve_hands_the_settings_over(monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served(monkeypatch)
    assert (
        main(["serve", "--port", "0", "--ice-address", "127.0.0.1", "::1", "--ice-address", "192.0.2.7", "--no-fetch-models"])
        == 0
    )
    assert served.config is not None
    assert served.config.port == 0
    assert served.config.ice_address == ("127.0.0.1", "::1", "192.0.2.7")
    assert not served.config.fetch_models


def test_a_public_address_without_a_key_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    served = Served(monkeypatch)
    assert main(["serve", "--host", "0.0.0.0"]) == 2
    assert served.config is None
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "--access-key-file FILE" in told
    assert "--host 127.0.0.1" in told


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            OSError(errno.EADDRINUSE, "Address already in use"),
            "cannot listen on 127.0.0.1 port 8080, or on its ports for RTMP: Address already in use",
        ),
        (DeviceError("--device cuda: no"), "--device cuda: no"),
    ],
)
def test_a_failed_start_is_one_line(
    error: Exception, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Served(monkeypatch, error)
    assert main(["serve"]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"doppel: {told}")
    assert printed.count("\n") == 1


def test_models_are_listed_and_verified_without_fetching(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ["--models-dir", str(tmp_path)]
    assert main(["models", "list", *folder]) == 0
    assert "absent    face_landmarker 1, 3.8 MB, Apache-2.0" in capsys.readouterr().out
    damaged = tmp_path / "face_landmarker" / "1" / "face_landmarker.task"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"not it")
    assert main(["models", "verify", "face_landmarker", *folder]) == 1
    told = capsys.readouterr().out
    assert "damaged   face_landmarker 1\n" in told
    assert "doppel models fetch" in told
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["face_landmarker.task"]


def test_an_unknown_model_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "fetch", "inswapper", "--models-dir", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("doppel: there is no model 'inswapper'; there are: ")


def test_every_transform_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transforms"]) == 0
    told = capsys.readouterr().out
    for key in registry.keys():  # noqa: SIM118 - a function of the module
        kind = registry.load(key)
        assert f"{key}: {kind.summary}\n" in told
        for name in kind.settings_type.model_fields:
            assert f"    {name} (" in told
