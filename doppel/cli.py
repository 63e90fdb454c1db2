"""The command line."""

from __future__ import annotations

import argparse
import errno
import logging
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from doppel import flags, health, logs, token
from doppel.config import Config, ConfigError
from doppel.sources import load
from signaling.auth.key import Algorithm
from signaling.auth.need import SCOPES
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
Only variable and file take access_key, mqtt_password, turn_secret and ice_servers, since others can read a command line.
"""


SIGN_EXAMPLES = """\
examples:
  doppel token keygen keys/first.json
      a key, which the server takes with --keys-dir keys
  doppel token --keys-dir keys --scope publish --stream anna --ttl 8h
      for whoever is to publish the stream anna
  doppel token --keys-dir keys --scope watch control --stream 'team-*' --subject desk
      for somebody who watches all of a team's streams, and changes them
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

    _token(_add(commands, "token", "make a token for a client, or a key to sign tokens with", SIGN_EXAMPLES))

    _add(commands, "transforms", "list the transforms with their settings")

    flags.add(_add(commands, "doctor", "look at ports, ICE, TURN, devices, weights, codecs and the broker, and say what to do"))
    flags.add(_add(commands, "health", "ask the server of this machine whether it takes streams"), ("host", "port", "https"))
    return top


def _models(models: argparse.ArgumentParser) -> None:
    actions = models.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, told, argument in (
        ("list", "what there is, and what of it is on this machine", None),
        (
            "fetch",
            "fetch what is absent, and check everything's SHA-256",
            ("ids", "*", "MODEL", "which ones (default: the usual)"),
        ),
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


def _token(make: argparse.ArgumentParser) -> None:
    actions = make.add_subparsers(dest="action", metavar="[keygen]")
    make.add_argument("--scope", nargs="+", action="extend", choices=SCOPES, help="what may be done with it")
    make.add_argument("--stream", nargs="+", action="extend", default=[], metavar="NAME", help="with which; * is any characters")
    make.add_argument("--ttl", type=_ttl, default="1h", metavar="TIME", help="how long: 90s, 15m, 8h, 7d (default: 1h)")
    make.add_argument("--subject", metavar="WHO", help="whose it is: only the same may take a stream over (default: the streams)")
    make.add_argument("--key", type=Path, metavar="FILE", help="the key to sign with (default: the one of --keys-dir)")
    flags.add(make, ("keys_dir", "token_issuer", "token_audience", "token_max_lifetime"))

    keygen = _add(actions, "keygen", "make a key to sign tokens with")
    keygen.add_argument("file", type=Path, metavar="FILE", help="a new file, for its owner's eyes only: keys/2027-a.json")
    keygen.add_argument("--alg", choices=get_args(Algorithm), default="EdDSA", help="(default: EdDSA)")
    keygen.add_argument("--kid", metavar="ID", help="what its tokens call it (default: the file's name)")
    keygen.add_argument("--public", type=Path, metavar="FILE", help="write the part that only reads tokens there (EdDSA)")


def _ttl(word: str) -> int:
    found = re.fullmatch(r"([1-9]\d{0,8})([smhd])", word)
    if found is None:
        raise argparse.ArgumentTypeError("write a number with s, m, h or d: 90s, 15m, 8h, 7d")
    return int(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[found[2]]


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
    if parsed.command == "token":
        return _make_token(parsed)
    if parsed.command == "health":
        return health.ask(load(flags.given(parsed), parsed.config))
    if parsed.command == "doctor":
        from doppel import doctor

        return doctor.examine(load(flags.given(parsed), parsed.config))
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


def _make_token(parsed: argparse.Namespace) -> int:
    if parsed.action == "keygen":
        return token.keygen(parsed.file, parsed.alg, parsed.kid, parsed.public)
    if not parsed.scope:
        raise ConfigError(f"say what it is for: --scope, and some of {', '.join(SCOPES)}")
    config = load(flags.given(parsed), parsed.config)
    return token.make(config, parsed.scope, parsed.stream, parsed.ttl, parsed.subject, parsed.key)


def _serve(config: Config) -> int:
    from doppel.device import DeviceError
    from doppel.server import serve
    from transforms.errors import ModelError

    hidden = [server.credential for server in config.ice_servers if server.credential]
    hidden += [secret for secret in (config.access_key, config.turn_secret, config.mqtt_password) if secret]
    logs.configure(config.log_level, config.log_format, hidden)
    try:
        if config.audit_log is not None:
            logs.audit_to(config.audit_log, hidden)
    except OSError as error:
        return _complain(f"audit_log {config.audit_log} cannot be written: {error.strerror}", USAGE)
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
