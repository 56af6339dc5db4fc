"""Visitors of a TeaStore: log in, browse, fill and empty a cart, log out.

Weights are those of the study: category 5, product 5, add to cart 3, remove 3, cart 2, profile 1.
Product ids are read from the pages. An action answers with a redirect; it is followed as a request
of its own, as a browser does, so every row stands for one kind of request. Users take the accounts
user0 to user99 that TeaStore generates, in turn, each worker from a place of its own.

    --teastore-think 1        seconds between actions, or a range as 1-90 (TEASTORE_THINK)
    --teastore-seed 42        for choices and think times (TEASTORE_SEED)
"""

import re
from argparse import ArgumentParser
from typing import ClassVar

from locust import FastHttpUser, events, task

from locustfiles.clients.timing import Numbers, interval_text, parse_interval

SIMULATOR = "teastore"
PREFIX = "/tools.descartes.teastore.webui"
CATEGORIES = range(2, 7)
PRODUCT_LINK = re.compile(r'href="[^"]*/product\?id=(\d+)"')


def _add_options(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("TeaStore")
    group.add_argument(
        "--teastore-think",
        type=interval_text,
        default="1",
        env_var="TEASTORE_THINK",
        help="Seconds between a visitor's actions, or a range as 1-90",
    )
    group.add_argument(
        "--teastore-seed",
        type=int,
        default=42,
        env_var="TEASTORE_SEED",
        help="For choices and think times",
    )


events.init_command_line_parser.add_listener(_add_options)


class Visitor(FastHttpUser):
    """One visitor with a session and a cart."""

    numbers: ClassVar = Numbers()

    def on_start(self) -> None:
        options = self.environment.parsed_options
        self.think = parse_interval(options.teastore_think)
        self.generator = self.numbers.generator(self, options.teastore_seed)
        self.account = f"user{self.generator.randrange(100)}"
        self.products: list[int] = []
        self.cart: list[int] = []
        self.log_in()
        self.open_category()

    def on_stop(self) -> None:
        self.act("/loginAction?logout=", "/")

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
        self.get("/profile", self.account)

    def log_in(self) -> None:
        self.get("/login", "signin")
        self.act(f"/loginAction?username={self.account}&password=password", "/")

    def get(self, path: str, expected: str) -> str:
        """Open a page, which must contain `expected`; returns its text."""
        name = path.partition("?")[0]
        with self.client.get(PREFIX + path, name=name, catch_response=True) as response:
            text = str(response.text or "")
            if response.status_code == 200 and expected not in text:
                response.failure(f"the page does not contain {expected!r}")
        return text

    def act(self, path: str, leads_to: str) -> str:
        """Post an action, which must lead to the page `leads_to`; returns that page's text."""
        name = path.partition("?")[0]
        with self.client.post(
            PREFIX + path, name=name, allow_redirects=False, catch_response=True
        ) as response:
            location = str((response.headers or {}).get("location", ""))
            target = location.partition(PREFIX)[2]
            if response.status_code != 302:
                response.failure(f"answered {response.status_code} instead of a redirect")
                return ""
            if target != leads_to:
                response.failure(f"led to {location!r} instead of {leads_to!r}")
        return self.get(target or leads_to, "TeaStore")
