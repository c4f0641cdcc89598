"""The listings of the S3 server are those of moto, written in another way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from moto.moto_server.werkzeug_app import create_backend_app
from moto.s3.responses import S3Response
from werkzeug.test import Client

from tests.support.s3_process import write_listings_quickly

if TYPE_CHECKING:
    from collections.abc import Iterator

QUERIES = [
    "",
    "&prefix=a/",
    "&prefix=a/&delimiter=/",
    "&prefix=a/&delimiter=/&max-keys=1",
    "&max-keys=0",
    "&max-keys=2",
    "&encoding-type=url&fetch-owner=true",
    "&prefix=none",
    "&start-after=a/b",
]


@pytest.fixture(scope="module")
def client() -> Client:
    """A server with keys that XML and addresses escape, and one with a checksum."""
    client = Client(create_backend_app("s3"))
    assert client.put("/things").status_code == 200
    for key in ("a/b%20%26%3C%22", "a/%C3%BC", "a/c/d", "z"):
        assert client.put(f"/things/{key}", data=b"x").status_code == 200
    headers = {"x-amz-sdk-checksum-algorithm": "CRC32", "x-amz-checksum-crc32": "jNwsLw=="}
    assert client.put("/things/with-checksum", data=b"x", headers=headers).status_code == 200
    return client


@pytest.fixture
def quickly() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(S3Response, "serialized", S3Response.serialized)
        yield


@pytest.mark.usefixtures("quickly")
class TestListings:
    """Each listing has the bytes and the headers that moto's own serializer writes."""

    @pytest.mark.parametrize("query", QUERIES)
    def test_as_of_moto(self, client: Client, query: str) -> None:
        address = f"/things?list-type=2{query}"
        slow = client.get(address)
        write_listings_quickly()
        quick = client.get(address)
        assert quick.text == slow.text
        assert (quick.status, sorted(quick.headers.keys())) == (slow.status, sorted(slow.headers.keys()))

    def test_without_a_bucket(self, client: Client) -> None:
        write_listings_quickly()
        assert client.get("/nowhere?list-type=2").status_code == 404

    def test_every_page(self, client: Client) -> None:
        write_listings_quickly()
        first = client.get("/things?list-type=2&max-keys=2").text
        token = first.partition("<NextContinuationToken>")[2].partition("<")[0]
        second = client.get(f"/things?list-type=2&continuation-token={token}").text
        assert [first.count("<Key>"), second.count("<Key>")] == [2, 3]
