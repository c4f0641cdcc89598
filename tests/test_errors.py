"""The errors that bench_db raises."""

import pytest

from bench_db import errors
from bench_db.errors import BenchDbError, GitHubError, PluginError, UnreadableOutputError


class TestUnreadableOutputError:
    """The text has the position as far as it is known, in the form that editors open."""

    @pytest.mark.parametrize(
        ("line", "column", "json_path", "text"),
        [
            (None, None, "", "a.json: is broken"),
            (3, None, "", "a.json:3: is broken"),
            (3, 7, "", "a.json:3:7: is broken"),
            (None, None, "$.a[0]", "a.json: is broken at $.a[0]"),
            (3, 7, "$", "a.json:3:7: is broken at $"),
        ],
    )
    def test_text(self, line: int | None, column: int | None, json_path: str, text: str) -> None:
        error = UnreadableOutputError("is broken", file="a.json", line=line, column=column, json_path=json_path)
        assert str(error) == text
        assert (error.line, error.column, error.json_path, error.reason) == (line, column, json_path, "is broken")


class TestPluginError:
    """The text names the plugin and its package, then what is wrong and what to do."""

    def test_text(self) -> None:
        error = PluginError("has no name", kind="format", name="mine", package="mine-bench 1.2", advice="Uninstall it")
        assert str(error) == "format 'mine' of the installed package mine-bench 1.2: has no name. Uninstall it"


class TestRefusal:
    """Only an answer that says so is a refusal: a redirect or a 4xx, never a timeout or a 5xx."""

    @pytest.mark.parametrize(
        ("status", "refused"),
        [(0, False), (200, False), (299, False), (300, True), (404, True), (499, True), (500, False)],
    )
    def test_status(self, status: int, refused: bool) -> None:  # noqa: FBT001
        assert GitHubError("no", status=status).is_refusal is refused

    def test_any_forge(self) -> None:
        assert not errors.ForgeError("no").is_refusal


class TestExitCodes:
    """2 says that the caller can act, 3 that a store or forge cannot be reached, 4 that a store is damaged."""

    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("UserError", 2),
            ("UnreadableOutputError", 2),
            ("PluginError", 2),
            ("SchemaMismatchError", 2),
            ("StoreNotFoundError", 3),
            ("StoreUnavailableError", 3),
            ("ConflictError", 3),
            ("ForgeError", 3),
            ("GitHubError", 3),
            ("CorruptStoreError", 4),
        ],
    )
    def test_code(self, name: str, code: int) -> None:
        assert getattr(errors, name).exit_code == code

    def test_every_error_has_the_base(self) -> None:
        raised = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)]
        assert [one for one in raised if not issubclass(one, BenchDbError | Warning)] == []
