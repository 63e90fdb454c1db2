from __future__ import annotations

import logging

import pytest

from doppel.downloads import DownloadLog


def test_a_download_is_told_every_tenth(caplog: pytest.LogCaptureFixture) -> None:
    log = DownloadLog()
    with caplog.at_level(logging.INFO, "doppel.downloads"):
        for done in range(0, 83_000_000, 65_536):
            log("face_stylizer_sketch", done, 82_762_510)
    assert len(caplog.messages) == 11
    assert caplog.messages[5] == "fetching the model face_stylizer_sketch: 41 of 82.8 MB"


def test_one_whose_length_is_not_known_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    log = DownloadLog()
    with caplog.at_level(logging.INFO, "doppel.downloads"):
        for done in range(10):
            log("weights", done, 0)
    assert len(caplog.messages) == 1
