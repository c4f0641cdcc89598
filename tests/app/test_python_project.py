from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.recognising import FIXTURE, PYPROJECT, found_in, words

if TYPE_CHECKING:
    from pathlib import Path


class TestInstallation:
    """A project is installed for its benchmarks as its own files say."""

    @pytest.mark.parametrize(
        ("manifest", "commands"),
        [
            (PYPROJECT, ["-m pip install -e '.[bench]' pytest pytest-benchmark"]),
            (
                "[project]\nname = 'lib'\n[dependency-groups]\nlint = ['ruff']\ntest = ['Pytest_Benchmark[x]>=4', {include-group = 'lint'}]\n",
                ["-m pip install 'pip>=25.1'", "-m pip install -e . --group test pytest pytest-benchmark"],
            ),
            ("[project]\nname = 'lib' # pytest-benchmark\nbroken =\n", ["-m pip install -e . pytest pytest-benchmark"]),
            ("# pytest-benchmark\nproject = 1\ndependency-groups = 'x'\n", ["-m pip install pytest pytest-benchmark"]),
        ],
        ids=["extra", "group", "broken", "odd"],
    )  # fmt: skip
    def test_the_list_of_the_tool_is_installed(self, manifest: str, commands: list[str], tmp_path: Path) -> None:
        files = {"pyproject.toml": manifest, "tox.ini": "deps = pytest-benchmark\n", "bench/test_a.py": FIXTURE}
        [one], _ = found_in(tmp_path, files)
        assert [words(command) for command in one.suite.setup][1:] == [
            f"{{tree}}/.venv/bin/python {c}" for c in commands
        ]

    @pytest.mark.parametrize(
        ("files", "where"),
        [
            ({"pyproject.toml": "[tool.poetry.group.dev.dependencies]\n{}"}, "[tool.poetry.group.dev.dependencies]"),
            ({"pyproject.toml": "[tool.poetry.dev-dependencies]\n{}"}, "[tool.poetry.dev-dependencies]"),
            ({"pyproject.toml": "[tool.pdm.dev-dependencies]\nbench = [{}]"}, "bench of [tool.pdm.dev-dependencies]"),
            ({"pyproject.toml": "[tool.hatch.envs.bench]\ndependencies = [{}]"}, "[tool.hatch.envs.bench]"),
            ({"tox.ini": "[testenv:bench]\ndeps =\n{}"}, "[testenv:bench] of tox.ini"),
        ],
        ids=["poetry", "old poetry", "pdm", "hatch", "tox"],
    )
    def test_a_list_that_pip_does_not_read(self, files: dict[str, str], where: str, tmp_path: Path) -> None:
        """What it has beside the tool is named; a list of the tool alone, and one without the tool, need nothing."""
        [(file, text)] = files.items()
        is_table, is_list = "poetry" in text, "pdm" in text or "hatch" in text

        def noted(at: str, *names: str) -> str:
            line = {True: '{} = "*"', False: '"{}>=1",' if is_list else "    {}>=1"}[is_table]
            body = ("" if is_list else "\n").join(line.format(name) for name in names)
            made = {file: text.format(body), "requirements.txt": "pytest-benchmark\n", "bench/test_a.py": FIXTURE}
            [one], _ = found_in(tmp_path / at, made)
            return one.note

        said = f"pip does not read {where}: add numpy, attrs to `setup` where the benchmarks need it"
        assert noted("further", "numpy", "pytest-benchmark", "attrs") == said
        many = f"pip does not read {where}: add a, b, c and others to `setup` where the benchmarks need it"
        assert noted("many", "a", "b", "c", "d", "pytest-benchmark") == many
        assert noted("alone", "pytest", "pytest-benchmark") == ""
        assert noted("of another", "numpy", "attrs") == ""

    @pytest.mark.parametrize("text", ["[tool]\npoetry = 1\npdm = []\n[tool.hatch]\nenvs.x = 2\n", "broken ="])
    def test_lists_of_another_form_are_no_lists(self, text: str, tmp_path: Path) -> None:
        files = {"pyproject.toml": text, "tox.ini": "no section\n", "requirements.txt": "pytest-benchmark\n"}
        [one], _ = found_in(tmp_path, {**files, "bench/test_a.py": FIXTURE})
        assert one.note == ""

    @pytest.mark.parametrize("at", ["", "packages/lib/"])
    @pytest.mark.parametrize("flat", [False, True])
    def test_a_lock_of_uv_is_followed(self, at: str, tmp_path: Path, *, flat: bool) -> None:
        """With all extras and groups, because an older commit may lack the one that lists the tool."""
        files = {"uv.lock": "", f"{at}pyproject.toml": PYPROJECT, f"{at}tests/test_a.py": FIXTURE}
        files |= {f"{at}{name}.py": "" for name in ("parse", "emit") if flat}
        [one], _ = found_in(tmp_path, files)
        python = "{tree}/.venv/bin/python"
        assert [words(command) for command in one.suite.setup] == [
            "python3 -m venv {tree}/.venv",
            f"{python} -m pip install uv",
            f"{python} -m uv sync --active --python {python} --inexact --all-extras --all-groups"
            + " --no-install-project" * flat,
            f"{python} -m pip install pytest pytest-benchmark",
        ]

    @pytest.mark.parametrize(
        ("files", "installed"),
        [
            ({"requirements-dev.txt": "pytest-benchmark\n", "docs/requirements.txt": "sphinx\n"}, ["requirements-dev.txt"]),
            (
                {
                    "requirements/bench.txt": "-r test.txt\npytest-benchmark==5\n",
                    "requirements/test.txt": "pytest\n",
                    "requirements/dev.txt": "-r bench.txt\n--requirement doc.txt # for all\n",
                    "requirements/doc.txt": "sphinx\n",
                    "requirements/doc-spelling.txt": "-r doc.txt\n",
                    "requirements-lint.txt": "mypy\n",
                },
                ["requirements/bench.txt", "requirements/test.txt"],
            ),
            (
                {"requirements.txt": "numpy\n", "dev-requirements.txt": "-r lint-requirements.txt\npytest_benchmark\n",
                 "lint-requirements.txt": "-r dev-requirements.txt\nruff\n"},
                ["dev-requirements.txt", "requirements.txt"],
            ),
            ({"requirements.txt": "", "tox.ini": "deps = pytest-benchmark", "requirements_docs.txt": ""}, ["requirements.txt"]),
            (
                {"requirements/bench.txt": "-c pins.txt\n-c constraints.txt\n\ufeffpytest-benchmark\n", "requirements/pins.txt": "numpy<2\n",
                 "requirements/constraints.txt": "click==8\n"},
                ["requirements/bench.txt"],
            ),
        ],
        ids=["documentation", "includes", "tool beside lint", "tool elsewhere", "constraints"],
    )  # fmt: skip
    def test_requirements_are_installed_but_those_of_other_purposes(
        self, files: dict[str, str], installed: list[str], tmp_path: Path
    ) -> None:
        [one], _ = found_in(tmp_path, {**files, "test_x.py": FIXTURE})
        named = " ".join(f"-r {name}" for name in installed)
        assert one.suite.setup[1] == f"{{tree}}/.venv/bin/python -m pip install {named} pytest pytest-benchmark"

    def test_a_package_may_have_the_name_of_another_purpose(self, tmp_path: Path) -> None:
        files = {f"packages/typing/{name}": text for name, text in {
            "pyproject.toml": "[project]\nname = 'typing-x'\n", "requirements.txt": "pytest-benchmark\n", "test_x.py": FIXTURE}.items()}  # fmt: skip
        [one], _ = found_in(tmp_path, files)
        assert "-r requirements.txt" in words(one.suite.setup[1])

    def test_requirements_with_hashes_are_installed_by_themselves(self, tmp_path: Path) -> None:
        """Beside them pip takes neither a project nor a package without a hash."""
        pinned = "pytest-benchmark==5.1.0 \\\n    --hash=sha256:0\n"
        files = {"setup.py": "", "requirements-dev.txt": pinned, "requirements.txt": "numpy\n", "test_x.py": FIXTURE}
        [one], _ = found_in(tmp_path, files)
        python = "{tree}/.venv/bin/python"
        assert [words(command) for command in one.suite.setup][1:] == [
            f"{python} -m pip install -r requirements-dev.txt",
            f"{python} -m pip install -e . -r requirements.txt pytest pytest-benchmark",
        ]

    @pytest.mark.parametrize(
        ("more", "installed"),
        [
            ({}, True),
            ({"parse.py": ""}, True),
            ({"parse.py": "", "emit.py": "", "setup.py": ""}, True),
            ({"parse.py": "", "emit.py": "", "src/lib/__init__.py": ""}, True),
            ({"parse.py": "", "emit.py": "", "lib/__init__.py": ""}, True),  # the package is taken, not the modules
            ({"lib/__init__.py": "", "tools/x.py": "", "tests/x.py": ""}, True),
            ({"parse.py": "", "emit.py": ""}, False),
            ({"lib/__init__.py": "", "bench/x.txt": ""}, False),
        ],
        ids=["bare", "module", "setup.py", "src", "package", "reserved", "modules", "packages"],
    )
    def test_a_flat_project(self, more: dict[str, str], installed: bool, tmp_path: Path) -> None:  # noqa: FBT001 a parameter
        """A project that setuptools refuses to install is measured from its directory, with its dependencies."""
        project = PYPROJECT.replace('version = "1"\n', 'version = "1"\ndependencies = ["click>=8"]\n')
        [one], _ = found_in(tmp_path, {"pyproject.toml": project, "tests/test_speed.py": FIXTURE, **more})
        [_, install] = one.suite.setup
        assert ("-e '.[bench]'" in words(install), "'click>=8' 'pytest-benchmark>=4'" in words(install)) == (
            installed,
            not installed,
        )
        assert bool(one.note) is not installed

    @pytest.mark.parametrize("choice", ['[tool.setuptools]\npackages = ["lib"]\n', "[broken"])
    def test_a_flat_project_that_chooses(self, choice: str, tmp_path: Path) -> None:
        files = {"pyproject.toml": PYPROJECT + choice, "tests/test_speed.py": FIXTURE, "a.py": "", "b.py": ""}
        [one], _ = found_in(tmp_path, files)
        assert "-e " in words(one.suite.setup[1])
