"""``doppel health``: whether the server on this machine takes streams, for a container's health check."""

from __future__ import annotations

import json
import ssl
import sys
import urllib.error
import urllib.request
from ipaddress import ip_address

from doppel.config import Config

PATIENCE = 2.0
"""s for the answer: a server that does not answer in this is not well."""

MAX_ANSWER = 10_000
"""Bytes of an answer that are read."""


def url_of(config: Config) -> str:
    """Where this machine reaches it."""
    host = config.host
    try:
        if ip_address(host).is_unspecified:
            host = "[::1]" if ":" in host else "127.0.0.1"
        elif ":" in host:
            host = f"[{host}]"
    except ValueError:
        pass  # a name
    return f"{'https' if config.https else 'http'}://{host}:{config.port}"


def ask(config: Config) -> int:
    """0 when it is ready; 1, and why on standard error, when it is not."""
    url = f"{url_of(config)}/readyz"
    # Its certificate has the public name, not this one; it is this machine that is asked.
    unchecked = ssl.create_default_context()
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    # No proxy of the environment has a say.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=unchecked))
    try:
        with opener.open(url, timeout=PATIENCE) as answer:
            answer.read(MAX_ANSWER)
            print("ready")
            return 0
    except urllib.error.HTTPError as error:
        told = error.read(MAX_ANSWER)
        try:
            reason = str(json.loads(told)["detail"])
        except (ValueError, KeyError, TypeError):
            reason = f"it answers with status {error.code}"
    except OSError as error:
        reason = f"{url} does not answer: {getattr(error, 'reason', error)}; is `doppel serve` running on this port?"
    print(f"not ready: {reason}", file=sys.stderr)
    return 1
