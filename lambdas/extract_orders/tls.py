"""TLS to the shop's database: what is asked of the server, and what to do where it fails.

See docs/decisions/lambdas.md#the-database-proves-who-it-is.
"""

from __future__ import annotations

import re
import ssl
from pathlib import Path

from sqlalchemy import URL

from lambdas.shared.errors import BadEvent

OPTIONS = ("sslmode", "sslrootcert")
MODES = ("disable", "require", "verify-ca", "verify-full")
RDS_ROOTS = Path(__file__).with_name("rds.pem")
_RDS_HOST = re.compile(r"\.rds(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?$", re.IGNORECASE)
_WRONG_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH and …_IP_ADDRESS_MISMATCH of OpenSSL


def context(url: URL) -> ssl.SSLContext | None:
    """What connecting to the URL checks; None for plain text, which `sslmode=disable` asks for.

    The URL's parameters are those of libpq, but `sslmode` is verify-full unless given, and
    `sslrootcert` is a file or the certificates themselves. Without it the system's authorities are
    trusted and, for hosts of RDS, its own. Raises BadEvent.
    """
    mode, authority = (url.normalized_query.get(name, (None,))[0] for name in OPTIONS)
    mode = mode or "verify-full"
    if mode not in MODES:
        raise BadEvent([f"sslmode={mode} in the URL or the secret; set {', '.join(MODES)}"])
    if mode == "disable":
        return None
    held = authority and authority.lstrip().startswith("-----BEGIN")
    try:
        made = ssl.create_default_context(
            cafile=None if held else authority, cadata=authority if held else None
        )
    except OSError as error:
        named = "ca: the certificates" if held else f"sslrootcert={authority}"
        raise BadEvent([f"{named} cannot be read: {error}"]) from None
    if not authority and _is_rds(url):
        made.load_verify_locations(RDS_ROOTS)
    made.check_hostname = mode == "verify-full"
    if mode == "require" and not authority:  # as in libpq
        made.verify_mode = ssl.CERT_NONE
    return made


def advice(error: BaseException | None, url: URL) -> str:
    """What to do where connecting has failed for TLS; empty where it has failed for another reason.

    The drivers hide the socket's error behind theirs.
    """
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            if error.verify_code in _WRONG_NAME:
                return "Connect by a name that its certificate has, or set sslmode=verify-ca"
            where = ", from https://truststore.pki.rds.amazonaws.com" if _is_rds(url) else ""
            return (
                "Put the certificate of the authority that signed the server's into the secret, "
                f'as "ca": "-----BEGIN CERTIFICATE-----…"{where}'
            )
        if "Server refuses SSL" in str(error) or "SSL is required but" in str(error):
            return "Set up TLS on the server, or set sslmode=disable to send all as plain text"
        error = getattr(error, "orig", None) or error.__cause__ or error.__context__
    return ""


def _is_rds(url: URL) -> bool:
    return _RDS_HOST.search(url.host or "") is not None
