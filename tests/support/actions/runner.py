"""A runner of workflows: it executes jobs, their copies and called workflows step by step."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.actions.definitions import WORKFLOWS, StepId, definition, step_id
from tests.support.actions.expressions import filled, holds, text_of
from tests.support.actions.inputs import WorkflowError, combinations, completed, label, within
from tests.support.actions.machine import Machine
from tests.support.actions.stand_ins import STAND_INS, ActionError, Job

_JOB_KEYS = {
    *("name", "needs", "if", "runs-on", "timeout-minutes", "environment", "permissions", "outputs", "env"),
    *("strategy", "steps", "uses", "with", "secrets"),
}
_STEP_KEYS = {"name", "id", "if", "uses", "with", "env", "run", "shell", "continue-on-error"}


@dataclass(kw_only=True)
class Run:
    """One run of a workflow and its results."""

    directory: Path
    results: dict[str, str] = field(default_factory=dict)
    """Of each job: success, failure or skipped; a called workflow's are below the job that calls it."""
    seen: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    """The variables each script was given, by its job and its step."""
    logs: dict[tuple[str, str], str] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)

    @property
    def artifacts(self) -> Path:
        return self.directory / "artifacts"

    @property
    def summary(self) -> str:
        return "".join(machine.summary for machine in self.machines.values())

    @property
    def conclusion(self) -> str:
        return worst(self.results.values())


@dataclass(kw_only=True)
class Platform:
    """Repositories with workflows, the secrets of their environments, and the machines of their jobs."""

    directory: Path
    repository: str
    """Whose workflows run."""
    repositories: Mapping[str, Path]
    environments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of every machine."""
    path: Sequence[Path] = ()
    """Programs of every machine."""
    token: Callable[[Mapping[str, str]], str] = lambda _: "workflow-token"
    left_out: frozenset[StepId] = frozenset()
    """Scripts that are taken as done."""
    executed: set[StepId] = field(default_factory=set)
    runs: list[Run] = field(default_factory=list)

    def run(
        self,
        workflow: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        event: str = "workflow_dispatch",
        payload: Mapping[str, Any] | None = None,
    ) -> Run:
        """Run a workflow for an event until all its jobs have ended."""
        file = f"{WORKFLOWS}/{workflow}.yml"
        whole = definition(self.repositories[self.repository], file)
        assert event in whole["on"], f"{workflow} does not start on {event}"
        run = Run(directory=self.directory / f"run-{len(self.runs) + 1}")
        self.runs.append(run)
        run.artifacts.mkdir(parents=True)
        dispatched, pull = event == "workflow_dispatch", (payload or {}).get("pull_request")
        declared = (whole["on"][event] or {}).get("inputs", {}) if dispatched else {}
        github = {
            "repository": self.repository,
            "event_name": event,
            "event": {"inputs": inputs, **(payload or {})} if dispatched else dict(payload or {}),
            "workflow": whole["name"],
            "run_id": str(len(self.runs)),
            "ref": f"refs/pull/{pull['number']}/merge" if pull else "refs/heads/main",
            "sha": pull["head"]["sha"] if pull else head_of(self.repositories[self.repository]),
            "server_url": "https://github.test",
        }
        runner = {"os": "Linux", "arch": "X64"}
        context = {
            "github": github,
            "runner": runner,
            "inputs": completed(declared, inputs or {}) if dispatched else {},
        }
        _Jobs(self, run, file, whole, context, {}).run()
        return run


@dataclass
class _Jobs:
    """The jobs of one workflow within a run."""

    platform: Platform
    run_: Run
    file: str
    whole: dict[str, Any]
    context: dict[str, Any]
    secrets: Mapping[str, str]
    """Handed over by a caller; a repository has none of its own here, only environments have."""
    prefix: str = ""
    allowed: Mapping[str, str] | None = None
    needs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def run(self) -> str:
        for name, job in self.whole["jobs"].items():
            assert set(job) <= _JOB_KEYS, set(job) - _JOB_KEYS
            needed = {need: self.needs[need] for need in _listed(job.get("needs"))}
            results = [need["result"] for need in needed.values()]
            status = _status(success=set(results) <= {"success"}, failure="failure" in results)
            context = {**self.context, "needs": needed, "status": status}
            result, outputs = "skipped", dict[str, Any]()
            if holds(job.get("if"), context):
                copies = [self._copy(name, job, {**context, "matrix": m}) for m in combinations(job, context)]
                result = worst(copy[0] for copy in copies)
                outputs = copies[-1][1]
            else:
                self.run_.results[f"{self.prefix}{name}"] = result
            self.needs[name] = {"result": result, "outputs": outputs}
        return worst(need["result"] for need in self.needs.values())

    def _copy(self, name: str, job: dict[str, Any], context: dict[str, Any]) -> tuple[str, dict[str, str]]:
        place = f"{self.prefix}{name}{label(context['matrix'])}"
        permissions = job.get("permissions", self.whole.get("permissions", {}))
        if self.allowed is not None and not within(permissions, self.allowed):
            message = f"{place} asks for {permissions}, and its caller allows {self.allowed}"
            raise WorkflowError(message)
        if "uses" in job:
            return self._called(place, job, context, permissions), {}
        environment = job.get("environment", "")
        named = environment if isinstance(environment, str) else environment["name"]
        token = self.platform.token(permissions)
        secrets = {**self.secrets, **self.platform.environments.get(named, {}), "GITHUB_TOKEN": token}
        context = {**context, "secrets": secrets, "github": {**context["github"], "token": token, "job": name}}
        steps = _Steps(self, place, name, context, permissions)
        steps.run(self.file, job["steps"], filled({**self.whole.get("env", {}), **job.get("env", {})}, context))
        for finish in steps.job.at_end if steps.result == "success" else ():
            finish()
        outputs = filled(job.get("outputs", {}), steps.context)
        self.run_.results[place] = steps.result
        return steps.result, {key: text_of(value) for key, value in outputs.items()}

    def _called(self, place: str, job: dict[str, Any], context: dict[str, Any], allowed: Mapping[str, str]) -> str:
        file = job["uses"].removeprefix("$/")
        whole = definition(self.platform.repositories[self.platform.repository], file)
        declared = whole["on"]["workflow_call"]
        handed = filled(job.get("secrets", {}), {**context, "secrets": self.secrets})
        unexpected = set(handed) - set(declared.get("secrets", {}))
        assert not unexpected, f"{file} knows no secrets {unexpected}"
        inputs = completed(declared["inputs"], filled(job.get("with", {}), context))
        secrets = {key: text_of(value) for key, value in handed.items()}
        within_it = {"github": context["github"], "runner": context["runner"], "inputs": inputs}
        return _Jobs(self.platform, self.run_, file, whole, within_it, secrets, f"{place}/", allowed).run()


class _Steps:
    """The steps of one copy of a job, on a fresh machine."""

    def __init__(
        self, jobs: _Jobs, place: str, name: str, context: dict[str, Any], permissions: Mapping[str, str]
    ) -> None:
        self.platform, self.run_, self.place, self.name = jobs.platform, jobs.run_, place, name
        self.context, self.result = {**context, "steps": {}}, "success"
        github = context["github"]
        names = ("repository", "event_name", "workflow", "run_id", "ref", "sha", "job", "server_url")
        given = {f"GITHUB_{key.upper()}": str(github[key]) for key in names}
        fixed = {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_RUN_ATTEMPT": "1"}
        directory = self.run_.directory / "jobs" / str(len(self.run_.machines) + 1)
        programs = list(map(str, self.platform.path))
        self.machine = Machine(directory=directory, given=given | fixed | dict(self.platform.variables), path=programs)
        self.machine.set_up(github["event"])
        self.context["runner"] = {**context["runner"], "temp": str(self.machine.temporary)}
        self.run_.machines[place] = self.machine
        self.job = Job(
            machine=self.machine,
            artifacts=self.run_.artifacts,
            repositories=self.platform.repositories,
            repository=self.platform.repository,
            token=github["token"],
            permissions=permissions,
            caches=self.platform.directory / "caches",
        )

    def run(self, file: str, steps: list[dict[str, Any]], variables: Mapping[str, Any]) -> None:
        """Run each step whose condition is true; after a failure only those that require one."""
        for number, step in enumerate(steps):
            assert set(step) <= _STEP_KEYS, set(step) - _STEP_KEYS
            failed = self.result == "failure"
            self.context["status"] = _status(success=not failed, failure=failed)
            self.context["env"] = {**variables, **self.machine.variables}
            if not holds(step.get("if"), self.context):
                continue
            own = {**self.context["env"], **filled(step.get("env", {}), self.context)}
            id_ = step_id(file, self.name if file.startswith(WORKFLOWS) else "runs", number, step)
            environment = {key: text_of(value) for key, value in own.items()}
            fine, outputs = self._script(id_, step, environment) if "run" in step else self._action(step, environment)
            self.result = self.result if fine or step.get("continue-on-error") else "failure"
            if "id" in step:
                self.context["steps"][step["id"]] = {"outputs": outputs, "outcome": "success" if fine else "failure"}

    def _script(self, id_: StepId, step: dict[str, Any], environment: dict[str, str]) -> tuple[bool, dict[str, str]]:
        if id_ in self.platform.left_out:
            return True, {}
        script = text_of(filled(step["run"], self.context))
        done = self.machine.run(script, step.get("shell", ""), environment)
        self.platform.executed.add(id_)
        self.run_.seen[self.place, id_.name] = environment
        self.run_.logs[self.place, id_.name] = f"exit code {done.code}\n{done.log}"
        return done.code == 0, done.outputs

    def _action(self, step: dict[str, Any], environment: dict[str, str]) -> tuple[bool, dict[str, str]]:
        name, _, ref = step["uses"].partition("@")
        given = {key: text_of(value) for key, value in filled(step.get("with", {}), self.context).items()}
        if name in STAND_INS:
            try:
                return True, STAND_INS[name](self.job, given)
            except ActionError as error:
                self.run_.logs[self.place, step.get("name", name)] = str(error)
                return False, {}
        return self._composite(name, ref, given, environment)

    def _composite(
        self, name: str, ref: str, given: dict[str, str], environment: dict[str, str]
    ) -> tuple[bool, dict[str, str]]:
        """Run the steps of an action of this repository, `$/...`, or of another one."""
        owner = self.platform.repository if name.startswith("$/") else "/".join(name.split("/")[:2])
        inside = name.removeprefix("$/" if name.startswith("$/") else f"{owner}/")
        root = self.machine.directory / "_actions" / owner / (ref or "self")
        if not root.exists():
            shutil.copytree(self.platform.repositories[owner], root, ignore=shutil.ignore_patterns(".git"))
        file = f"{inside}/action.yml"
        whole = definition(root, file)
        inputs = completed(filled(whole.get("inputs", {}), self.context), given)
        outer, self.context = self.context, {**self.context, "inputs": inputs, "steps": {}}
        before, self.result = self.result, "success"
        self.run(file, whole["runs"]["steps"], {**environment, "GITHUB_ACTION_PATH": str(root / inside)})
        fine, self.result = self.result == "success", before
        outputs = {key: filled(spec["value"], self.context) for key, spec in whole.get("outputs", {}).items()}
        self.context = outer
        return fine, {key: text_of(value) for key, value in outputs.items()}


def head_of(repository: Path) -> str:
    """Return the newest commit of a repository; zeros for one that is not there, because no step looks at it."""
    answer = subprocess.run(["git", "-C", repository, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else "0" * 40


def worst(results: Any) -> str:
    """Return the worst of several results."""
    found = set(results)
    return "failure" if "failure" in found else "success" if "success" in found else "skipped"


def _status(*, success: bool, failure: bool) -> dict[str, bool]:
    return {"success": success, "failure": failure, "always": True, "cancelled": False}


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])
