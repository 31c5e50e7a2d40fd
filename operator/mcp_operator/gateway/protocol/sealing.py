"""Sealing texts with AES-256-GCM, so that a client can keep them without reading or changing them.

Imported when the first is sealed or opened: cryptography takes 9 MB of memory.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_SALT: Final = 16
_NONCE: Final = 12
_TAG: Final = 16


def seal(key: bytes, plain: bytes, bound: bytes) -> str:
    """Encrypt.

    Args:
        key: 32 bytes.
        plain: What to encrypt.
        bound: What must be given again to open it.

    Returns:
        Letters, digits, `-` and `_`.
    """
    salt, nonce = secrets.token_bytes(_SALT), secrets.token_bytes(_NONCE)
    sealed = _cipher(key, salt).encrypt(nonce, plain, bound)
    return base64.urlsafe_b64encode(salt + nonce + sealed).rstrip(b"=").decode("ascii")


def unseal(key: bytes, token: str, bound: bytes) -> bytes | None:
    """Decrypt; None for what was not sealed by that key for that, letter by letter."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    spelt = base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
    if spelt != token or len(raw) < _SALT + _NONCE + _TAG:
        return None
    salt, nonce, sealed = raw[:_SALT], raw[_SALT : _SALT + _NONCE], raw[_SALT + _NONCE :]
    try:
        return _cipher(key, salt).decrypt(nonce, sealed, bound)
    except InvalidTag:
        return None


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    """Return a cipher for one text: random nonces of 96 bits alone do for some 2^32 of them."""
    return AESGCM(hmac.digest(key, salt, "sha256"))
