"""A field that can't be used, as it is told to the person who gave it."""

import re

_CREDENTIALS = re.compile(r"//[^/]*@")

# pydantic's words for a broken rule, and ours.
_RULES = {
    "Input should be ": "it must be ",
    "Extra inputs are not permitted": "there is no such field",
    "Field required": "this field is missing",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid boolean": "true or false",
    "a valid string": "a text",
    "a valid tuple": "a list, as [one, two]",
    "a valid dictionary": "a mapping, as {name: value}",
}


def describe_fault(field: str, value: object, rule: str) -> str:
    """One line for one wrong field. Field names are shown as options, as the user typed them."""
    option = "--" + field.replace("_", "-") if field else "options"
    shown = "" if isinstance(value, dict) else _CREDENTIALS.sub("//***@", f" {value!r}")
    return f"{option}{shown} can't be used: {plain_rule(rule)}"


def plain_rule(rule: str) -> str:
    """Return pydantic's words for a rule that was broken as a person would say them."""
    rule = rule.partition(", unable to parse")[0].removeprefix("Value error, ")
    for theirs, ours in _RULES.items():
        rule = rule.replace(theirs, ours)
    return rule[0].lower() + rule[1:]
