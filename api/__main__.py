"""`python -m api`: the API and the page under uvicorn, as `convex up` starts them."""

from __future__ import annotations

import gc

import uvicorn

from convex.settings import load_settings
from convex.telemetry import configure_logs


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    # A batch is thousands of short-lived objects: looking through all others for each few hundred
    # of them would be a sixth of what reading it costs.
    gc.set_threshold(20_000, 20, 20)
    settings = load_settings()
    configure_logs(settings.log_level, service="api")
    uvicorn.run(
        "api.app:create_app",
        factory=True,
        host=settings.host,
        port=settings.api_port,
        ws="api.websocket:LiveProtocol",
        ws_ping_interval=30,
        ws_ping_timeout=30,
        timeout_keep_alive=75,  # longer than clients keep idle connections
        timeout_graceful_shutdown=5,
        log_config=None,
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
