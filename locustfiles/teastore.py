"""Visitors of a TeaStore: log in, browse, fill and empty a cart, log out.

Weights are those of the study: category 5, product 5, add to cart 3, remove 3, cart 2, profile 1.
Product ids are read from the pages. An action answers with a redirect; it is followed as a request
of its own, as a browser does, so every row stands for one kind of request. Each visitor has an
account of its own (ACCOUNTS, see docs/scenarios.md): for a real TeaStore, which generates user0 to
user99 with the password `password`, a file of those.

    --teastore-think 1        seconds between actions, or a range such as 1-90 (TEASTORE_THINK)
    --teastore-seed 42        for choices and think times (TEASTORE_SEED)
"""

import re
from argparse import ArgumentParser
from typing import ClassVar
from urllib.parse import urlencode

from locust import events, task

from loadgen.scenario import (
    Account,
    AccountPool,
    FastUser,
    Login,
    Numbers,
    answers,
    interval_text,
    parse_interval,
)

SIMULATOR = "teastore"
PREFIX = "/tools.descartes.teastore.webui"
accounts = AccountPool()
accounts.listen_to(events)
CATEGORIES = range(2, 7)
PRODUCT_LINK = re.compile(r'href="[^"]*/product\?id=(\d+)"')


def _add_options(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("TeaStore")
    group.add_argument(
        "--teastore-think",
        type=interval_text,
        default="1",
        env_var="TEASTORE_THINK",
        help="Seconds between a visitor's actions, or a range such as 1-90",
    )
    group.add_argument(
        "--teastore-seed",
        type=int,
        default=42,
        env_var="TEASTORE_SEED",
        help="Seed of choices and think times",
    )


events.init_command_line_parser.add_listener(_add_options)


class Visitor(FastUser):
    """One visitor with a session and a cart."""

    numbers: ClassVar = Numbers()

    def on_start(self) -> None:
        options = self.environment.parsed_options
        self.think = parse_interval(options.teastore_think)
        self.generator = self.numbers.generator(self, options.teastore_seed)
        self.products: list[int] = []
        self.cart: list[int] = []
        self.account = accounts.log_in(self, self.log_in)
        self.open_category()

    def on_stop(self) -> None:
        if accounts.holds(self):
            self.act("/loginAction?logout=", "/")
        accounts.give_back(self)

    def wait_time(self) -> float:
        return self.think.draw(self.generator)

    @task(5)
    def open_category(self) -> None:
        number = self.generator.choice(CATEGORIES)
        page = self.get(f"/category?page=1&category={number}&number=30", "/product?id=")
        found = (int(number) for number in PRODUCT_LINK.findall(page))
        self.products = sorted({*self.products, *found})

    @task(5)
    def open_product(self) -> None:
        if self.products:
            self.get(f"/product?id={self.generator.choice(self.products)}", "addToCart")

    @task(3)
    def add_to_cart(self) -> None:
        if self.products:
            product = self.generator.choice(self.products)
            page = self.act(f"/cartAction?addToCart=&productid={product}", "/cart")
            if f"removeProduct_{product}" in page:
                self.cart = [*{*self.cart, product}]

    @task(3)
    def remove_from_cart(self) -> None:
        if self.cart:
            product = self.cart.pop(self.generator.randrange(len(self.cart)))
            self.act(f"/cartAction?removeProduct_{product}=", "/cart")

    @task(2)
    def open_cart(self) -> None:
        self.get("/cart", "Cart")

    @task(1)
    def open_profile(self) -> None:
        self.get("/profile", self.account.username)

    def log_in(self, account: Account) -> Login:
        """Fill in the form. TeaStore answers a wrong password with a redirect back to it."""
        self.get("/login", "signin")
        credentials = {"username": account.username, "password": account.password}
        location = self.post(f"/loginAction?{urlencode(credentials)}", "/")
        if location is None:
            return Login.UNANSWERED
        self.get(location, "TeaStore")
        return Login.ACCEPTED if location == "/" else Login.REFUSED

    def get(self, path: str, expected: str) -> str:
        """Open a page, which must contain `expected`; returns its text."""
        name = path.partition("?")[0]
        with self.client.get(PREFIX + path, name=name, catch_response=True) as response:
            answers.contains(response, expected)
            return str(response.text or "")

    def act(self, path: str, leads_to: str) -> str:
        """Post an action, which must lead to the page `leads_to`; returns that page's text."""
        location = self.post(path, leads_to)
        return "" if location is None else self.get(location, "TeaStore")

    def post(self, path: str, leads_to: str) -> str | None:
        """Post an action; return the path in the store that it led to, None without a redirect."""
        name = path.partition("?")[0]
        with self.client.post(
            PREFIX + path, name=name, allow_redirects=False, catch_response=True
        ) as response:
            if not answers.status_is(response, (302,)):
                return None
            fields = response.headers
            location = "" if fields is None else str(fields.get("location", ""))
            target = location.partition(PREFIX)[2]
            if target != leads_to:
                response.failure(f"led to {target or location!r} instead of {leads_to!r}")
            return target or None
