"""Texts that others read have no credential, no secret of the environment, and no place of the machine."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

import pytest

from bench_db import masking
from bench_db.masking import cleaned, masked, redacted, secrets_of, without_places

# put together, so that no scanner takes them for credentials
_LONG = "0123456789abcdefABCDEF" * 2


class TestMasked:
    """Secrets that are known are replaced, with the parts of an address."""

    @pytest.mark.parametrize(
        ("address", "text"),
        [
            ("https://h.test:443/p/invoke?v=1&sig=SECRET/+=9", "SECRET/+=9"),
            ("https://h.test/p?sig=SECRET%2F9", "SECRET%2F9"),
            ("https://h.test/p?sig=SECRET%2F9", "SECRET/9"),
            ("https://h.test/p?sig=SECRET/9", "SECRET%2F9"),
            ("https://h.test/a%20SECRET/", "a SECRET"),
            ("https://h.test/p?SECRET", "SECRET"),
            ("https://h.test/p?a=b", "a=b"),
            ("https://[h.test/p?sig=SECRET", "https://[h.test/p?sig=SECRET"),
        ],
    )
    def test_parts_of_an_address(self, address: str, text: str) -> None:
        assert masked(f"<{text}>", (address,)) == ("<a=b>" if text == "a=b" else "<***>")

    def test_masked(self) -> None:
        url = "https://hooks.example.org/services/T0000000/abcdefgh"
        assert masked(f"a {url} b /services/T0000000/abcdefgh c abcdefgh d token", (url, "token", "")) == (
            "a *** b /***/***/*** c *** d ***"
        )


class TestRedacted:
    """What looks like a credential is replaced, and the words beside it stay."""

    def test_words_beside_a_secret_stay(self) -> None:
        assert redacted("an error (ExpiredToken) when calling") == "an error (ExpiredToken) when calling"
        assert redacted("session_token=abc when") == "session_token=*** when"
        assert redacted("<SecretAccessKey>abc</SecretAccessKey>") == "<SecretAccessKey>***</SecretAccessKey>"

    @pytest.mark.parametrize(
        "token",
        [
            f"{'gh' + 'p'}_{_LONG}",
            f"{'github' + '_pat'}_{_LONG}",
            f"{'gl' + 'pat'}-{_LONG}",
            f"{'AK' + 'IA'}{'A1' * 8}",
            f"{'xo' + 'xb'}-{_LONG}",
            f"{'np' + 'm'}_{_LONG}",
            f"{'h' + 'f'}_{_LONG}",
            f"{'s' + 'k'}-{_LONG}",
            f"{'ey' + 'J'}{_LONG}.{_LONG}.{_LONG}",
            f"{'hooks.slack' + '.com'}/services/T0/B0/{_LONG}",
        ],
        ids=["github", "fine-grained", "gitlab", "aws", "slack", "npm", "hugging-face", "sk", "jwt", "hook"],
    )
    def test_known_forms(self, token: str) -> None:
        assert redacted(f"asked with {token} for it") == "asked with *** for it"

    @pytest.mark.parametrize(
        ("text", "clean"),
        [
            ("fatal: https://user:pass@host.test/x.git", "fatal: https://***@host.test/x.git"),
            ("Authorization: Bearer abcdefgh.1234", "Authorization: Bearer ***"),
            ("authorization: Basic dXNlcjpwYXNz", "authorization: Basic ***"),
            ("curl -H 'PRIVATE-TOKEN: abc'", "curl -H 'PRIVATE-TOKEN: ***'"),
            ("API_KEY=abc --x", "API_KEY=*** --x"),
            (f"a\n-----BEGIN {'RSA ' + 'PRIVATE'} KEY-----\nMII\nabc", "a\n***"),
            ("a basic understanding of io::read, user@host", "a basic understanding of io::read, user@host"),
        ],
        ids=["address", "bearer", "basic", "header", "variable", "key", "nothing"],
    )
    def test_statements(self, text: str, clean: str) -> None:
        assert redacted(text) == clean


class TestPlaces:
    """Files and directories are named without where they are."""

    @pytest.mark.parametrize(
        ("text", "clean"),
        [
            ("panicked at /var/ci/src/io.rs:12:3", "panicked at io.rs:12:3"),
            ("in '/builds/b/c', see file:///tmp/x/y.log", "in 'c', see file://y.log"),
            ("cd /var/lib/runner/", "cd runner"),
            (r"File C:\Users\Jo Doe\x\a.py", "File a.py"),
            (
                "see https://host.test/a/b and ../a/b and src/a/b.rs",
                "see https://host.test/a/b and ../a/b and src/a/b.rs",
            ),
            ("io/read /s: 1/2", "io/read /s: 1/2"),
        ],
        ids=["panic", "quoted", "directory", "windows", "relative", "no-path"],
    )
    def test_paths(self, text: str, clean: str) -> None:
        assert without_places(text) == clean


class TestSecretsOf:
    """Names say what is secret; a short value would hide words."""

    def test_values(self) -> None:
        given = {"MY_TOKEN": "abcdef", "db_password": "longer-value", "X_SECRET": "short", "PATH": "/usr/bin"}
        assert secrets_of(given) == ("longer-value", "abcdef")


class TestCleaned:
    """The lines of a log, one by one; a private key is one piece, also where the log ends in it."""

    @pytest.mark.parametrize("end", ["-----END RSA PRIVATE KEY-----\n", ""])
    def test_a_private_key(self, end: str) -> None:
        lines = ["a\n", "b -----BEGIN RSA PRIVATE KEY-----\n", "abc\n", "def\n", end, *(["z\n"] if end else [])]
        assert "".join(cleaned(lines, ())) == "a\nb ***\n" + ("z\n" if end else "")

    def test_a_key_in_one_line(self) -> None:
        key = "-----BEGIN PRIVATE KEY-----\\nabc\\n-----END PRIVATE KEY-----"
        assert list(cleaned([f"<{key}>\n", "after\n"], ())) == ["<***>\n", "after\n"]

    @pytest.mark.parametrize("kind", ["RSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK"])
    def test_keys_that_share_a_line(self, kind: str) -> None:
        begin, end = f"-----BEGIN {kind}-----", f"-----END {kind}-----"
        lines = [f"{begin}\n", "abc\n", f"{end}{begin}\n", "def\n", f"{end}; {begin}\n", "ghi\n", f"{end}\n", "z\n"]
        assert "".join(cleaned(lines, ())) == "******; ***\nz\n"
        assert redacted("".join(lines)) == "******; ***\nz\n"

    def test_a_line_that_names_a_key(self) -> None:
        """The rest of the log stays: it has no end of a key, and is not like the body of one."""
        lines = ["grep '-----BEGIN PRIVATE KEY-----' *\n", *(f"BenchmarkEncode-8 {n} ns/op\n" for n in range(300))]
        assert list(cleaned(lines, ())) == ["grep '***\n", *lines[1:]]
        assert redacted("".join(lines)) == "".join(["grep '***\n", *lines[1:]])

    @pytest.mark.parametrize("prefix", ["", "12:00:01 | "])
    @pytest.mark.parametrize("headers", [(), ("Proc-Type: 4,ENCRYPTED", f"DEK-Info: AES-128-CBC,{'0A' * 16}", "")])
    def test_a_key_without_an_end(self, prefix: str, headers: tuple[str, ...]) -> None:
        """As where the log goes on after a cut: what is like the body of a key is hidden, however long it is."""
        key = [f"{prefix}{line}\n" for line in ("-----BEGIN RSA PRIVATE KEY-----", *headers, *["aB/9" * 16] * 300)]
        rest = [f"{prefix}io/read {n} ns\n" for n in range(300)]
        assert "".join(cleaned([*key, *rest], ())) == "".join([f"{prefix}***\n", *rest])

    def test_a_key_in_narrow_lines_after_a_prefix(self) -> None:
        """The end of a key is looked for over as many lines as a key has."""
        lines = [
            f"1: {line}\n" for line in ("-----BEGIN PRIVATE KEY-----", *["aB/9"] * 199, "-----END PRIVATE KEY-----")
        ]
        assert "".join(cleaned([*lines, "z\n"], ())) == "1: ***\nz\n"

    def test_a_line_that_names_a_key_before_a_key(self) -> None:
        key = ["-----BEGIN PRIVATE KEY-----\n", "abc\n", "-----END PRIVATE KEY-----\n"]
        lines = ["find -----BEGIN PRIVATE KEY-----\n", *["a line of the log\n"] * 250, *key, "z\n"]
        assert "".join(cleaned(lines, ())) == "".join(["find ***\n", *lines[1:251], "***\nz\n"])

    def test_secrets_are_split_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        split: list[str] = []

        def noted(secret: str) -> SplitResult:
            split.append(secret)
            return urlsplit(secret)

        monkeypatch.setattr(masking, "urlsplit", noted)
        assert list(cleaned(["/abcdefgh\n"] * 100, ("https://host.test/abcdefgh",))) == ["/***\n"] * 100
        assert split == ["https://host.test/abcdefgh"] * 2  # as a whole, and as its one line

    def test_secrets(self) -> None:
        lines = ["the first line\n", "secret-a secret-b\n", "a token\n"]
        assert list(cleaned(lines, ("secret-a", "x\nfirst line"))) == ["the ***\n", "*** secret-b\n", "a token\n"]
