"""Who may do what, as the configuration says it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pydantic import SecretStr

from doppel.config import Config, ConfigError
from doppel.webhook import WebhookClient
from signaling.auth import static_key
from signaling.auth.authority import Authority
from signaling.auth.key import BadKey
from signaling.auth.keyring import KeyRing
from signaling.auth.token import Rules
from signaling.auth.webhook import Webhook


def ring(config: Config) -> KeyRing | None:
    """The access key, and the keys of the folder. Raises ConfigError."""
    if config.access_key is None and config.keys_dir is None:
        return None
    static = () if config.access_key is None else (static_key.make("access-key", config.access_key),)
    try:
        return KeyRing(static, config.keys_dir)
    except BadKey as error:
        raise ConfigError(f"keys_dir: {error}") from error


def secrets(ring: KeyRing) -> Iterator[SecretStr]:
    """What no log line may hold."""
    return (each.secret for each in ring.keys.static if each.secret is not None)


def make(config: Config, ring: KeyRing | None, client: WebhookClient | None, count: Callable[[str], None]) -> Authority:
    """On the event loop; ``count`` is told of refusals."""
    rules = Rules(config.token_issuer, config.token_audience, config.token_max_lifetime)
    return Authority(ring, None if client is None else Webhook(client.post), rules, count=count)
