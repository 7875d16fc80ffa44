"""What the machine's keeper sees: alive, ready in words, counted."""

from __future__ import annotations

import pytest

from service.operations import health
from service.servings.documents import fonts
from tests.support.people import ANN
from tests.support.world import World

TOKEN = "a-token-for-the-metrics"


def test_alive_and_not_ready_say_so_in_words(world: World) -> None:
    assert world.get("/healthz").get_data() == b"ok\n"
    response = world.get("/readyz")
    assert response.status_code == 503
    said = response.get_json()
    assert (said["database"], said["redis"]) == ("ok", "ok")
    assert said["worker prompt"] == "no worker listens"


def test_scripts_without_a_font_are_named_and_nothing_is_wrong_for_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    few = fonts.load((), system=False)
    monkeypatch.setattr(fonts, "all_there_are", lambda: few)
    assert "there is none for Arabic, Armenian, " in (world.get("/readyz").json or {})["fonts"]
    assert "fonts" not in health.parts()


@pytest.mark.settings(METRICS_TOKEN=TOKEN)
def test_metrics_count_what_is_on_its_way_and_want_their_token(world: World) -> None:
    world.publish()
    world.sign(ANN)
    assert world.get("/metrics").status_code == 404
    for wrong in ("Bearer another", "Bearer é", "é"):
        assert world.client.get("/metrics", headers={"Authorization": wrong}).status_code == 404
    text = world.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).get_data(as_text=True)
    assert 'undersigned_messages{queue="prompt",state="queued"} 1.0' in text
    assert 'undersigned_bells{queue="prompt"} 2.0' in text  # of the form, which was acted on, and of its letter
    world.confirm(ANN["email"])
    text = world.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).get_data(as_text=True)
    assert 'undersigned_signatures{notice="open-the-books"} 1.0' in text


def test_without_a_token_there_are_no_metrics(world: World) -> None:
    assert world.client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def test_a_proxy_that_nobody_counted_is_remarked(world: World) -> None:
    forwarded = {"X-Forwarded-For": "192.0.2.7"}
    world.client.get("/", headers=forwarded, environ_base={"REMOTE_ADDR": "8.8.8.8"})
    world.client.get("/")
    assert "proxy" not in (world.get("/readyz").json or {})
    world.client.get("/", headers=forwarded)
    assert "TRUSTED_PROXIES" in (world.get("/readyz").json or {})["proxy"]


@pytest.mark.settings(TRUSTED_PROXIES="1")
def test_a_proxy_that_is_counted_is_well(world: World) -> None:
    world.client.get("/", headers={"X-Forwarded-For": "192.0.2.7"})
    assert "proxy" not in (world.get("/readyz").json or {})
