"""The key of the list of the forgotten, which is made when somebody is forgotten first."""

from __future__ import annotations

import secrets as random
from typing import TYPE_CHECKING

from lambdas.shared.forgotten import Key

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


def made_key(secrets: SecretsManagerClient, secret_id: str, market: str) -> Key:
    """The key, which is made where there is none yet."""
    try:
        value = secrets.get_secret_value(SecretId=secret_id)["SecretString"]
    except secrets.exceptions.ResourceNotFoundException:
        value = random.token_hex(32)
        try:
            secrets.create_secret(
                Name=secret_id,
                SecretString=value,
                Description="Key of the hashes of forgotten customers; never delete it",
            )
        except secrets.exceptions.ResourceExistsException:  # made meanwhile
            value = secrets.get_secret_value(SecretId=secret_id)["SecretString"]
    return Key(market, value.encode())
