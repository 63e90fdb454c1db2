"""The page of metrics says what the collectors do."""

from __future__ import annotations

import re

from docs import metrics


def test_the_page_is_up_to_date() -> None:
    assert metrics.PAGE.read_text() == metrics.document(), "run: python -m docs.metrics"


def test_every_alarm_asks_for_what_there_is() -> None:
    there = {sample.name for family in metrics.families() for sample in family.samples}
    for rule, _ in metrics.ALARMS:
        asked = set(re.findall(r"\b(?:doppel|process)_\w+", rule))
        assert asked <= there, rule
    assert len(there) > 30


def test_every_metric_says_what_it_is() -> None:
    for family in metrics.families():
        assert family.documentation.endswith("."), family.name
        assert family.type in ("counter", "gauge", "histogram", "summary"), family.name
