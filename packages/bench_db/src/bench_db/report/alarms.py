"""Messages about findings, grouped by commit, and about suites that fail, in the forms of their receivers: JSON, Slack, Teams, Matrix, mail, issues."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from bench_db.analysis.by_commit import by_commit
from bench_db.analysis.findings import in_order
from bench_db.model import Cause, Finding, Series, State
from bench_db.query.selection import short
from bench_db.report.document import finding_json, versioned
from bench_db.report.escape import markdown_text, shortened
from bench_db.report.markdown import findings_markdown
from bench_db.report.quantity import change_text
from bench_db.report.terminal import CAUSES, GONE, beds_words, moved_words
from bench_db.report.text import visible
from bench_db.rules import RULES
from bench_db.schedule.config import MENTIONS

if TYPE_CHECKING:
    from bench_db.model import CommitFindings

# States in which a finding asks somebody to act.
ALARMING = frozenset({State.OPEN, State.REOPENED})
_STATES = {State.OPEN: "new"}
_NAME, _BED, _SUITE, _MENTIONS = 120, 80, 300, 20
# Slack takes 150 characters in a header, 3,000 in a section and 50 blocks; docs.slack.dev/reference/block-kit/blocks.
_SLACK_HEADER, _SLACK_SECTION = 150, 3_000
_TITLE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A message: findings of a project and suites that fail or fail no more, each in the state that is reported, and who is mentioned.

    `id` is the same whenever the message is sent again. `at` is unix seconds. `series` are those of the findings by key. `commit_url`
    has `{commit}` for the sha, or is empty.
    """

    id: str
    project: str
    at: int
    findings: Sequence[Finding]
    series: Mapping[int, Series]
    owners: Sequence[str] = ()
    commit_url: str = ""
    failures: Sequence[SuiteFailure] = ()

    @property
    def title(self) -> str:
        """The number of findings of each state, and of suites that fail or fail no more."""
        counts = Counter(_state(finding) for finding in in_order(self.findings))
        states = ", ".join(f"{number:,} {state}" for state, number in counts.items())
        suites = Counter(one.is_open for one in self.failures)
        parts = [f"{states} in the benchmarks"] if states else []
        parts += [_suites_words(suites[is_open], is_open=is_open) for is_open in (True, False) if suites[is_open]]
        return shortened(visible(f"{self.project}: {', '.join(parts)}"), _TITLE)

    @property
    def groups(self) -> list[CommitFindings]:
        """The findings of each commit and state together."""
        return by_commit(in_order(self.findings), self.series)

    @property
    def listed(self) -> list[_Entry]:
        """The suites and the groups of findings that a text lists."""
        known = {finding.id: finding for finding in self.findings}
        chosen = self.groups[: RULES.message_commits]
        suites = [one.entry for one in self.failures[: RULES.message_commits]]
        return [*suites, *(self._entry(group, [known[one] for one in group.ids]) for group in chosen)]

    @property
    def more(self) -> str:
        """What a text does not list, and the command that does; empty when it lists everything."""
        left = self.groups[RULES.message_commits :]
        findings = sum(len(group.ids) for group in left)
        commits = len({group.commit for group in left})
        counted = f"{_many(findings, 'more finding')} of {_many(commits, 'more commit')}"
        words = [f"and {counted}: bench-db finding list"] if left else []
        suites = len(self.failures[RULES.message_commits :])
        words += [f"and {_many(suites, 'more suite')}: bench-db artifact list --kind log"] if suites else []
        return "; ".join(words)

    def _entry(self, group: CommitFindings, findings: Sequence[Finding]) -> _Entry:
        commit = short(group.commit or "-")
        state = " and ".join(dict.fromkeys(map(_state, findings)))
        first, *others = {finding.cause for finding in findings}
        cause = "" if others or first is None or first is Cause.UNKNOWN else f", cause: {CAUSES[first]}"
        unsettled = sum(finding.is_unsettled for finding in findings)
        number = f"{unsettled:,} " if 0 < unsettled < len(findings) else ""
        provisional = f", {number}provisional: later runs confirm or withdraw it" if unsettled else ""
        words = f"{state}: {moved_words(group)}, {shortened(visible(beds_words(group)), _BED)}{cause}{provisional}"
        top = sorted(findings, key=lambda f: (-abs(f.effect or 0.0), f.id))[: RULES.message_benchmarks]
        names = [self._name(f) for f in top]
        left = len(findings) - len(top)
        url = self.commit_url.replace("{commit}", group.commit) if group.commit else ""
        rest = f"and {left:,} more: bench-db show {commit}" if left else ""
        return _Entry(commit=visible(commit), url=url, words=words, names=names, rest=rest)

    def _name(self, finding: Finding) -> str:
        one = self.series.get(finding.series_key, GONE)
        return f"{shortened(visible(one.label), _NAME)} {change_text(finding, one.units, one.direction)}"


def _suites_words(number: int, *, is_open: bool) -> str:
    return f"{_many(number, 'suite')} {'fails' if number == 1 else 'fail'}{'' if is_open else ' no more'}"


def _state(finding: Finding) -> str:
    return "withdrawn" if finding.is_withdrawn else _STATES.get(finding.state, finding.state)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A commit in a text: its link (empty: none), what moved, the largest changes, and how many more there are."""

    commit: str
    url: str
    words: str
    names: Sequence[str]
    rest: str

    @property
    def below(self) -> list[str]:
        return [*self.names, *([self.rest] if self.rest else [])]


def webhook(alarm: Alarm) -> dict[str, Any]:
    """Return the JSON for a webhook: every finding and failed suite, whatever their number."""
    return versioned(
        {
            "id": alarm.id,
            "project": alarm.project,
            "at": alarm.at,
            "title": alarm.title,
            "text": text(alarm),
            "owners": list(alarm.owners),
            "groups": [asdict(group) for group in alarm.groups],
            "findings": [finding_json(finding, alarm.series) for finding in in_order(alarm.findings)],
            "failures": [one.document for one in alarm.failures],
        }
    )


def text(alarm: Alarm) -> str:
    """Return the message as plain text."""
    parts = [f"{entry.commit} {entry.words}\n" + "".join(f"  {one}\n" for one in entry.below) for entry in alarm.listed]
    owners = f"Owners: {', '.join(map(visible, _few(alarm.owners)))}\n" if alarm.owners else ""
    more = f"{alarm.more}\n" if alarm.more else ""
    return f"{alarm.title}\n\n{''.join(parts)}{more}{owners}"


def slack(alarm: Alarm) -> dict[str, Any]:
    """Return the message for an incoming webhook of Slack. Owners are ids of users (U...) or of groups (S...)."""
    sections = [_slack_entry(entry) for entry in alarm.listed]
    owners = _mentioned(alarm.owners, "slack")
    mentions = [f"<!subteam^{one}>" if one.startswith("S") else f"<@{one}>" for one in owners]
    sections += [*([_slack(alarm.more)] if alarm.more else []), *([" ".join(mentions)] if mentions else [])]
    header = {"type": "header", "text": {"type": "plain_text", "text": shortened(alarm.title, _SLACK_HEADER)}}
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": one, "verbatim": True}} for one in sections]
    identity = {"type": "context", "elements": [{"type": "plain_text", "text": f"message {alarm.id}"}]}
    return {"text": _slack(alarm.title), "blocks": [header, *blocks, identity]}


def _slack_entry(entry: _Entry) -> str:
    """Return a section; its lines are left out from the end where Slack takes no more, so that no escape is cut."""
    commit = f"<{_slack_escaped(entry.url)}|{_slack(entry.commit)}>" if entry.url else f"*{_slack(entry.commit)}*"
    lines = [f"{commit} {_slack(entry.words)}", *(f"• {_slack(one)}" for one in entry.below)]
    while len("\n".join(lines)) > _SLACK_SECTION:
        lines.pop()
    return "\n".join(lines)


def _slack(one: str) -> str:
    """Escape a text, and put a space without width before what would begin or end a style, for which Slack has no escape."""
    return re.sub(r"(?=[*_~`])", "\u200b", _slack_escaped(one))


def _slack_escaped(one: str) -> str:
    """Escape the three characters that Slack interprets."""
    return one.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def teams(alarm: Alarm) -> dict[str, Any]:
    """Return the message for a webhook of a Teams workflow: an adaptive card. Owners are user principal names, such as ann@example.org."""
    owners = _mentioned(alarm.owners, "teams")
    body: list[dict[str, Any]] = [_card(_card_text(alarm.title), size="Large", weight="Bolder")]
    for entry in alarm.listed:
        commit = f"[{entry.commit}]({entry.url})" if entry.url else f"**{entry.commit}**"
        lines = [f"{commit} {_card_text(entry.words)}", *(f"- {_card_text(one)}" for one in entry.below)]
        body.append(_card("\n\n".join(lines[:1]) + "".join(f"\n{line}" for line in lines[1:])))
    body += [_card(_card_text(alarm.more))] if alarm.more else []
    body += [_card(" ".join(f"<at>{one}</at>" for one in owners))] if owners else []
    body.append(_card(f"message {alarm.id}", size="Small", isSubtle=True))
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "msteams": {
            "width": "Full",
            "entities": [
                {"type": "mention", "text": f"<at>{one}</at>", "mentioned": {"id": one, "name": one}} for one in owners
            ],
        },
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _card(one: str, **style: str | bool) -> dict[str, Any]:
    return {"type": "TextBlock", "text": one, "wrap": True, **style}


def _card_text(one: str) -> str:
    """Escape what a card reads as Markdown or as a mention; a card has no character references."""
    return re.sub(r"([\\*_\[\]()#`~])", r"\\\1", one).replace("<", "\u2039").replace(">", "\u203a")


def matrix(alarm: Alarm) -> dict[str, Any]:
    """Return the content of a message of Matrix. Owners are user ids, such as @ann:example.org."""
    owners = _mentioned(alarm.owners, "matrix")
    items = []
    for entry in alarm.listed:
        commit = f"<code>{html.escape(entry.commit)}</code>"
        commit = f'<a href="{html.escape(entry.url)}">{commit}</a>' if entry.url else commit
        below = "".join(f"<li>{html.escape(one)}</li>" for one in entry.below)
        items.append(f"<li>{commit} {html.escape(entry.words)}<ul>{below}</ul></li>")
    pills = " ".join(f'<a href="https://matrix.to/#/{html.escape(one)}">{html.escape(one)}</a>' for one in owners)
    more = f"<p>{html.escape(alarm.more)}</p>" if alarm.more else ""
    return {
        "msgtype": "m.text",
        "body": text(alarm),
        "format": "org.matrix.custom.html",
        "formatted_body": f"<h4>{html.escape(alarm.title)}</h4><ul>{''.join(items)}</ul>{more}<p>{pills}</p>",
        "m.mentions": {"user_ids": owners},
    }


def mail(alarm: Alarm, sender: str, to: Sequence[str]) -> EmailMessage:
    """Return the message as mail. Owners are addresses, which get a copy."""
    owners = [one for one in _mentioned(alarm.owners, "smtp") if one not in to]
    message = EmailMessage()
    message["Subject"] = alarm.title
    message["From"] = sender
    message["To"] = ", ".join(to)
    if owners:
        message["Cc"] = ", ".join(owners)
    message["Date"] = format_datetime(datetime.fromtimestamp(alarm.at, UTC))
    message["Message-ID"] = f"<{alarm.id}@bench-db.invalid>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text(alarm))
    return message


def issue_title(alarm: Alarm) -> str:
    """Return the title of the issue of one commit: what moved there and is not settled."""
    standing = [f for f in alarm.findings if f.state in ALARMING] or list(alarm.findings)
    [group, *_] = by_commit((replace(f, state=State.OPEN) for f in in_order(standing)), alarm.series)
    where = f"{visible(short(group.commit))}: " if group.commit else ""
    one = alarm.series.get(standing[0].series_key, GONE)
    what = f", {visible(one.label)}" if len(group.ids) == 1 else ""
    return shortened(f"{where}{moved_words(group)}, {visible(beds_words(group))}{what}", _TITLE)


def issue_body(alarm: Alarm, marker: str) -> str:
    """Return the text of the issue of one commit as Markdown. Owners are logins, which are mentioned."""
    commit = alarm.findings[0].commit
    named = markdown_text(short(commit)) if commit else ""
    link = f"[{named}]({alarm.commit_url.replace('{commit}', commit)})" if commit and alarm.commit_url else named
    at = f" at {link}" if link else ""
    owners = " ".join(f"@{one.removeprefix('@')}" for one in _few(alarm.owners))
    commands = f"`bench-db show {short(commit)}`" if commit else "`bench-db finding list --each`"
    head = f"{marker}\n{_many(len(alarm.findings), 'finding')} of {markdown_text(alarm.project)}{at}. {owners}\n"
    foot = f"\n{commands} shows more. bench-db closes this issue when no finding stands, and writes this text anew: answer below it.\n"
    return head + findings_markdown(in_order(alarm.findings), alarm.series) + foot


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteFailure:
    """The commits, oldest first, at which a suite failed on a test bed; `until` is the commit that ended it.

    `id` is that of the range, the same in each message about it. `is_open` is whether it is reported as failing, and not as one that fails no more.

    `unmeasured` is the number of newer measured commits of the device without this suite and test bed, where they ended it, else 0.
    `error` is that of the newest commit and ends with the last lines of its log; empty for a range that the history no longer has.
    """

    id: str
    device: str
    bed: str
    suite: str
    commits: Sequence[str]
    until: str | None
    error: str
    is_open: bool = True
    unmeasured: int = 0
    is_only_device: bool = True
    commit_url: str = ""

    @property
    def title(self) -> str:
        """What failed, where, and since which commit, with the device unless it is the only one."""
        return shortened(visible(f"{short(self.commits[0])}: {self._subject} fails on {self.bed}"), _TITLE)

    @property
    def _subject(self) -> str:
        device = "" if self.is_only_device else f" of {self.device}"
        return (f"suite {self.suite}" if self.suite else "a suite") + device

    @property
    def entry(self) -> _Entry:
        """The suite in a text: at which commits it fails, and the last line of its log, or why it fails no more."""
        first, last = self.commits[0], self.commits[-1]
        known = f"{self._subject} fails on {self.bed} at {_many(len(self.commits), 'measured commit')}"
        over = f"{self._subject} fails no more on {self.bed}: {self._why}"
        lines = [line for line in self.error.splitlines() if line.strip()] if self.is_open else []
        return _Entry(
            commit=visible(short(first)),
            url=self.commit_url.replace("{commit}", first),
            words=shortened(visible(known if self.is_open else over), _SUITE),
            names=[shortened(visible(line), _NAME) for line in lines[-1:]],
            rest=f"bench-db artifact list --kind log --commit {short(last)}" if self.is_open else "",
        )

    @property
    def _why(self) -> str:
        if self.until:
            return f"it succeeds at {short(self.until)}"
        return "it is no longer measured there" if self.unmeasured else "its failures are no longer in the history"

    @property
    def document(self) -> dict[str, Any]:
        """The suite as JSON; `commits` are the shas at which it failed, oldest first, and `until` is null while nothing ended it."""
        return {
            "id": self.id,
            "dut_name": self.device,
            "test_bed_name": self.bed,
            "suite": self.suite,
            "state": State.OPEN if self.is_open else State.FIXED,
            "commits": list(self.commits),
            "until": self.until,
            "error": self.error,
        }

    def body(self, marker: str) -> str:
        """Return the text as Markdown."""
        ends = dict.fromkeys((self.commits[0], self.commits[-1]))
        where = " to ".join(self._linked(commit) for commit in ends)
        at = f"{_many(len(self.commits), 'measured commit')}, {where}"
        head = f"{marker}\n{markdown_text(self.suite or 'A suite')} of {markdown_text(self.device)} fails on {markdown_text(self.bed)} at {at}.\n"
        if self.until:
            head += f"\nIt succeeds again at {self._linked(self.until)}.\n"
        elif self.unmeasured:
            head += (
                f"\nThe {_many(self.unmeasured, 'newer measured commit')} of {markdown_text(self.device)} have no result of this suite on this"
                " test bed, as when one of them has another name, so the issue is closed.\n"
            )
        elif not self.is_open:
            head += "\nThe history no longer has these failures as one range.\n"
        error = f"\nThe newest error, with the end of the log:\n\n{_fenced(self.error)}\n" if self.error else ""
        log = f"\n`bench-db artifact list --kind log --commit {short(self.commits[-1])}` has the log."
        return f"{head}{error}{log} bench-db closes this issue when the suite succeeds or is no longer measured there, and writes this text anew: answer below it.\n"

    def _linked(self, commit: str) -> str:
        named = markdown_text(short(commit))
        return f"[{named}]({self.commit_url.replace('{commit}', commit)})" if self.commit_url else named


def _fenced(text: str) -> str:
    """Return lines as a block of code that no line of them ends."""
    lines = [visible(line) for line in text.splitlines()]
    fence = "`" * max(3, 1 + max((len(run) for line in lines for run in re.findall("`+", line)), default=0))
    return "\n".join((f"{fence}text", *lines, fence))


def _many(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _mentioned(owners: Sequence[str], kind: str) -> list[str]:
    pattern, _ = MENTIONS[kind]
    return [one for one in _few(owners) if pattern.fullmatch(one)]


def _few(owners: Sequence[str]) -> Sequence[str]:
    return owners[:_MENTIONS]
