from collections.abc import Iterator

import pytest

from tests.postbox.running import Postbox


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postbox]:
    postbox = Postbox(tmp_path_factory.mktemp("postbox"))
    yield postbox
    postbox.stop()


@pytest.fixture
def postbox(running: Postbox) -> Postbox:
    running.open("/api/v1/messages", "DELETE")
    return running
