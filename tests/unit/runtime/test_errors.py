from __future__ import annotations

import pytest

from mcp_operator.runtime.errors import LOST, NO_ANSWER, ApiError, Cause
from support.scripted_api import failure


def test_an_error_from_a_status_has_its_reason_message_and_causes() -> None:
    raw = failure(
        422,
        "Invalid",
        "port: too large",
        causes=[{"field": "spec.port", "reason": "FieldValueInvalid", "message": "too large"}],
    )
    error = ApiError.from_status(raw, request="POST /x")
    assert (error.status, error.reason) == (422, "Invalid")
    assert str(error) == "POST /x: port: too large"
    assert error.causes == (Cause("spec.port", "FieldValueInvalid", "too large"),)


def test_a_text_answer_becomes_the_message_and_is_shortened() -> None:
    error = ApiError.from_response(502, {}, b"bad gateway " * 100, request="GET /x")
    assert error.status == 502
    assert error.message.startswith("bad gateway")
    assert len(error.message) <= 512
    assert ApiError.from_response(502, {}, b"", request="").message == "HTTP status 502"


def test_the_retry_after_header_takes_precedence_over_the_status() -> None:
    body = b'{"kind":"Status","code":429,"details":{"retryAfterSeconds":7}}'
    assert ApiError.from_response(429, {}, body, request="").retry_after == 7.0
    assert ApiError.from_response(429, {"retry-after": "2"}, body, request="").retry_after == 2.0
    odd = ApiError.from_response(429, {"retry-after": "soon"}, b"busy", request="")
    assert odd.retry_after is None


@pytest.mark.parametrize(
    "raw",
    [
        failure(410, "Expired", "too old resource version: 1 (5)"),
        failure(504, "Timeout", "Too large resource version: 9, current: 5"),
        failure(504, "Timeout", "x", causes=[{"reason": "ResourceVersionTooLarge"}]),
    ],
)
def test_errors_about_unknown_resource_versions_are_expired(raw: dict[str, object]) -> None:
    assert ApiError.from_status(raw).is_expired


def test_a_uid_mismatch_is_a_conflict_with_409_and_with_422() -> None:
    absent = ApiError.from_status(failure(409, "Conflict", "uid mismatch"))
    other = ApiError.from_status(failure(422, "Invalid", causes=[{"field": "metadata.uid"}]))
    assert absent.is_conflict
    assert other.is_conflict
    assert not ApiError.from_status(failure(422, "Invalid")).is_conflict


def test_already_exists_is_not_a_conflict() -> None:
    error = ApiError.from_status(failure(409, "AlreadyExists"))
    assert error.is_already_exists
    assert not error.is_conflict


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(NO_ANSWER, True), (429, True), (503, True), (409, True), (404, False), (422, False)],
)
def test_only_errors_of_requests_that_can_succeed_unchanged_are_retryable(
    status: int, *, retryable: bool
) -> None:
    assert ApiError(status, LOST, "no").is_retryable is retryable


def test_not_found_and_forbidden_are_distinguished() -> None:
    assert ApiError(404, "NotFound", "no").is_not_found
    assert ApiError(403, "Forbidden", "no").is_forbidden
    assert ApiError.from_status({"message": ""}).status == 500
