from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from bench_db.model import Cause, Finding, Series, State
from bench_db.report import alarms
from bench_db.report.alarms import Alarm
from tests.strategies import HOSTILE, commit_of

_WIDE = '\U0001f600"<&*[]|' * 200


def alarm(number: int = 1, *, name: str = "bench", commits: int = 1, **changes: Any) -> Alarm:
    """A message of some findings, whose series all have a name."""
    series = {n: Series(series_key=n, benchmark_name=f"{name} {n}", test_bed_name=name) for n in range(number)}
    found = [
        Finding(
            id=f"f{n:04}",
            series_key=n,
            commit=commit_of(n % commits),
            index=1,
            effect=0.2 + n / 1_000,
            low=0.1,
            high=0.3,
            p_value=0.001,
            provisional=False,
            at=1,
        )
        for n in range(number)
    ]
    given = {"id": "0123456789abcdef", "project": "engine", "at": 1_790_000_000, "findings": found, "series": series}
    return Alarm(**{**given, **changes})


class TestText:
    """A message names what moved at each commit, and counts what it leaves out."""

    def test_one(self) -> None:
        [finding] = alarm().findings
        blamed = replace(finding, cause=Cause.CODE)
        assert alarms.text(alarm(findings=[blamed], owners=["Ann"])) == (
            "engine: 1 new in the benchmarks\n\n"
            f"{commit_of(0)[:9]} new: 1 slower, +20.0 %, bench, cause: the code\n  bench 0 +20.0 %\nOwners: Ann\n"
        )

    @pytest.mark.parametrize("other", [None, Cause.UNKNOWN, Cause.CODE])
    def test_a_cause_that_not_all_have(self, other: Cause | None) -> None:
        first, *rest = alarm(40).findings
        mixed = [replace(first, cause=Cause.MACHINE), *(replace(f, cause=other) for f in rest)]
        assert "cause:" not in alarms.text(alarm(40, findings=mixed))

    @pytest.mark.parametrize("cause", [None, Cause.UNKNOWN])
    def test_no_cause(self, cause: Cause | None) -> None:
        found = [replace(f, cause=cause) for f in alarm(2).findings]
        assert "cause:" not in alarms.text(alarm(2, findings=found))

    def test_many(self) -> None:
        text = alarms.text(alarm(130, commits=13))
        assert text.startswith("engine: 130 new in the benchmarks\n")
        assert len(re.findall(r"^[0-9a-f]{9} new: 10 slower, median \+\d+\.\d %, bench$", text, re.MULTILINE)) == 10
        assert f"  and 7 more: bench-db show {commit_of(12)[:9]}\n" in text
        assert alarm(11, commits=11).more == "and 1 more finding of 1 more commit: bench-db finding list"
        assert text.endswith("and 30 more findings of 3 more commits: bench-db finding list\n")

    def test_states(self) -> None:
        first, second = alarm(2).findings
        mixed = alarm(2, findings=[first, replace(second, state=State.FIXED)])
        assert "\n1 finding of engine at " in alarms.issue_body(alarm(), "<!-- m -->")
        assert mixed.title == "engine: 1 new, 1 fixed in the benchmarks"
        assert alarms.issue_title(mixed) == f"{commit_of(0)[:9]}: 1 slower, +20.0 %, bench, bench 0"

    def test_provisional_ones_and_what_became_of_them(self) -> None:
        first, second = (replace(f, commit=commit_of(0), provisional=True) for f in alarm(2).findings)
        settled = replace(second, provisional=False)
        text = alarms.text(alarm(2, findings=[first, second]))
        assert " new: 2 slower, median +20.1 %, bench, provisional: later runs confirm or withdraw it\n" in text
        assert ", 1 provisional: later runs confirm or withdraw it\n" in alarms.text(
            alarm(2, findings=[first, settled])
        )
        gone = replace(first, state=State.FIXED)
        assert alarm(1, findings=[gone]).title == "engine: 1 withdrawn in the benchmarks"
        assert " withdrawn: 1 slower, +20.0 %, bench\n" in alarms.text(alarm(1, findings=[gone]))
        both = alarms.text(alarm(2, findings=[gone, replace(settled, state=State.FIXED)]))
        assert "engine: 1 fixed, 1 withdrawn in the benchmarks" in both
        assert " fixed and withdrawn: 2 slower" in both


class TestSlackNames:
    """Slack makes no mention, link or style of a name, and leaves the address of a commit as it is."""

    def test_a_name(self) -> None:
        name = "@channel *x* _y_ ~z~ `c` #general https://x.test/a_b"
        document = alarms.slack(alarm(name=name, project=name, commit_url="https://x.org/a_b/{commit}"))
        sections = [block["text"] for block in document["blocks"] if block["type"] == "section"]
        assert all(one["verbatim"] is True for one in sections)
        [said] = [one["text"] for one in sections]
        assert f"<https://x.org/a_b/{commit_of(0)}|{commit_of(0)[:9]}>" in said
        below = said.partition("\n")[2]
        for text in (said.partition(">")[2], below, document["text"]):
            assert re.search(r"[*_~`]", text)
            assert not re.search(r"(?<!\u200b)[*_~`]", text)
        assert below.replace("\u200b", "") == f"• {name} 0 +20.0 %"


_HOSTILE = {"plain": "bench", "hostile": HOSTILE, "wide": _WIDE, "mention": "<!channel> <@U1> @all <at>x</at>"}


class TestSuiteFailure:
    """The issue of a failed suite names what failed, where, at which commits, and the end of the log."""

    @staticmethod
    def of(**changes: Any) -> alarms.SuiteFailure:
        about = {
            "id": "suite 1",
            "device": "engine",
            "bed": "ci",
            "suite": "io",
            "commits": [commit_of(1)],
            "until": None,
        }
        return alarms.SuiteFailure(**{**about, "error": "exit code 1\nend", **changes})

    def test_one_commit(self) -> None:
        first = commit_of(1)[:9]
        assert self.of().title == f"{first}: suite io fails on ci"
        text = self.of(commit_url="https://forge.test/{commit}").body("<!-- m -->")
        assert text.startswith(
            f"<!-- m -->\nio of engine fails on ci at 1 measured commit, [{first}](https://forge.test/{commit_of(1)})."
        )
        assert "```text\nexit code 1\nend\n```" in text

    def test_a_range_and_its_end(self) -> None:
        text = self.of(commits=[commit_of(n) for n in (1, 2, 3)], until=commit_of(4)).body("m")
        assert f"3 measured commits, {commit_of(1)[:9]} to {commit_of(3)[:9]}." in text
        assert f"It succeeds again at {commit_of(4)[:9]}." in text

    def test_many_are_counted(self) -> None:
        many = [self.of(suite=f"s{n}") for n in range(12)]
        text = alarms.text(alarm(failures=[*many, self.of(is_open=False, until=commit_of(2))]))
        assert text.startswith("engine: 1 new in the benchmarks, 12 suites fail, 1 suite fails no more\n")
        assert text.count(" fails on ci at 1 measured commit") == 10
        assert text.endswith("\nand 3 more suites: bench-db artifact list --kind log\n")

    def test_no_line_of_a_log_ends_its_block(self) -> None:
        text = self.of(error="a\n```\n# not a heading\n`````\nb").body("m")
        fence = "`" * 6
        assert text.count(fence) == 2
        assert f"{fence}text\na\n" in text

    @pytest.mark.parametrize(
        "hostile",
        [HOSTILE, "<img src=x>", "@everyone", "\u202ea\x1b[31m", "[a](https://x)"],
        ids=["quotes", "tag", "mention", "controls", "link"],
    )
    def test_hostile_names(self, hostile: str) -> None:
        one = self.of(suite=hostile, bed=hostile, device=hostile, error="")
        assert one.title.isprintable()
        head = one.body("m")
        assert not any(text in head for text in ("<img", " @everyone", "\u202e", "\x1b", " [a](https"))


@pytest.mark.parametrize("name", _HOSTILE)
@pytest.mark.parametrize("number", [1, 1_000])
class TestShapes:
    """Each form is as its receiver documents it, whatever the names."""

    def made(self, name: str, number: int, **changes: Any) -> Alarm:
        text = _HOSTILE[name]
        return alarm(number, name=text, commits=min(number, 25), project=text, **changes)

    def test_slack(self, name: str, number: int) -> None:
        owners = ["U01", "S01", "<!channel>"] * 20
        document = alarms.slack(self.made(name, number, owners=owners, commit_url="https://x.org/{commit}"))
        blocks = document["blocks"]
        assert len(blocks) <= 50
        assert {block["type"] for block in blocks} == {"header", "section", "context"}
        assert len(blocks[0]["text"]["text"]) <= 150
        assert all(0 < len(block["text"]["text"]) <= 3_000 for block in blocks[1:-1])
        links = re.findall("<[^>]*>", " ".join(block["text"]["text"] for block in blocks[1:-1]))
        assert all(
            re.fullmatch(r"<https://x\.org/[0-9a-f]{40}\|[0-9a-f]{9}>|<@U01>|<!subteam\^S01>", one) for one in links
        )
        assert "<!channel>" not in document["text"]

    def test_teams(self, name: str, number: int) -> None:
        document = alarms.teams(self.made(name, number, owners=["ann@example.org", "not an address"]))
        assert len(json.dumps(document, ensure_ascii=False).encode()) < 28_000
        [attachment] = document["attachments"]
        card = attachment["content"]
        assert (document["type"], card["type"], card["version"]) == ("message", "AdaptiveCard", "1.4")
        assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        assert {block["type"] for block in card["body"]} == {"TextBlock"}
        mentions = [entity["text"] for entity in card["msteams"]["entities"]]
        assert mentions == re.findall("<at>[^<]*</at>", " ".join(block["text"] for block in card["body"]))

    def test_matrix(self, name: str, number: int) -> None:
        content = alarms.matrix(self.made(name, number, owners=["@ann:example.org", "x"]))
        assert len(json.dumps(content, ensure_ascii=False).encode()) < 60_000
        assert content["msgtype"] == "m.text"
        assert content["m.mentions"] == {"user_ids": ["@ann:example.org"]}
        tags = set(re.findall("</?([a-z0-9]+)", content["formatted_body"]))
        assert tags <= {"h4", "ul", "li", "code", "p", "a"}

    def test_mail(self, name: str, number: int) -> None:
        message = alarms.mail(
            self.made(name, number, owners=["ann@example.org", "b\nBcc: x@y"]), "a@x.org", ["b@x.org"]
        )
        assert (message["To"], message["Cc"]) == ("b@x.org", "ann@example.org")
        assert message["Message-ID"] == "<0123456789abcdef@bench-db.invalid>"
        assert "\n" not in message["Subject"]
        assert message["Bcc"] is None
        assert bytes(message)

    def test_webhook(self, name: str, number: int) -> None:
        document = alarms.webhook(self.made(name, number))
        assert len({finding["id"] for finding in json.loads(json.dumps(document))["findings"]}) == number
        assert sum(len(group["ids"]) for group in document["groups"]) == number

    def test_issue(self, name: str, number: int) -> None:
        one_commit = alarm(number, name=_HOSTILE[name], project=_HOSTILE[name], owners=["ann", "@org/team"])
        body = alarms.issue_body(one_commit, "<!-- m -->")
        assert len(body.encode()) <= 65_536
        assert body.startswith("<!-- m -->\n")
        assert body.split("\n")[1].endswith("@ann @org/team")
        assert 0 < len(alarms.issue_title(one_commit)) <= 256
        text = re.sub("<code>.*?</code>", "", body)
        assert not re.search(r"(?<![\w/])@(?!ann|org/team)\w", text)
