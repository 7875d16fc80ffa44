"""Promises about the structure: who imports whom, who writes a state, what is guarded, how large things may grow."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from service.core import queues
from service.emails import catalogue, catalogue_for_organisers
from service.emails.compose import TEMPLATES
from service.models.mail import TO_ORGANISERS
from service.web import BLUEPRINTS
from tests.support.world import World

ROOT = Path(__file__).parent.parent.parent
LAYERS = (
    {"errors", "core", "models", "proof"},
    {"states", "text", "migrations"},
    {"rate_limits"},
    {"emails"},
    {"confirmations", "proof_store"},
    {"organisers"},
    {"servings", "subscriptions"},
    {"signatures"},
    {"notices"},
    {"mailings"},
    {"inbound"},
    {"people"},
    {"operations"},
    {"workflows"},
    {"web", "cli", "app"},
)
"""The folders and modules of `service/`: each imports from its own row only itself, and else only from the rows above it."""
PURE = {
    "proof": {"proof"},
    "inbound/parsing": {"inbound.parsing"},
    "text": {"text", "errors"},
    "models": {"models"},
}
"""What stands alone, and the little that it may import of the service."""
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


SERVICE = [path for path in sources() if path.startswith("service/") and path != "service/__init__.py"]


def part_of(path: str) -> str:
    """The folder, or the module, of `service/` that a path belongs to."""
    return path.split("/")[1].removesuffix(".py")


def parts_imported(tree: ast.Module) -> set[str]:
    return {name.split(".")[1] for name in imported(tree) if name.startswith("service.")}


@pytest.mark.parametrize("path", [path for path in sources() if path.startswith("service/")])
def test_the_service_never_imports_workers(path: str) -> None:
    assert not [name for name in imported(sources()[path]) if name.split(".")[0] == "workers"]


def test_every_folder_of_the_service_has_its_layer() -> None:
    layered = [part for layer in LAYERS for part in layer]
    assert sorted(layered) == sorted({part_of(path) for path in SERVICE})


@pytest.mark.parametrize("path", SERVICE)
def test_a_module_imports_only_from_layers_below(path: str) -> None:
    own = part_of(path)
    layer = next(number for number, parts in enumerate(LAYERS) if own in parts)
    allowed = {part for parts in LAYERS[:layer] for part in parts} | {own}
    allowed |= LAYERS[-1] if own in LAYERS[-1] else set()
    assert parts_imported(sources()[path]) <= allowed


@pytest.mark.parametrize("folder", sorted(PURE))
def test_what_is_pure_imports_next_to_nothing_of_ours(folder: str) -> None:
    allowed = tuple(f"service.{name}." for name in PURE[folder])
    modules = {path: tree for path, tree in sources().items() if path.startswith(f"service/{folder}/")}
    assert modules
    for path, tree in modules.items():
        ours = [f"{name}." for name in imported(tree) if name.startswith("service.")]
        assert [name for name in ours if not name.startswith(allowed)] == [], path


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
    assert sorted(watched) == sorted(queues.QUEUES)


@pytest.mark.parametrize("name", sorted(queues.JOBS.values()))
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


LETTERS_OF = (ROOT / "service/emails/catalogue.py", ROOT / "service/emails/catalogue_for_organisers.py")


def test_each_email_has_its_function_and_its_three_parts() -> None:
    folders = {path.name for path in (TEMPLATES / "emails").iterdir() if path.is_dir()}
    for folder in folders:
        assert {path.name for path in (TEMPLATES / "emails" / folder).iterdir()} == {"subject.txt", "body.txt", "body.html"}
    stored = set(re.findall(r'\bstore\(\s*session,\s*"(\w+)"', "".join(path.read_text() for path in LETTERS_OF)))
    assert stored | {"update"} == folders


def test_each_letter_to_an_organiser_is_known_as_one() -> None:
    known = vars(catalogue) | vars(catalogue_for_organisers)
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


MOST_FILES = 14
CROWDED = {"tests/benchmarks", "tests/faults", "tests/inbound"}
"""Folders that are still to be divided."""


def test_no_folder_is_crowded() -> None:
    files = Counter(str(Path(path).parent) for path in sources())
    assert {folder for folder, count in files.items() if count > MOST_FILES} <= CROWDED


def test_the_service_is_seen_at_a_glance() -> None:
    assert len({path.split("/")[1] for path in sources() if path.startswith("service/")}) <= 30
