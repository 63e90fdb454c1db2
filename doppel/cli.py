"""The command line."""

from __future__ import annotations

import argparse
import errno
import logging
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from doppel import flags, logs
from doppel.config import Config, ConfigError
from doppel.sources import load

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

logger = logging.getLogger(__name__)

FAILED = 1
USAGE = 2
"""The command line or the configuration is wrong, as argparse exits for the former."""
INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""

EXAMPLES = """\
examples:
  doppel serve                                   the webcam page, for this machine only: http://127.0.0.1:8080/
  doppel models fetch                            get the models beforehand
  doppel transforms                              what can be done with a picture

Each command explains itself: doppel serve --help
"""

SERVE_EXAMPLES = """\
examples:
  doppel serve
      the webcam page on http://127.0.0.1:8080/, for this machine only
  openssl rand -hex 16 > key
  doppel serve --host 0.0.0.0 --access-key-file key --ice-address 192.0.2.7
      for others too, who need the key, with media on one address
  DOPPEL_DEVICE=cuda:1 doppel serve --config doppel.toml --log-format json
      settings from a file, one overridden by a variable, another by a flag

A flag overrides a variable (DOPPEL_PORT for --port), which overrides the file, which overrides the default.
Only variable and file take access_key and ice_servers, since others can read a command line.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. 0: done; 1: it failed, with one line on standard error that says why; 2: wrong usage."""
    parsed = parser().parse_args(arguments)
    try:
        return _run(parsed)
    except ConfigError as error:
        return _complain(error, USAGE)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)


def parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    top = argparse.ArgumentParser(
        "doppel",
        description="Real-time media server: live video in, through face transforms, and out.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"doppel {version('doppel')}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serve = _add(commands, "serve", "run the server", SERVE_EXAMPLES)
    flags.add(serve)

    models = _add(commands, "models", "list, fetch and verify the models' weights")
    actions = models.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, told in (
        ("list", "what there is, and what of it is on this machine"),
        ("fetch", "fetch what is absent, and check everything's SHA-256"),
        ("verify", "check everything's SHA-256, and fetch nothing"),
    ):
        action = _add(actions, name, told)
        if name != "list":
            action.add_argument("ids", nargs="*", metavar="MODEL", help="which ones (default: all)")
        flags.add(action, ("models_dir",))

    _add(commands, "transforms", "list the transforms with their settings")
    return top


def _add(commands: Commands, name: str, told: str, epilog: str | None = None) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=told,
        description=f"{told[0].upper()}{told[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _run(parsed: argparse.Namespace) -> int:
    if parsed.command == "serve":
        return _serve(load(flags.given(parsed), parsed.config))
    # Imported on demand: torch takes seconds, and --help should not.
    from transforms.errors import ModelError

    if parsed.command == "transforms":
        from doppel import library

        return library.show()
    from doppel import models

    config = load(flags.given(parsed), parsed.config)
    try:
        match parsed.action:
            case "list":
                return models.show(config)
            case "fetch":
                return models.fetch(config, parsed.ids)
            case _:
                return models.verify(config, parsed.ids)
    except ModelError as error:
        return _complain(error)


def _serve(config: Config) -> int:
    from doppel.device import DeviceError
    from doppel.server import serve
    from transforms.errors import ModelError

    secrets = [server.credential for server in config.ice_servers if server.credential]
    logs.configure(config.log_level, config.log_format, [*secrets, *([config.access_key] if config.access_key else [])])
    try:
        return serve(config)
    except (DeviceError, ModelError) as error:
        return _complain(error)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
            raise
        return _complain(
            f"cannot listen on {config.host} port {config.port}, or on its ports for RTMP: {error.strerror}; "
            "choose others with --host, --port, --rtmp-port and --rtmps-port"
        )


def _complain(error: object, status: int = FAILED) -> int:
    print(f"doppel: {error}", file=sys.stderr)
    return status
