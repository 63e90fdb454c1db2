from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import BadRequest, SignalingError
from signaling.trickle import MAX_BYTES, MAX_LINES, read

HEAD = (
    "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
    "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
)
HOST = "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n"


def test_a_browsers_fragment() -> None:
    fragment = read(
        HEAD
        + HOST
        + "a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0\r\n"
        + "a=candidate:2 1 udp 1 f00f.local 9 typ host\r\n"
        + "a=candidate:3 1 udp 7 2001:db8::1 5000 typ srflx raddr :: rport 9\r\n"
        + "a=end-of-candidates\r\n"
    )
    assert (fragment.ufrag, fragment.password) == ("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")
    # RFC 9725 section 4.3.2: transports that are not taken, and names that are not looked up, are passed over.
    assert [(each.address, each.port, each.type) for each in fragment.candidates] == [
        ("192.0.2.1", 61764, "host"),
        ("2001:db8::1", 5000, "srflx"),
    ]


def test_credentials_of_the_whole_fragment() -> None:
    """As older clients have it."""
    fragment = read(f"a=ice-ufrag:EsAw\na=ice-pwd:secret\nm=audio 9 RTP/AVP 0\na=mid:0\n{HOST}")
    assert (fragment.ufrag, fragment.password, len(fragment.candidates)) == ("EsAw", "secret", 1)


def test_no_candidates_are_fine() -> None:
    assert read(HEAD + "a=end-of-candidates\r\n").candidates == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "ice-ufrag"),
        ("hello", "no attribute"),
        ("v=0\r\n" + HEAD, "no attribute"),
        (HEAD.replace("a=ice-pwd", "a=ice-pw"), "ice-pwd"),
        (HEAD.replace("a=ice-ufrag:EsAw", "a=ice-ufrag:"), "ice-ufrag"),
        (HEAD + "a=ice-ufrag:other\r\n", "ice-ufrag"),
        (HEAD.replace("m=audio 9 UDP/TLS/RTP/SAVPF 111", "m=audio"), "m= line"),
        (HEAD + "a=candidate:1 1 udp\r\n", "candidate"),
        (HEAD + "a=candidate:1 one udp 1 192.0.2.1 9 typ host\r\n", "candidate"),
        (HEAD + "a=candidate:1 1 udp " + "9" * 5000 + " 192.0.2.1 9 typ host\r\n", "candidate"),
        (HEAD + "a=x\r\n" * MAX_LINES, "lines"),
        (HEAD + "a=" + "x" * MAX_BYTES, "larger"),
    ],
)
def test_refusals(text: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        read(text)


@given(st.text(max_size=200), st.integers(0, len(HEAD + HOST)))
def test_any_text_is_read_or_refused(text: str, at: int) -> None:
    whole = HEAD + HOST
    for fragment in (text, whole[:at] + text + whole[at:]):
        try:
            read(fragment)
        except SignalingError:
            continue
