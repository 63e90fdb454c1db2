"""The command line."""

from __future__ import annotations

import argparse
import errno
import logging
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from doppel import flags, logs
from doppel.config import Config, ConfigError
from doppel.sources import load
from transforms.packages.limits import MAX_BATCH

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


MODELS_EXAMPLES = """\
examples:
  doppel models fetch                            get what the built-in transforms use
  doppel models add my_model.zip                 install a package: docs/models.md says what is in one
  doppel models bench my_model --on cpu cuda     what it costs, kept for admission
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

    _models(
        _add(commands, "models", "list, fetch, verify and measure models; add and remove packages of your own", MODELS_EXAMPLES)
    )

    _add(commands, "transforms", "list the transforms with their settings")
    return top


def _models(models: argparse.ArgumentParser) -> None:
    actions = models.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, told, argument in (
        ("list", "what there is, and what of it is on this machine", None),
        ("fetch", "fetch what is absent, and check everything's SHA-256", ("ids", "*", "MODEL", "which ones (default: all)")),
        ("verify", "check everything's SHA-256, and fetch nothing", ("ids", "*", "MODEL", "which ones (default: all)")),
        ("add", "check a model package, try it out and install it", ("path", None, "FOLDER_OR_ZIP", "with model.toml in it")),
        ("remove", "remove model packages that were added", ("ids", "+", "PACKAGE", "which ones")),
        ("bench", "measure time and memory, and keep the results", ("ids", "*", "MODEL", "which ones (default: all packages)")),
    ):
        action = _add(actions, name, told)
        if argument:
            dest, count, metavar, about = argument
            action.add_argument(dest, nargs=count, metavar=metavar, help=about)
        if name == "add":
            action.add_argument("--replace", action="store_true", help="in place of an installed one of the same id")
        if name == "bench":
            action.add_argument(
                "--on", nargs="+", action="extend", metavar="DEVICE", help="cpu, cuda, cuda:N (default: the CPU and every GPU)"
            )
            action.add_argument(
                "--batch", nargs="+", action="extend", type=_batch, metavar="N", help="faces at once (default: 1 2 4)"
            )
        flags.add(action, ("models_dir", "torch_modules") if name in ("add", "bench") else ("models_dir",))


def _batch(word: str) -> int:
    size = int(word)
    if not 1 <= size <= MAX_BATCH:
        raise argparse.ArgumentTypeError(f"from 1 to {MAX_BATCH} faces are run at once")
    return size


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
    from doppel import models, packages
    from doppel.device import DeviceError

    config = load(flags.given(parsed), parsed.config)
    try:
        match parsed.action:
            case "list":
                return models.show(config)
            case "fetch":
                return models.fetch(config, parsed.ids)
            case "verify":
                return models.verify(config, parsed.ids)
            case "add":
                return packages.add(config, Path(parsed.path), replace=parsed.replace)
            case "remove":
                return packages.remove(config, parsed.ids)
            case _:
                return packages.measure(config, parsed.ids, parsed.on or (), parsed.batch or packages.BATCHES)
    except (DeviceError, ModelError) as error:
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
