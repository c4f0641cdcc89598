"""The use case `suites`: what bench-db.toml measures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from bench_db.app.answers import Answer
from bench_db.app.configuration import configuration

if TYPE_CHECKING:
    from collections.abc import Collection

    import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSuite:
    """A suite, its kind, and the name of the artifact that a run makes of its results."""

    name: str
    kind: str
    artifact: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suites(Answer):
    """The suites of a configuration, the repository that they measure, and `[pairs] confirm`."""

    suites: tuple[NamedSuite, ...]
    repository: str
    confirm: str

    def frame(self) -> pl.DataFrame:
        """Return a row a suite."""
        import polars as pl  # noqa: PLC0415 a listing of names needs no frame, and polars takes 0.5 s of CPU

        columns = dict.fromkeys((f.name for f in fields(NamedSuite)), pl.String())
        return pl.DataFrame(self.document, columns)

    @property
    def document(self) -> list[dict[str, str]]:
        """The suites as JSON."""
        return [asdict(suite) for suite in self.suites]


def suites(
    config_file: str | None = None, *, kinds: Collection[str] = (), others: Collection[str] = (), only: str = ""
) -> Suites:
    """Return the suites of a configuration: of `kinds`, if any, not of the kinds `others`, and named in `only`, if any."""
    names = tuple(name.strip() for name in only.split(",") if name.strip())
    config = configuration(config_file)
    chosen = {
        name: suite.kind
        for name, suite in config.suites(names).items()
        if (not kinds or suite.kind in kinds) and suite.kind not in others
    }
    named = (NamedSuite(name=name, kind=kind, artifact=artifact_of(name, kind)) for name, kind in chosen.items())
    return Suites(suites=tuple(named), repository=config.project.repository, confirm=config.pairs.confirm)


def artifact_of(name: str, kind: str) -> str:
    """Return the name of an artifact, such as pr-results-rust-rust-lance-io for the suite rust/lance-io."""

    def safe(text: str) -> str:
        return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "-" for letter in text)

    return f"pr-results-{safe(kind)}" if name == kind else f"pr-results-{safe(kind)}-{safe(name)}"
