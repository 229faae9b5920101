"""Why this exists: the frame of Pulp 2's REST API as a WSGI application: find the view, authenticate, answer, and turn
every error into the body that Pulp gives it. The views are in `views.py`."""

import base64
import binascii
import http
import json
import logging
import traceback
import urllib.parse

from pulp_lab import defects, errors, login, settings, views

log = logging.getLogger("pulp.server.webservices.middleware.exception")


class Request:
    def __init__(self, environ):
        self.environ = environ
        self.method = environ["REQUEST_METHOD"]
        self.path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        self.query = urllib.parse.parse_qs(environ.get("QUERY_STRING", ""))

    def flag(self, name):
        return self.query.get(name, ["false"])[-1].lower() == "true"

    def body(self):
        """The JSON object sent; none sent counts as an empty one."""
        text = self.environ["wsgi.input"].read(int(self.environ.get("CONTENT_LENGTH") or 0))
        try:
            value = json.loads(text) if text.strip() else {}
        except ValueError as error:
            raise errors.PulpError(400, "PLP1009", "The specified value was invalid JSON", args=[str(error)]) from error
        if not isinstance(value, (dict, list)):
            raise errors.PulpError(400, "PLP1009", "The specified value is no JSON object", args=[])
        return value


def application(environ, start_response):
    request = Request(environ)
    headers = {}
    try:
        status, body, headers = _answer(request)
    except errors.PulpError as error:
        status, body = error.status, _error_body(request, error, error.status)
        body["error"] = error.document()
        body.update(error.data)
    except Exception as error:  # every other one is Pulp's 500, with its traceback for all to see
        log.exception("%s", request.path)
        status, body = 500, _error_body(request, error, 500)
        body["exception"] = traceback.format_exception_only(type(error), error)
        body["traceback"] = traceback.format_tb(error.__traceback__)
    content = b"" if status == 405 else json.dumps(body).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(content)), **headers}
    start_response(f"{status} {http.HTTPStatus(status).phrase}", list(headers.items()))
    return [content]


def _answer(request):
    pattern, methods, groups = next(
        ((p, m, found.groupdict()) for p, m in views.ROUTES if (found := p.fullmatch(request.path))), (None, None, None)
    )
    if pattern is None:
        return 404, None, {}
    view = methods.get(request.method)
    if view is None:
        return 405, None, {"Allow": ", ".join([*methods, "OPTIONS"])}
    if view is not views.status:
        _authenticate(request)
    if view is not views.status and not defects.database_connected():
        raise RuntimeError("pymongo.errors.ServerSelectionTimeoutError: localhost:27017: [Errno 111] Connection refused")
    if defects.active("api_hangs"):
        defects.hang()
    if defects.active("api_fails"):
        raise RuntimeError("connection already closed")
    answer = view(request, **groups)
    return answer if len(answer) == 3 else (*answer, {})


def _authenticate(request):
    """By user and password; where neither is sent, by the certificate of a log-in."""
    kind, _, encoded = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if kind.lower() != "basic":
        if login.named(request.environ) == settings.LOGIN[0]:
            return
        raise _unauthorized("PLP0027", "invalid_ssl_certificate", "Authentication with an SSL certificate failed")
    try:
        user, _, password = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        user = password = ""
    if (user, password) != settings.LOGIN:
        raise _unauthorized("PLP0030", "invalid_username_or_password", f"Authentication of user {user} failed: invalid username or password")


def _unauthorized(code, name, description):
    return errors.PulpError(401, code, description, auth_error_code=name)


def _error_body(request, error, status):
    return {
        "http_request_method": request.method, "http_status": status, "error_message": str(error),
        "exception": None, "traceback": None, "_href": request.path,
    }  # fmt: skip
