from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.compat.rows import SOURCE, as_runs, commit_of, record_of, with_known_cpu
from bench_db.derive import derive
from bench_db.model import Result, Samples, TestBed
from tests.strategies import publication

_, [FIRST, SECOND] = publication(1, rows=2)


def row(number: int, second: int) -> Result:
    return replace(FIRST, benchmark_name=f"bench {number}", values=Samples([float(number)]), timestamp=second)


class TestAsRuns:
    """The runs partition the rows by device, test bed and second; a run depends on its rows and not on their order."""

    @given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 3)), max_size=12, unique=True))
    def test_a_partition(self, drawn: list[tuple[int, int]]) -> None:
        rows = [row(*numbers) for numbers in drawn]
        found = as_runs(rows)
        assert sorted(repr(r) for _, group in found for r in group) == sorted(map(repr, rows))
        assert [{r.timestamp for r in group} for _, group in found] == [{run.ingested_at} for run, _ in found]
        assert len({run.ingested_at for run, _ in found}) == len(found)

    @given(st.permutations([row(number, 5) for number in range(4)]))
    def test_the_order_of_the_rows_does_not_matter(self, rows: list[Result]) -> None:
        [(run, _)] = as_runs(rows)
        [(expected, _)] = as_runs([row(number, 5) for number in range(4)])
        assert run == expected

    def test_a_device_or_a_test_bed_of_its_own(self) -> None:
        others = [
            replace(FIRST, dut=replace(FIRST.dut, version="2")),
            replace(FIRST, test_bed=replace(FIRST.test_bed, name="arm")),
        ]
        found = as_runs([FIRST, *others, SECOND])
        assert [group for _, group in found] == [[FIRST, SECOND], [others[0]], [others[1]]]
        assert [(run.dut, run.test_bed) for run, _ in found] == [(r.dut, r.test_bed) for r in (FIRST, *others)]

    def test_the_content_makes_the_run(self) -> None:
        changed = [
            replace(FIRST, values=Samples([9.0])),
            replace(FIRST, benchmark_name="other"),
            replace(FIRST, metadata="{}x"),
        ]
        keys = [derive(run, rows)[0].run_key for result in (FIRST, *changed) for run, rows in as_runs([result])]
        assert (len(set(keys)), keys[0]) == (3, keys[3])  # the record of the tool is no measurement

    def test_provenance(self) -> None:
        [(run, _)] = as_runs([FIRST])
        assert (run.format, run.commit, run.ingested_at) == (SOURCE, FIRST.commit, FIRST.timestamp)
        assert as_runs([]) == []


class TestCommitOf:
    """A version ends with the commit, or is its first seven digits."""

    @pytest.mark.parametrize(
        ("version", "commit"),
        [
            ("0.15.0+ABC1234", "abc1234"),
            ("5de6afa", "5de6afa"),
            ("0.15.0", None),
            ("20260101", None),
            ("release", None),
        ],
    )
    def test_version(self, version: str, commit: str | None) -> None:
        assert commit_of(version) == commit


class TestRecordOf:
    """The metadata of a row is a JSON object, or has no record."""

    @pytest.mark.parametrize(
        ("metadata", "record"), [('{"a": 1}', {"a": 1}), ("[1]", {}), ("{", {}), ("[" * 100_000, {})]
    )
    def test_metadata(self, metadata: str, record: dict[str, int]) -> None:
        assert record_of(metadata) == record


class TestWithKnownCpu:
    """An architecture is no CPU."""

    @pytest.mark.parametrize(("cpu", "known"), [("AMD64", ""), ("arm", ""), ("Apple M2", "Apple M2"), ("", "")])
    def test_cpu(self, cpu: str, known: str) -> None:
        assert with_known_cpu(TestBed(name="b", cpu=cpu)).cpu == known
