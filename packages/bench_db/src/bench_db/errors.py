"""The errors that bench_db raises: one base, and one class for each way a caller can react."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self


class BenchDbError(Exception):
    """Base of all bench_db errors; the text says what happened, where, and what to do next."""

    exit_code = 2


class UserError(BenchDbError):
    """Invalid arguments; the message names the flag or variable to change."""


class UnreadableOutputError(BenchDbError):
    """A file that does not match its format, and the position of the first fault.

    `line` and `column` are 1-based and None when the fault has no line; `json_path` is empty when it has no path.
    """

    def __init__(
        self,
        reason: str,
        *,
        file: str,
        line: int | None = None,
        column: int | None = None,
        json_path: str = "",
    ) -> None:
        self.reason, self.file, self.line, self.column, self.json_path = reason, file, line, column, json_path
        where = file
        if line is not None:
            where += f":{line}" if column is None else f":{line}:{column}"
        at = f" at {json_path}" if json_path else ""
        super().__init__(f"{where}: {reason}{at}")


class MissingExtraError(UserError):
    """A package that is not installed; the message names the extra of bench-db that has it, and how to install that."""

    @classmethod
    def of(cls, *, what: str, package: str, extra: str) -> Self:
        """Return the error of something that needs a package of an extra."""
        return cls(
            f"{what} needs the package {package} of the extra {extra}: in a clone of bench_db, pip install './packages/bench_db[{extra}]'"
        )


class InputFileError(UserError):
    """A file that cannot be opened, or that lacks what a run needs; the message names the file."""


class BaselineNotMeasuredError(UserError):
    """A baseline whose commit, like every one before it, has no results."""


class UnreadableFilesError(BenchDbError):
    """Several files that cannot be published; `errors` has the text of each error, which names the file."""

    def __init__(self, errors: Sequence[str]) -> None:
        self.errors = tuple(errors)
        super().__init__(
            f"{len(self.errors)} files cannot be published, and nothing was stored. Mend them, or publish the others with"
            f" `keep_going`. {'; '.join(self.errors)}"
        )


class PluginError(BenchDbError):
    """An unusable plugin of another installed package.

    `kind` is `format`, `renderer`, `forge` or `place`; `package` is the distribution and its version.
    """

    def __init__(self, reason: str, *, kind: str, name: str, package: str, advice: str) -> None:
        self.kind, self.name, self.package = kind, name, package
        super().__init__(f"{kind} {name!r} of the installed package {package}: {reason}. {advice}")


class SchemaMismatchError(BenchDbError):
    """A table or export whose columns this version cannot use, or must not write; the message says what to do."""


class NewerStoreWarning(UserWarning):
    """A store written by a newer bench_db: this one reads the columns it knows and never writes."""


class DamagedStoreWarning(UserWarning):
    """A store with unreadable files: its sound part is read and written, and the message names the runs that are lost."""


class SlowWarning(UserWarning):
    """Work that takes long because a package is missing; the message names the extra to install."""


class StoreNotFoundError(BenchDbError):
    """No store at the given address; the message says how to create one."""

    exit_code = 3


class StoreUnavailableError(BenchDbError):
    """A store that is unreachable or denies access; nothing was changed."""

    exit_code = 3


class ConflictError(StoreUnavailableError):
    """A write that conflicted with other writers on every retry; nothing was changed, and a retry is safe."""


class EngineError(BenchDbError):
    """An engine whose cluster cannot be reached, or whose workers end again and again; nothing was stored."""

    exit_code = 3


class ForgeError(BenchDbError):
    """A forge that did not answer, refused the request, or gave an answer that cannot be read."""

    exit_code = 3

    @property
    def is_refusal(self) -> bool:
        """Whether the forge certainly did not act on the request."""
        return False


class GitHubError(ForgeError):
    """A GitHub request without an answer, with a refusal or with an unexpected answer; `status` is 0 without an answer."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        self.status = status
        super().__init__(message)

    @property
    def is_refusal(self) -> bool:
        """Whether GitHub certainly did not act. After a timeout, a 5xx or an unreadable answer it may have acted."""
        return 300 <= self.status < 500  # noqa: PLR2004 HTTP 3xx and 4xx


class DeliveryError(BenchDbError):
    """A message that a receiver did not take; the text has no address, token or password.

    `is_refusal` says that the receiver certainly does not have the message; `status` is that of HTTP, 0 without an answer.
    """

    exit_code = 3

    def __init__(self, message: str, *, is_refusal: bool, status: int = 0) -> None:
        self.is_refusal, self.status = is_refusal, status
        super().__init__(message)


class CorruptStoreError(BenchDbError):
    """A store with content that no bench_db writer produces."""

    exit_code = 4
