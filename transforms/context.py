"""What a transform may ask of the stream it runs in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from transforms.audio import Listener, Silence
from transforms.errors import NotPrepared
from transforms.models.meter import MeasuredNetwork, Meter
from transforms.models.runtime import Network, load
from transforms.models.store import Store

if TYPE_CHECKING:
    from transforms.faces.tracker import FaceTracker


class Context:
    """A stream's device, its models, and the one face tracker that its transforms share.

    It lives as long as the stream, so a changed chain keeps the faces it was following.
    """

    def __init__(
        self,
        device: torch.device,
        store: Store,
        listen: Callable[[], Listener] = Silence,
        listen_to: Callable[[str], Listener] | None = None,
    ) -> None:
        """``listen`` opens the stream's sound, ``listen_to`` another's by its name; without it nobody may."""
        self.device = device
        self.store = store
        self.meter = Meter(store.meter)
        """What this stream's networks cost."""
        self._listen, self._listen_to = listen, listen_to
        self._lock = threading.Lock()
        self._faces: FaceTracker | None = None

    def listen(self, name: str | None = None) -> Listener:
        """The stream's sound, decoded until the one who asked closes it: ask in ``prepare()``, close in ``close()``.

        With a name it is that stream's, by this one's time, and silence while there is none of that name. Raises NotPrepared
        where chains may not listen to other streams.
        """
        if name is None:
            return self._listen()
        if self._listen_to is None:
            raise NotPrepared("a chain may not listen to another stream here; that takes the server's setting allow_listening")
        return self._listen_to(name)

    def network(self, name: str) -> Network:
        """A network of its own for the caller, by its name in the store's catalogue. Blocks while it loads."""
        network = load(self.store, name, self.device)
        size = len(self.store.flatbuffer(name))
        return MeasuredNetwork(network, self.meter.stopwatch(name, self.device, size))

    @property
    def faces(self) -> FaceTracker:
        """The stream's face tracker, loaded and warmed by whoever asks first: ask for it in ``prepare()``."""
        with self._lock:
            if self._faces is None:
                from transforms.faces.tracker import FaceTracker

                tracker = FaceTracker(self)
                tracker.prepare()
                self._faces = tracker
            return self._faces

    def close(self) -> None:
        """After the last frame: lets go of the tracker, which knows this context and would wait for the garbage collector."""
        with self._lock:
            self._faces = None
