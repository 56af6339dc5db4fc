"""What a verb is, and the parser that reads one; what it does is imported when it is called."""

import argparse
import difflib
import importlib
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from loadgen.shared.errors import UsageError

Fill = Callable[["VerbParser"], None]


@dataclass(frozen=True)
class Verb:
    """One verb: its options, what it does with them, and commands to copy.

    `carry_out` returns the exit code. `passes_on` names the program whose own options may follow
    `--`; they arrive as `options.passed_on`. `waits_for` is said of a verb that says nothing else
    for a moment, as in "the hosts to answer".
    """

    add_options: Callable[["VerbParser"], None]
    carry_out: Callable[[argparse.Namespace], int]
    examples: Sequence[str]
    passes_on: str | None = None
    epilog: str = ""
    waits_for: str = ""


class Late:
    """A module whose functions import it when they are called, so that help needs no package."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, function: str) -> Callable[..., Any]:
        """Return a function that is the module's once it is called. UsageError: no such package."""

        def call(*given: object) -> Any:  # noqa: ANN401 - what the function returns
            return getattr(self._imported(), function)(*given)

        return call

    def _imported(self) -> ModuleType:
        try:
            return importlib.import_module(self._name)
        except ModuleNotFoundError as error:
            if (error.name or "loadgen").partition(".")[0] == "loadgen":
                raise
            raise UsageError(
                f"the package {error.name} is not installed in this Python environment: "
                f"run the command through make, which installs what it needs"
            ) from error


KINDS: Mapping[object, str] = {int: "give a whole number", float: "give a number"}

CHOICE = re.compile(
    r"(argument (?P<place>\S+): )?invalid choice: (?P<word>.+) \(choose from (?P<choices>.+)\)"
)
NAMED = re.compile(r"^(\S+): (.+ can't be used)")
REQUIRED = "the following arguments are required: "


class VerbParser(argparse.ArgumentParser):
    """A parser that gets its options from `fill` when it is first used. UsageError on a mistake."""

    def __init__(self, *, fill: Fill | None = None, **settings: Any) -> None:  # noqa: ANN401
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **settings)
        self._fill = fill
        self._passes_on = False
        self._example = ""

    def fill(self) -> None:
        """Add the verb's options, once."""
        fill, self._fill = self._fill, None
        if fill is not None:
            fill(self)

    def become(self, verb: Verb) -> None:
        """Take a verb's options, and show its examples."""
        verb.add_options(self)
        self._passes_on = verb.passes_on is not None
        self._example = verb.examples[0]
        if verb.passes_on:
            self.usage = f"{self.format_usage().removeprefix('usage: ').rstrip()} [-- OPTIONS]"
            self.description = f"{self.description} Options after -- go to {verb.passes_on}."
        examples = "\n".join(f"  {example}" for example in verb.examples)
        self.epilog = "\n\n".join(filter(None, [f"examples:\n{examples}", verb.epilog]))
        self.set_defaults(verb=self, carry_out=verb.carry_out, waits_for=verb.waits_for)

    def parse_known_args(  # type: ignore[override]  # its overloads say the same of one result
        self,
        args: Sequence[str] | None = None,
        namespace: argparse.Namespace | None = None,
    ) -> tuple[argparse.Namespace, list[str]]:
        """Read the options; what follows `--` is kept apart where a verb passes it on."""
        self.fill()
        if not self._passes_on or args is None:
            return super().parse_known_args(args, namespace)
        words = list(args)
        end = words.index("--") if "--" in words else len(words)
        options, unknown = super().parse_known_args(words[:end], namespace)
        options.passed_on = words[end + 1 :]
        return options, unknown

    def format_help(self) -> str:
        """Return the help, with the verb's options in it."""
        self.fill()
        return super().format_help()

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:  # noqa: ANN401
        """Read one value; a mistake names it and what is to be given, and no type of Python's."""
        try:
            return super()._get_value(action, arg_string)
        except argparse.ArgumentError as fault:
            if not str(fault.message).startswith("invalid "):
                raise
            rule = KINDS.get(action.type) or f"give a value such as {action.default}"
            raise argparse.ArgumentError(action, f"{arg_string!r} can't be used; {rule}") from fault

    def error(self, message: str) -> Any:  # noqa: ANN401 - argparse says NoReturn
        """Raise the mistake as one sentence."""
        said = CHOICE.sub(_unknown_choice, message).removeprefix("argument ")
        said = NAMED.sub(r"\1 \2", said).replace(": expected one argument", " needs a value")
        if message.startswith(REQUIRED):
            needed = _and(message.removeprefix(REQUIRED).split(", "))
            example = f", as in: {self._example}" if self._example else ""
            said = f"{self.prog} needs {needed}{example}"
        raise UsageError(f"{said}; see {self.prog} --help")

    @property
    def flags(self) -> set[str]:
        """The long options that this verb has."""
        self.fill()
        return {flag for flag in self._option_string_actions if flag.startswith("--")}


def refusal(parser: VerbParser, unknown: Sequence[str], others: Iterable[VerbParser]) -> str:
    """Return the sentence that refuses words which `parser` doesn't know."""
    word = next((one for one in unknown if one.startswith("-")), unknown[0])
    flag = word.partition("=")[0]
    near = difflib.get_close_matches(flag.lower(), sorted(parser.flags), 1)
    taking = [other.prog for other in others if flag in other.flags]
    if not flag.startswith("-"):
        said = f"{parser.prog} can't use {word!r}."
    elif taking:
        said = f"{parser.prog} has no option {flag}; {_and(taking)} {_has(taking)} it."
    elif near:
        said = f"{parser.prog} has no option {flag}: is {near[0]} meant?"
    else:
        said = f"{parser.prog} has no option {flag}."
    return f"{said} Nothing was started; see {parser.prog} --help"


def _unknown_choice(found: re.Match[str]) -> str:
    place = f"{found['place']}: " if found["place"] else ""
    word = found["word"]
    choices = [choice.strip("'") for choice in found["choices"].split(", ")]
    near = difflib.get_close_matches(word.strip("'").lower(), choices, 1)
    meant = f": is {near[0]} meant? Choose" if near else "; choose"
    fault = f"there is no command {word}" if place == "VERB: " else f"{place}{word} can't be used"
    return f"{fault}{meant} from {', '.join(choices)}"


def _and(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]


def _has(names: Sequence[str]) -> str:
    return "have" if len(names) > 1 else "has"


def positive(text: str) -> float:
    """Read a number above 0; argparse's own `float` would also take nan, inf and -1."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        rule = "give a number above 0, such as 0.5"
        raise argparse.ArgumentTypeError(f"{text!r} can't be used; {rule}")
    return value


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return what reads a whole number in a range; argparse's own `int` takes any."""
    rule = f"of at least {least}" if most is None else f"from {least} to {most}"

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least or (most is not None and value > most):
            raise argparse.ArgumentTypeError(f"{text!r} can't be used; give a whole number {rule}")
        return value

    return read
