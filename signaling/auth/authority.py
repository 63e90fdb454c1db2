"""The one place where it is decided who may do what."""

from __future__ import annotations

import asyncio
import hmac
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from signaling import names
from signaling.auth import token
from signaling.auth.audit import AuditLog, Decision
from signaling.auth.keyring import KeyRing, Keys
from signaling.auth.need import Need
from signaling.auth.principal import Principal, anybody
from signaling.auth.static_key import digest
from signaling.auth.webhook import Webhook
from signaling.errors import SignalingError, TooManyCalls, Unauthorized
from signaling.rate import RateLimit, network

FAILURES = 30
"""Refusals at once: a page that is opened without its token makes a few calls, and a studio has many pages."""

FAILURES_PER_SECOND = 0.5
"""Refusals in the long run: at that rate nobody guesses anything."""

CALLS = 300
"""Calls at once with one token: all of a wall of viewers that share one come back together."""

CALLS_PER_SECOND = 50.0
"""Calls in the long run with one token: half of what setting up peers leaves of a core."""

REFUSAL = 0.01
"""s from a call to its refusal, whatever is wrong: fifty times what finding out takes, and nobody notices."""

REFUSED = "this needs a key or a token that is good for it, and has not expired"
"""The same whatever is wrong: who has none learns nothing about those that there are."""


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls, and how."""

    client: str
    """Its address."""
    name: str
    """Method and route, for the audit log."""
    request: str | None = None
    """An id that is in the answer too."""
    reading: bool = False
    """Whether nothing is changed by it."""


class Refusal(Exception):
    """The message is for the audit log."""

    def __init__(self, reason: str, principal: Principal | None = None) -> None:
        super().__init__(reason)
        self.principal = principal


def _failures() -> RateLimit:
    return RateLimit(FAILURES, FAILURES_PER_SECOND)


def _calls() -> RateLimit:
    return RateLimit(CALLS, CALLS_PER_SECOND)


@dataclass
class Authority:
    """Without a key ring and a webhook, nobody is asked for anything. Lives on the event loop."""

    ring: KeyRing | None = None
    webhook: Webhook | None = None
    rules: token.Rules = field(default_factory=token.Rules)
    audit: AuditLog = field(default_factory=AuditLog)
    failures: RateLimit = field(default_factory=_failures)
    """By client."""
    calls: RateLimit = field(default_factory=_calls)
    """By identity; of calls that change something."""
    clock: Callable[[], float] = time.time
    """Unix time, s; for static keys that end."""
    refusal: float = REFUSAL
    """s"""
    count: Callable[[str], None] = lambda action: None
    """Told of each refusal, by what was wanted."""

    @property
    def open(self) -> bool:
        return self.ring is None and self.webhook is None

    async def decide(self, credential: str | None, need: Need, stream: str | None, call: Call) -> Principal:
        """Who this is, if they may. Raises Unauthorized, TooManyCalls or Unavailable; what they say has no secret in it."""
        if self.open:
            # Who first sends a word with a stream may come back with it; that is all there is to tell people apart.
            return anybody(None if credential is None else f"token:{digest(credential).hex()}")
        began = asyncio.get_running_loop().time()
        client = network(call.client)
        # Whoever has what it takes is let in all the same: others may share the address.
        wait = self.failures.wait(client)
        try:
            principal = await self._identify(credential, need, stream, call, ask=not wait)
            if reason := principal.why_not(need, stream):
                raise Refusal(reason, principal)
        except Refusal as refusal:
            # Its time tells nothing either.
            await asyncio.sleep(began + self.refusal - asyncio.get_running_loop().time())
            if wait:
                # All the same to the audit log: whoever tries a thousand streams, or calls from a thousand addresses of a network
                # of his own, writes no thousand lines.
                self._record(refusal.principal, need, None, replace(call, client=client or call.client), "too many refusals")
                raise _too_many("from this address that were refused", wait) from None
            self.failures.take(client)
            self._record(refusal.principal, need, stream, call, str(refusal))
            raise Unauthorized(REFUSED) from None
        except SignalingError:
            self._record(None, need, stream, call, "the webhook does not answer")
            raise
        # Those whom nobody knows by name do not use up each other's calls.
        if not call.reading and (wait := self.calls.take(principal.identity or f"address:{client}")):
            self._record(principal, need, stream, call, "too many calls")
            raise _too_many("with this key or token", wait)
        self._record(principal, need, stream, call, None)
        return principal

    def refused(self, principal: Principal, need: Need, stream: str | None, call: Call, reason: str) -> Unauthorized:
        """The same refusal, for a reason that only the caller can see."""
        self._record(principal, need, stream, call, reason)
        return Unauthorized(REFUSED)

    async def close(self) -> None:
        """Asks nobody any more, and writes what the audit log has not told yet."""
        if self.webhook is not None:
            await self.webhook.close()
        self.audit.close()

    async def _identify(self, credential: str | None, need: Need, stream: str | None, call: Call, *, ask: bool) -> Principal:
        """``ask``: the webhook too, about a name that a stream may have.

        Raises Refusal, or Unavailable where it is the webhook's to say, and it says nothing.
        """
        try:
            if self.ring is None:
                raise Refusal("none was sent" if credential is None else "it is not known")
            return self._look_up(self.ring.keys, credential)
        except Refusal as refusal:
            if self.webhook is None or not ask or (stream is not None and not names.PATTERN.fullmatch(stream)):
                raise
            asked = await self.webhook.ask(credential, need, stream, call.client)
            if asked is None:
                raise Refusal(f"the webhook refuses, and here {refusal}") from None
            return asked

    def _look_up(self, keys: Keys, credential: str | None) -> Principal:
        """Does the same work whatever is sent, and whatever is wrong with it. Raises Refusal."""
        sent = digest(credential or "")
        found = None
        for each in keys.static:
            if hmac.compare_digest(each.digest, sent):
                found = each
        try:
            principal = token.read(credential or "", keys.tokens, self.rules)
        except token.Wrong as wrong:
            if credential is None:
                raise Refusal("none was sent") from None
            if found is None:
                raise Refusal(str(wrong)) from None
            if found.expires is not None and found.expires <= self.clock():
                raise Refusal("it has expired", found.principal) from None
            return found.principal
        return principal

    def _record(self, principal: Principal | None, need: Need, stream: str | None, call: Call, reason: str | None) -> None:
        if reason is not None:
            self.count(need.action)
        decision = Decision(
            call.client,
            call.name,
            need.action,
            stream,
            principal.subject if principal else None,
            principal.key if principal else None,
            reason is None,
            reason or "it may",
        )
        self.audit.record(decision, call.request, reading=call.reading)


def _too_many(which: str, wait: float) -> TooManyCalls:
    seconds = math.ceil(wait)
    return TooManyCalls(f"too many calls {which}; wait {seconds} s", seconds)
