"""Encrypts texts with AES-256-GCM, so that clients can store them but not read or change them.

Imported on first use, because cryptography takes 9 MB of memory.
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
    """Encrypt a text.

    Args:
        key: 32 bytes.
        plain: The text.
        bound: Data that must be given again to decrypt the text.

    Returns:
        A string of letters, digits, `-` and `_`.
    """
    salt, nonce = secrets.token_bytes(_SALT), secrets.token_bytes(_NONCE)
    sealed = _cipher(key, salt).encrypt(nonce, plain, bound)
    return base64.urlsafe_b64encode(salt + nonce + sealed).rstrip(b"=").decode("ascii")


def unseal(key: bytes, token: str, bound: bytes) -> bytes | None:
    """Decrypt a text; None unless it is exactly what `seal` returned for this key and `bound`."""
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
    """Return a cipher with a key for one text; a key is safe for only 2^32 random 96-bit nonces."""
    return AESGCM(hmac.digest(key, salt, "sha256"))
