"""HTTP to a Kubeflow Pipelines server: credentials, TLS, retries, errors that say what to do.

Bodies and answers are models of `kfp_server_api`. Its API classes are not used: their methods have
other names in each version of the package, and below them redirects to a login page are followed,
with POST turned into GET. `kfp.Client` costs seconds of imports.
"""

import json
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlencode, urlsplit

import kfp_server_api
import urllib3
from urllib3.exceptions import (
    HTTPError,
    NewConnectionError,
    SSLError,
    TimeoutError,
)

from darkroom.kubeflow.server.access import (
    CA_VARIABLE,
    COOKIE_VARIABLE,
    TOKEN_FILE_VARIABLE,
    TOKEN_VARIABLE,
    Access,
    ApiError,
    ConflictError,
    NotFoundError,
    RefusedError,
    UnavailableError,
    check_certificates,
)

Result = TypeVar("Result")

_PAGE_SIZE: Final = 100
_MOST_PAGES: Final = 1000
_MESSAGE_LENGTH: Final = 300


class Patience(NamedTuple):
    """How long to wait for what.

    Attributes:
        attempts: Tries of one request.
        first_pause: Seconds before the second try; doubled before each further one.
        longest_pause: Seconds that no pause exceeds.
        connect: Seconds for a connection.
        read: Seconds for an answer.
    """

    attempts: int = 6
    first_pause: float = 0.5
    longest_pause: float = 20.0
    connect: float = 10.0
    read: float = 60.0

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures, drawn so that clients do not come together."""
        longest = min(self.first_pause * 2.0 ** (failures - 1), self.longest_pause)
        return random.uniform(longest / 2, longest)


PATIENCE: Final = Patience()


class Rest:
    """Sends requests, again where that is safe.

    Paths are those below the host. An answer is named by its model in `kfp_server_api`. Of a query,
    empty parameters are left out.

    Args:
        deadline: Time of `time.monotonic` at which everything has to be over.

    Raises:
        ApiError: In each method, where the request failed, in the end.
    """

    def __init__(
        self, access: Access, patience: Patience = PATIENCE, deadline: float = float("inf")
    ):
        self.host = access.host
        self._credentials = access.credentials
        self._patience = patience
        self._deadline = deadline
        if access.ca:
            check_certificates(access.ca)
        self._pool = urllib3.PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=access.ca or None)
        self._models = kfp_server_api.ApiClient(kfp_server_api.Configuration())
        # What it warns of is raised as well, and told in one line.
        logging.getLogger("urllib3").setLevel(logging.ERROR)

    def get(self, path: str, answer: str, query: Mapping[str, Any] | None = None) -> Any:
        """Asks for one thing; NotFoundError where there is none."""
        return self._read(self._persist(lambda: self._send("GET", path, query)), answer)

    def list(self, path: str, answer: str, field: str, query: Mapping[str, Any]) -> Iterator[Any]:
        """Asks for all things of a kind, page by page; `field` of a page holds them."""
        token = ""
        for _ in range(_MOST_PAGES):
            page = self.get(path, answer, {**query, "page_size": _PAGE_SIZE, "page_token": token})
            yield from getattr(page, field) or ()
            token = page.next_page_token or ""
            if not token:
                return

    def delete(self, path: str) -> None:
        """Deletes something; it is no error where that is gone already."""
        try:
            self._persist(lambda: self._send("DELETE", path))
        except NotFoundError:
            return

    def create(
        self,
        path: str,
        body: Any,
        answer: str,
        find: Callable[[], Any],
        query: Mapping[str, Any] | None = None,
    ) -> Any:
        """Creates something once, even where an answer is lost.

        Before each further try, and where the server says that it has it already, it is looked up.

        Args:
            body: A model, or bytes to upload as a file.
            find: Looks the thing up by what is unique to it; None where there is none.
        """
        try:
            return self._persist(
                lambda: self._read(self._send("POST", path, query, body), answer), find
            )
        except ConflictError:
            if found := find():
                return found
            raise

    def ask(self, path: str, content: bytes, kind: str) -> bytes:
        """Asks a service beside the API, at the root of the server, for something.

        Args:
            path: Path below the server's root.
            content: What to send, with POST; it must change nothing.
            kind: Its media type.

        Raises:
            ApiError: The request failed, in the end.
        """
        parts = urlsplit(self.host)
        url = f"{parts.scheme}://{parts.netloc}{path}"
        headers = {"Accept": kind, "Content-Type": kind}
        return self._persist(lambda: self._exchange("POST", url, headers, body=content))

    def _persist(
        self, send: Callable[[], Result], find: Callable[[], Any] = lambda: None
    ) -> Result:
        """Tries again while there is no good answer, unless `find` says that it has worked."""
        failures = 0
        while True:
            try:
                return send()
            except UnavailableError as error:
                failures += 1
                if failures == self._patience.attempts:
                    raise UnavailableError(f"{error} (tried {failures} times)") from error
                pause = self._patience.pause(failures)
                if time.monotonic() + pause >= self._deadline:
                    raise UnavailableError(f"{error} (--timeout is over)") from error
            time.sleep(pause)
            if found := find():
                return found

    def _send(
        self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None
    ) -> bytes:
        given = {key: value for key, value in (query or {}).items() if value not in ("", None)}
        url = f"{self.host}{path}" + (f"?{urlencode(given)}" if given else "")
        headers = {"Accept": "application/json"}
        if isinstance(body, bytes):
            file = ("pipeline.yaml", body, "application/x-yaml")
            return self._exchange(method, url, headers, fields={"uploadfile": file})
        if body is None:
            return self._exchange(method, url, headers)
        headers["Content-Type"] = "application/json"
        text = json.dumps(self._models.sanitize_for_serialization(body))
        return self._exchange(method, url, headers, body=text)

    def _exchange(self, method: str, url: str, headers: Mapping[str, str], **content: Any) -> bytes:
        """Sends one request, once."""
        headers = {**headers, **self._credentials.read_headers()}
        left = max(self._deadline - time.monotonic(), 0.001)
        timeout = urllib3.Timeout(
            connect=min(self._patience.connect, left), read=min(self._patience.read, left)
        )
        try:
            response = self._pool.request(
                method,
                url,
                headers=headers,
                timeout=timeout,
                retries=False,
                redirect=False,
                **content,
            )
        except HTTPError as error:
            raise self._describe_failure(error) from error
        return self._check(response, headers, urlsplit(url).path)

    def _describe_failure(self, error: HTTPError) -> ApiError:
        if isinstance(error, SSLError):
            return RefusedError(
                f"{self.host}: TLS failed ({_shorten(str(error.args[0] if error.args else error))})"
                f"; give the authority's certificate with --ca or {CA_VARIABLE}, or http:// where "
                "the server speaks no TLS"
            )
        if isinstance(error, NewConnectionError):
            return UnavailableError(
                f"{self.host}: no connection ({_shorten(str(error).rpartition(': ')[2])}); check "
                "--host, and that the server or the port-forward runs"
            )
        if isinstance(error, TimeoutError):
            return UnavailableError(
                f"{self.host}: no answer in time; check that the server, ml-pipeline, is well"
            )
        cause = error.args[-1] if error.args else error
        return UnavailableError(
            f"{self.host}: the connection broke ({_shorten(str(cause))}); check the network, and "
            "that the server, ml-pipeline, is well"
        )

    def _check(self, response: Any, headers: Mapping[str, str], path: str) -> bytes:
        content: bytes = response.data
        status = int(response.status)
        kind = response.headers.get("Content-Type", "")
        if 300 <= status < 400:
            place = urlsplit(response.headers.get("Location", ""))
            target = f"{place.scheme}://{place.netloc}{place.path}" if place.netloc else place.path
            raise RefusedError(
                f"{self.host}: sends on to {target} ({status}); log in and set {TOKEN_VARIABLE} or "
                f"{COOKIE_VARIABLE}, or give the address it sends on to as --host"
            )
        if 200 <= status < 300:
            if "html" in kind.lower():
                raise RefusedError(
                    f"{self.host}: answers with a web page ({status}), not as Kubeflow Pipelines; "
                    f"check --host, or log in and set {TOKEN_VARIABLE} or {COOKIE_VARIABLE}"
                )
            return content
        said = _hide(_read_message(content, kind), headers)
        line = f"{self.host}: {status} {said or response.reason or ''}".rstrip()
        if status == 429 or status >= 500:
            raise UnavailableError(f"{line}; see what the server, ml-pipeline, logs")
        refusal = {404: NotFoundError, 409: ConflictError}.get(status, RefusedError)
        raise refusal(f"{line}; {_find_remedy(status, headers, path)}")

    def _read(self, content: bytes, answer: str) -> Any:
        try:
            if not isinstance(json.loads(content), dict):
                raise ValueError("no object")
            model = self._models.deserialize(_Answer(content), answer)
            if not getattr(model, _IDENTIFIERS.get(answer, ""), True):
                raise ValueError("no identifier")
            return model
        except (ValueError, TypeError, AttributeError, kfp_server_api.ApiException) as error:
            raise RefusedError(
                f"{self.host}: answers with something that is no {answer}; check --host: is it "
                "Kubeflow Pipelines 2?"
            ) from error


_IDENTIFIERS: Final = {
    "V2beta1Pipeline": "pipeline_id",
    "V2beta1PipelineVersion": "pipeline_version_id",
    "V2beta1Experiment": "experiment_id",
    "V2beta1Run": "run_id",
    "V2beta1RecurringRun": "recurring_run_id",
}
"""What an answer of each kind has, whatever else it leaves out."""


class _Answer(NamedTuple):
    """What `kfp_server_api` reads a model from."""

    data: bytes


def _find_remedy(status: int, headers: Mapping[str, str], path: str) -> str:
    if status == 401:
        if "Authorization" in headers or "Cookie" in headers:
            return "the token or cookie is not accepted, perhaps no longer: get a new one"
        return f"set {TOKEN_VARIABLE}, {TOKEN_FILE_VARIABLE} or {COOKIE_VARIABLE}"
    if status == 403:
        return "these credentials may not do this: check --namespace, or ask for the right to edit"
    if status == 404:
        return f"check --host: there is no {path}"
    return "change what the message names"


def _read_message(content: bytes, kind: str) -> str:
    """Returns what the server said, in one line: its gateway and its uploads say it in two ways."""
    text = content.decode("utf-8", "replace")
    try:
        body = json.loads(text)
    except ValueError:
        return "" if "html" in kind.lower() else _shorten(text)
    if not isinstance(body, dict):
        return ""
    names = ("error_message", "message", "error", "error_details")
    return _shorten(next((body[name] for name in names if isinstance(body.get(name), str)), ""))


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MESSAGE_LENGTH else f"{line[:_MESSAGE_LENGTH]}..."


def _hide(text: str, headers: Mapping[str, str]) -> str:
    for name in ("Authorization", "Cookie"):
        for secret in headers.get(name, "").removeprefix("Bearer ").split("; "):
            value = secret.partition("=")[2] if name == "Cookie" else secret
            if value:
                text = text.replace(value, "***")
    return text
