"""`convex openapi`."""

from __future__ import annotations

import json
from importlib import import_module

from convex.cli.say import Json


def openapi(as_json: Json = False) -> None:
    """Print the OpenAPI document of the API (always JSON).

    Example: convex openapi > openapi.json
    """
    del as_json
    application = import_module("api.app").create_app()
    print(json.dumps(application.openapi(), indent=1, ensure_ascii=False))
