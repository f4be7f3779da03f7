"""E1: requests made from the OpenAPI document, right and wrong. Authority: schemathesis."""

import contextlib
from http import HTTPStatus

import pytest

schemathesis = pytest.importorskip("schemathesis")

from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis.errors import Unsatisfiable  # noqa: E402
from schemathesis import GenerationMode  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi import checks  # noqa: E402

from pellucid.serve.limits import Limits  # noqa: E402
from serve.conftest import run_server  # noqa: E402

UNPROMISED = [checks.positive_data_acceptance]
"""A valid schema promises no valid search: n_best above beam, a language that nobody knows."""
ABLE = {
    **{"translate": "en-de", "completions": "gpt2", "embeddings": "bert", "classify": "classifier"},
    **{"tag": "tagger", "answer": "answerer", "fill": "bert", "similarity": "bert"},
    **{"summarize": "en-de", "trace": "bert"},
}


@pytest.fixture(scope="module")
def small(loaded):
    """A server whose limits make each request quick."""
    with run_server(loaded, Limits(tokens=8, beams=2, texts=4, characters=200)) as server:
        yield server


def check_all(server, examples):
    """Send so many right and wrong requests to each operation; return their names."""
    address = f"http://127.0.0.1:{server.port}/openapi.json"
    operations = [
        result.ok() for result in schemathesis.openapi.from_url(address).get_all_operations()
    ]
    for operation in operations:
        for mode in GenerationMode:
            send_all(operation, mode, examples)
    return [operation.label for operation in operations]


def send_all(operation, mode, examples):
    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
        derandomize=True,
        database=None,
    )
    @given(operation.as_strategy(generation_mode=mode))
    def send(case):
        verb = operation.path.rpartition("/")[2]
        if mode is GenerationMode.POSITIVE and isinstance(case.body, dict) and verb in ABLE:
            case.body["model"] = ABLE[verb]  # a random name would be no model's
        response = case.call(timeout=60)
        excluded = [*UNPROMISED]
        has_timeout = isinstance(case.body, dict) and case.body.get("timeout") is not None
        if has_timeout and response.status_code == HTTPStatus.GATEWAY_TIMEOUT:
            excluded.append(not_a_server_error)  # what the request asked for
        case.validate_response(response, excluded_checks=excluded)

    with contextlib.suppress(Unsatisfiable):  # nothing can be wrong with a request without fields
        send()


def test_the_document_describes_the_server(small):
    assert len(check_all(small, 3)) == 16


@pytest.mark.campaign
def test_the_document_describes_the_server_long(small):
    check_all(small, 2000)
