"""A small runner of GitHub workflows: `run:` steps are executed for real, the few actions used are stood in for by copies."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[2]
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|\|\||&&|==|!=|!|[()]|[\w.\-]+)")
_OUTPUT = re.compile(r"^([\w-]+)<<(\w+)\n(.*?)\n?\2$", re.MULTILINE | re.DOTALL)


@dataclass(kw_only=True)
class Run:
    """One run of a workflow: what it is given, and the artifacts and job results it leaves."""

    directory: Path
    """Workspaces of the jobs are made in here."""
    measured: Path
    """What a checkout into a path of its own gets."""
    configuration: Path
    """The directory whose files a plain checkout gets."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    event: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)
    seen: dict[str, dict[str, str]] = field(default_factory=dict)
    """The environment of each step, by its name."""

    def workflow(self, name: str) -> None:
        """Every job of a workflow, in its order."""
        whole: Any = msgspec.yaml.decode((ROOT / ".github/workflows" / f"{name}.yml").read_bytes())
        triggers = whole.get(True, whole.get("on"))
        declared = {key: value for trigger in triggers.values() if trigger for key, value in _inputs(trigger)}
        self.inputs = {**{key: str(spec.get("default") or "") for key, spec in declared.items()}, **self.inputs}
        for job, spec in whole["jobs"].items():
            self._job(job, spec)

    def _job(self, name: str, spec: dict[str, Any]) -> None:
        context = self._context({}, "success")
        failed = any(self.results[need] != "success" for need in _listed(spec.get("needs")))
        if not _condition(str(spec.get("if", "!failed()")), {**context, "failed": failed}):
            self.results[name] = "skipped"
            return
        workspace = self.directory / name
        workspace.mkdir(parents=True)
        steps: dict[str, dict[str, str]] = {}
        result = "success"
        for step in spec["steps"]:
            context = {**self._context(steps, result), "env": spec.get("env", {})}
            failed = result != "success"
            if not _condition(str(step.get("if", "!failed()")), {**context, "failed": failed}):
                continue
            if "run" in step:
                environment = {**spec.get("env", {}), **step.get("env", {})}
                given = {key: _filled(value, context) for key, value in environment.items()}
                code, found = self._execute(step["name"], step["run"], given, workspace)
                result = result if code == 0 else "failure"
                steps[step.get("id", "")] = found
            else:
                self._action(step, context, workspace)
        self.outputs[name] = {
            key: _filled(value, self._context(steps, result)) for key, value in spec.get("outputs", {}).items()
        }
        self.results[name] = result

    def _execute(self, name: str, script: str, given: dict[str, str], workspace: Path) -> tuple[int, dict[str, str]]:
        assert "${{" not in script, f"{name}: an expression within a script"
        self.seen[name] = given
        output = workspace.parent / "output"
        output.write_text("")
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        ours = {"GITHUB_OUTPUT": str(output), "GITHUB_REPOSITORY": "owner/name", "VIRTUAL_ENV": sys.prefix}
        answer = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=workspace,
            env={**kept, "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}", **ours, **self.environment, **given},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        self.logs.append(f"{name}: {answer.returncode}\n{answer.stdout}\n{answer.stderr}")
        found = {key: value for key, _, value in _OUTPUT.findall(output.read_text())}
        return answer.returncode, found

    def _action(self, step: dict[str, Any], context: dict[str, Any], workspace: Path) -> None:
        given = {key: _filled(value, context) for key, value in step.get("with", {}).items()}
        action, artifacts = step["uses"].partition("@")[0], self.directory / "artifacts"
        match action:
            case "actions/checkout":
                source = self.measured if "path" in given else self.configuration
                shutil.copytree(source, workspace / given.get("path", "."), dirs_exist_ok=True)
            case "actions/upload-artifact":
                if (workspace / given["path"]).exists():
                    shutil.copytree(workspace / given["path"], artifacts / given["name"])
                else:
                    assert given["if-no-files-found"] == "ignore", given
            case "actions/download-artifact":
                shutil.copytree(artifacts / given["name"], workspace / given["path"])
            case "$/.github/actions/setup":
                pass  # the tests' own environment
            case _:
                message = f"no stand-in for {action}"
                raise NotImplementedError(message)

    def _context(self, steps: dict[str, dict[str, str]], status: str) -> dict[str, Any]:
        return {
            "inputs": self.inputs,
            "secrets": self.secrets,
            "steps": {key: {"outputs": found} for key, found in steps.items()},
            "needs": {key: {"outputs": found} for key, found in self.outputs.items()},
            "github": {"event": self.event, "repository": "owner/name", "token": "workflow-token"},
            "status": status,
        }


def _inputs(trigger: Any) -> list[tuple[str, dict[str, Any]]]:
    return list(trigger.get("inputs", {}).items()) if isinstance(trigger, dict) else []


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def _condition(text: str, context: Mapping[str, Any]) -> bool:
    found = _EXPRESSION.fullmatch(text.strip())
    return bool(_value(found[1] if found else text, context))


def _filled(template: Any, context: Mapping[str, Any]) -> str:
    """A value with its expressions evaluated."""
    return _EXPRESSION.sub(lambda found: str(_value(found[1], context)), str(template))


def _value(text: str, context: Mapping[str, Any]) -> Any:
    """What an expression is, of names, texts, calls of three functions, and the operators."""
    calls = {"cancelled()": "False", "failed()": "failed", "toJSON(": "tojson ("}
    for call, name in calls.items():
        text = text.replace(call, name)
    words, names = [], {"tojson": lambda value: msgspec.json.encode(value).decode()}
    for token in _TOKEN.findall(text):
        operator = {"||": "or", "&&": "and", "!": "not"}.get(token)
        if operator or token in ("==", "!=", "(", ")", "False", "tojson") or token.startswith("'"):
            words.append(operator or token)
        else:
            words.append(f"n{len(names)}")
            names[words[-1]] = _named(token, context)
    return eval(" ".join(words), {"__builtins__": {}}, names)  # the project's own workflows


def _named(name: str, context: Any) -> Any:
    for part in name.split("."):
        context = context.get(part, "") if isinstance(context, Mapping) else ""
    return context
