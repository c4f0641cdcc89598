"""What a store does besides results: it keeps files, and goes as a whole to another place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench_db.model import Artifact
from bench_db.store import artifacts, publish, transfer
from bench_db.store.source import StoreSource
from bench_db.store.tables import ARTIFACTS_TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bench_db.store.artifacts import Put
    from bench_db.store.engine import Engine
    from bench_db.store.export import Export, ExportSource
    from bench_db.store.transfer import Transfer
    from bench_db.store.versions import AsOf


def _silent(_done: int, _all: int) -> None:
    """Tell nobody how far it is."""


def _storable(name: str) -> str:
    """The name of a file, with bytes that are no text written out."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


class Keeping:
    """Artifacts of a store, and its copies, exports and imports. `progress` is called with rows done and rows in all."""

    _engine: Engine
    _single_writer: bool

    def put_artifact(  # noqa: PLR0913 all but the first by keyword
        self,
        source: str | Path | bytes,
        *,
        kind: str,
        added_at: int,
        name: str = "",
        run: int | str | None = None,
        commit: str | None = None,
    ) -> Put:
        """Keep a file or a content with a run (its key, or its run id or key in hexadecimal) or a commit; doing it again adds nothing.

        It is read in chunks, and its name is that of the file unless given. Raises `UserError` for a file that cannot be read or
        changes meanwhile, and for a run that is not exactly one of the store's.
        """
        content = source if isinstance(source, bytes) else Path(source)
        label = name or ("" if isinstance(content, bytes) else _storable(content.name))
        publish.ensure_tables(self._engine, (ARTIFACTS_TABLE,), single_writer=self._single_writer)
        record = Artifact(kind=kind, name=label, commit=commit, added_at=added_at)
        return artifacts.put(self._engine, content, record, run)

    def get_artifact(self, sha256: str, path: str | Path) -> Artifact:
        """Write the artifact whose sha256 is, or begins with, the given text to a path, whole or not at all, and nowhere else.

        Raises `UserError` when it is not exactly one, and `CorruptStoreError` when the store does not hold that content any more.
        """
        return artifacts.get(self._engine, sha256, Path(path))

    def artifacts(
        self, *, kind: str | None = None, commit: str | None = None, run: int | str | None = None
    ) -> list[Artifact]:
        """Artifacts of a kind, a commit (an abbreviation will do) and a run, or of any, in the order they were added."""
        return artifacts.find(self._engine, kind=kind, commit=commit, run=run)

    def copy_to(  # noqa: PLR0913 all but the first by keyword
        self,
        target: Keeping,
        *,
        runs: Collection[int | str] = (),
        replace: bool = False,
        artifacts: bool = True,
        as_of: AsOf | None = None,
        progress: Callable[[int, int], None] = _silent,
    ) -> Transfer:
        """Merge everything into another store, and compare at the end; doing it again adds nothing.

        With `runs`, each a key or a name as for `artifacts`, only these go, with their artifacts. With `replace`, runs that both
        hold with other rows become this store's. `as_of` holds for runs and results.
        """
        publish.ensure_tables(target._engine, single_writer=target._single_writer)
        source = StoreSource(self._engine, as_of, runs)
        return transfer.bring(source, target._engine, replace=replace, artifacts=artifacts, progress=progress)

    def export_to(  # noqa: PLR0913 all but the first by keyword
        self,
        directory: str | Path,
        *,
        runs: Collection[int | str] = (),
        format_name: str = "parquet",
        artifacts: bool = True,
        as_of: AsOf | None = None,
        progress: Callable[[int, int], None] = _silent,
    ) -> Export:
        """Write everything, or what belongs to some runs, into a directory: a file a table, the artifacts, and a manifest.

        The format is "parquet" or "jsonl". An earlier export there is replaced; the same rows in the same order give the same
        files. `as_of` holds for runs and results.
        """
        from bench_db.store import export  # noqa: PLC0415 a look-up needs no Parquet

        source = StoreSource(self._engine, as_of, runs)
        return export.export(source, Path(directory), format_name=format_name, artifacts=artifacts, progress=progress)

    def import_from(
        self,
        exported: str | Path | ExportSource,
        *,
        replace: bool = False,
        progress: Callable[[int, int], None] = _silent,
    ) -> Transfer:
        """Merge an export, or the directory it is in, into this store, and compare at the end; doing it again adds nothing.

        `UnreadableOutputError` for a file that is not the one exported, `SchemaMismatchError` for other columns, before anything
        is written.
        """
        from bench_db.store import export  # noqa: PLC0415 a look-up needs no Parquet

        source = exported if isinstance(exported, export.ExportSource) else export.ExportSource(Path(exported))
        publish.ensure_tables(self._engine, single_writer=self._single_writer)
        return transfer.bring(source, self._engine, replace=replace, artifacts=source.has_artifacts, progress=progress)
