"""Has faces drawn: at once where that is fast, else beside the stream, by a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from transforms.styles.portrait import Portrait, Sitting

Draw = Callable[[Sequence[Sitting]], list[Portrait]]


class Studio:
    """Draws one lot of sittings at a time, and keeps none waiting: whoever finds it free brings the newest.

    ``close`` does not wait for a drawing that is being made (up to a second on a CPU): its thread ends after it.
    """

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._changed = threading.Condition()
        self._lot: Sequence[Sitting] = ()
        self._done: list[Portrait] = []
        self._error: Exception | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="studio", daemon=True)
        self._thread.start()

    @property
    def free(self) -> bool:
        """Whether nothing is being drawn, and nothing that was drawn waits to be collected."""
        with self._changed:
            return not self._lot and not self._done

    def give(self, sittings: Sequence[Sitting]) -> None:
        """To be called when it is free."""
        with self._changed:
            self._lot = sittings
            self._changed.notify()

    def collect(self) -> list[Portrait]:
        """What was drawn since the last time. Raises what the drawing raised."""
        with self._changed:
            done, self._done = self._done, []
            error, self._error = self._error, None
        if error is not None:
            raise error
        return done

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._lot)
                if self._closed:
                    return
                lot = self._lot
            done: list[Portrait] = []
            error: Exception | None = None
            try:
                done = self._draw(lot)
            except Exception as caught:  # raised again in collect(), on the thread that has to know
                error = caught
            with self._changed:
                self._lot, self._done, self._error = (), done, error
                self._changed.notify()
