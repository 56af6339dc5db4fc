"""The running test, live in a terminal; Prometheus and Grafana on this machine."""
