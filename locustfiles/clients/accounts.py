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
from typing import Any, Protocol

from gevent import GreenletExit
from gevent.event import AsyncResult
from gevent.timeout import Timeout
from locust import User
from locust.env import Environment
from locust.event import Events
from locust.runners import MasterRunner, WorkerRunner

from locustfiles.clients.account_file import Account, Ledger, find_accounts
from operations.errors import UsageError

ANSWER_TIMEOUT_SECONDS = 30.0
REQUEST, GRANT, RETURN = "account_request", "account_grant", "account_return"
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

    def give_back(self, grant: int) -> None:
        """Take one back."""

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

    def give_back(self, grant: int) -> None:
        """Take one back."""
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
        self.give_back(msg.data["grant"])


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

    def give_back(self, grant: int) -> None:
        """Tell the master that the account is free again."""
        self._runner.send_message(RETURN, {"grant": grant})

    def reset(self) -> None:
        """Do nothing: the master's ledger begins anew."""

    def _granted(self, msg: Message, **_: object) -> None:
        waiting = self._waiting.get(msg.data["number"])
        if waiting is not None:
            waiting.set(msg.data)


class AccountPool:
    """A process's access to the accounts; `refused` counts its users' refused logins."""

    def __init__(self, variables: Mapping[str, str] = os.environ) -> None:
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
        while (outcome := attempt(account)) is Login.UNANSWERED:
            user.wait()
        if outcome is Login.REFUSED:
            self._refuse(account)
            # Ends the user as StopUser does, which Locust logs with a traceback from on_start.
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
                exception=NoAccountError("no account is free: more users than accounts"),
                context={},
            )
            raise GreenletExit
        self._held[id(user)] = account
        return account

    def give_back(self, user: User) -> None:
        """Take the user's account back, if it has one."""
        account = self._held.pop(id(user), None)
        if account and self._desk:
            self._desk.give_back(account.grant)

    def _init(self, environment: Environment, **_: object) -> None:
        if isinstance(environment.runner, WorkerRunner):
            self._desk = WorkerDesk(environment.runner)
            return
        try:
            accounts, source = find_accounts(self._variables, environment.host)
        except UsageError as fault:
            logger.error("%s", fault)  # noqa: TRY400 - the sentence says it all
            sys.exit(fault.exit_code)
        self._desk = LedgerDesk(environment, Ledger(accounts), source)

    def _test_start(self, **_: object) -> None:
        self.refused = 0
        if self._desk:
            self._desk.reset()

    def _test_stop(self, **_: object) -> None:
        if self.refused > 1:
            logger.error("%d logins were refused in this process", self.refused)

    def _refuse(self, account: Account) -> None:
        self.refused += 1
        if self.refused == 1:
            logger.error(
                "login refused for %s: check its password; its user stops, and further refusals"
                " are counted, not shown",
                account.username,
            )
