"""Turns an API's description into a locustfile: `loadgen scaffold openapi.yaml`.

description   an OpenAPI 3.0 or 3.1 file, with its references within
values        an example for a schema
schemas       a schema as the answers' checks need it
operations    what each operation sends and what it may answer
writer        the locustfile, and the answers' schemas beside it
command       the verb
"""
