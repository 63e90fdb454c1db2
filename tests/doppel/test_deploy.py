"""What an operator deploys: the image, the services around it, and Grafana's dashboard agree with the program."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from doppel.cli import parser
from doppel.config import Config
from signaling.auth.keyring import KeyRing
from stream.exposition import Exposition
from stream.metrics import Metrics
from tests.stream.test_exposition import ANNA, USAGE

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = sorted(COMPOSE["services"])


def settings(text: str) -> set[str]:
    return {name.lower() for name in re.findall(r"\bDOPPEL_([A-Z_]+)", text)}


@pytest.mark.parametrize("path", ["Dockerfile", "deploy/compose.yaml", "deploy/doppel.service"])
def test_every_variable_is_a_setting(path: str) -> None:
    found = settings((ROOT / path).read_text())
    assert found
    assert found <= set(Config.model_fields)


def test_the_dockerfile_passes_hadolint() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, "--failure-threshold", "info", ROOT / "Dockerfile"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout


def test_the_image_has_nothing_to_build_with_and_no_root() -> None:
    stages = re.split(r"^FROM ", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    last = next(stage for stage in stages if " AS cpu" in stage.partition("\n")[0])
    assert "pip install" not in last
    assert not re.search(r"gcc|build-essential|-dev\b|\bmake\b|\bgit\b", last)
    assert "\nUSER 10001\n" in last
    assert "HEALTHCHECK" in last
    assert any(stage.startswith("cpu AS cuda") for stage in stages)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_mounts_only_what_is_there(name: str) -> None:
    service = COMPOSE["services"][name]
    for secret in service.get("secrets", []):
        assert secret in COMPOSE["secrets"]
    for mount in service.get("volumes", []):
        source = mount.split(":")[0]
        if source.startswith("./secrets/"):
            continue  # made by secrets.sh
        if source.startswith("."):
            assert (DEPLOY / source).exists(), source
        else:
            assert source in COMPOSE["volumes"]
    assert service["restart"] == "unless-stopped"


def test_no_secret_is_written_down() -> None:
    made = {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}
    script = (DEPLOY / "secrets.sh").read_text()
    assert all(name in script for name in made)
    assert "deploy/secrets" in (ROOT / ".gitignore").read_text()


def test_the_secrets_are_made_once(tmp_path: Path) -> None:
    assert shutil.which("openssl"), "install openssl"
    script = shutil.copy(DEPLOY / "secrets.sh", tmp_path)
    for _ in range(2):
        subprocess.run(["sh", script], check=True, capture_output=True, timeout=60)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir() if path.is_file()}
    ring = KeyRing(folder=tmp_path / "secrets" / "keys")
    assert [each.principal.key for each in ring.keys.static] == ["prometheus"]
    assert made.keys() == {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}
    assert len(set(made.values())) == len(made)
    assert re.fullmatch(r"doppel:\$7\$101\$[A-Za-z0-9+/]{16}\$[A-Za-z0-9+/]{86}==\n", made["mosquitto"])
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
    before = made["access"]
    subprocess.run(["sh", script], check=True, capture_output=True, timeout=60)
    assert (tmp_path / "secrets" / "access").read_text() == before


def test_turn_relays_to_doppel_alone_and_keeps_its_secret() -> None:
    [script] = COMPOSE["services"]["coturn"]["command"]
    _, _, line = script.partition("exec turnserver ")
    words = line.split()
    assert "secrets" not in line
    assert {"--no-tcp-relay", "--allowed-peer-ip=${ADDRESS}", "--denied-peer-ip=0.0.0.0-255.255.255.255"} <= set(words)
    assert sum(word.startswith("--allowed-peer-ip") for word in words) == 1
    assert any(word.startswith("--denied-peer-ip=::-") for word in words)


def test_the_unit_starts_what_there_is() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "doppel.service")
    words = unit["Service"]["ExecStart"].split()
    assert words[0].endswith("/doppel")
    parsed = parser().parse_args(words[1:])
    assert parsed.command == "serve"
    assert unit["Service"]["NoNewPrivileges"] == "yes"


def test_grafana_asks_for_what_there_is() -> None:
    metrics = Metrics()
    metrics.drops.labels("chain_busy").inc()
    exposition = Exposition(lambda: [ANNA], lambda: [USAGE])
    exposition.look()
    metrics.registry.register(exposition)
    there = {sample.name for family in metrics.registry.collect() for sample in family.samples}
    # A device's memory is told where there is a GPU, and what a histogram has before the first frame is no sample of it.
    there |= {"doppel_device_memory_bytes"} if not torch.cuda.is_available() else set()
    board = json.loads((DEPLOY / "grafana/dashboards/doppel.json").read_text())
    asked = {
        name
        for panel in board["panels"]
        for target in panel["targets"]
        for name in re.findall(r"\b(?:doppel|process)_[a-z_]+", target["expr"])
    }
    assert len(asked) > 15
    assert asked <= there


def test_grafana_finds_its_dashboards() -> None:
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/doppel.yaml").read_text())
    path = provider["providers"][0]["options"]["path"]
    assert any(mount.split(":")[1] == path for mount in COMPOSE["services"]["grafana"]["volumes"])
    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())
    board = json.loads((DEPLOY / "grafana/dashboards/doppel.json").read_text())
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {sources["datasources"][0]["uid"]}
