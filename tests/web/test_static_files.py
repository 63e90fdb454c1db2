from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.web.conftest import Client
from web.pages import STATIC

FILES = sorted(path for path in STATIC.rglob("*") if path.is_file())
MODULES = [path for path in FILES if path.suffix == ".js"]
PAGES = [path for path in FILES if path.suffix == ".html"]
IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']""")
OWN_URL = re.compile(r"""new URL\(["']([^"']+)["'],\s*import\.meta\.url""")

names = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
modules = pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
pages = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)


def test_the_page_is_there() -> None:
    assert {"index.html", "watch.html", "style.css", "main.js", "doppel.js"} <= {path.name for path in FILES}


def source(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@names
def test_nothing_comes_from_elsewhere(path: Path) -> None:
    text = source(path)
    # Namespaces are names, not addresses that anything is fetched from.
    urls = set(re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}[^\s\"'<>)]*", text)) - {"http://www.w3.org/2000/svg"}
    assert urls == set()


@names
async def test_is_served(client: Client, path: Path) -> None:
    text = source(path)
    url = f"/static/{path.relative_to(STATIC).as_posix()}"
    response = await client.get(url)
    assert response.status == 200
    assert await response.text() == text
    kind = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}[path.suffix]
    assert response.content_type == kind
    assert response.headers["Cache-Control"] == "no-cache"
    again = await client.get(url, headers={"If-None-Match": response.headers["ETag"]})
    assert again.status == 304


async def test_the_index_is_the_page(client: Client) -> None:
    response = await client.get("/")
    assert response.status == 200
    assert response.content_type == "text/html"
    assert await response.text() == source(STATIC / "index.html")
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["ETag"]


@modules
def test_imports_are_there(path: Path) -> None:
    text = source(path)
    for target in IMPORT.findall(text) + OWN_URL.findall(text):
        assert target.startswith("./"), target
        assert (path.parent / target).is_file(), target


@pages
def test_the_html_fits_the_policy(path: Path) -> None:
    """The policy lets no inline script, style or handler run."""
    html = source(path)
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    assert "<style" not in html
    assert not re.search(r"\s(?:style|on[a-z]+)=", html)
    for target in re.findall(r'(?:src|href)="([^"#]+)"', html):
        if target == "/openapi.json":
            continue
        assert target.startswith("/static/"), target
        assert (STATIC / target.removeprefix("/static/")).is_file(), target


@pages
def test_ids_are_unique_and_meant(path: Path) -> None:
    html = source(path)
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    for target in re.findall(r'\s(?:for|aria-labelledby|aria-describedby|aria-controls)="([^"]+)"', html):
        assert set(target.split()) <= set(ids), target


@pytest.mark.parametrize("attribute", ["autoplay", "muted", "playsinline"])
def test_videos_play_in_place(attribute: str) -> None:
    """Safari plays a video without a click only where it is muted and stays in the page."""
    videos = re.findall(r"<video[^>]*>", source(STATIC / "index.html"))
    assert len(videos) == 2
    assert all(re.search(rf"\s{attribute}[\s>]", video) for video in videos)
