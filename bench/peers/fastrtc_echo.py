"""fastrtc as it comes, its handler called for every frame; it gives the frame back, or sleeps before.

Run by the Python that fastrtc is installed in: python -m bench.peers.fastrtc_echo PORT [MS]

A browser with fastrtc's own page opens a data channel and sets the handler's inputs. Without the first no frame passes,
without the second every frame passes by the handler: here the server does both itself.
"""

from __future__ import annotations

import sys
import time
import uuid
from typing import Any

import aioice.ice
import uvicorn  # type: ignore[import-not-found, unused-ignore]
from fastapi import FastAPI, Request, Response  # type: ignore[import-not-found, unused-ignore]
from fastrtc import Stream  # type: ignore[import-not-found, unused-ignore]

LOOPBACK = "127.0.0.1"
MAX_CONNECTIONS = 64
"""More than any scenario opens; fastrtc's own default is 1."""


class _Channel:
    """Takes what the server tells its page, which is not there."""

    def send(self, message: str) -> None:
        pass


def main(port: int, ms: float) -> None:
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [LOOPBACK]

    def handler(frame: Any) -> Any:
        if ms:
            time.sleep(ms / 1e3)
        return frame

    stream = Stream(
        handler,
        modality="video",
        mode="send-receive",
        concurrency_limit=MAX_CONNECTIONS,
        server_rtc_configuration={"iceServers": []},
        verbose=False,
    )
    app = FastAPI()

    @app.get("/readyz")  # type: ignore[untyped-decorator, unused-ignore]
    async def ready() -> Response:
        return Response()

    # Annotations are strings here, and FastAPI could not find a class that is local; so both routes take only a request.
    async def loop(request: Request) -> Response:
        session = uuid.uuid4().hex
        offer = {"sdp": (await request.body()).decode(), "type": "offer", "webrtc_id": session}
        answer = await stream.handle_offer(offer, stream.set_additional_outputs(session))
        if not isinstance(answer, dict):
            return Response(status_code=503, content=answer.body)
        for connection in stream.connections[session]:
            connection.set_channel(_Channel())
        stream.set_input(session, None)
        headers = {"Location": f"/sessions/{session}"}
        return Response(answer["sdp"], status_code=201, media_type="application/sdp", headers=headers)

    async def hang_up(request: Request) -> Response:
        pc = stream.pcs.get(request.path_params["session"])
        if pc:
            await pc.close()
        return Response()

    app.add_route("/loop/{stream}", loop, methods=["POST"])
    app.add_route("/sessions/{session}", hang_up, methods=["DELETE"])
    uvicorn.run(app, host=LOOPBACK, port=port, loop="uvloop", log_level="warning", access_log=False)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0)
