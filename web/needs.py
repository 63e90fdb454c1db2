"""What each route asks of its caller. A route that is not here asks for everything."""

from __future__ import annotations

from collections.abc import Mapping

from signaling.auth.need import ADMIN, CONTROL, KNOWN, METRICS, PUBLISH, READ, SETTINGS, WATCH, Need

PUBLIC = frozenset({"/", "/watch/{stream}", "/dashboard", "/docs", "/openapi.json", "/healthz", "/readyz", "/static/{path}"})
"""What a probe asks for; what there is to call; and the pages, the same for all: their user's token comes with their calls."""

NEEDS: Mapping[tuple[str, str], Need] = {
    ("POST", "/whip/{stream}"): PUBLISH,
    ("GET", "/whip/{stream}"): PUBLISH,
    ("PATCH", "/whip/{stream}/sessions/{session}"): PUBLISH,
    ("DELETE", "/whip/{stream}/sessions/{session}"): PUBLISH,
    ("GET", "/whip/{stream}/sessions/{session}"): PUBLISH,
    ("POST", "/loop/{stream}"): PUBLISH,
    ("GET", "/loop/{stream}"): PUBLISH,
    ("PATCH", "/loop/{stream}/sessions/{session}"): PUBLISH,
    ("DELETE", "/loop/{stream}/sessions/{session}"): PUBLISH,
    ("GET", "/loop/{stream}/sessions/{session}"): PUBLISH,
    ("POST", "/whep/{stream}"): WATCH,
    ("GET", "/whep/{stream}"): WATCH,
    ("PATCH", "/whep/{stream}/sessions/{session}"): WATCH,
    ("DELETE", "/whep/{stream}/sessions/{session}"): WATCH,
    ("GET", "/whep/{stream}/sessions/{session}"): WATCH,
    ("GET", "/api/streams"): KNOWN,
    ("GET", "/api/streams/{stream}"): READ,
    ("DELETE", "/api/streams/{stream}"): CONTROL,
    ("GET", "/api/streams/{stream}/chain"): SETTINGS,
    ("PUT", "/api/streams/{stream}/chain"): CONTROL,
    ("GET", "/api/streams/{stream}/thumbnail"): WATCH,
    ("GET", "/api/streams/{stream}/outputs"): CONTROL,
    ("POST", "/api/streams/{stream}/outputs"): CONTROL,
    ("DELETE", "/api/streams/{stream}/outputs/{output}"): CONTROL,
    ("PUT", "/api/streams/{stream}/source"): CONTROL,
    ("DELETE", "/api/streams/{stream}/source"): CONTROL,
    ("GET", "/api/transforms"): KNOWN,
    ("GET", "/api/models"): KNOWN,
    ("GET", "/api/system"): METRICS,
    ("GET", "/metrics"): METRICS,
}
"""By method and route. HEAD asks for what GET asks for, and OPTIONS for nothing."""


def need(method: str, route: str | None) -> Need | None:
    """None where anybody may call. Where there is no route, to learn of that takes some right."""
    if method == "OPTIONS" or route in PUBLIC:
        return None
    if route is None:
        return KNOWN
    return NEEDS.get(("GET" if method == "HEAD" else method, route), ADMIN)
