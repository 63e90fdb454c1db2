from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.media.limits import URL_LENGTH
from stream.media.source import Allowed, SourceForbidden, SourceRefused, is_among

HOSTS = ("camera.example", "*.cdn.example", "192.0.2.7", "2001:db8::7")


@pytest.mark.parametrize(
    ("url", "protocol", "name"),
    [
        ("rtsp://user:secret@camera.example:554/live?token=secret", "rtsp", "rtsp://camera.example:554/live"),
        ("rtsps://camera.example/live", "rtsp", "rtsps://camera.example/live"),
        ("HTTPS://CAMERA.example/a%20b.m3u8", "http", "https://camera.example/a b.m3u8"),
        ("http://a.b.cdn.example/", "http", "http://a.b.cdn.example/"),
        ("srt://192.0.2.7:9000?streamid=secret&passphrase=secret&mode=caller", "srt", "srt://192.0.2.7:9000"),
        ("rtmp://[2001:db8::7]/live/x", "rtmp", "rtmp://[2001:db8::7]/live/x"),
    ],
)
def test_a_url_that_is_allowed(url: str, protocol: str, name: str) -> None:
    source = Allowed(HOSTS).source(url)
    assert (source.protocol, source.name, str(source)) == (protocol, name, name)
    assert "secret" not in repr(source)
    assert source.push is (protocol != "http")


@pytest.mark.parametrize(
    "url",
    [
        "http://other.example/",
        "http://cdn.example/",
        "http://xcdn.example/",
        "http://camera.example.other.example/",
        "http://camera.example@other.example/",
        "http://other.example:80/@camera.example",
        "http://other.example?@camera.example/",
        "http://192.0.2.8/",
        "http://3221225991/",
        "http://[::1]/",
    ],
)
def test_a_host_that_is_not(url: str) -> None:
    with pytest.raises(SourceForbidden, match="pull_hosts"):
        Allowed(HOSTS).source(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://" + "a" * URL_LENGTH,
        "concat:rtsp://camera.example/",
        "gopher://camera.example/",
        "data:video/mp4;base64,AAAA",
        "pipe:0",
        "async:http://camera.example/",
        "hls+http://camera.example/",
        "http:///etc/passwd",
        "http:camera.example",
        "http://camera.example\\@other.example/",
        "http://camera.example/ listen=1",
        "http://camera.example/\n",
        "http://camera.example:99999/",
        "http://camera.example:0/",
        "http://camera.example/#other",
        "http://[camera.example/",
        "http://camera.example'/x",
        "srt://camera.example:9000?mode=listener",
        "srt://camera.example:9000?mode=caller&localaddr=0.0.0.0",
        "srt://camera.example",
    ],
)
def test_what_is_no_url_to_read(url: str) -> None:
    with pytest.raises(SourceRefused) as refused:
        Allowed(HOSTS).source(url)
    assert not isinstance(refused.value, SourceForbidden)


@given(st.text(max_size=80))
def test_nothing_else_is_let_through(text: str) -> None:
    for url in (text, f"http://{text}", f"rtsp://camera.example{text}", f"srt://camera.example:1?{text}"):
        try:
            source = Allowed(HOSTS).source(url)
        except SourceRefused:
            continue
        assert not set(source.url) & set("'\\ \n")
        assert source.url.partition("://")[2].rpartition("@")[2].lower().startswith(
            ("camera.example", "192.0.2.7", "[2001:db8::7]")
        ) or (".cdn.example" in source.url.lower())


def test_without_hosts_none_is() -> None:
    with pytest.raises(SourceForbidden, match="pull_hosts"):
        Allowed().source("http://camera.example/")


def test_names_below_a_name() -> None:
    assert is_among("a.example", ("*.example",))
    assert not is_among("example", ("*.example",))
    assert not is_among(".example", ("*.example",))


def test_files_lie_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "media"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "a b.mp4").write_bytes(b"x")
    (tmp_path / "outside.mp4").write_bytes(b"x")
    (folder / "link.mp4").symlink_to(folder / "below" / "a b.mp4")
    (folder / "out.mp4").symlink_to(tmp_path / "outside.mp4")
    (folder / "round").symlink_to(folder / "round")
    allowed = Allowed((), folder)
    inside = str((folder / "below" / "a b.mp4").resolve())
    for url in (
        "below/a b.mp4",
        "link.mp4",
        inside,
        f"file:{inside}",
        f"file://{inside}",
        "file:below/a%20b.mp4",
        "below/../link.mp4",
    ):
        source = allowed.source(url)
        assert (source.url, source.name, source.protocol) == (inside, "below/a b.mp4", "file")
    for url in ("out.mp4", "../outside.mp4", str(tmp_path / "outside.mp4"), "/etc/passwd", "file:///etc/passwd"):
        with pytest.raises(SourceForbidden, match="media_dir"):
            allowed.source(url)
    for url in ("below", ".", "nothing.mp4", "round", "a\0b", "x" * 1000, "file:%00"):
        with pytest.raises(SourceForbidden, match="media_dir"):
            allowed.source(url)


def test_without_a_folder_no_file_is_read() -> None:
    with pytest.raises(SourceForbidden, match="media_dir"):
        Allowed(("camera.example",)).source("a.mp4")
