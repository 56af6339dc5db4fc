"""What a locustfile raises is said, and is held against the run where less was done for it."""

from dataclasses import replace

from loadgen.judging.exception_checks import Exceptions, ListenerExceptions, StopExceptions
from loadgen.shared.snapshot import IN_ON_STOP, OUTSIDE_TASKS, ExceptionCount, Snapshot
from tests.unit.samples import counted, found


def raised(count: int, users: int = 4) -> Snapshot:
    exceptions = [ExceptionCount("ValueError: no account", count)]
    return replace(counted(1000), exceptions=exceptions, users=users, users_target=4)


def test_exceptions_are_said_when_users_are_missing_or_they_are_many() -> None:
    (reason,) = found(Exceptions(), raised(2, users=2))
    assert "only 2 of 4 users kept running, and 2 exceptions ended" in reason.sentence
    (reason,) = found(Exceptions(), raised(11))
    assert "most often ValueError: no account" in reason.sentence
    assert found(Exceptions(), raised(10)) == []


def test_one_exception_of_a_listener_is_said_and_is_none_of_a_task() -> None:
    fault = ExceptionCount(f"{OUTSIDE_TASKS}RuntimeError: no data", 1)
    (reason,) = found(ListenerExceptions(), replace(counted(1000), exceptions=[fault]))
    assert "outside of its tasks the locustfile raised RuntimeError: no data" in reason.sentence
    assert found(Exceptions(), replace(counted(1), exceptions=[fault])) == []
    assert found(ListenerExceptions(), raised(200)) == []


def test_what_on_stop_raises_is_a_note_and_no_exception_of_a_task() -> None:
    fault = ExceptionCount(f"{IN_ON_STOP}ValueError: no\nlogout", 3)
    seen = replace(counted(10), exceptions=[fault])
    (reason,) = found(StopExceptions(), seen)
    assert "in on_stop the locustfile raised ValueError: no logout (3 such" in reason.sentence
    assert not reason.invalidates
    assert found(Exceptions(), seen) == found(ListenerExceptions(), seen) == []


def test_an_exception_of_several_lines_is_said_on_one() -> None:
    fault = ExceptionCount("no account:\n  see the log", 20)
    (reason,) = found(Exceptions(), replace(counted(100), exceptions=[fault]))
    assert "most often no account: see the log. The rest" in reason.sentence
