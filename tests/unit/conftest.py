"""Examples of properties are made as everywhere in the tests."""

import tests.examples  # noqa: F401
