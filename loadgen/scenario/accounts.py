"""Each simulated user has an account of its own, whichever worker it runs on.

The master reads the accounts and is the only one to hand them out: a user that starts asks for one,
a user that stops gives it back. So no two users have the same line of the file, however many
workers come and go, and the workers don't need the file. Without workers the same process does
both.

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

from gevent import GreenletExit
from locust import User
from locust.env import Environment
from locust.event import Events
from locust.exception import StopUser

from loadgen.scenario.account_file import Account, find_accounts, read_accounts
from loadgen.scenario.desks import Desk, LedgerDesk, make_desk
from loadgen.scenario.ledger import Ledger
from loadgen.shared.errors import UsageError

DESK = "account"
logger = logging.getLogger(__name__)


class Login(enum.Enum):
    """What came of an attempt to log in."""

    ACCEPTED = enum.auto()
    REFUSED = enum.auto()
    UNANSWERED = enum.auto()


class NoAccountError(Exception):
    """More users than accounts; the text is the same for each user, so that they count as one."""


class AccountPool:
    """A process's access to the accounts; `refused` counts its users' refused logins.

    Raises UsageError, one sentence, when ACCOUNTS names a file with a fault: before a run begins,
    as locustfiles are looked at then.
    """

    def __init__(self, variables: Mapping[str, str] = os.environ) -> None:
        if path := variables.get("ACCOUNTS"):
            read_accounts(Path(path))
        self._variables = variables
        self._desk: Desk[tuple[str, str]] | None = None
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
        grant = self._desk.take() if self._desk else None
        if grant is None:
            user.environment.events.request.fire(
                request_type="ACCOUNT",
                name="take an account",
                response_time=0.0,
                response_length=0,
                exception=NoAccountError(
                    "no account is free, because there are fewer accounts than users"
                ),
                context={},
            )
            raise GreenletExit
        account = self._held[id(user)] = Account(*grant.item, grant.number)
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
        self._desk = make_desk(environment, DESK, 1, lambda: self._make_desk(environment))

    def _make_desk(self, environment: Environment) -> LedgerDesk[tuple[str, str]]:
        try:
            accounts, source = find_accounts(self._variables, environment.host)
        except UsageError as fault:
            logger.error("%s", fault)  # noqa: TRY400 - the sentence says it all
            sys.exit(fault.exit_code)
        names = [(account.username, account.password) for account in accounts]

        def say_shortage() -> None:
            logger.error(
                "%d accounts in %s are too few for this number of users: those without an account"
                " stop and count as failures; add accounts or lower the number of users",
                len(names),
                source,
            )

        return LedgerDesk(environment, DESK, Ledger(names), say_shortage)

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
                "login refused for %s: check its password; its user stops, and further "
                "refusals are counted but not logged",
                account.username,
            )
