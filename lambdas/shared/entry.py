"""The entry point of a function: validates its input and logs its errors."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TypeVar

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError
from ordergap.errors import OrdergapError
from pydantic import BaseModel

from lambdas.shared.errors import Unavailable
from lambdas.shared.events import parse
from lambdas.shared.logs import logger
from lambdas.shared.transient import is_transient

Input = TypeVar("Input", bound=BaseModel)
Output = dict[str, object]
Function = Callable[[Input, LambdaContext], Output]
Handler = Callable[[object, LambdaContext], Output]


def entry_point(cls: type[Input]) -> Callable[[Function[Input]], Handler]:
    """The Lambda handler of a function whose input is `cls`.

    Each of its log messages has the request, run and market. Errors are logged and raised: an
    OrdergapError as its message, any other with its stack. Raises BadEvent for an invalid input,
    and Unavailable for what `is_transient` of a call of AWS.
    """

    def decorate(function: Function[Input]) -> Handler:
        @functools.wraps(function)
        def handle(event: object, context: LambdaContext) -> Output:
            @logger().inject_lambda_context(clear_state=True)
            def run(event: object, context: LambdaContext) -> Output:
                if isinstance(event, Mapping):  # it is not validated yet
                    keys = {k: str(event[k])[:100] for k in ("run_id", "market") if k in event}
                    logger().append_keys(**keys)
                try:
                    return function(parse(cls, event), context)
                except OrdergapError as error:
                    logger().error(str(error), extra={"error": type(error).__name__})
                    raise
                except (BotoCoreError, ClientError) as error:
                    logger().exception("a call of AWS failed")
                    if is_transient(error):
                        raise Unavailable(f"{type(error).__name__}: {error}") from error
                    raise
                except Exception:
                    logger().exception("unexpected error")
                    raise

            output: Output = run(event, context)
            return output

        return handle

    return decorate
