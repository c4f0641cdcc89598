from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.report.feed import FeedCommit, FeedEntry, atom
from tests.report.examples import HOSTILE, commit_of, found
from tests.report.golden import golden

if TYPE_CHECKING:
    from collections.abc import Sequence

ATOM = "{http://www.w3.org/2005/Atom}"


def entry(
    label: str = "io: decode", finding_id: str = "f-1", updated: int = 1_780_000_000, **given: object
) -> FeedEntry:
    finding = found(finding_id=finding_id, series_key=1, index=120, commit=commit_of(120), **given)
    return FeedEntry(finding=finding, label=label, direction="lower", updated=updated, href="benchmark.html#s=1&p=120")


ENTRIES = [
    entry(),
    entry("recall", "f-2", 1_780_100_000, effect=-0.2, low=-0.25, high=-0.15, state="blessed"),
    entry("new", "f-3", 1_779_000_000, effect=0.5, provisional=True, common_mode="runner-large from 3 September"),
]


def feed(entries: Sequence[FeedEntry | FeedCommit]) -> bytes:
    return atom(entries, feed_id="s3://bucket/benchmarks", title="Benchmarks", updated=1_780_100_000, href="feed.xml")


def texts(content: bytes, path: str) -> list[str]:
    return [
        node.text or "" for node in ET.fromstring(content).iterfind(path.replace("/", f"/{ATOM}").replace("@", ATOM))
    ]


class TestFeed:
    """The feed is valid XML, newest first, with identifiers that never change."""

    def test_golden(self) -> None:
        text = feed(ENTRIES).decode()
        assert text == golden("feed.xml", text)

    def test_newest_first(self) -> None:
        assert texts(feed(ENTRIES), "@entry/updated") == [
            "2026-05-30T00:13:20Z",
            "2026-05-28T20:26:40Z",
            "2026-05-17T06:40:00Z",
        ]

    def test_identifiers_depend_on_the_finding_alone(self) -> None:
        changed = [entry("renamed", updated=5, state="fixed"), *ENTRIES[1:]]
        assert sorted(texts(feed(changed), "@entry/id")) == sorted(texts(feed(ENTRIES), "@entry/id"))

    def test_identifiers_differ(self) -> None:
        assert len({*texts(feed(ENTRIES), "@entry/id"), *texts(feed(ENTRIES), "@id")}) == 4

    def test_one_benchmark_on_two_test_beds(self) -> None:
        beds = [replace(entry(finding_id=bed), bed=bed) for bed in ("laptop", "runner")]
        assert texts(feed(beds), "@entry/title") == [
            "io: decode on laptop: +10.0 %, regression",
            "io: decode on runner: +10.0 %, regression",
        ]

    def test_the_findings_of_a_commit_are_one_entry(self) -> None:
        lines = [f"b{n} on ci: +20.0 %" for n in range(125)]
        one = FeedCommit(
            commit=commit_of(4),
            moved="125 slower, median +20.0 %, ci",
            states=["open"],
            lines=lines,
            updated=5,
            href="c.html",
        )
        content = feed([one, entry()])
        assert texts(content, "@entry/title")[1] == f"{commit_of(4)[:9]}: 125 slower, median +20.0 %, ci"
        assert texts(content, "@entry/summary")[1].endswith("; b9 on ci: +20.0 %; 115 more")
        told = feed([replace(one, causes=["Cause: the code (a)."]), entry()])
        assert texts(told, "@entry/summary")[1].endswith("; 115 more. Cause: the code (a).")
        again = feed([replace(one, moved="fixed", lines=[], states=[])])
        assert texts(again, "@entry/id")[0] in texts(content, "@entry/id")

    @pytest.mark.parametrize(
        ("state", "said"),
        [
            ("open", "later runs confirm or withdraw it"),
            ("fixed", "Withdrawn: later runs do not show it"),
            ("blessed", None),
        ],
    )
    def test_what_became_of_a_provisional_one(self, state: str, said: str | None) -> None:
        (summary,) = texts(feed([entry(provisional=True, state=state)]), "@entry/summary")
        assert (said or "State: blessed.") in summary
        assert ("Provisional" in summary) is (state == "open")

    def test_empty(self) -> None:
        assert texts(feed([]), "@entry") == []

    @given(st.text(max_size=300))
    def test_any_name_is_valid_xml(self, label: str) -> None:
        assert len(texts(feed([entry(label)]), "@entry")) == 1

    @pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
    def test_hostile(self, name: str) -> None:
        assert [node.tag for node in ET.fromstring(feed([entry(name)])).iter() if "img" in node.tag] == []
