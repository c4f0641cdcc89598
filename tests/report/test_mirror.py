from bench_db.report.mirror import mirror_text

_TABLES = {"results": {"rows": 1200, "new": 1, "changed": 2, "removed": 0, "same": 9}}


def _document(*, checked: bool, equal: bool, faults: tuple[str, ...] = ()) -> dict[str, object]:
    about = {"target": "postgresql://me@host/db", "schema": "bench_db", "checked": checked}
    return {**about, "equal": equal, "tables": _TABLES, "faults": faults}


class TestMirrorText:
    """The first line says whether the mirror is equal to the store."""

    def test_written(self) -> None:
        head, *table = mirror_text(_document(checked=False, equal=False)).splitlines()
        assert head == "schema bench_db of postgresql://me@host/db: is equal to the store now"
        assert table[-1].split() == ["results", "1,200", "1", "2", "0", "9"]

    def test_nothing_to_change(self) -> None:
        assert "db: nothing to change\n" in mirror_text(_document(checked=False, equal=True))

    def test_checked(self) -> None:
        assert "db is equal to the store\n" in mirror_text(_document(checked=True, equal=True))
        text = mirror_text(_document(checked=True, equal=False, faults=("findings is missing",)))
        assert "db DIFFERS from the store\n" in text
        assert text.endswith("findings is missing\nrestore it with 'bench-db mirror --rebuild'")

    def test_restored(self) -> None:
        text = mirror_text(_document(checked=False, equal=False, faults=("findings is missing",)))
        assert text.endswith("restored: findings is missing")
