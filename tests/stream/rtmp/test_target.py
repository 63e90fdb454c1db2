from __future__ import annotations

import pytest

from stream.rtmp.limits import NAME_LENGTH, SAID_LENGTH
from stream.rtmp.target import Target

KEY = "s3cr3t-key"


@pytest.mark.parametrize(
    ("url", "host", "port", "app", "key", "connects_to"),
    [
        ("rtmp://a.example/live2/KEY", "a.example", 1935, "live2", "KEY", "rtmp://a.example/live2"),
        ("rtmps://a.example:443/rtmp/KEY?a=1&b=/2", "a.example", 443, "rtmp", "KEY?a=1&b=/2", "rtmps://a.example/rtmp"),
        ("rtmp://[::1]:1936/live/sub/KEY", "::1", 1936, "live/sub", "KEY", "rtmp://[::1]:1936/live/sub"),
        ("RTMP://A.example/live/KEY/", "a.example", 1935, "live", "KEY", "rtmp://a.example/live"),
    ],
)
def test_a_url_in_its_parts(url: str, host: str, port: int, app: str, key: str, connects_to: str) -> None:
    target = Target.parse(url)
    assert (target.host, target.port, target.app, target.key, target.url) == (host, port, app, key, connects_to)
    assert target.secure == url.startswith("rtmps")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"http://host/live/{KEY}", "begins with rtmp"),
        (f"rtmp://host/{KEY}", "lacks its host, app or key"),
        (f"rtmp:///live/{KEY}", "lacks its host, app or key"),
        (f"rtmp://host:0/live/{KEY}", "lacks its host, app or key"),
        (f"rtmp://host..name/live/{KEY}", "lacks its host, app or key"),
        (f"rtmp://{'h' * 64}.name/live/{KEY}", "lacks its host, app or key"),
        (f"rtmp://host:99999/live/{KEY}", "host or port"),
        (f"rtmp://host:p/live/{KEY}", "host or port"),
        (f"rtmp://[::1/live/{KEY}", "host or port"),
        (f"rtmp://me:{KEY}@host/live/key", "user's name"),
        (f"rtmp://host/live/{KEY}#part", "%23"),
        (f"rtmp://host/live/{KEY}\r\nx", "cannot be seen"),
        (f"rtmp://host/live/{KEY} x", "has a space"),
        (f"rtmp://host/live/{KEY}{'x' * NAME_LENGTH}", "longer than"),
    ],
)
def test_what_is_no_target_is_refused_in_words_without_the_key(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        Target.parse(url)
    assert KEY not in str(caught.value)


def test_its_text_has_no_key() -> None:
    target = Target.parse(f"rtmp://host/live/{KEY}?token=t0ken")
    for text in (str(target), repr(target), target.url):
        assert KEY not in text
        assert "t0ken" not in text
        assert "host" in text


@pytest.mark.parametrize(
    "said",
    [
        f"stream live/{KEY} exists",
        f"stream {KEY.upper()} exists",
        f"{KEY}?token=a%20b&x",
        "the token 'a b' is wrong",
        "the token a%20b is wrong",
    ],
)
def test_what_a_server_says_is_told_without_the_key(said: str) -> None:
    told = Target.parse(f"rtmp://host/live/{KEY}?token=a%20b").conceal(said)
    assert "(key)" in told
    for secret in (KEY, "a b", "a%20b"):
        assert secret not in told.lower()


def test_what_a_server_says_is_one_line_of_bounded_length() -> None:
    target = Target.parse(f"rtmp://host/live/{KEY}")
    assert target.conceal("no\r\n\x1b[31mentry") == "no   [31mentry"
    said = "x" * (SAID_LENGTH - 3) + KEY
    assert target.conceal(said) == "x" * (SAID_LENGTH - 3) + "(ke"
