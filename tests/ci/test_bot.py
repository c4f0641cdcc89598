import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.ci.bot import Commands, Refusal, Request, is_authorised, understand
from bench_db.schedule.config import KINDS, Kind

RUST, PYTHON, BOTH = Request(kinds=("rust",)), Request(kinds=("python",)), Request()


class TestCommands:
    """A command stands on its own line or ends one; the case matters only in names of crates."""

    @pytest.mark.parametrize(
        ("body", "request_"),
        [
            ("@bench-bot benchmark", BOTH),
            ("  @Bench-Bot Benchmark  ", BOTH),
            ("@bench-bot: benchmark --rust-only", RUST),
            ("@bench-bot benchmark --RUST-only", RUST),
            ("@bench-bot benchmark --python-only", PYTHON),
            ("@bench-bot benchmark --rust-only --rust-only", RUST),
            ("Hello,\n\n@bench-bot benchmark --python-only\n\nthanks!", PYTHON),
            ("Please @bench-bot benchmark --rust-only", RUST),
            ("@bench-bot benchmark --crate lance-io", Request(kinds=("rust",), suites=("lance-io",))),
            ("@bench-bot benchmark --crate=b --crate a --crate b", Request(kinds=("rust",), suites=("b", "a"))),
            ("@bench-bot benchmark --rust-only --crate a", Request(kinds=("rust",), suites=("a",))),
            ("> an old question\n\n@bench-bot benchmark", BOTH),
            ("> an old question\n@bench-bot benchmark", BOTH),
            ("```\ncode\n```\n@bench-bot benchmark", BOTH),
            ("`code` first\r\n@bench-bot benchmark\r\n", BOTH),
            ("@bench-bot benchmark\n@bench-bot benchmark", BOTH),
            ("@bench-bot benchmark <!-- the template -->", None),
            ("<!-- the template -->\n@bench-bot benchmark", BOTH),
            ("a ` b\n`<!--`\n\n@bench-bot benchmark", BOTH),
            ("`<pre>` is an element\n@bench-bot benchmark", BOTH),
            ("an odd ` there\n\n@bench-bot benchmark\n\nand ` there", BOTH),
            ("an odd ` there\n- @bench-bot benchmark\n- and ` there", BOTH),
            ("1. @bench-bot benchmark", BOTH),
            ("- ```\n  code\n  ```\n\n@bench-bot benchmark", BOTH),
            ("text\n\n    ```\n\n@bench-bot benchmark", BOTH),
            ("<q>one</q> <q>two</q>\n@bench-bot benchmark", BOTH),
            ("I want numbers, so @bench-bot benchmark", BOTH),
        ],
    )
    def test_understood(self, body: str, request_: Request | None) -> None:
        if request_ is None:
            assert not isinstance(understand(body), Request)
        else:
            assert understand(body) == request_

    @pytest.mark.parametrize(
        "body",
        [
            "",
            "nice work",
            "do not benchmark this, @bench-bot",
            "@bench-bot do not benchmark this",
            "thanks @bench-bot, the benchmark helped",
            "benchmark it with @bench-bot",
            "you can write @bench-bot benchmark to start one",
            "please do not @bench-bot benchmark",
            "don't @bench-bot benchmark",
            "you don\u2019t @bench-bot benchmark that",
            "what happens if I write @bench-bot benchmark",
            "@bench-botany benchmark",
            "mail me: me@bench-bot benchmark",
            "@bench-bot-2 benchmark",
            "> @bench-bot benchmark",
            "   > > @bench-bot benchmark --rust-only",
            "```\n@bench-bot benchmark\n```",
            "~~~sh\n@bench-bot benchmark\n~~~",
            "```\n@bench-bot benchmark",
            "````\n```\n@bench-bot benchmark\n````",
            "text\n\n    @bench-bot benchmark",
            "\t@bench-bot benchmark",
            "`@bench-bot benchmark`",
            "write ``@bench-bot benchmark`` there",
            "<!-- @bench-bot benchmark -->",
            "<!--\n@bench-bot benchmark\n-->",
            "<!--\n```\n-->\n<!-- @bench-bot benchmark",
            "<pre>\n@bench-bot benchmark\n</pre>",
            "<blockquote>@bench-bot benchmark</blockquote>",
            "<code>\n@bench-bot benchmark",
            "- > @bench-bot benchmark",
            "1. a\n   - b\n     > @bench-bot benchmark",
            "- ```\n  @bench-bot benchmark\n  ```",
            "- a\n  - b\n    ~~~\n    @bench-bot benchmark\n    ~~~",
            "```\n    ```\n@bench-bot benchmark\n```",
            "`code of\n@bench-bot benchmark\nthree lines`",
            "<blockquote><blockquote>a</blockquote>\n@bench-bot benchmark\n</blockquote>",
            "<samp>\n@bench-bot benchmark\n</samp>",
        ],
    )
    def test_nothing_asked(self, body: str) -> None:
        assert understand(body) is None


class TestRefusals:
    """What cannot be meant is refused with its reason, and starts nothing."""

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ("@bench-bot benchmark --rust-only --python-only", "contradict"),
            ("@bench-bot benchmark --crate a --python-only", "forbids"),
            ("@bench-bot benchmark --crate", "needs the name of a crate, not nothing"),
            ("@bench-bot benchmark --crate --rust-only", "needs the name"),
            ("@bench-bot benchmark --crate ../../x", "needs the name"),
            ("@bench-bot benchmark --fast", "`--fast` is not understood"),
            ("@bench-bot benchmark --rust-only=yes", "not understood"),
            ("@bench-bot benchmark please", "`please` is not understood"),
            ("@bench-bot bench", "not a command"),
            ("@bench-bot --rust-only", "not a command"),
            ("@bench-bot benchmark --rust-only\n@bench-bot benchmark", "several commands"),
        ],
    )
    def test_reasons(self, body: str, reason: str) -> None:
        found = understand(body)
        assert isinstance(found, Refusal)
        assert reason in found.answer

    def test_only_known_crates(self) -> None:
        assert understand("@bench-bot benchmark --crate io", Commands(kinds=KINDS, names={"rust": ("io",)})) == Request(
            kinds=("rust",), suites=("io",)
        )
        found = understand("@bench-bot benchmark --crate i", Commands(kinds=KINDS, names={"rust": ("io", "file")}))
        assert isinstance(found, Refusal)
        assert "there are io, file" in found.reason

    def test_an_answer_cannot_be_made_to_say_something(self) -> None:
        found = understand("@bench-bot benchmark --x`@everyone](https://x)<img>")
        assert isinstance(found, Refusal)
        assert found.reason == "`--xeveryonehttpsximg` is not understood"


class TestKinds:
    """The flags are those of the kinds in the configuration."""

    COMMANDS = Commands(
        kinds={"go": Kind(label="Go", suite_flag="--package"), "js": Kind(label="JavaScript", suite_flag="--bundle")},
        names={"go": ("parser",)},
    )

    def test_others_than_those_of_lance_bench(self) -> None:
        assert understand("@bench-bot benchmark --go-only", self.COMMANDS) == Request(kinds=("go",))
        named = Request(kinds=("js",), suites=("app",))
        assert understand("@bench-bot benchmark --bundle app", self.COMMANDS) == named
        assert self.COMMANDS.summary(named) == "JavaScript bundles app"
        assert self.COMMANDS.summary(Request()) == "Go and JavaScript"

    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            ("--rust-only", "`--rust-only` is not understood"),
            ("--package lexer", "there is no package `lexer` here, there are parser"),
            ("--package parser --bundle app", "`--package` and `--bundle` name suites of different kinds"),
            ("--js-only --package parser", "`--package` asks for Go, and `--js-only` forbids it"),
        ],
    )
    def test_refused(self, words: str, reason: str) -> None:
        found = understand(f"@bench-bot benchmark {words}", self.COMMANDS)
        assert isinstance(found, Refusal)
        assert reason in found.reason
        assert "`@bench-bot benchmark [--go-only | --js-only | --package NAME ... | --bundle NAME ...]`" in found.answer


class TestLaws:
    """Of any comment."""

    @given(st.text())
    def test_no_comment_is_too_strange(self, body: str) -> None:
        understand(body)

    @given(st.text(alphabet="`~<>!-/ \n@abcdprehnmkot", max_size=60))
    def test_markup_is_no_trouble(self, body: str) -> None:
        understand(body + "@bench-bot benchmark")

    @given(st.text(alphabet=st.characters(exclude_characters="\r\n")))
    def test_quoting_asks_for_nothing(self, text: str) -> None:
        quoted = "\n".join(f"> {line}" for line in f"{text}\n@bench-bot benchmark".split("\n"))
        assert understand(quoted) is None


class TestIsAuthorised:
    """Who may write, and the author of the pull request."""

    @pytest.mark.parametrize(
        ("permission", "role", "user", "author", "allowed"),
        [
            ("admin", "admin", "a", "b", True),
            ("write", "maintain", "a", "b", True),
            ("read", "maintain", "a", "b", True),
            ("read", "triage", "a", "b", False),
            ("none", "", "a", "A", True),
            ("none", "", "a", None, False),
            ("none", "", "", None, False),
        ],
    )
    def test_cases(self, permission: str, role: str, user: str, author: str | None, allowed: bool) -> None:  # noqa: FBT001
        assert is_authorised(permission, role, user, author) is allowed
