"""The configuration `bench-db.toml`: what a project measures and how, typed and checked."""

from __future__ import annotations

import re
import shlex
import tomllib
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Struct, field, structs

from bench_db.clock import unix_time
from bench_db.errors import UnreadableOutputError, UserError
from bench_db.query.formula import derived_metric
from bench_db.query.thresholds import checked, pattern_of, value_of
from bench_db.rules import RULES
from bench_db.schedule import declaration
from bench_db.schedule.declaration import Aliases, Field, Format, Formats, Measure, RunFacts, Version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FILE = "bench-db.toml"
Command = str | list[str]
_T = TypeVar("_T", bound=Struct)
PLACES = ("root", "tree", "cache", "python", "commit")
# `${root}` belongs to a shell, and any other word in braces to whoever reads the command
_PLACE = re.compile(rf"(?<!\$)\{{({'|'.join(PLACES)})\}}")
_NAMES = re.compile(r"(?<!\$)\{(names|pattern)\}")
_RECEIVER = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MAIL = re.compile(r"[^\r\n,]*[^@\s,]+@[^@\s,]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
# without a user, a query or a fragment
_SITE = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~%/-]*)?")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class Project(Struct, frozen=True, forbid_unknown_fields=True):
    """The project: the name of the device under test, its forge, repository and main branch, the name of the test bed, and its site.

    `branch` is empty where the file does not state it; see `main_branch`. `site` is the https address of the pages that `bench-db site`
    writes, for links to them; empty without.
    """

    name: str
    repository: str = ""
    branch: str = ""
    test_bed: str = ""
    forge: str = "github"
    site: str = ""

    @property
    def main_branch(self) -> str:
        """The branch whose commits are measured, "main" where none is stated."""
        return self.branch or "main"


class Kind(Struct, frozen=True, forbid_unknown_fields=True):
    """How the workflow and comments select the suites of one kind.

    `run_input` is a boolean input that turns the kind on or off, `suites_input` takes names separated by commas, and
    `suite_flag` names one suite in a comment. Empty: there is none. `others` takes in the kinds without a table of their own.
    """

    label: str
    run_input: str = ""
    suites_input: str = ""
    suite_flag: str = ""
    others: bool = False


# the inputs of run-benchmarks.yml, which are those of lance-bench
KINDS = {
    "rust": Kind(label="Rust", run_input="run_rust", suites_input="rust_crates", suite_flag="--crate"),
    "python": Kind(label="Python", run_input="run_python", suites_input="python_suites", others=True),
}


class Schedule(Struct, frozen=True, forbid_unknown_fields=True):
    """The defaults of `bench-db schedule` and `bench-db backfill`, and the workflow that measures."""

    workflow: str = "run-benchmarks.yml"
    workflow_repository: str = ""
    ref: str = "main"
    correlation_input: str = "correlation_id"
    kinds: dict[str, Kind] = field(default_factory=lambda: dict(KINDS))
    range: str = "NEW"
    every: int = 1
    max_commits: int = 10
    max_attempts: int = 3
    parallel: int = 1
    timeout_minutes: float = 360.0


class Pairs(Struct, frozen=True, forbid_unknown_fields=True):
    """The defaults of `bench-db pairs`.

    `looks` are the rounds after which the series are judged, `min_effect` is in percent. `figure` is the statistic of each process:
    `min` means the maximum where higher is better, `auto` means `min` for times and the median for other metrics. `confirm` says
    whether `bench-db check` measures what it flags again, on the `same` machine as the candidate or on a `fresh` one.
    """

    rounds: int = 12
    looks: list[int] = field(default_factory=lambda: [5, 8, 12])
    min_effect: float = 100 * RULES.minimum_effect
    figure: Literal["auto", "median", "min"] = "auto"
    budget_minutes: float = 30.0
    control: bool = False
    confirm: Literal["off", "same", "fresh"] = "off"


class Site(Struct, frozen=True, forbid_unknown_fields=True):
    """The site: the two metrics that its page of frontiers shows first, and the parts of a group there, as `bench-db frontier` takes them."""

    frontier_x: str = ""
    frontier_y: str = ""
    frontier_by: list[str] | None = None


class Suite(Struct, frozen=True, forbid_unknown_fields=True):
    """One suite: its directory in the repository, the commands that set it up, the one that measures, and its output files.

    A command is a list of words, or one text that is split into words as a shell would, without a shell. Its words, and the
    values of `env`, may hold the `PLACES` in braces. `stdout` names the file for the standard output of the benchmark;
    `outputs` are files, directories or glob patterns in `directory`. `kind` is any word. `select` are further words for the
    benchmark that restrict it to some names: `{names}` are these joined by "or", `{pattern}` is a regular expression of them.
    """

    benchmark: Command
    kind: str = "other"
    directory: str = "."
    setup: list[Command] = []
    select: Command = ""
    stdout: str = ""
    outputs: list[str] = []
    format: str = "auto"
    setup_timeout_seconds: float = 3600.0
    timeout_seconds: float = 3600.0
    env: dict[str, str] = {}

    def at(self, places: Mapping[str, str]) -> Suite:
        """Return the suite with its commands as words, and with the places in braces filled in."""

        def filled(text: str) -> str:
            return _PLACE.sub(lambda found: places[found[1]], text)

        return structs.replace(
            self,
            setup=[[filled(word) for word in words(command)] for command in self.setup],
            benchmark=[filled(word) for word in words(self.benchmark)],
            env={name: filled(value) for name, value in self.env.items()},
        )

    def selecting(self, names: Sequence[str]) -> list[str]:
        """Return the words that restrict the benchmark to these names; none without `select`."""
        short = dict.fromkeys(name.rpartition("::")[2] for name in names)
        texts = {"names": " or ".join(short), "pattern": f"^({'|'.join(map(re.escape, names))})$"}
        return [_NAMES.sub(lambda found: texts[found[1]], word) for word in words(self.select)]


class Threshold(Struct, frozen=True, forbid_unknown_fields=True):
    """One threshold of `[[define.threshold]]`: globs of names and tags, and the smallest change that counts, of which a change reaches all."""

    benchmark: str | None = None
    metric: str | None = None
    suite: str | None = None
    tags: dict[str, str] = {}
    relative: str = ""
    absolute: str = ""

    @property
    def pattern(self) -> str:
        """The conditions as the pattern of a definition."""
        names = {"benchmark": self.benchmark, "metric": self.metric, "suite": self.suite}
        return pattern_of({name: glob for name, glob in names.items() if glob is not None}, self.tags)

    @property
    def value(self) -> str:
        """The amounts as the value of a definition. Raises `UserError` for what is none."""
        return value_of(self.relative, self.absolute)


class Define(Struct, frozen=True, forbid_unknown_fields=True):
    """The definitions of names; `model.Definition` describes the kinds. `alias` has a table of patterns for each field."""

    alias: dict[str, dict[str, str]] = {}
    join: dict[str, str] = {}
    pool: list[str] = []
    better: dict[str, str] = {}
    ignore: list[str] = []
    main: str = ""
    threshold: list[Threshold] = []
    metric: dict[str, str] = {}


class Receiver(Struct, frozen=True, forbid_unknown_fields=True):
    """One receiver of messages about findings, a table `[[notify]]`; `RECEIVER_KINDS` lists the kinds.

    `name` identifies the receiver in the store, by default its kind. `address` is that of a webhook, a Matrix or GitLab server or a mail server
    (`smtp://host:587` with STARTTLS, `smtps://host:465`). `address_env` and `token_env` are names of environment variables with an address that is secret, and with a
    token or password. `room` is of Matrix, `repository` of GitHub and GitLab; `user`, `from` and `to` are of mail. `changes` are those that
    are sent, `digest` sends at most once a day or week (UTC), and findings before the date `since` are not sent.
    """

    kind: Literal["webhook", "slack", "teams", "matrix", "smtp", "github", "gitlab"]
    name: str = ""
    address: str = ""
    address_env: str = ""
    token_env: str = ""
    room: str = ""
    repository: str = ""
    user: str = ""
    sender: str = field(default="", name="from")
    to: list[str] = []
    changes: Literal["worse", "all"] = "worse"
    digest: Literal["", "daily", "weekly"] = ""
    since: str = ""

    @property
    def label(self) -> str:
        """The name of the receiver."""
        return self.name or self.kind


class Owner(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is responsible for findings of some benchmarks, which are globs: for each kind of receiver, the name by which it mentions them."""

    benchmarks: list[str]
    mention: dict[str, str]


RECEIVER_KINDS = get_args(get_type_hints(Receiver)["kind"])
_SECRET_ADDRESS = ("slack", "teams")
_OF_ALL = ("kind", "name", "changes", "digest", "since")
_ISSUES = ("address", "address_env", "token_env", "repository")
# The keys of each kind of receiver; those of all kinds are left out.
_KEYS = {
    "webhook": ("address", "address_env", "token_env"),
    "slack": ("address_env",),
    "teams": ("address_env",),
    "matrix": ("address", "address_env", "token_env", "room"),
    "smtp": ("address", "address_env", "user", "token_env", "from", "to"),
    "github": _ISSUES,
    "gitlab": _ISSUES,
}
_ADDRESS = re.compile(r"[^@\s,<>]+@[^@\s,<>]+")
# What a kind of receiver makes a mention of, and its description; other kinds take any text.
MENTIONS = {
    "slack": (re.compile(r"[UWS][A-Z0-9]+"), "the id of a user or group, such as U024BE7LH"),
    "matrix": (re.compile(r"@[^\s:@]+:[^\s@]+"), "the id of a user, such as @ann:example.org"),
    "teams": (_ADDRESS, "a user principal name, such as ann@example.org"),
    "smtp": (_ADDRESS, "a mail address, such as ann@example.org"),
}
_ADDRESSED = ("webhook", "slack", "teams", "matrix", "smtp")


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    project: Project
    schedule: Schedule = field(default_factory=Schedule)
    pairs: Pairs = field(default_factory=Pairs)
    suite: dict[str, Suite] = field(default_factory=dict)
    define: Define = field(default_factory=Define)
    site: Site = field(default_factory=Site)
    format: dict[str, Format] = {}
    alias: Aliases = {}
    notify: list[Receiver] = []
    owner: list[Owner] = []

    @property
    def secret_variables(self) -> frozenset[str]:
        """The names of the variables with addresses and tokens of receivers, which no measured code gets."""
        return frozenset(filter(None, (name for one in self.notify for name in (one.address_env, one.token_env))))

    def suites(self, names: tuple[str, ...]) -> dict[str, Suite]:
        """Return the suites of these names, or all. Raise `UserError` with the known names for an unknown one."""
        unknown = [name for name in names if name not in self.suite]
        if unknown:
            message = f"no suite {unknown[0]!r} in {FILE}; it has: {', '.join(self.suite) or 'none'}"
            raise UserError(message)
        return {name: self.suite[name] for name in names or self.suite}

    def kind_of(self, suite: str) -> str:
        """Return the name in `schedule.kinds` that selects a suite; empty when no kind does."""
        kind = self.suite[suite].kind
        others = (name for name, table in self.schedule.kinds.items() if table.others)
        return kind if kind in self.schedule.kinds else next(others, "")

    def suites_of(self, kind: str) -> list[str]:
        """Return the names of the suites that a kind of `schedule.kinds` selects."""
        return [name for name in self.suite if self.kind_of(name) == kind]


def words(command: Command) -> list[str]:
    """Return a command as a list of words."""
    return shlex.split(command) if isinstance(command, str) else command


def formats(document: dict[str, object], file: str) -> Formats:
    """Return declared formats from their tables. Raise `UnreadableOutputError` with the file and the TOML path of what is wrong."""
    for keys, section, kind in _sections_of_formats(document):
        _typed(section, kind, file, keys)
    found = _typed(document, Formats, file, ())
    for keys, reason in declaration.faults(found.format, found.alias):
        raise UnreadableOutputError(reason, file=file, json_path=toml_path(*keys))
    return found


def parse(content: bytes, file: str) -> Config:
    """Parse a configuration. Raise `UnreadableOutputError` with the file and the TOML path of what is wrong."""
    document = document_of(content, file)
    for keys, section, kind in _sections(document):
        _typed(section, kind, file, keys)
    config = _typed(document, Config, file, ())
    if config.format or config.alias:
        formats({key: document[key] for key in Formats.__struct_fields__ if key in document}, file)
    _check(config.define, file)
    faults = (
        *_faults_of_project(config.project),
        *_faults_of_pairs(config.pairs),
        *_faults_of_site(config.site),
        *_faults_of_messages(config),
    )
    for place, reason in faults:
        raise UnreadableOutputError(reason, file=file, json_path=place)
    for name, suite in config.suite.items():
        for key, reason in _faults(suite):
            raise UnreadableOutputError(reason, file=file, json_path=toml_path("suite", name, *key))
    return config


def _check(define: Define, file: str) -> None:
    """Raise `UnreadableOutputError` for a threshold or a formula that cannot be read, and for a second threshold of the same series."""
    for number, threshold in enumerate(define.threshold):
        try:
            checked(threshold.pattern, threshold.value)
        except UserError as error:
            place = toml_path("define", "threshold", number)
            raise UnreadableOutputError(str(error), file=file, json_path=place) from error
        if threshold.pattern in (other.pattern for other in define.threshold[:number]):
            reason = f"a second threshold of {threshold.pattern or 'all series'}: state both amounts in one table"
            raise UnreadableOutputError(reason, file=file, json_path="define.threshold")
    for name, value in define.metric.items():
        try:
            derived_metric(name, value)
        except UserError as error:
            place = toml_path("define", "metric", name)
            raise UnreadableOutputError(str(error), file=file, json_path=place) from error


def document_of(content: bytes, file: str) -> dict[str, object]:
    """Return the document of a TOML file. Raise `UnreadableOutputError` when it is none."""
    try:
        return tomllib.loads(content.removeprefix(b"\xef\xbb\xbf").decode())
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        reason = "not UTF-8, which TOML requires; save the file as UTF-8"
        raise UnreadableOutputError(reason, file=file, line=line) from error
    except tomllib.TOMLDecodeError as error:
        reason = f"not TOML: {error}"
        raise UnreadableOutputError(reason, file=file) from error


def toml_path(*keys: str | int) -> str:
    """Return keys as a TOML key, such as `suite."rust/io".format`; a number is that of a table in a list, `notify[0]`."""
    parts = (
        f"[{key}]" if isinstance(key, int) else f".{key if _BARE_KEY.fullmatch(key) else _quoted(key)}" for key in keys
    )
    return "".join(parts).removeprefix(".")


def _quoted(key: str) -> str:
    return f'"{key}"'


_Section = tuple[tuple[str | int, ...], object, type[Struct]]


def _sections(document: dict[str, object]) -> Iterator[_Section]:
    """Yield the tables of the file with their keys. msgspec does not name the wrong one when it converts all at once."""
    for key, kind in (
        ("project", Project),
        ("schedule", Schedule),
        ("pairs", Pairs),
        ("define", Define),
        ("site", Site),
    ):
        section = document.get(key)
        if kind is Schedule and isinstance(section, dict):
            yield from _tables(section.get("kinds"), Kind, "schedule", "kinds")
        if kind is Define and isinstance(section, dict) and isinstance(section.get("threshold"), list):
            yield from (
                (("define", "threshold", number), one, Threshold) for number, one in enumerate(section["threshold"])
            )
        if key in document:
            yield (key,), section, kind
    listed: tuple[tuple[str, type[Struct]], ...] = (("notify", Receiver), ("owner", Owner))
    for key, struct in listed:
        tables = document.get(key)
        listed_tables = tables if isinstance(tables, list) else ()
        yield from (((key, number), table, struct) for number, table in enumerate(listed_tables))
    yield from _tables(document.get("suite"), Suite, "suite")
    yield from _sections_of_formats(document)


def _sections_of_formats(document: dict[str, object]) -> Iterator[_Section]:
    declared = document.get("format")
    for name, table in declared.items() if isinstance(declared, dict) else ():
        if isinstance(table, dict):
            yield from _sections_within(table, "format", name)
            yield from _tables({"run": table["run"]} if "run" in table else {}, RunFacts, "format", name)
            versions = table.get("version")
            for version, inner in versions.items() if isinstance(versions, dict) else ():
                if isinstance(inner, dict):
                    yield from _sections_within(inner, "format", name, "version", version)
            yield from _tables(versions, Version, "format", name, "version")
        yield ("format", name), table, Format


def _sections_within(table: dict[str, object], *keys: str) -> Iterator[_Section]:
    yield from _tables(table.get("fields"), Field, *keys, "fields")
    yield from _tables(table.get("metrics"), Measure, *keys, "metrics")


def _tables(tables: object, kind: type[Struct], *keys: str) -> Iterator[_Section]:
    if isinstance(tables, dict):
        yield from (((*keys, name), table, kind) for name, table in tables.items())


def _typed(value: object, kind: type[_T], file: str, keys: tuple[str | int, ...]) -> _T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        reason, _, where = str(error).replace("`", "'").partition(" - at ")
        if reason.endswith("missing required field 'project'"):
            reason += ', a table with the name of what is measured; add [project] and name = "..."'
        inner = [key for key in where.strip("'").removeprefix("$").split(".") if key]
        if isinstance(value, dict) and (unknown := next((key for key in value if key not in _known(kind)), None)):
            reason, inner = _unknown_key(unknown, kind), [unknown]
        elif inner and (name := inner[0].partition("[")[0]) in _known(kind):
            attribute = dict(zip(_known(kind), kind.__struct_fields__, strict=True))[name]
            reason += f"; {name!r} takes {_TAKES[get_type_hints(kind)[attribute]]}"
        names = (key.partition("[")[0].strip("]") for key in inner)  # msgspec writes the keys of a table as [...]
        path = toml_path(*keys, *filter(None, names))
        raise UnreadableOutputError(reason, file=file, json_path=path) from error


def _known(kind: type[Struct]) -> tuple[str, ...]:
    """Return the keys of a table as the file spells them."""
    return kind.__struct_encode_fields__


def _unknown_key(name: str, kind: type[Struct]) -> str:
    near = get_close_matches(name, _known(kind), RULES.nearest_names)
    nearest = f"; nearest: {', '.join(near)}" if near else ""
    return f"unknown key {name!r}{nearest}; known: {', '.join(_known(kind))}"


_TAKES: dict[object, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Command: "a text or a list of texts",
    list[Command]: "a list of commands, each a text or a list of texts",
    list[str]: "a list of texts",
    list[int]: "a list of whole numbers",
    Literal["auto", "median", "min"]: "auto, median or min",
    Literal["off", "same", "fresh"]: "off, same or fresh",
    dict[str, str]: "a table of texts",
    str | None: "a text",
    list[Threshold]: "tables [[define.threshold]]",
    dict[str, dict[str, str]]: "a table of texts for each field",
    dict[str, Kind]: "tables [schedule.kinds.NAME]",
    dict[str, Suite]: "tables [suite.NAME]",
    Project: "a table [project]",
    Schedule: "a table [schedule]",
    Pairs: "a table [pairs]",
    Define: "a table [define]",
    Site: "a table [site]",
    list[str] | None: "a list of texts",
    str | list[str]: "a text or a list of texts",
    list[str] | dict[str, str]: "a list of fields or a table of texts",
    list[str] | dict[str, Measure]: "a list of fields or tables of them",
    dict[str, Field]: 'tables, such as gpu = { field = "hw", lower = true }',
    dict[str, Version]: "tables [format.NAME.version.NAME]",
    RunFacts: "a table of texts",
    Literal["json", "json-lines", "csv"]: "json, json-lines or csv",
    Literal["apart", "samples"]: "apart or samples",
    Literal["lower", "higher", "info"] | None: "lower, higher or info",
    dict[str, Format]: "tables [format.NAME]",
    Aliases: "tables [alias.NAME] of texts",
    list[Receiver]: "tables [[notify]]",
    list[Owner]: "tables [[owner]]",
    get_type_hints(Receiver)["kind"]: f"one of {', '.join(RECEIVER_KINDS)}",
    Literal["worse", "all"]: "worse or all",
    Literal["", "daily", "weekly"]: "daily or weekly",
}


def _faults_of_project(project: Project) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the address of the site: its place and the reason."""
    if project.site and not _SITE.fullmatch(project.site):
        yield "project.site", "not the https address of a directory of pages, such as https://me.github.io/project"


def _faults_of_pairs(pairs: Pairs) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the table of pairs: its place and the reason."""
    if pairs.rounds < 2:  # noqa: PLR2004 a spread needs two
        yield "pairs.rounds", "pairs need at least 2 rounds"
    if not pairs.looks or min(pairs.looks) < 2:  # noqa: PLR2004 a spread needs two
        yield "pairs.looks", "looks are numbers of rounds, each at least 2"
    if not pairs.min_effect >= 0:
        yield "pairs.min_effect", "a percentage is not negative"
    if not pairs.budget_minutes > 0:
        yield "pairs.budget_minutes", "a budget is more than 0 minutes"


def _faults_of_site(site: Site) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the table of the site: its place and the reason."""
    if bool(site.frontier_x) != bool(site.frontier_y):
        missing = "frontier_y" if site.frontier_x else "frontier_x"
        yield f"site.{missing}", "a frontier is of two metrics: give frontier_x and frontier_y"
    elif site.frontier_x and site.frontier_x == site.frontier_y:
        yield "site.frontier_y", f"a frontier is of two metrics, and both are {site.frontier_x!r}"


def _faults_of_messages(config: Config) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the receivers and owners: a place and the reason, which never holds a secret."""
    names = [receiver.label for receiver in config.notify]
    for number, receiver in enumerate(config.notify):
        for key, reason in _faults_of_receiver(receiver, config.project):
            yield f"notify[{number}]{'.' * bool(key)}{key}", reason
        if names.index(receiver.label) != number:
            yield f"notify[{number}].name", f"a second receiver {receiver.label!r}; give each a name"
    for number, owner in enumerate(config.owner):
        if not owner.benchmarks:
            yield f"owner[{number}].benchmarks", "an owner needs globs of benchmark names"
        if unknown := next((kind for kind in owner.mention if kind not in RECEIVER_KINDS), None):
            yield f"owner[{number}].mention", f"no kind of receiver {unknown!r}; there are {', '.join(RECEIVER_KINDS)}"
        for kind, name in owner.mention.items():
            if kind in MENTIONS and not MENTIONS[kind][0].fullmatch(name):
                yield (
                    f"owner[{number}].mention.{kind}",
                    f"{name!r} is no mention for {kind}, which takes {MENTIONS[kind][1]}",
                )


def _faults_of_receiver(receiver: Receiver, project: Project) -> Iterator[tuple[str, str]]:
    if not _RECEIVER.fullmatch(receiver.label):
        yield "name", "a name has 1 to 64 letters, digits, dots, hyphens and underscores"
    for key in ("address_env", "token_env"):
        if (value := getattr(receiver, key)) and not _VARIABLE.fullmatch(value):
            yield (
                key,
                "not the name of an environment variable, such as SLACK_WEBHOOK; a secret does not belong into this file",
            )
    if receiver.address and (receiver.address_env or receiver.kind in _SECRET_ADDRESS):
        yield "address", "the address is secret: put it into a variable, and its name into address_env"
    if "@" in receiver.address:
        yield (
            "address",
            "an address has no user and no password; a password belongs into the variable that token_env names",
        )
    if receiver.since and _since_fault(receiver.since):
        yield "since", "not a date such as 2026-01-31"
    yield from _faults_of_kind(receiver, project)


def _faults_of_kind(receiver: Receiver, project: Project) -> Iterator[tuple[str, str]]:
    """Yield what a receiver of a kind lacks, and what it does not use."""
    if receiver.kind in _ADDRESSED and not (receiver.address or receiver.address_env):
        yield "", f"{receiver.kind} needs address_env, the name of the variable with the address"
    needed = {"matrix": ("room", "token_env"), "smtp": ("from", "to"), "gitlab": ("token_env",)}
    for key in needed.get(receiver.kind, ()):
        if not getattr(receiver, "sender" if key == "from" else key):
            yield "", f"{receiver.kind} needs {key}"
    taken = _KEYS[receiver.kind]
    for key, name in zip(_known(Receiver), Receiver.__struct_fields__, strict=True):
        if key not in _OF_ALL and key not in taken and getattr(receiver, name):
            yield key, f"{receiver.kind} has no key {key}; it takes {', '.join(taken)}"
    if receiver.kind == "smtp" and receiver.token_env and not receiver.user:
        yield "user", "the password in token_env needs user, whose it is"
    if receiver.kind == "smtp" and not all(_MAIL.fullmatch(one) for one in (receiver.sender, *receiver.to)):
        yield "", "from and to are mail addresses, such as bench@example.org"
    if receiver.kind in {"github", "gitlab"} and not (receiver.repository or project.repository):
        yield "", f"{receiver.kind} needs repository, here or in [project]"


def _since_fault(text: str) -> bool:
    try:
        unix_time(text, "`since`")
    except UserError:
        return True
    return False


def _faults(suite: Suite) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what is wrong with a suite: a key and the reason."""
    if not (suite.outputs or suite.stdout):
        yield (), "a suite needs outputs, or stdout, or both"
    for key, texts in (("directory", [suite.directory]), ("outputs", suite.outputs), ("stdout", [suite.stdout])):
        if any(text.startswith(("/", "~")) or ".." in text.split("/") for text in texts):
            yield (key,), "paths stay within the repository; write them relative to it, without .."
    for key, commands in (
        ("setup", suite.setup),
        ("benchmark", [suite.benchmark]),
        ("select", [suite.select] if suite.select else []),
    ):
        for command in commands:
            try:
                if not words(command):
                    yield (key,), "a command needs words"
            except ValueError as error:
                yield (key,), f"not a command: {error}"
    for key in ("setup_timeout_seconds", "timeout_seconds"):
        if not getattr(suite, key) > 0:
            yield (key,), "a time-out is more than 0 seconds"
