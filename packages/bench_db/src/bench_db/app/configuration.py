"""bench-db.toml: where it is, and the names that it gives a file, so that one published by hand continues the series of a backfill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from bench_db.errors import UnreadableOutputError, UserError
from bench_db.schedule import config as schema
from bench_db.schedule.declaration import Formats

if TYPE_CHECKING:
    from bench_db.ingest import Adapter, Provenance
    from bench_db.schedule.config import Config

# Declared formats: a TOML file with [format.NAME] and [alias.NAME], or the same as a dictionary.
Declaration = str | Path | Mapping[str, object]


def load(path: Path) -> Config:
    """Read a configuration file. Raise `UnreadableOutputError` with the key that is wrong, `UserError` without a file."""
    advice = "'bench-db init' writes one, docs/how-to/start.md explains it; or name it as `config_file`"
    return schema.parse(_content(path, advice), str(path))


def _content(path: Path, advice: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        message = f"{path}: no such file; {advice}"
        raise UserError(message) from error
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        raise UnreadableOutputError(reason, file=str(path)) from error


def formats_of(config: Config) -> tuple[Adapter, ...]:
    """Return the formats that a configuration declares. Raise `UserError` for one with the name of a format of bench_db."""
    return _adapters(Formats(format=config.format, alias=config.alias)) if config.format else ()


def formats_stated(declaration: Declaration) -> tuple[Adapter, ...]:
    """Return the formats of a declaration. Raise `UnreadableOutputError` with the key that is wrong, `UserError` without a file."""
    if isinstance(declaration, Mapping):
        return _adapters(schema.formats(dict(declaration), "`formats`"))
    path = Path(declaration)
    advice = "name a TOML file with tables [format.NAME] as `formats`; docs/formats.md shows one"
    return _adapters(schema.formats(schema.document_of(_content(path, advice), str(path)), str(path)))


def formats_for(file: Path, provenance: Provenance) -> Sequence[Adapter]:
    """Return the formats that the bench-db.toml of the project of a file declares, else that of the working directory."""
    here = Path.cwd() / schema.FILE
    path = _configuration(file.absolute(), provenance) or (here if here.is_file() else None)
    return () if path is None else formats_of(load(path))


def configuration(file: str | None, repository: str | None = None) -> Config:
    """Read the configuration; without a file, make one for a repository when that is given."""
    path = path_of(file)
    if file is None and repository is not None and not path.exists():
        return schema.Config(project=schema.Project(name=repository.partition("/")[2], repository=repository))
    return load(path)


def root_of(file: str | None) -> Path:
    """Return the directory of the configuration."""
    return path_of(file).resolve().parent


def path_of(file: str | None) -> Path:
    """Return the path of the configuration, which need not exist."""
    return Path(file or schema.FILE)


def named(file: Path, provenance: Provenance) -> Provenance:
    """Return the provenance of a file with the device, test bed and suite of the bench-db.toml of its project.

    That is the one in the declared checkout, in the checkout around the file, or in the working directory when the file is below
    it. What the caller states precedes it. Raises `UnreadableOutputError` for a configuration that is not valid.
    """
    path = _configuration(file.absolute(), provenance)
    if path is None:
        return provenance
    config, around = load(path), provenance.checkout or _checkout_around(file.absolute())
    measured = around if around is not None and around.resolve() == path.parent.resolve() else provenance.checkout
    return replace(
        provenance,
        dut_name=provenance.dut_name or config.project.name,
        test_bed_name=provenance.test_bed_name or config.project.test_bed or None,
        suite=_suite(file.absolute(), config) if provenance.suite is None else provenance.suite,
        # the name of the project need not be the one in the manifest of its checkout
        checkout=measured if provenance.dut_name in {None, config.project.name} else provenance.checkout,
    )


def _configuration(file: Path, provenance: Provenance) -> Path | None:
    around, here = provenance.checkout or _checkout_around(file), Path.cwd()
    homes = [home for home in (around, here if file.is_relative_to(here) else None) if home is not None]
    return next((home / schema.FILE for home in homes if (home / schema.FILE).is_file()), None)


def _adapters(formats: Formats) -> tuple[Adapter, ...]:
    from bench_db.ingest import declared_formats  # noqa: PLC0415 as below

    return declared_formats(formats)


def _checkout_around(path: Path) -> Path | None:
    from bench_db.ingest.host import checkout_around  # noqa: PLC0415 bench-db.toml is read without the adapters

    return checkout_around(path)


def _suite(file: Path, config: Config) -> str | None:
    """Return the one suite whose output a file is, by its path; else the only suite there is; None when several may be meant."""
    places = [path.as_posix() for path in (file, *file.parents)]
    found = []
    for name, suite in config.suite.items():
        outputs = [PurePosixPath(suite.directory, output) for output in (suite.stdout, *suite.outputs) if output]
        if any(fnmatchcase(place, f"*/{output}") for output in outputs for place in places):
            found.append(name)
    chosen = found or list(config.suite)
    return chosen[0] if len(chosen) == 1 else None
