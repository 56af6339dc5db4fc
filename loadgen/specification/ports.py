"""TCP ports that a run uses by default; the fleet role has the same defaults."""

WEB_PORT = 8089
MASTER_BIND_PORT = 5557
EXPORTER_PORT = 9646
