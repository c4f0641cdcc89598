from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db import identity
from bench_db.arrow import to_table, values_hash
from bench_db.derive import MEASURED, checked, content_key, contradiction, derive, row_of, rows_in, series_key
from bench_db.errors import UserError
from bench_db.model import Result, Run, Samples, SummaryValues, TestBed
from bench_db.store.tables import RESULTS_TABLE
from bench_db.summary import summarise
from bench_db.units import Direction
from tests.strategies import publication, publications

if TYPE_CHECKING:
    from collections.abc import Callable

Published = tuple[Run, list[Result]]
NOW = 1_790_000_000
YEAR = 366 * 86_400
SUMMARY = SummaryValues(min=1.0, q1=1.5, median=2.0, q3=2.5, max=3.0, mean=2.0, standard_deviation=1.0)


class TestDerive:
    """Derived fields follow from content alone, and deriving twice changes nothing."""

    @given(publications())
    def test_idempotent(self, published: Published) -> None:
        once = derive(*published)
        assert derive(*once) == once
        assert derive(once[0], list(once[1])) == once

    def test_derived_records_are_returned_as_they_are(self) -> None:
        run, results = derive(*publication(1))
        assert derive(run, results)[1] is results

    @given(publications())
    def test_filling_in_place_gives_what_copies_have(self, published: Published) -> None:
        run, results = published
        own = [replace(result) for result in results]
        assert derive(run, own, in_place=True) == derive(run, results)
        assert not any(result.id for result in results)

    @pytest.mark.parametrize("change", ["element", "order", "removed", "tags", "run"])
    def test_records_altered_after_deriving_are_derived_again(self, change: str) -> None:
        run, results = derive(*publication(1))
        if change == "element":
            results[0] = replace(results[0], suite="another")
        elif change == "order":
            results.reverse()
        elif change == "removed":
            results.pop()
        elif change == "tags":
            results[0].tags["k"] = "changed in place"  # type: ignore[index]
        else:
            run = replace(run, dut=replace(run.dut, version="another"))
        again = derive(run, results)
        assert again == derive(run, list(results))
        assert again[1] is not results

    @pytest.mark.parametrize("given", [list, lambda results: results])
    def test_samples_altered_after_their_statistics_are_refused(
        self, given: Callable[[list[Result]], list[Result]]
    ) -> None:
        run, results = derive(*publication(1))
        results[1].values[0] += 1
        with pytest.raises(UserError, match=r"samples changed after its statistics .* summary=None"):
            derive(run, given(results))

    def test_new_samples_without_a_summary_get_one(self) -> None:
        run, results = derive(*publication(1))
        _, again = derive(run, [replace(results[0], values=Samples([1.0, 2.0]), summary=None)])
        assert (again[0].summary, again[0].n) == (summarise(Samples([1.0, 2.0])), 2)
        assert again[0].values_hash == values_hash(again[0].values)

    @given(publications())
    def test_content_is_kept(self, published: Published) -> None:
        run, results = published
        derived_run, derived = derive(run, results)
        assert derived_run.results == len(derived) == len(results)
        for before, after in zip(results, derived, strict=True):
            assert (after.values, after.error, after.benchmark_name) == (
                before.values,
                before.error,
                before.benchmark_name,
            )
            assert before.tags.items() <= after.tags.items()

    @given(publications())
    def test_every_row_belongs_to_the_run_and_says_its_tags(self, published: Published) -> None:
        run, results = derive(*published)
        assert {result.run_key for result in results} == {run.run_key}
        assert all(result.tags_key == identity.tags_key(result.tags) for result in results)
        assert all(0 < len(result.id) == 36 for result in results)

    def test_statistics_follow_from_values(self) -> None:
        run, results = publication(1)
        for result in derive(run, results)[1]:
            assert result.summary == summarise(result.values)
            assert result.n == len(result.values)
            assert result.values_hash == values_hash(result.values)

    def test_a_tool_s_statistics_are_never_recomputed_from_part_of_its_samples(self) -> None:
        run, results = publication(1)
        stated = SummaryValues(min=0, q1=1, median=2, q3=3, max=9, mean=4, standard_deviation=5)
        _, derived = derive(run, [replace(results[0], summary=stated, n=1000)])
        assert (derived[0].summary, derived[0].n) == (stated, 1000)

    def test_a_failure_has_no_statistics(self) -> None:
        run, results = publication(1)
        _, derived = derive(run, [replace(results[0], values=Samples(), error="boom")])
        assert (derived[0].summary, derived[0].n, derived[0].values_hash) == (None, 0, None)

    def test_a_run_without_an_id_is_a_group_of_its_own(self) -> None:
        ids = {derive(*publication(number))[0].run_id for number in range(5)}
        assert len(ids) == 5
        assert derive(*publication(1, place="ci-7"))[0].run_id == "ci-7"


class TestKeys:
    """The identity of a run is measurements, device, commit and test bed name; a series contains only comparable numbers."""

    def test_golden(self) -> None:
        run, results = publication(1)
        keyed = derive(run, results)[0]
        assert (keyed.run_key, keyed.content_key) == (3_514_849_067_687_691_425, 2_020_355_778_275_107_624)
        assert series_key(results[0]) == 6_934_468_901_078_783_745

    @pytest.mark.parametrize(
        "provenance",
        [
            *(
                {"run_id": "9"},
                {"attempt": 2},
                {"file_name": "b"},
                {"run_url": "u"},
                {"ingested_at": 9},
                {"branch": "b"},
            ),
            *({"sha256": "other"}, {"format": "other"}, {"context": '{"other": 1}'}),
        ],
    )
    def test_provenance_and_bytes_are_no_part_of_a_run_s_identity(self, provenance: dict[str, object]) -> None:
        run, results = publication(1)
        assert derive(replace(run, **provenance), results)[0].run_key == derive(run, results)[0].run_key  # type: ignore[arg-type]

    def test_device_commit_test_bed_and_pull_request_are(self) -> None:
        run, results = publication(1)
        places = [
            run,
            replace(run, dut=replace(run.dut, name="x")),
            replace(run, test_bed=replace(run.test_bed, name="x")),
            *(replace(run, **change) for change in ({"commit": "2" * 40}, {"commit": None}, {"pr_number": 7})),
        ]
        keyed = [derive(place, results)[0] for place in places]
        assert len({run.run_key for run in keyed}) == len(places)
        assert len({run.content_key for run in keyed}) == 1

    @pytest.mark.parametrize("commit", ["1" * 40, None])
    def test_version_and_time_stand_for_a_commit_that_is_not_known(self, commit: str | None) -> None:
        run, results = publication(1)
        builds = [run.dut, replace(run.dut, version="x"), replace(run.dut, timestamp=1)]
        keys = {derive(replace(run, dut=build, commit=commit), results)[0].run_key for build in builds}
        assert len(keys) == (1 if commit else 3)

    @given(publications(), st.data())
    def test_measurements_are_in_no_order(self, published: Published, data: st.DataObject) -> None:
        run, results = published
        distinct = {(r.suite, r.benchmark_name, r.metric, r.units, identity.tags_key(r.tags)): r for r in results}
        shuffled = data.draw(st.permutations(list(distinct.values())))
        assert derive(run, shuffled)[0].content_key == derive(run, list(distinct.values()))[0].content_key

    @pytest.mark.parametrize(
        "change",
        [
            *({"suite": "x"}, {"benchmark_name": "x"}, {"metric": "x"}, {"tags": {"k": "v"}}, {"units": "x"}),
            {"values": Samples([1.0])},
            {"values": Samples(), "summary": SummaryValues(median=1, mean=1), "n": 3},
            {"values": Samples(), "summary": SummaryValues(median=1, mean=1), "n": 4},
            {"values": Samples(), "summary": SummaryValues(median=1, mean=1), "n": 4, "upper": 2.0},
            {"values": Samples(), "error": "boom"},
            {"values": Samples(), "error": ""},
        ],
    )
    def test_each_measurement_matters(self, change: dict[str, object]) -> None:
        run, results = publication(1)
        others = [
            results,
            results[:2],
            [*results[:2], replace(results[2], **change)],  # type: ignore[arg-type]
            [*results[:2], replace(results[2], values=Samples([1.0, 2.0]))],
            [*results[:2], replace(results[2], values=Samples(), error="other")],
        ]
        assert len({derive(run, rows)[0].content_key for rows in others}) == len(others)

    @pytest.mark.parametrize(
        "change", [{"metadata": "x"}, {"timestamp": 9}, {"direction": "higher"}, {"iterations": (1,)}]
    )
    def test_what_describes_a_measurement_does_not(self, change: dict[str, object]) -> None:
        run, results = publication(1)
        described = [replace(result, **change) for result in results]  # type: ignore[arg-type]
        assert derive(run, described)[0].content_key == derive(run, results)[0].content_key

    @pytest.mark.parametrize(
        "change",
        [{"suite": "x"}, {"benchmark_name": "x"}, {"metric": "x"}, {"tags": {"k": "v"}}, {"units": "x"}],
    )
    def test_each_part_of_a_series_matters(self, change: dict[str, object]) -> None:
        result = publication(1)[1][0]
        assert series_key(replace(result, **change)) != series_key(result)  # type: ignore[arg-type]

    def test_another_build_kernel_or_time_is_the_same_series(self) -> None:
        result = publication(1)[1][0]
        later = replace(
            publication(2)[1][0],
            test_bed=replace(result.test_bed, os="Linux 7", created_at=1),
            timestamp=9,
            direction=result.direction,
        )
        assert series_key(later) == series_key(result)

    def test_the_test_bed_s_name_alone_when_the_run_says_so(self) -> None:
        run, results = publication(1, rows=1)
        moved = replace(results[0], test_bed=replace(results[0].test_bed, cpu="another"))
        by_name = [derive(replace(run, test_bed_class="name"), [r])[1][0].series_key for r in (results[0], moved)]
        by_machine = [derive(run, [r])[1][0].series_key for r in (results[0], moved)]
        assert len(set(by_name)) == 1
        assert len(set(by_machine)) == 2


class TestCollisions:
    """Two results of one file with one natural key get distinct tags and a note, with any tags of their own."""

    @given(publications(max_results=3), st.data())
    def test_no_two_rows_of_a_run_share_an_id(self, published: Published, data: st.DataObject) -> None:
        run, results = published
        again = data.draw(st.lists(st.sampled_from(results), max_size=4))
        tagged = [replace(r, tags={**r.tags, "ordinal": data.draw(st.sampled_from("123"))}) for r in again[:2]]
        _, derived = derive(run, [*results, *again, *tagged])
        assert [i for i, count in Counter(r.id for r in derived).items() if count > 1] == []

    @given(publications(max_results=3), st.data())
    def test_ordinals_that_were_given_stay_idempotent(self, published: Published, data: st.DataObject) -> None:
        run, results = published
        tagged = [replace(r, tags={**r.tags, "ordinal": data.draw(st.sampled_from("23"))}) for r in results]
        once = derive(run, data.draw(st.permutations([*results, *results, *tagged])))
        assert derive(*once) == once

    def test_ordinals_count_from_two_in_order_and_are_noted(self) -> None:
        run, results = publication(1, rows=1)
        noted, derived = derive(run, [*results, *results, *results])
        assert [r.tags for r in derived] == [{}, {"ordinal": "2"}, {"ordinal": "3"}]
        assert len(noted.notes) == 2
        assert all(results[0].benchmark_name in note for note in noted.notes)

    def test_a_key_as_often_as_a_file_has_lines(self) -> None:
        many = 20_000  # a comparison of each pair would take minutes
        run, results = publication(1, rows=1)
        once = derive(run, results * many)
        assert once[1][-1].tags == {"ordinal": str(many)}
        assert derive(*once)[0] == once[0]

    def test_results_that_differ_are_not_renamed(self) -> None:
        run, results = publication(1, rows=4)
        noted, derived = derive(run, results)
        assert [r.tags for r in derived] == [{}] * 4
        assert noted.notes == ()


@given(publications())
def test_a_stored_row_measured_what_the_record_did(published: tuple[Run, list[Result]]) -> None:
    run, results = derive(*published)
    flat = to_table(results, RESULTS_TABLE.schema).flatten().flatten()
    named = flat.rename_columns(
        [name.rpartition(".")[2] if name.startswith("summary.") else name for name in flat.column_names]
    )
    (batch,) = named.select(MEASURED).combine_chunks().to_batches()
    expected = [(measured.name, row) for measured, row in map(row_of, results)]
    assert [(name, row) for _, name, row in rows_in(batch)] == expected
    assert content_key(measured for measured, _ in map(row_of, results)) == run.content_key


def result_with(**changes: Any) -> tuple[Run, list[Result]]:
    """Check a plain publication whose first result has other fields."""
    run, results = publication(1)
    checked_run, rows = checked(run, [replace(results[0], **changes), *results[1:]], NOW)
    return checked_run, list(rows)


class TestChecked:
    """Valid records are returned as they are; invalid ones are refused with the field and what to do."""

    @given(published=publications())
    def test_valid_records_are_unchanged(self, published: tuple[Run, list[Result]]) -> None:
        run, results = derive(*published)
        assert checked(run, results, NOW) == (run, results)
        assert checked(run, results, NOW)[1] is results

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"sha256": ""}, r"`sha256` is empty; give the SHA-256"),
            ({"commit": "HEAD"}, r"`commit` 'HEAD' is not a commit id; give the full sha"),
            ({"branch": "HEAD"}, "`branch` 'HEAD' is what git prints for a checkout at no branch"),
            ({"commit": "A" * 40}, r"in lower case"),
            (
                {"run_time": 1_700_000_000_000},
                r"`run_time` 1700000000000: these are milliseconds; in unix seconds it is 1700000000;",
            ),
            ({"run_time": -5}, r"`run_time` -5: it is before 1970"),
            ({"ingested_at": NOW + YEAR + 1}, r"`ingested_at` .* is more than a year from now"),
            ({"pr_number": 0}, r"`pr_number` 0 is not the number of a pull request"),
            ({"test_bed": TestBed(name="bed", created_at=10**12)}, r"`test_bed.created_at` .* milliseconds"),
        ],
    )
    def test_runs(self, changes: dict[str, Any], reason: str) -> None:
        run, results = publication(1)
        with pytest.raises(UserError, match=rf"^run '1.json': .*{reason}"):
            checked(replace(run, **changes), results, NOW)

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"dut": replace(publication(1)[0].dut, name="other")}, "`dut` .* is not that of its run"),
            ({"test_bed": TestBed(name="other")}, "`test_bed` 'other' is not that of its run"),
            ({"commit": "f" * 40}, "`commit` 'f+' is not that of its run"),
            ({"timestamp": 10**15}, "`timestamp` .* these are microseconds"),
            ({"direction": "bigger"}, "`direction` 'bigger' must be one of lower, higher, info"),
            ({"tags": {"threads": 5}}, "`tags` .'threads': 5. have a name or a value that is no text"),
            ({"summary": replace(SUMMARY, min=9.0)}, "`summary` contradicts itself: min 9 is above q1 1.5; correct it"),
            ({"summary": SUMMARY, "n": 2}, "`summary` contradicts itself: n is 2, but there are 3 values"),
            ({"lower": 2.0, "upper": 1.0}, "`lower` 2 is above `upper` 1"),
        ],
    )
    def test_results(self, changes: dict[str, Any], reason: str) -> None:
        with pytest.raises(UserError, match=rf"^'bench 0': {reason}"):
            result_with(**changes)

    def test_results_of_several_branches(self) -> None:
        run, results = publication(1)
        mixed = [replace(result, branch=branch) for result, branch in zip(results, "abc", strict=True)]
        with pytest.raises(UserError, match=r"^run '1.json': its results have several values of `branch`"):
            checked(run, mixed, NOW)

    def test_facts_of_the_run_are_those_of_its_results(self) -> None:
        run, results = publication(1)
        run = replace(run, branch="main", pr_number=3)
        _, rows = checked(run, [replace(result, commit=None) for result in results], NOW)
        assert {(row.commit, row.branch, row.pr_number) for row in rows} == {(run.commit, "main", 3)}

    def test_another_description_of_the_test_bed_in_time_is_the_same(self) -> None:
        run, results = publication(1)
        dated = replace(run.test_bed, created_at=5)
        assert checked(run, [replace(results[0], test_bed=dated)], NOW)[1][0].test_bed == dated

    def test_bounds_of_times(self) -> None:
        for run_time in (0, NOW + YEAR):
            assert result_with(run_time=run_time)[1][0].run_time == run_time

    def test_direction_as_text(self) -> None:
        assert result_with(direction="higher")[1][0].direction is Direction.HIGHER


class TestUnits:
    """A unit of time or size becomes its base unit with scaled numbers; an unknown unit is stored as it is."""

    def test_scaled(self) -> None:
        _, [row, *_] = result_with(values=[1.5, 2.0], units="ms", summary=None, lower=1.0, upper=2.0)
        assert (row.units, list(row.values)) == ("nanoseconds", [1.5e6, 2e6])
        assert (row.lower, row.upper) == (1e6, 2e6)

    def test_statistics(self) -> None:
        _, [row, *_] = result_with(values=[], units="s", summary=replace(SUMMARY, q1=None), n=3)
        assert row.summary == SummaryValues(
            min=1e9, q1=None, median=2e9, q3=2.5e9, max=3e9, mean=2e9, standard_deviation=1e9
        )

    def test_derived_results(self) -> None:
        run, results = derive(*publication(1))
        rows = checked(run, [replace(result, units="us") for result in results], NOW)[1]
        for row, result in zip(derive(run, rows)[1], results, strict=True):
            assert row.summary is not None
            assert result.summary is not None
            assert (row.units, row.summary.median) == ("nanoseconds", 1e3 * result.summary.median)

    @pytest.mark.parametrize("units", ["nanoseconds", "widgets", ""])
    def test_kept(self, units: str) -> None:
        _, [row, *_] = result_with(values=[1.5], units=units)
        assert (row.units, list(row.values)) == (units, [1.5])


class TestContradiction:
    """Statistics are in order, up to rounding, and of no fewer samples than there are values."""

    @pytest.mark.parametrize(
        ("changes", "n", "expected"),
        [
            ({}, 0, None),
            ({"min": None, "q1": None, "max": None, "standard_deviation": None}, 5, None),
            ({"median": 1.498, "mean": 3.01}, 3, None),
            ({"min": 2.1}, 3, "min 2.1 is above q1 1.5"),
            ({"q1": None, "min": 2.1}, 3, "min 2.1 is above mean 2"),
            ({"max": 1.9}, 3, "q3 2.5 is above max 1.9"),
            ({"mean": 9.0}, 3, "mean 9 is above max 3"),
            ({"standard_deviation": -0.1}, 3, "the standard deviation -0.1 is negative"),
            ({}, 2, "n is 2, but there are 3 values"),
        ],
    )
    def test_summaries(self, changes: dict[str, float], n: int, expected: str | None) -> None:
        assert contradiction(replace(SUMMARY, **changes), n, [1.0, 2.0, 3.0]) == expected

    def test_none(self) -> None:
        assert contradiction(None, 1, [1.0, 2.0]) is None
