"""A small OpenID provider on loopback: discovery, authorisation, tokens and keys, and what it gets wrong on demand."""

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from django.utils.timezone import now

CLIENT_ID, CLIENT_SECRET = "workbench", "a secret between the two"


class OpenIDProvider:
    """`person` are the claims of whoever sits at its sign-in page; `wrong` replaces claims of the next ID token."""

    def __init__(self) -> None:
        self.person: dict[str, Any] = {}
        self.wrong: dict[str, Any] = {}
        self.asked: dict[str, str] = {}
        self.signs_with = self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.issuer_said = ""
        self._codes: dict[str, dict[str, str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, asked = urlsplit(self.path).path, _one_each(urlsplit(self.path).query)
                if path == "/.well-known/openid-configuration":
                    self._answer(provider.discovery())
                elif path == "/keys":
                    self._answer(provider.keys())
                elif path == "/authorize":
                    self.send_response(302)
                    self.send_header("Location", provider.authorize(asked))
                    self.end_headers()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                found = provider.exchange(_one_each(body))
                self._answer(found or {"error": "invalid_grant"}, status=200 if found else 400)

            def _answer(self, body: dict[str, Any], status: int = 200) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer_said or self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def keys(self) -> dict[str, Any]:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": "1", "use": "sig", "alg": "RS256"}]}

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser is sent once the person has signed in."""
        self.asked = asked
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def exchange(self, sent: dict[str, str]) -> dict[str, Any] | None:
        asked = self._codes.pop(sent.get("code", ""), None)  # a code is good for once
        challenge = base64.urlsafe_b64encode(hashlib.sha256(sent.get("code_verifier", "").encode()).digest())
        fits = (
            asked is not None
            and (sent["client_id"], sent["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)
            and asked["code_challenge"] == challenge.rstrip(b"=").decode()
            and asked["redirect_uri"] == sent["redirect_uri"]
        )
        if asked is None or not fits:
            return None
        at = int(now().timestamp())
        claims = {
            "iss": self.issuer, "aud": CLIENT_ID, "iat": at, "exp": at + 300, "nonce": asked["nonce"],
            **self.person, **self.wrong,
        }  # fmt: skip
        self.wrong = {}
        id_token = jwt.encode(claims, self.signs_with, algorithm="RS256", headers={"kid": "1"})
        return {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "id_token": id_token}


def _one_each(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


@contextmanager
def open_provider() -> Iterator[OpenIDProvider]:
    provider = OpenIDProvider()
    thread = threading.Thread(target=provider.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield provider
    finally:
        provider.server.shutdown()
        thread.join()
        provider.server.server_close()
