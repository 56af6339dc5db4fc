"""Each simulated user has an account of its own, whichever worker it runs on.

The master reads the accounts and is the only one to hand them out: a user that starts asks for
one, a user that stops gives it back. So no line of the file is in two hands, however many workers
come and go, and the file need not be on the workers. Without workers the same process does both.

In a locustfile:

    accounts = AccountPool()
    accounts.listen_to(events)
    class Member(HttpUser):
        def on_start(self) -> None:
            accounts.log_in(self, self.site.log_in)
        def on_stop(self) -> None:
            accounts.give_back(self)
"""

import enum
import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from gevent import GreenletExit
from gevent.event import AsyncResult
from gevent.timeout import Timeout
from locust import User
from locust.env import Environment
from locust.event import Events
from locust.exception import StopUser
from locust.runners import MasterRunner, WorkerRunner

from loadgen.scenario.account_file import Account, Ledger, find_accounts, read_accounts
from loadgen.shared.errors import UsageError

ANSWER_TIMEOUT_SECONDS = 30.0
REQUEST, GRANT, RETURN = "account_request", "account_grant", "account_return"
_DESK = "account_desk"
logger = logging.getLogger(__name__)


class Login(enum.Enum):
    """What came of an attempt to log in."""

    ACCEPTED = enum.auto()
    REFUSED = enum.auto()
    UNANSWERED = enum.auto()


class NoAccountError(Exception):
    """More users than accounts; the text is the same for each user, so that they count as one."""


class Message(Protocol):
    """What Locust hands to a listener of messages."""

    node_id: str
    data: dict[str, Any]


class Desk(Protocol):
    """Hands out accounts."""

    def take(self) -> Account | None:
        """Return an account that nobody else has; None when there is none."""

    def give_back(self, grant: int, *, refused: bool = False) -> None:
        """Take one back; one whose login was refused is not handed out again in this test."""

    def reset(self) -> None:
        """Begin a test: every account is free."""


class LedgerDesk:
    """The desk of the process that holds the ledger: a master, or a run without workers."""

    def __init__(self, environment: Environment, ledger: Ledger, source: str) -> None:
        self.ledger = ledger
        self._source = source
        self._said = False
        if isinstance(environment.runner, MasterRunner):
            self._master = environment.runner
            self._master.register_message(REQUEST, self._requested)
            self._master.register_message(RETURN, self._returned)

    def take(self, holder: str | None = None) -> Account | None:
        """Return an account that nobody else has; a shortage is logged once a test."""
        account = self.ledger.take(holder)
        if account is None and holder is not None:
            self.ledger.reclaim(self._present_workers())
            account = self.ledger.take(holder)
        if account is None and not self._said:
            self._said = True
            logger.error(
                "%d accounts in %s are too few for this number of users: those without an account"
                " stop and count as failures; add accounts or lower the number of users",
                len(self.ledger.accounts),
                self._source,
            )
        return account

    def give_back(self, grant: int, *, refused: bool = False) -> None:
        """Take one back, or out of use."""
        if refused:
            self.ledger.retire(grant)
        else:
            self.ledger.give_back(grant)

    def reset(self) -> None:
        """Begin a test: every account is free."""
        self._said = False
        self.ledger.reset()

    def _present_workers(self) -> set[str]:
        missing = {client.id for client in self._master.clients.missing}
        return {client.id for client in self._master.clients.all} - missing

    def _requested(self, msg: Message, **_: object) -> None:
        account = self.take(msg.node_id)
        data: dict[str, Any] = {"number": msg.data["number"]}
        if account is not None:
            data |= {"username": account.username, "password": account.password}
            data["grant"] = account.grant
        self._master.send_message(GRANT, data, client_id=msg.node_id)

    def _returned(self, msg: Message, **_: object) -> None:
        self.give_back(msg.data["grant"], refused=msg.data["refused"])


class WorkerDesk:
    """The desk of a worker: it asks the master, over Locust's own channel."""

    def __init__(self, runner: WorkerRunner) -> None:
        self._runner = runner
        self._waiting: dict[int, AsyncResult] = {}
        self._requests = 0
        runner.register_message(GRANT, self._granted)

    def take(self) -> Account | None:
        """Ask for an account and wait for the answer."""
        self._requests += 1
        number = self._requests
        answer = self._waiting[number] = AsyncResult()
        self._runner.send_message(REQUEST, {"number": number})
        try:
            data = answer.get(timeout=ANSWER_TIMEOUT_SECONDS)
        except Timeout:
            return None
        finally:
            del self._waiting[number]
        if "username" not in data:
            return None
        return Account(data["username"], data["password"], data["grant"])

    def give_back(self, grant: int, *, refused: bool = False) -> None:
        """Tell the master that the account is free again, or of no use."""
        self._runner.send_message(RETURN, {"grant": grant, "refused": refused})

    def reset(self) -> None:
        """Do nothing: the master's ledger begins anew."""

    def _granted(self, msg: Message, **_: object) -> None:
        waiting = self._waiting.get(msg.data["number"])
        if waiting is not None:
            waiting.set(msg.data)


class AccountPool:
    """A process's access to the accounts; `refused` counts its users' refused logins.

    Raises UsageError, one sentence, when ACCOUNTS names a file with a fault: before a run begins,
    as locustfiles are looked at then.
    """

    def __init__(self, variables: Mapping[str, str] = os.environ) -> None:
        if path := variables.get("ACCOUNTS"):
            read_accounts(Path(path))
        self._variables = variables
        self._desk: Desk | None = None
        self._held: dict[int, Account] = {}
        self.refused = 0

    def listen_to(self, events: Events) -> None:
        """Take part in every run that this locustfile is used for."""
        events.init.add_listener(self._init)
        events.test_start.add_listener(self._test_start)
        events.test_stop.add_listener(self._test_stop)

    def log_in(self, user: User, attempt: Callable[[Account], Login]) -> Account:
        """Give the user an account and log it in; raises GreenletExit when that can't be.

        An attempt without an answer is made again after the user's waiting time; a refused one
        is not, so that a wrong password doesn't lock the account.
        """
        account = self.take(user)
        outcome = Login.UNANSWERED
        try:
            while (outcome := attempt(account)) is Login.UNANSWERED:
                user.wait()
        except StopUser:
            # Locust logs it with a traceback from on_start.
            raise GreenletExit from None
        finally:
            if outcome is not Login.ACCEPTED:
                self.give_back(user, refused=outcome is Login.REFUSED)
        if outcome is Login.REFUSED:
            self._say_refused(account)
            raise GreenletExit
        return account

    def take(self, user: User) -> Account:
        """Give the user an account of its own; raises GreenletExit when there is none."""
        account = self._desk.take() if self._desk else None
        if account is None:
            user.environment.events.request.fire(
                request_type="ACCOUNT",
                name="take an account",
                response_time=0.0,
                response_length=0,
                exception=NoAccountError("no account is free: fewer accounts than users"),
                context={},
            )
            raise GreenletExit
        self._held[id(user)] = account
        return account

    def holds(self, user: User) -> bool:
        """Tell whether the user has an account, and no login of it failed."""
        return id(user) in self._held

    def give_back(self, user: User, *, refused: bool = False) -> None:
        """Take the user's account back, if it has one."""
        account = self._held.pop(id(user), None)
        if account and self._desk:
            self._desk.give_back(account.grant, refused=refused)

    def _init(self, environment: Environment, **_: object) -> None:
        # Several locustfiles of one run have a pool each, and draw from the same accounts.
        shared = vars(environment)
        if _DESK not in shared:
            shared[_DESK] = self._make_desk(environment)
        self._desk = shared[_DESK]

    def _make_desk(self, environment: Environment) -> Desk:
        if isinstance(environment.runner, WorkerRunner):
            return WorkerDesk(environment.runner)
        try:
            accounts, source = find_accounts(self._variables, environment.host)
        except UsageError as fault:
            logger.error("%s", fault)  # noqa: TRY400 - the sentence says it all
            sys.exit(fault.exit_code)
        return LedgerDesk(environment, Ledger(accounts), source)

    def _test_start(self, **_: object) -> None:
        self.refused = 0
        if self._desk:
            self._desk.reset()

    def _test_stop(self, **_: object) -> None:
        if self.refused > 1:
            logger.error("%d logins were refused in this process", self.refused)

    def _say_refused(self, account: Account) -> None:
        self.refused += 1
        if self.refused == 1:
            logger.error(
                "login refused for %s: check its password; its user stops, and further refusals"
                " are counted, not shown",
                account.username,
            )
