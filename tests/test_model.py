from __future__ import annotations

import pickle
from array import array
from copy import copy
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.model import CommitFacts, DutBuild, RecordedCommit, Result, Samples, TestBed, completed
from tests.strategies import beds, publication, publications, samples

_BED = TestBed(name="bed", cpu="cpu", memory_gb=16, os="Linux 6.1.0")


class TestSamples:
    """Samples equal any sequence of the same numbers, and can be pickled."""

    @given(samples())
    def test_equal_to_every_sequence_of_the_same_numbers(self, values: Samples) -> None:
        assert values == list(values) == values == tuple(values)
        assert values == array("d", values)

    @given(samples(min_size=1))
    def test_unequal_to_other_numbers(self, values: Samples) -> None:
        assert values != [*values, 1.0]
        assert values != [*list(values)[:-1], values[-1] + max(1.0, abs(values[-1]))]
        assert values != "values"
        assert values != 1

    @given(samples())
    def test_pickled_and_back(self, values: Samples) -> None:
        back = pickle.loads(pickle.dumps(values))
        assert back == values
        assert type(back) is Samples

    def test_integers_become_floats(self) -> None:
        assert [type(value) for value in Samples([1, 2])] == [float, float]

    def test_a_long_list_is_shown_short(self) -> None:
        assert repr(Samples([1, 2])) == "Samples([1.0, 2.0], n=2)"
        assert repr(Samples(range(10**5))) == "Samples([0.0, 1.0, 2.0, ...], n=100000)"


class TestTestBedClass:
    """CPU, memory, system and name form the test bed class; the kernel release does not."""

    @pytest.mark.parametrize("other", [{"name": "b"}, {"cpu": "b"}, {"memory_gb": 1}, {"os": "Darwin 6.1.0"}])
    def test_another_machine_is_another_class(self, other: dict[str, object]) -> None:
        assert replace(_BED, **other).class_parts() != _BED.class_parts()  # type: ignore[arg-type]

    def test_another_kernel_or_description_time_is_not(self) -> None:
        assert replace(_BED, os="Linux 6.12.1", created_at=5).class_parts() == _BED.class_parts()

    @given(beds())
    def test_configurable_to_the_name_alone(self, bed: TestBed) -> None:
        assert bed.class_parts(by_name_alone=True) == (bed.name,)
        assert bed.class_parts()[0] == bed.name


class TestRecords:
    """Records are immutable, take fields only by name, and are equal if their content is."""

    def test_frozen(self) -> None:
        with pytest.raises(FrozenInstanceError):
            _BED.name = "other"  # type: ignore[misc]
        with pytest.raises((AttributeError, TypeError)):
            _BED.invented = "other"  # type: ignore[attr-defined]

    def test_by_name_only(self) -> None:
        with pytest.raises(TypeError):
            DutBuild("name", "version")  # type: ignore[call-arg]

    @given(publications())
    def test_pickled_and_back(self, published: tuple[object, list[Result]]) -> None:
        assert pickle.loads(pickle.dumps(published)) == published

    @given(publications())
    def test_a_copy_is_another_record(self, published: tuple[object, list[Result]]) -> None:
        for result in published[1]:
            other = copy(result)
            assert other == result
            assert other is not result
            assert other.values is result.values

    def test_equal_by_content(self) -> None:
        assert publication(1) == publication(1)
        assert publication(1) != publication(2)


def commit(**facts: Any) -> RecordedCommit:
    """A commit of device d at time 1000, with its first parent."""
    return replace(RecordedCommit(dut_name="d", commit="c1", time=1000, parents=("c0",)), **facts)


def facts_of(record: RecordedCommit) -> CommitFacts:
    return CommitFacts(*(getattr(record, name) for name in CommitFacts._fields))


RECORDS = st.builds(
    commit,
    time=st.integers(0, 2),
    position=st.none() | st.integers(0, 2),
    parents=st.sampled_from([(), ("c0",), ("c0", "d")]),
    branch=st.sampled_from([None, "main", "topic"]),
    pr_number=st.none() | st.integers(1, 2),
    main_branch=st.sampled_from([None, "main"]),
    on_main=st.none() | st.booleans(),
    reachable=st.none() | st.booleans(),
    measured_at=st.none() | st.integers(1, 2),
)


class TestCompleted:
    """A later record of a commit replaces the facts that it has, and no others."""

    def test_completed(self) -> None:
        shallow, full = commit(branch="main", measured_at=9), commit(position=1, subject="s", reachable=True)
        assert completed(shallow, full) == replace(full, branch="main", measured_at=9)

    @pytest.mark.parametrize("order", [1, -1])
    def test_once_of_main_always_of_main(self, order: int) -> None:
        both = [commit(branch="main"), commit(branch="topic", pr_number=3)][::order]
        known = completed(*both)
        assert (known.branch, known.pr_number) == ("main", None)

    @pytest.mark.parametrize("order", [1, -1])
    def test_published_from_main_and_from_a_branch(self, order: int) -> None:
        """It is on the line of main, and keeps the branch whose results are main's by the line alone."""
        both = [commit(branch="main", main_branch="main"), commit(branch="topic", main_branch="main")][::order]
        known = completed(*both)
        assert (known.branch, known.on_main) == ("topic", True)
        for again in both:
            assert completed(known, again) == replace(known, main_branch="main")

    def test_taken_from_main_by_a_sync(self) -> None:
        known = completed(commit(branch="main", main_branch="main"), commit(main_branch="main", on_main=False))
        assert completed(known, commit(branch="topic")).on_main is False

    def test_reachable_again(self) -> None:
        known = completed(commit(reachable=False), commit())
        assert known.reachable is False
        assert completed(known, commit(reachable=True)).reachable is True

    @given(RECORDS, RECORDS)
    def test_the_facts_alone(self, one: RecordedCommit, other: RecordedCommit) -> None:
        assert completed(facts_of(one), facts_of(other)) == facts_of(completed(one, other))
