"""`python -m api`: the API and the page under uvicorn, as `convex up` starts them."""

from __future__ import annotations

import uvicorn

from convex.settings import load_settings
from convex.telemetry import configure_logs


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
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
