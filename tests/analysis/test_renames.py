from __future__ import annotations

from dataclasses import replace

import pytest

from bench_db.analysis.renames import Named, change_between, successors

OLD = Named(
    key=1, group=("d", "b", "s"), benchmark="io/read_batch", metric="time", tags="", units="nanoseconds", level=100.0
)
NEW = replace(OLD, key=2, at=1)
OTHER = replace(OLD, key=3, benchmark="encode", level=5.0)


class TestSuccessors:
    """Two series with one difference may be the same; a series has at most one successor and one predecessor."""

    @pytest.mark.parametrize(
        ("changes", "hint"),
        [
            ({"units": "bytes", "level": 3.0}, "unit changed from nanoseconds to bytes"),
            ({"tags": "k=10", "level": 101.0}, "tags changed from none to k=10?"),
            ({"benchmark": "io/read_batches", "level": 60.0}, "renamed from io/read_batch to io/read_batches?"),
            (
                {"benchmark": "storage/new/place/read_batch"},
                "renamed from io/read_batch to storage/new/place/read_batch?",
            ),
            ({"benchmark": "io/read_batches", "level": 400.0}, "renamed from io/read_batch to io/read_batches?"),
            ({"benchmark": "zzz"}, "renamed from io/read_batch to zzz?"),
        ],
    )
    def test_one_thing(self, changes: dict[str, object], hint: str) -> None:
        new = replace(NEW, **changes)  # type: ignore[arg-type]
        assert successors([OLD], [new]) == {1: 2}
        assert change_between(OLD, new) == hint

    @pytest.mark.parametrize(
        "changes",
        [
            {"group": ("d", "b", "t")},
            {"metric": "memory"},
            {"tags": "k=10", "level": 150.0},
            {"benchmark": "zzz", "level": 150.0},
            {"benchmark": "zzz", "level": None},
            {"benchmark": "io/read_batches", "units": "bytes"},
            {"at": 0},
        ],
    )
    def test_another(self, changes: dict[str, object]) -> None:
        assert successors([OLD], [replace(NEW, **changes)]) == {}  # type: ignore[arg-type]

    def test_a_name_at_another_level_counts_only_alone(self) -> None:
        slower = replace(NEW, benchmark="io/read_batches", level=300.0)
        assert successors([OLD, OTHER], [slower]) == {}
        assert successors([OLD], [slower, replace(OTHER, key=4, benchmark="decode", at=1)]) == {}

    def test_a_name_of_no_likeness_counts_only_alone(self) -> None:
        assert successors([OLD, OTHER], [replace(NEW, benchmark="zzz")]) == {}

    def test_the_likest_wins_in_any_order(self) -> None:
        near, far = replace(NEW, benchmark="io/read_batchs"), replace(NEW, key=4, benchmark="io/write_batch")
        assert successors([OLD], [far, near]) == successors([OLD], [near, far]) == {1: 2}

    def test_one_to_one(self) -> None:
        second = replace(OLD, key=5, benchmark="io/read_batch2")
        assert len(successors([OLD, second], [replace(NEW, benchmark="io/read_batch_new")])) == 1

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("b.py::test_copy[99]", "b.py::test_copy[100]"),
            ("b.py::test_copy[9999-int]", "b.py::test_copy[10000-int]"),
            ("b.py::test_copy[a]", "lib/b.py::test_copy[a]"),
            ("b.py::test_copy[10]", "b.py::test_copying[10]"),
            ("BM_Sort/64", "BM_Sorted/64"),
            ("group/sort/size=1000", "group/sort/size=1024"),
        ],
    )
    def test_one_part_of_the_name(self, old: str, new: str) -> None:
        """A third series is there, so that no pair is the only one."""
        assert successors([replace(OLD, benchmark=old), OTHER], [replace(NEW, benchmark=new)]) == {1: 2}

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("micro_benchmarks.py::test_copy[9999]", "micro_benchmarks.py::test_pickle[10000]"),
            ("micro_benchmarks.py::test_copy[9999]", "micro_benchmarks.py::test_pickle[9999]"),
            ("micro_benchmarks.py::test_bi_equals[999]", "micro_benchmarks.py::test_bi_setitem[100]"),
            ("b.py::test_copy[10]", "b.py::test_copy[20]"),
            ("b.py::test_copy[10]", "b.py::test_copy[10-int]"),
            ("b.py::test_copy[10]", "b.py::test_copy"),
            ("b.py::test_copy[99]", "lib/b.py::test_copy[100]"),
            ("BM_Sort/64", "BM_Find/64"),
            ("group/encode/64", "group/parse/64"),
        ],
    )
    def test_two_parts_or_another_benchmark(self, old: str, new: str) -> None:
        """What all names of a file share makes none of them alike, and equal parameters are no equal benchmarks."""
        assert successors([replace(OLD, benchmark=old), OTHER], [replace(NEW, benchmark=new)]) == {}

    def test_parameters_of_many_benchmarks(self) -> None:
        """All sizes of all benchmarks of a file change by one, at equal levels; each goes on under its own name."""
        names = [f"b.py::test_{name}" for name in ("copy", "pickle", "unpickle", "equals_equal", "equals_unequal")]
        old = [
            replace(OLD, key=10 * i + n, benchmark=f"{name}[{10**n - 1}]")
            for i, name in enumerate(names)
            for n in (2, 3, 4)
        ]
        new = [replace(NEW, key=one.key + 500, benchmark=f"{name}[{10 ** n}]")
               for one, (name, n) in zip(old, [(name, n) for name in names for n in (2, 3, 4)], strict=True)]  # fmt: skip
        assert successors(old, new[::-1]) == {one.key: one.key + 500 for one in old}

    def test_a_suite_of_another_path_is_paired_by_the_ends_of_names(self) -> None:
        old = [replace(OLD, key=i, benchmark=f"tests/{i}.py::test_{i}") for i in range(200)]
        new = [replace(NEW, key=1000 + i, benchmark=f"benchmarks/{i}.py::test_{i}") for i in range(200)]
        assert successors(old, new[::-1]) == {i: 1000 + i for i in range(200)}
