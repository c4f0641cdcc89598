"""An Atom feed of findings (RFC 4287)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from bench_db.clock import CALENDAR_SECONDS
from bench_db.identity import content_id
from bench_db.model import Finding
from bench_db.report.escape import shortened
from bench_db.report.quantity import change_text, probability
from bench_db.report.terminal import finding_text
from bench_db.report.text import visible
from bench_db.rules import RULES
from bench_db.units import is_worse

_ATOM = "http://www.w3.org/2005/Atom"
_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """A finding with the label and the test bed of its series, the time of its commit (unix seconds) and its page."""

    finding: Finding
    label: str
    bed: str = ""
    direction: str
    units: str = "nanoseconds"
    updated: int
    href: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedCommit:
    """The findings of a commit as one entry: what moved, a line for each finding, the causes, the time of the commit and its page."""

    commit: str
    moved: str
    states: Sequence[str]
    lines: Sequence[str]
    causes: Sequence[str] = ()
    updated: int
    href: str = ""


def atom(entries: Sequence[FeedEntry | FeedCommit], *, feed_id: str, title: str, updated: int, href: str = "") -> bytes:
    """Render the feed as UTF-8 XML, newest first. Identifiers come from `feed_id` and the ids of findings and commits alone, so they never change."""
    root = ET.Element("feed", xmlns=_ATOM)
    _text(root, "id", _urn("feed", feed_id))
    _text(root, "title", title)
    _text(root, "updated", _when(updated))
    _text(ET.SubElement(root, "author"), "name", "bench_db")
    _link(root, href, "self")
    for entry in sorted(entries, key=lambda e: (-e.updated, e.commit if isinstance(e, FeedCommit) else e.finding.id)):
        if isinstance(entry, FeedCommit):
            _commit_entry(root, entry, feed_id)
        else:
            _entry(root, entry, feed_id)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _entry(root: ET.Element, entry: FeedEntry, feed_id: str) -> None:
    node, finding = ET.SubElement(root, "entry"), entry.finding
    _text(node, "id", _urn("finding", feed_id, finding.id))
    bed = f" on {shortened(entry.bed, _NAME)}" if entry.bed else ""
    _text(
        node,
        "title",
        f"{shortened(entry.label, _NAME)}{bed}: {change_text(finding, entry.units, entry.direction)}, {_kind(entry)}",
    )
    _text(node, "updated", _when(entry.updated))
    _link(node, entry.href, "alternate")
    ET.SubElement(node, "category", term=finding.state)
    common = f" Part of {finding.common_mode}." if finding.common_mode else ""
    cause = f" {because}" if (because := finding_text(finding)) else ""
    provisional = " Provisional: later runs confirm or withdraw it." if finding.is_unsettled else ""
    provisional = " Withdrawn: later runs do not show it." if finding.is_withdrawn else provisional
    moved = change_text(finding, entry.units, entry.direction, interval=True)
    at = f"at {finding.commit[: RULES.sha_length]}" if finding.commit else f"at point {finding.index}"
    _text(
        node,
        "summary",
        f"{moved} {at}, p {probability(finding.p_value)}. State: {finding.state}.{provisional}{common}{cause}",
    )


def _commit_entry(root: ET.Element, entry: FeedCommit, feed_id: str) -> None:
    node = ET.SubElement(root, "entry")
    _text(node, "id", _urn("commit", feed_id, entry.commit))
    _text(node, "title", f"{entry.commit[: RULES.sha_length]}: {entry.moved}")
    _text(node, "updated", _when(entry.updated))
    _link(node, entry.href, "alternate")
    for state in entry.states:
        ET.SubElement(node, "category", term=state)
    left = len(entry.lines) - RULES.comment_rows
    lines = [shortened(line, 2 * _NAME) for line in entry.lines[: RULES.comment_rows]]
    moved = "; ".join([*lines, *([f"{left:,} more"] if left > 0 else [])])
    _text(node, "summary", " ".join([f"{moved}." if entry.causes else moved, *entry.causes]))


def _kind(entry: FeedEntry) -> str:
    worse = is_worse(entry.finding.effect, entry.direction)
    return {True: "regression", False: "improvement", None: "change"}[worse]


def _urn(*parts: str) -> str:
    return f"urn:uuid:{content_id(parts)}"


def _text(parent: ET.Element, name: str, text: str) -> None:
    # XML has no way to write most control characters: `visible` spells them out
    ET.SubElement(parent, name).text = visible(text)


def _link(parent: ET.Element, href: str, relation: str) -> None:
    if href:
        ET.SubElement(parent, "link", rel=relation, href=visible(href))


def _when(seconds: int) -> str:
    return datetime.fromtimestamp(min(max(seconds, CALENDAR_SECONDS[0]), CALENDAR_SECONDS[1]), UTC).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )
