from __future__ import annotations

import pytest

from bench_db.errors import UserError
from bench_db.sinks.address import Address

SECRET = "hunter2"


class TestAddress:
    """An address is shown without its password, whatever is wrong with it."""

    @pytest.mark.parametrize(
        ("uri", "shown"),
        [
            ("postgresql://user:hunter2@host/db", "postgresql://user@host/db"),
            ("postgres://user@host:5433/db", "postgresql://user@host:5433/db"),
            ("postgresql://host", "postgresql://host"),
            ("postgresql:///db", "postgresql:///db"),
            ("postgresql://?service=bench", "postgresql://"),
            ("postgresql://user:hun:ter2@[::1]:5432/db", "postgresql://user@[::1]:5432/db"),
            ("postgresql://user@one:1,two:2/db?password=hunter2", "postgresql://user@one:1,two:2/db"),
        ],
    )
    def test_shown(self, uri: str, shown: str) -> None:
        assert str(Address(uri)) == shown
        assert repr(Address(uri)) == f"Address({shown!r})"

    @pytest.mark.parametrize(
        "uri",
        [
            "postgresql://user:hunter2/x@host/db",
            "postgresql://user:hunter2?x@host/db",
            "postgresql://user:hunter2#x@host/db",
            "postgresql://user:x@hunter2@host/db",
            "postgresql://user:hunter2%zz@host/db",
            "postgresql://user:hunter2%00@host/db",
            "postgresql://user:hunter2",
            "postgresql://user:hunter2 x@host/db",
            "mysql://user:hunter2@host/db",
            "host=h password=hunter2",
            "user:hunter2@host",
        ],
    )
    def test_an_invalid_address_is_refused_and_not_shown(self, uri: str) -> None:
        with pytest.raises(UserError, match="`address`: not") as raised:
            Address(uri)
        assert SECRET not in str(raised.value)

    def test_limits_are_added_and_those_of_the_address_stay(self) -> None:
        assert "connect_timeout=7&" in Address("postgresql://host/db").with_limits(7)
        stated = Address("postgresql://host/db?connect_timeout=3&sslmode=require").with_limits(7)
        assert stated.startswith("postgresql://host/db?connect_timeout=3&sslmode=require&")
        assert stated.count("connect_timeout") == 1

    def test_a_limit_is_at_least_two_seconds_as_libpq_wants_it(self) -> None:
        assert "connect_timeout=2&" in Address("postgresql://host/db").with_limits(0.1)

    def test_messages_lose_the_password_as_it_is_written_and_decoded(self) -> None:
        address = Address("postgresql://user:hunt%40r2@host/db?sslpassword=x%20y")
        assert address.redacted("no: hunt%40r2, hunt@r2, x y") == "no: ***, ***, ***"
