"""Every error bench_db raises on purpose: one base, one class per thing a caller can do about it."""

from __future__ import annotations


class BenchDbError(Exception):
    """Base of every error bench_db raises; its text says what, where, and what to do next."""

    exit_code = 2


class UserError(BenchDbError):
    """Arguments that cannot be acted on; the message names the flag or variable that mends it."""


class UnreadableOutputError(BenchDbError):
    """A file that is not what it claims to be, with the place of the first thing wrong in it.

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


class SchemaMismatchError(BenchDbError):
    """A table or export whose columns this version cannot use, or must not write; the message says what to do."""


class NewerStoreWarning(UserWarning):
    """A store that a newer bench_db has written: it is read as far as this one knows it, and never written."""


class StoreNotFoundError(BenchDbError):
    """There is no store at the given place; the message says how to make one."""

    exit_code = 3


class StoreUnavailableError(BenchDbError):
    """The place of the store did not answer, or refused us; nothing was changed."""

    exit_code = 3


class ConflictError(StoreUnavailableError):
    """Other writers kept coming first; nothing was changed, and trying again is safe."""


class GitHubError(BenchDbError):
    """GitHub did not answer, refused us, or answered something else; `status` is 0 when there was no answer."""

    exit_code = 3

    def __init__(self, message: str, *, status: int = 0) -> None:
        self.status = status
        super().__init__(message)

    @property
    def is_refusal(self) -> bool:
        """Whether GitHub certainly did not act: after no answer, a fault, or an answer nobody can read, it may have."""
        return 300 <= self.status < 500  # noqa: PLR2004 redirections and refusals of HTTP


class CorruptStoreError(BenchDbError):
    """The store holds something that no writer of bench_db leaves behind."""

    exit_code = 4
