"""Promises about the structure: who imports whom, who writes a state, what is guarded, how large things may grow."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from service import emails, emails_to_organisers, queue
from service.letters import TEMPLATES
from service.models.mail import TO_ORGANISERS
from service.web import BLUEPRINTS
from tests.world import World

ROOT = Path(__file__).parent.parent
STORIES = {
    "brake_decisions",
    "spool",
    "bounces",
    "timeline",
    "subscriptions",
    "signatures",
    "news",
    "notices",
    "progress",
    "counts_alone",
    "deliveries",
    "answers",
    "asking_again",
    "officials",
    "other_addresses",
    "mailings",
    "organisers",
    "complaints",
    "holdings",
    "erasing",
    "days",
    "imports",
    "moderation",
    "people",
    "reports",
    "retention",
    "second_factor",
    "undoing",
}
BELOW_STORIES = {
    "addressed", "addresses", "askers", "audience", "audit", "checks", "config", "corrections", "counting", "db", "differences",
    "disk_reserve", "documents", "domain_breakers", "emails", "emails_to_organisers", "erasures", "errors", "evidence",
    "failed_codes", "fallbacks", "findings", "fonts", "forgetting", "groups", "incoming", "keeping", "keyed_hashes",
    "letters", "limits", "link_checks", "linked_hosts", "links", "machine_secret", "manifests", "markdown", "mentioned",
    "models", "name_server", "names", "newcomers", "papers", "passwords", "pdf_compiler", "placeholders", "plausible",
    "private_files", "proof",
    "proof_keys", "proofs", "proposals", "providers", "queue", "reactivations", "request_forms",
    "requests", "roles", "schedule", "sealed", "sealed_files",
    "sender_refusals", "sending_domain", "settings_table", "signing", "small_counts", "sources", "stamping",
    "speed", "states", "subscribing", "suppressions", "tables", "tallies", "text", "times", "trees", "typesetting", "visitors",
    "verifying", "waiting_forms", "weak_secrets", "writing",
    "brakes", "fates", "outcome_counts", "reply_patterns",
}  # fmt: skip
MAY_KNOW_FLASK = ("service/app.py", "service/cli/", "service/web/", "workers/outbound/", "workers/run.py", "workers/postbox/")
PUBLIC = {
    "notices",
    "proof",
    "received",
    "lists",
    "confirmations",
    "unsubscribe",
    "holdings",
    "news",
    "complaints",
    "pages",
    "health",
    "sign_in",
    "hooks",
    "undoing",
}
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of ours, parsed; paths relative to the root."""
    found = [*ROOT.glob("service/**/*.py"), *ROOT.glob("workers/**/*.py"), *ROOT.glob("tests/**/*.py"), ROOT / "wsgi.py"]
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text())
        for path in found
        if "migrations/versions" not in str(path)
    }  # fmt: skip


def imported(tree: ast.Module) -> Iterator[str]:
    """Full names of what a module imports, `from a import b` as a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def service_modules(tree: ast.Module) -> set[str]:
    """First-level modules of the service that a module imports."""
    return {name.split(".")[1] for name in imported(tree) if name.startswith("service.")}


@pytest.mark.parametrize("path", [path for path in sources() if path.startswith("service/")])
def test_the_service_never_imports_workers(path: str) -> None:
    assert not [name for name in imported(sources()[path]) if name.split(".")[0] == "workers"]


@pytest.mark.parametrize("story", sorted(STORIES))
def test_a_story_imports_what_lies_below_it_alone(story: str) -> None:
    assert service_modules(sources()[f"service/{story}.py"]) <= BELOW_STORIES


@pytest.mark.parametrize("name", sorted(BELOW_STORIES - {"models", "proof", "incoming", "providers", "text"}))
def test_what_lies_below_never_imports_a_story(name: str) -> None:
    assert service_modules(sources()[f"service/{name}.py"]) <= BELOW_STORIES


def test_the_proof_stands_alone() -> None:
    for path, tree in sources().items():
        if path.startswith("service/proof/"):
            assert service_modules(tree) <= {"proof"}, path


def test_reading_what_came_in_stands_alone() -> None:
    for path, tree in sources().items():
        if path.startswith("service/incoming/"):
            assert service_modules(tree) <= {"incoming"}, path


def test_what_judges_a_text_stands_alone() -> None:
    for path, tree in sources().items():
        if path.startswith("service/text/"):
            assert service_modules(tree) <= {"text", "errors"}, path


def test_only_the_edges_know_flask() -> None:
    knowing = {
        path for path, tree in sources().items() if any(name.split(".")[0].startswith("flask") for name in imported(tree))
    }
    assert {path for path in knowing if not path.startswith(("tests/", *MAY_KNOW_FLASK))} == set()


def test_every_blueprint_is_guarded_or_known_to_be_public() -> None:
    unguarded = {entry.blueprint.name for entry in BLUEPRINTS if entry.guard is None}
    assert unguarded == PUBLIC
    assert {entry.blueprint.name for entry in BLUEPRINTS if entry.csrf_exempt} == {"unsubscribe", "hooks"}


def test_every_view_belongs_to_a_listed_blueprint(world: World) -> None:
    listed = {entry.blueprint.name for entry in BLUEPRINTS}
    views = {rule.endpoint for rule in world.app.url_map.iter_rules()} - {"static"}
    assert {view.split(".")[0] for view in views} == listed


@pytest.mark.parametrize("procfile", ["Procfile", "Procfile.dev"])
def test_every_queue_is_watched_and_no_other(procfile: str) -> None:
    watched = re.findall(r"python -m workers\.run (\w+)", (ROOT / procfile).read_text())
    assert sorted(watched) == sorted(queue.QUEUES)


@pytest.mark.parametrize("name", sorted(queue.JOBS.values()))
def test_every_job_name_resolves_to_one_sentence_about_one_row(name: str) -> None:
    module, _, function = name.rpartition(".")
    job = getattr(importlib.import_module(module), function)
    assert job.__doc__
    assert job.__code__.co_argcount == 1


def test_states_alone_writes_a_state() -> None:
    writers = set()
    for path, tree in sources().items():
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
            values = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "values"
            named = values and any(word.arg == "state" for word in node.keywords)
            if named or any(isinstance(target, ast.Attribute) and target.attr == "state" for target in targets):
                writers.add(path)
    assert {path for path in writers if not path.startswith("tests/")} == {"service/states.py"}


LETTERS_OF = (ROOT / "service/emails.py", ROOT / "service/emails_to_organisers.py")


def test_each_email_has_its_function_and_its_three_parts() -> None:
    folders = {path.name for path in (TEMPLATES / "emails").iterdir() if path.is_dir()}
    for folder in folders:
        assert {path.name for path in (TEMPLATES / "emails" / folder).iterdir()} == {"subject.txt", "body.txt", "body.html"}
    stored = set(re.findall(r'\bstore\(\s*session,\s*"(\w+)"', "".join(path.read_text() for path in LETTERS_OF)))
    assert stored | {"update"} == folders


def test_each_letter_to_an_organiser_is_known_as_one() -> None:
    known = vars(emails) | vars(emails_to_organisers)
    functions = {name: write for name, write in known.items() if inspect.isfunction(write)}
    letters = {name for name, write in functions.items() if "organiser" in inspect.signature(write).parameters}
    assert letters > {"sign_in", "paused"}
    assert letters <= {*TO_ORGANISERS}


def test_each_link_in_a_letter_is_a_route(world: World) -> None:
    adapter = world.app.url_map.bind("localhost")
    source = "".join(path.read_text() for path in TEMPLATES.glob("emails/**/*.*"))
    paths = set(re.findall(r"links\.url\('(/[^']*)'\s*(?:~[^)]*)?\)", source))
    assert paths >= {"/privacy", "/imprint", "/complaints"}
    for path in paths:
        whole = {"/notices/": "/notices/a/editions/1.txt", "/news/": "/news/a"}.get(path, path)
        assert adapter.match(whole)


@pytest.mark.parametrize("path", sorted(sources()))
def test_files_and_functions_stay_small(path: str) -> None:
    lines = (ROOT / path).read_text().count("\n")
    assert lines <= 250 or path in LONG_FILES, f"{lines} lines"
    for node in ast.walk(sources()[path]):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 50 or f"{path}:{node.name}" in LONG_FUNCTIONS, f"{node.name} has {length} lines"


def test_the_tree_is_as_designed() -> None:
    for name in ("service", "workers", "templates", "tests", "wsgi.py", "Procfile", "requirements.txt", "README.md"):
        assert (ROOT / name).exists(), name
