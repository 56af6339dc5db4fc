"""TCP ports that a run uses unless it is told others; the fleet role's defaults are the same."""

WEB_PORT = 8089
MASTER_BIND_PORT = 5557
EXPORTER_PORT = 9646
