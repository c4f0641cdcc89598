"""The cached machine code matches the source."""

import ast
from fnmatch import fnmatch
from pathlib import Path

from bench_db.analysis import jit

HERE = Path(jit.__file__).parent


class TestSourceDigest:
    """The digest changes with every module that is compiled."""

    def test_everything_a_kernel_imports_from_the_package_is_in_it(self) -> None:
        kernels = sorted(HERE.glob("*_kernel.py"))
        assert kernels
        nodes = [node for path in kernels for node in ast.walk(ast.parse(path.read_text()))]
        imported = {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
        own = {name.removeprefix("bench_db.analysis.") for name in imported if name.startswith("bench_db")}
        assert own
        assert {name for name in own if not any(fnmatch(f"{name}.py", pattern) for pattern in jit.SOURCES)} == set()
