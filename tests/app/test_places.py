from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import bench_db
from bench_db import Address, Database, FilePlace, Place, S3Place, place
from bench_db.app import places
from bench_db.app.places import directory_of, name_of
from bench_db.errors import StoreNotFoundError, UserError
from tests.store.conftest import bucket_uri

__all__ = ["bucket_uri"]  # a fixture

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


# The example of metalab's page on stores, in the names of bench_db.
@dataclass(frozen=True, kw_only=True)
class MyCustomPlace(Place):
    scheme: ClassVar[str] = "myscheme"
    endpoint: str
    bucket: str

    def collection_address(self) -> str:
        return f"{os.environ['ENDPOINTS']}/{self.endpoint}/{self.bucket}"

    @classmethod
    def from_address(cls, address: Address) -> Self:
        # an address such as "myscheme://endpoint/bucket"
        return cls(endpoint=address.host, bucket=address.path.lstrip("/"))


@pytest.fixture
def endpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ENDPOINTS", str(tmp_path / "endpoints"))
    return tmp_path / "endpoints"


def store_at(address: object, benchmark: str = "f", value: float = 1.0) -> Database:
    """Make a store with one result."""
    made = bench_db.connect(str(address), create=True)
    with made.record("d", commit="c" * 40, test_bed_name="t", environment={}) as run:
        run.add(benchmark, [value], unit="s")
    return made


class TestPlace:
    """Every address has one place, and it opens the store at that address."""

    def test_directories(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        expected = FilePlace(root=str(tmp_path / "a b"))
        for address in ("a b", "./a b", Path("a b"), f"file://{tmp_path}/a%20b", str(tmp_path / "a b")):
            assert place(address) == expected
        assert (expected.address, str(expected), expected.is_scoped) == (f"{tmp_path}/a b",) * 2 + (False,)

    def test_buckets(self) -> None:
        expected = S3Place(bucket="b", prefix="some/pre fix")
        assert place("s3://b/some/pre%20fix/") == S3Place(bucket="b", prefix="/some/pre fix/") == expected
        assert (expected.address, place(expected.address)) == ("s3://b/some/pre fix", expected)
        assert place("s3://b").scoped("x").address == "s3://b/x"
        assert place(S3Place(bucket="b", prefix="50%?#").address) == S3Place(bucket="b", prefix="50%?#")

    def test_connect(self, tmp_path: Path) -> None:
        where = FilePlace(root=str(tmp_path)).scoped("my_exp:1.0")
        with pytest.raises(StoreNotFoundError):
            where.connect()
        made = where.connect(create=True)
        assert made.uri == where.address == bench_db.connect(where).uri
        assert bench_db.connect(where).latest().is_empty()
        assert bench_db.runs(where).frame().is_empty()  # use cases take a place, too

    def test_a_bucket(self, bucket_uri: str) -> None:
        collection = place(bucket_uri)
        for name in ("my_exp:1.0", "other"):
            store_at(collection.scoped(name))
        assert collection.list_stores() == ["my_exp:1.0", "other"]
        assert collection.for_store("my_exp:1.0").connect().latest().height == 1
        assert S3Place(bucket=collection.bucket, prefix="none").list_stores() == []  # type: ignore[attr-defined]

    @pytest.mark.parametrize("bucket", ["", "a/b", "key:secret@b", "s3://b"])
    def test_a_bucket_is_a_name(self, bucket: str) -> None:
        with pytest.raises(
            UserError, match="the bucket of an S3Place is a name, without a scheme, a path or credentials"
        ) as e:
            S3Place(bucket=bucket)
        assert "secret" not in str(e.value)

    def test_the_root_is_a_directory(self) -> None:
        with pytest.raises(UserError, match="the root of a FilePlace is a directory"):
            FilePlace(root="s3://bucket/prefix")


class TestCustomPlace:
    """A subclass with a scheme is found by addresses of the scheme, as soon as its module is imported."""

    def test_the_example_of_metalab(self, endpoints: Path) -> None:
        store = bench_db.connect("myscheme://my-endpoint/my-bucket", create=True)
        assert store.uri == str(endpoints / "my-endpoint/my-bucket")
        custom = place("myscheme://my-endpoint/my-bucket")
        assert custom == MyCustomPlace(endpoint="my-endpoint", bucket="my-bucket")
        assert custom.connect().uri == store.uri
        scoped = custom.scoped("my_exp:1.0")
        store_at(scoped)
        assert custom.list_stores() == ["my_exp:1.0"]
        assert custom.for_store("my_exp:1.0") == scoped
        assert Place.from_dict(json.loads(json.dumps(scoped.to_dict()))) == scoped

    def test_the_parts_of_an_address(self) -> None:
        seen: list[Address] = []

        @dataclass(frozen=True, kw_only=True)
        class Parts(MyCustomPlace):
            scheme: ClassVar[str] = "parts"

            @classmethod
            def from_address(cls, address: Address) -> Self:
                seen.append(address)
                return cls(endpoint="e", bucket="b")

        place("parts://Host:80/a%20b/c?x=1&y=")
        place("parts://")
        assert seen == [
            Address(scheme="parts", host="host", port=80, path="/a b/c", parameters={"x": "1", "y": ""}),
            Address(scheme="parts", parameters={}),
        ]
        with pytest.raises(UserError, match="cannot be split into its parts: parts://host:port/path"):
            place("parts://host:port/")

    def test_defined_again(self) -> None:
        def define() -> type[Place]:
            @dataclass(frozen=True, kw_only=True, slots=True)
            class Again(MyCustomPlace):
                scheme: ClassVar[str] = "again"

            return Again

        define()
        newer = define()
        assert type(place("again://e/b")) is newer

    @pytest.mark.parametrize("scheme", ["file", "s3", "myscheme"])
    def test_a_scheme_has_one_class(self, scheme: str) -> None:
        with pytest.raises(UserError, match=rf"Other.scheme is {scheme!r}, which .* has; choose another"):
            type("Other", (MyCustomPlace,), {"scheme": scheme})

    @pytest.mark.parametrize("scheme", ["", "1a", "a_b", "A", "a:b"])
    def test_a_scheme_is_one_of_addresses(self, scheme: str) -> None:
        with pytest.raises(UserError, match="a scheme begins with a letter"):
            type("Other", (MyCustomPlace,), {"scheme": scheme})

    def test_a_subclass_without_a_scheme_is_not_registered(self) -> None:
        before = dict(places._CLASSES)
        type("Base", (MyCustomPlace,), {})
        assert before == places._CLASSES


class TestSecrets:
    """No place has a secret: neither its class, nor its address, nor what it writes."""

    @pytest.mark.parametrize("name", ["password", "api_token", "SecretKey", "aws_access_key_id"])
    def test_no_field_is_one(self, name: str) -> None:
        with pytest.raises(UserError, match=rf"Other.{name}: a place .* has no secret"):
            type("Other", (MyCustomPlace,), {"scheme": "other", "__annotations__": {name: str}})

    @pytest.mark.parametrize("address", ["myscheme://me:hunter2@e/b", "myscheme://e/b?password=hunter2"])
    def test_no_address_has_one(self, address: str) -> None:
        for use in (place, bench_db.connect):
            with pytest.raises(UserError, match="has a credential in it; a place takes them from the environment") as e:
                use(address)
            assert "hunter2" not in str(e.value)

    def test_no_document_has_one(self) -> None:
        with pytest.raises(UserError, match=r"MyCustomPlace.endpoint contains a credential") as e:
            MyCustomPlace(endpoint="https://me:hunter2@e", bucket="b").to_dict()
        assert "hunter2" not in str(e.value)


class TestDocument:
    """A place becomes a document of JSON, pickles and hashes, and is equal to what comes back."""

    def test_the_example_of_metalab(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        config = FilePlace(root="./experiments", store_name="my_exp:1.0")
        document = config.to_dict()
        assert document == {"scheme": "file", "store_name": "my_exp:1.0", "root": str(tmp_path / "experiments")}
        assert Place.from_dict(document) == config

    @pytest.mark.parametrize(
        "one",
        [
            FilePlace(root="a"),
            FilePlace(root="a").scoped("x"),
            S3Place(bucket="b"),
            S3Place(bucket="b", prefix="c/d").scoped("x"),
            MyCustomPlace(endpoint="e", bucket="b").scoped("x"),
        ],
        ids=["directory", "directory, scoped", "bucket", "prefix, scoped", "custom"],
    )
    def test_there_and_back(self, one: Place) -> None:
        for back in (Place.from_dict(json.loads(json.dumps(one.to_dict()))), pickle.loads(pickle.dumps(one))):
            assert (back, hash(back), type(back)) == (one, hash(one), type(one))

    def test_places_differ(self) -> None:
        every = {
            FilePlace(root="a"),
            FilePlace(root="b"),
            FilePlace(root="a", store_name="b"),
            S3Place(bucket="a"),
            S3Place(bucket="a", prefix="b"),
            MyCustomPlace(endpoint="a", bucket="b"),
        }
        assert len({*every, FilePlace(root="a")}) == 6

    def test_another_process_and_directory(self, tmp_path: Path) -> None:
        store_at(tmp_path / "stores/x")
        content = pickle.dumps(FilePlace(root=str(tmp_path / "stores")).scoped("x"))
        code = f"import pickle; print(pickle.loads({content!r}).connect().latest().height)"
        done = subprocess.run([sys.executable, "-c", code], cwd="/", capture_output=True, text=True, check=True)
        assert done.stdout == "1\n"

    def test_frozen(self) -> None:
        with pytest.raises(FrozenInstanceError):
            FilePlace(root="a").root = "b"  # type: ignore[misc]

    @pytest.mark.parametrize(
        ("document", "reason"),
        [
            ({}, "a place has a 'scheme', such as 'file' or 's3'; this document has nothing"),
            ({"root": "/a"}, "a place has a 'scheme', such as 'file' or 's3'; this document has 'root'"),
            ({"scheme": 1}, "a place has a 'scheme'"),
            ({"scheme": "nowhere"}, "cannot open a store at nowhere://"),
            ({"scheme": "file"}, "this document is not a place of file://: .*missing"),
            (
                {"scheme": "file", "root": "/a", "rot": 1},
                "'rot' is not a field of a place of file://; it has root, store_name",
            ),
            ({"scheme": "file", "root": "/a", "store_name": ""}, "the name of a store is empty"),
        ],
    )
    def test_another_document(self, document: dict[str, Any], reason: str) -> None:
        with pytest.raises(UserError, match=reason):
            Place.from_dict(document)

    def test_a_field_that_is_no_text_or_number(self) -> None:
        with pytest.raises(UserError, match=r"MyCustomPlace.bucket is a list; a place has texts and numbers alone"):
            MyCustomPlace(endpoint="e", bucket=["b"]).to_dict()  # type: ignore[arg-type]


class TestScoped:
    """A place of a collection gives that of one store; that of a store gives no other."""

    def test_once(self) -> None:
        collection = FilePlace(root="/c")
        one = collection.scoped("my_exp:1.0")
        assert (one.is_scoped, one.store_name, one.root) == (True, "my_exp:1.0", "/c")
        assert one.scoped("my_exp:1.0") == one
        with pytest.raises(
            UserError, match=r"the place of the store 'my_exp:1.0' already; take the one of its collection for 'x'"
        ):
            one.scoped("x")

    @pytest.mark.parametrize(("name", "reason"), [("", "is empty"), ("\ud800", "is not valid Unicode")])
    def test_no_name(self, name: str, reason: str) -> None:
        for use in (FilePlace(root="/c").scoped, FilePlace(root="/c").for_store):
            with pytest.raises((UserError, StoreNotFoundError), match=f"{reason}|no directory"):
                use(name)


class TestDirectoryOf:
    """The directory of a store is one component of a path, different for every name on every file system."""

    @pytest.mark.parametrize(
        ("name", "directory"),
        [
            ("my_exp", "my_exp"),
            ("1.0", "1.0"),
            ("my_exp:1.0", "my_exp=3a1.0"),
            ("my_exp_1.0", "my_exp_1.0"),
            ("My exp", "=4dy=20exp"),
            ("..", "=2e=2e"),
            (".", "=2e"),
            (".hidden", "=2ehidden"),
            ("ends.", "ends=2e"),
            ("-rf", "=2drf"),
            ("../../etc/passwd", "=2e.=2f..=2fetc=2fpasswd"),
            ("a\\b\0", "a=5cb=00"),
            ("é", "=c3=a9"),
            ("=3a", "=3d3a"),
            ("con", "=63on"),
            ("aux.txt", "=61ux.txt"),
            ("console", "console"),
            ("results.lance", "=72esults.lance"),
            ("artifacts", "=61rtifacts"),
        ],
    )
    def test_examples(self, name: str, directory: str) -> None:
        assert (directory_of(name), name_of(directory)) == (directory, name)

    @given(NAMES)
    @example("a" * 201)
    @example("é" * 100)
    @example("." * 300)
    def test_safe(self, name: str) -> None:
        directory = directory_of(name)
        assert Path("/c", directory).parts == ("/", "c", directory)
        assert len(directory) <= 200
        assert directory.isascii()
        assert directory == directory.lower()  # a file system may not tell cases apart
        assert not directory.startswith((".", "-"))
        assert not directory.endswith((".", " ", ".lance") if name != directory else ("."))
        assert set(directory) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-.=")

    @given(NAMES, NAMES)
    @example("a:b", "a_b")
    @example("A", "a")
    @example("e\u0301", "é")
    @example("a" * 300, "a" * 301)
    def test_injective(self, one: str, other: str) -> None:
        assert (directory_of(one) == directory_of(other)) == (one == other)

    @given(NAMES)
    def test_the_name_comes_back(self, name: str) -> None:
        directory = directory_of(name)
        assert name_of(directory) == (directory if "==" in directory else name)

    @given(st.text(min_size=1))
    @example("=c3")
    @example("=4A")
    @example("=61")
    def test_any_directory_has_a_name_that_leads_to_it(self, directory: str) -> None:
        name = name_of(directory)
        assert name == directory or directory_of(name) == directory


class TestCollection:
    """A collection lists the stores directly below it, by name, and gives the place of each."""

    def test_the_example_of_metalab(self, tmp_path: Path) -> None:
        collection = FilePlace(root=str(tmp_path / "experiments"))
        names = ["my_exp:1.0", "my_exp:2.0", "other_exp:1.0"]
        for number, name in enumerate(names):
            store_at(collection.scoped(name), value=number + 1.0)
        assert collection.list_stores() == names
        config = collection.for_store("my_exp:2.0")
        assert config.connect().latest()["median"].to_list() == [2e9]
        with pytest.raises(
            UserError, match=r"no store 'my_exp:3.0' in this collection; there are 'my_exp:1.0', 'my_exp:2.0'"
        ):
            collection.for_store("my_exp:3.0")
        with pytest.raises(UserError, match="is the place of one store; ask the one of its collection"):
            config.list_stores()

    def test_only_stores_directly_below(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        (tmp_path / "file").touch()
        (tmp_path / "other/results.lance.txt").mkdir(parents=True)
        store_at(tmp_path / "a")
        store_at(tmp_path / "b/c")
        assert FilePlace(root=str(tmp_path)).list_stores() == ["a"]
        assert FilePlace(root=str(tmp_path / "a")).list_stores() == []  # a store is no collection

    def test_directories_that_were_not_named_by_a_place(self, tmp_path: Path) -> None:
        collection = FilePlace(root=str(tmp_path))
        for directory in ("Linux", "50%?#", "a b", "x" * 250):
            store_at(tmp_path / directory)
        assert collection.list_stores() == ["50%?#", "Linux", "a b", "x" * 250]
        assert collection.places() == {name: collection.for_store(name) for name in collection.list_stores()}
        for name in collection.list_stores():
            found = collection.for_store(name)
            assert (found.connect().latest().height, found.is_scoped) == (1, False)

    def test_two_directories_of_one_name(self, tmp_path: Path) -> None:
        collection = FilePlace(root=str(tmp_path))
        for directory in ("Linux", "=4cinux"):
            (tmp_path / directory / "results.lance").mkdir(parents=True)
        for ask in (collection.list_stores, lambda: collection.for_store("Linux"), collection.latest):
            with pytest.raises(
                UserError, match=r"the directories =4cinux and Linux are both named 'Linux'; rename one of them"
            ):
                ask()

    def test_a_long_name(self, tmp_path: Path) -> None:
        collection, name = FilePlace(root=str(tmp_path)), "x" * 300
        store_at(collection.scoped(name))
        assert collection.for_store(name) == collection.scoped(name)
        (listed,) = collection.list_stores()
        assert next(iter(collection.places().values())).address == collection.scoped(name).address
        assert collection.for_store(listed).address == collection.scoped(name).address

    def test_no_directory(self, tmp_path: Path) -> None:
        with pytest.raises(StoreNotFoundError, match=r"no directory .*/none: check the address of the stores"):
            FilePlace(root=str(tmp_path / "none")).list_stores()
