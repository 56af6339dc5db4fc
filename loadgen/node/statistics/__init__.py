"""The way of a response time: counted in a worker, merged and published in the master."""
