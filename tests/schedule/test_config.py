from pathlib import Path

import pytest

from bench_db.app.configuration import load
from bench_db.errors import UnreadableOutputError, UserError
from bench_db.schedule.config import Suite, parse

PROJECT = '[project]\nname = "x"\n'
SUITE = PROJECT + '[suite."rust/io"]\n'


def written(directory: Path, text: str) -> Path:
    path = directory / "bench-db.toml"
    path.write_text(text, encoding="utf-8")
    return path


class TestLoad:
    """A configuration is typed, and what is wrong is named by its key."""

    def test_a_whole_one(self, tmp_path: Path) -> None:
        text = (
            SUITE
            + 'setup = ["make all", ["echo", "a b"]]\nbenchmark = "cargo bench -- \'x y\'"\noutputs = ["target/*"]'
        )
        config = load(written(tmp_path, text))
        suite = config.suite["rust/io"].at({})
        assert suite.setup == [["make", "all"], ["echo", "a b"]]
        assert suite.benchmark == ["cargo", "bench", "--", "x y"]
        assert (config.schedule.range, config.project.main_branch) == ("NEW", "main")

    def test_this_projects_own(self) -> None:
        assert load(Path(__file__).parents[2] / "bench-db.toml").suite

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "missing required field 'project', a table with the name of what is measured; add [project]"),
            ("[project]\n", "at project"),
            (PROJECT + "[schedule]\nevry = 2\n", "evry"),
            (PROJECT + '[schedule]\nevery = "2"\n', "'every' takes a whole number at schedule.every"),
            (SUITE, "benchmark"),
            (SUITE + 'benchmark = "x"\n', "needs outputs"),
            (SUITE + 'benchmark = ""\nstdout = "o"\n', 'a command needs words at suite."rust/io".benchmark'),
            (SUITE + 'benchmark = "a \'b"\nstdout = "o"\n', "not a command"),
            (SUITE + 'benchmark = "x"\nstdout = "../o"\n', 'relative to it, without .. at suite."rust/io".stdout'),
            (SUITE + 'benchmark = "x"\noutputs = ["/etc/*"]\n', "within the repository"),
            (SUITE + 'benchmark = "x"\nstdout = "o"\ntimeout_seconds = 0\n', "time-out"),
            (SUITE + 'benchmark = "x"\nstdout = "o"\nkind = 1\n', "'kind' takes a text at suite.\"rust/io\".kind"),
            (
                SUITE + 'benchmrak = "x"\n',
                "unknown key 'benchmrak'; nearest: benchmark; known: benchmark, kind, directory",
            ),
            (SUITE + 'benchmrak = "x"\n', 'at suite."rust/io".benchmrak'),
            (
                SUITE + 'benchmark = "x"\noutputs = "o"\n',
                "got 'str'; 'outputs' takes a list of texts at suite.\"rust/io\".outputs",
            ),
            (
                PROJECT + '[[notify]]\nkind = "pager"\n',
                "one of webhook, slack, teams, matrix, smtp, github, gitlab at notify[0].kind",
            ),
            (
                PROJECT + '[[notify]]\nkind = "slack"\nadress_env = "A"\n',
                "unknown key 'adress_env'; nearest: address_env",
            ),
            (
                PROJECT + '[[notify]]\nkind = "slack"\n',
                "slack needs address_env, the name of the variable with the address at notify[0]",
            ),
            (
                PROJECT + '[[notify]]\nkind = "slack"\naddress = "https://x.org/y"\n',
                "the address is secret: put it into a variable",
            ),
            (PROJECT + '[[notify]]\nkind = "webhook"\naddress = "https://u:p@x.org/y"\n', "no user and no password"),
            (
                PROJECT + '[[notify]]\nkind = "webhook"\naddress_env = "https://x.org"\n',
                "not the name of an environment variable",
            ),
            (
                PROJECT + '[[notify]]\nkind = "matrix"\naddress = "https://x.org"\ntoken_env = "T"\n',
                "matrix needs room at notify[0]",
            ),
            (PROJECT + '[[notify]]\nkind = "smtp"\naddress = "smtp://x.org"\nto = ["a@x.org"]\n', "smtp needs from"),
            (
                PROJECT
                + '[[notify]]\nkind = "smtp"\naddress = "smtp://x.org"\nfrom = "a@x.org"\nto = ["a@x.org\\nBcc: b@x.org"]\n',
                "from and to are mail addresses",
            ),
            (PROJECT + '[[notify]]\nkind = "github"\n', "github needs repository, here or in [project]"),
            (PROJECT + '[[notify]]\nkind = "gitlab"\nrepository = "a/b"\n', "gitlab needs token_env"),
            (
                PROJECT + 2 * '[[notify]]\nkind = "webhook"\naddress_env = "A"\n',
                "a second receiver 'webhook'; give each a name at notify[1].name",
            ),
            (
                PROJECT + '[[notify]]\nkind = "webhook"\naddress_env = "A"\nsince = "soon"\n',
                "not a date such as 2026-01-31 at notify[0].since",
            ),
            (
                PROJECT + '[[notify]]\nkind = "webhook"\naddress_env = "A"\ndigest = "hourly"\n',
                "'digest' takes daily or weekly",
            ),
            (PROJECT + '[[notify]]\nkind = "webhook"\naddress_env = "A"\nname = "a b"\n', "a name has 1 to 64 letters"),
            (
                PROJECT + "[[owner]]\nbenchmarks = []\nmention = {}\n",
                "an owner needs globs of benchmark names at owner[0].benchmarks",
            ),
            (PROJECT + '[[owner]]\nbenchmarks = ["*"]\nmention = { pager = "x" }\n', "no kind of receiver 'pager'"),
            (PROJECT + "[define]\npool = 'ci'\n", "'pool' takes a list of texts at define.pool"),
            (PROJECT + "[define.join]\nold = 1\n", "'join' takes a table of texts at define.join"),
            (PROJECT + "[define]\nbetter = {}\njoins = {}\n", "unknown key 'joins'; nearest: join"),
            (PROJECT + "[sweet.a]\n", "unknown key 'sweet'; known: project, schedule, pairs, suite, define"),
            ('suite = "a"\n' + PROJECT, "'suite' takes tables [suite.NAME] at suite"),
            (PROJECT + 'site = "http://x"\n', "not the https address of a directory of pages"),
            (PROJECT + 'site = "https://user:word@x"\n', "at project.site"),
            (PROJECT + "[pairs]\nround = 3\n", "unknown key 'round'; nearest: rounds"),
            (PROJECT + "[pairs]\nrounds = 1\n", "at least 2 rounds at pairs.rounds"),
            (PROJECT + "[pairs]\nlooks = [1, 8]\n", "each at least 2 at pairs.looks"),
            (PROJECT + "[pairs]\nlooks = ['a']\n", "'looks' takes a list of whole numbers at pairs.looks"),
            (PROJECT + "[pairs]\nmin_effect = -1\n", "not negative at pairs.min_effect"),
            (PROJECT + "[pairs]\nbudget_minutes = 0\n", "more than 0 minutes at pairs.budget_minutes"),
            (PROJECT + "[pairs]\nfigure = 'mean'\n", "'figure' takes auto, median or min at pairs.figure"),
            ("pairs = 1\n" + PROJECT, "at pairs"),
            (PROJECT + "[site]\nfrontier = 1\n", "unknown key 'frontier'; nearest: frontier_"),
            (PROJECT + "[site]\nfrontier_by = 'a'\n", "'frontier_by' takes a list of texts at site.frontier_by"),
            (PROJECT + "[site]\nfrontier_x = 'a'\n", "a frontier is of two metrics: give frontier_x and frontier_y"),
            (PROJECT + "[site]\nfrontier_y = 'a'\n", "give frontier_x and frontier_y at site.frontier_x"),
            (PROJECT + "[site]\nfrontier_x = 'a'\nfrontier_y = 'a'\n", "both are 'a' at site.frontier_y"),
            (
                SUITE + 'benchmark = "x"\nstdout = "o"\nselect = "-k \'x"\n',
                'not a command: No closing quotation at suite."rust/io".select',
            ),
            ("[project\n", "not TOML"),
            (PROJECT + "[schedule.kinds.go]\nrun_inputs = 'x'\n", "unknown key 'run_inputs'; nearest: run_input"),
            (PROJECT + "[schedule.kinds.go]\nlabel = 1\n", "'label' takes a text at schedule.kinds.go.label"),
            (PROJECT + "[schedule.kinds]\ngo = 1\n", "at schedule.kinds.go"),
            (SUITE + 'benchmark = "x"\nstdout = "o"\nsetup = ["a", 1]\n', "'setup' takes a list of commands"),
            (SUITE + 'benchmark = "x"\nstdout = "o"\nenv = { A = 1 }\n', "'env' takes a table of texts"),
        ],
    )
    def test_faults_are_named(self, text: str, words: str, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError) as caught:
            load(written(tmp_path, text))
        assert words in str(caught.value)
        assert "bench-db.toml" in str(caught.value)

    @pytest.mark.parametrize("kind", ["go", "rust", "C++"])
    def test_a_kind_is_any_word(self, kind: str, tmp_path: Path) -> None:
        config = load(written(tmp_path, SUITE + f'benchmark = "x"\nstdout = "o"\nkind = "{kind}"\n'))
        assert config.suite["rust/io"].kind == kind
        assert config.kind_of("rust/io") == ("rust" if kind == "rust" else "python")

    def test_not_utf_8_is_said_with_its_line(self, tmp_path: Path) -> None:
        (tmp_path / "bench-db.toml").write_bytes(PROJECT.encode() + b"# \xff\n")
        with pytest.raises(UnreadableOutputError, match=r"bench-db\.toml:3: not UTF-8"):
            load(tmp_path / "bench-db.toml")

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no such file"):
            load(tmp_path / "bench-db.toml")

    def test_an_unknown_suite_is_answered_with_the_known(self, tmp_path: Path) -> None:
        config = load(written(tmp_path, SUITE + 'benchmark = "x"\nstdout = "o"\n'))
        with pytest.raises(UserError, match="it has: rust/io"):
            config.suites(("io",))
        assert config.suites(()) == {"rust/io": Suite(benchmark="x", stdout="o")}


class TestSelecting:
    """The words of `select` restrict a suite to some of its benchmarks, in the language of its tool."""

    @pytest.mark.parametrize(
        ("select", "found"),
        [
            ("", []),
            ("-k {names}", ["-k", "test_a or test_b[1]"]),
            ("--filter={pattern}", [r"--filter=^(x\.py::test_a|test_b\[1\])$"]),
            (["-k", "${names} {other}"], ["-k", "${names} {other}"]),
        ],
    )
    def test_names_and_pattern(self, select: str | list[str], found: list[str]) -> None:
        suite = Suite(benchmark="x", stdout="o", select=select)
        assert suite.selecting(["x.py::test_a", "test_b[1]"]) == found

    @pytest.mark.parametrize("key", ["address_env", "token_env", "address"])
    def test_no_secret_in_an_error(self, tmp_path: Path, key: str) -> None:
        text = PROJECT + f'[[notify]]\nkind = "slack"\n{key} = "https://u:x0x0x0@x.org/T0SECRET"\n'
        with pytest.raises(UnreadableOutputError) as caught:
            load(written(tmp_path, text))
        assert "x0x0x0" not in str(caught.value)
        assert "T0SECRET" not in str(caught.value)


class TestReceiverKeys:
    """A mistake in a receiver names its table, and keys as the file spells them."""

    @pytest.mark.parametrize(
        ("changed", "message", "place"),
        [
            ('to = ["x@y.z"]\ndigets = "daily"', "unknown key 'digets'; nearest: digest; known: ", "notify[1].digets"),
            ('to = "x@y.z"', "Expected 'array', got 'str'; 'to' takes a list of texts", "notify[1].to"),
            ('to = ["x@y.z"]\nsender = "a@b.c"', "unknown key 'sender'", "notify[1].sender"),
            (
                'to = ["x@y.z"]\ndigest = "hourly"',
                "Invalid enum value 'hourly'; 'digest' takes daily",
                "notify[1].digest",
            ),
        ],
    )
    def test_of_mail(self, changed: str, message: str, place: str) -> None:
        hook = '[[notify]]\nkind = "webhook"\naddress = "https://h.test/x"\n'
        mail = f'[[notify]]\nkind = "smtp"\naddress = "smtp://h.test"\nfrom = "a@b.c"\n{changed}\n'
        with pytest.raises(UnreadableOutputError) as caught:
            parse(f'[project]\nname = "p"\n{hook}{mail}'.encode(), "f")
        assert message in str(caught.value)
        assert str(caught.value).endswith(f" at {place}")
        assert "known: " not in str(caught.value) or "user, from, to, " in str(caught.value)

    def test_from_of_another_type(self) -> None:
        table = '[[notify]]\nkind = "smtp"\nfrom = 3\n'
        with pytest.raises(UnreadableOutputError, match=r"'from' takes a text at notify\[0\]\.from$"):
            parse(f'[project]\nname = "p"\n{table}'.encode(), "f")

    @pytest.mark.parametrize(
        ("kind", "keys", "message"),
        [
            (
                "webhook",
                'address_env = "A"\nroom = "!x"',
                "webhook has no key room; it takes address, address_env, token_env at notify[0].room",
            ),
            (
                "slack",
                'address_env = "A"\ntoken_env = "T"',
                "slack has no key token_env; it takes address_env at notify[0].token_env",
            ),
            (
                "teams",
                'address_env = "A"\nto = ["a@x.org"]',
                "teams has no key to; it takes address_env at notify[0].to",
            ),
            ("github", 'repository = "a/b"\nfrom = "a@x.org"', "github has no key from; it takes "),
            (
                "matrix",
                'address = "https://m.test"\nroom = "!r"\ntoken_env = "T"\nuser = "me"',
                "matrix has no key user",
            ),
            (
                "smtp",
                'address = "smtp://m.test"\nfrom = "a@x.org"\nto = ["a@x.org"]\ntoken_env = "T"',
                "the password in token_env needs user, whose it is at notify[0].user",
            ),
        ],
    )
    def test_a_key_that_would_do_nothing(self, kind: str, keys: str, message: str) -> None:
        with pytest.raises(UnreadableOutputError) as caught:
            parse(f'[project]\nname = "p"\n[[notify]]\nkind = "{kind}"\n{keys}\n'.encode(), "f")
        assert message in str(caught.value)

    @pytest.mark.parametrize(
        ("kind", "wrong", "right"),
        [
            ("slack", "@ann", "W024BE7LH"),
            ("slack", "<!channel>", "S01"),
            ("matrix", "ann", "@ann:example.org"),
            ("teams", "Ann", "ann@example.org"),
            ("smtp", "Ann <ann@example.org>", "ann@example.org"),
        ],
    )
    def test_a_mention_that_would_do_nothing(self, kind: str, wrong: str, right: str) -> None:
        text = '[project]\nname = "p"\n[[owner]]\nbenchmarks = ["x"]\nmention = {{ {} = "{}" }}\n'
        with pytest.raises(UnreadableOutputError) as caught:
            parse(text.format(kind, wrong).encode(), "f")
        assert f"{wrong!r} is no mention for {kind}, which takes " in str(caught.value)
        assert str(caught.value).endswith(f" at owner[0].mention.{kind}")
        assert parse(text.format(kind, right).encode(), "f").owner[0].mention == {kind: right}
