"""TeaStore's pages: from the query and the visitor's session to a response, without any waiting.

Actions answer 302 to the page that shows their result, as the real store's servlets do. Its
database, as generated: categories 2 to 6 with 100 products each, product ids from 7, users user0 to
user99 with the password `password`; and the accounts of every simulator.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from loadgen.simulators import accounts

PREFIX = "/tools.descartes.teastore.webui"
CATEGORIES = range(2, 7)
PRODUCTS_IN_CATEGORY = 100
PRODUCTS = range(7, 7 + len(CATEGORIES) * PRODUCTS_IN_CATEGORY)
PASSWORD = "password"  # noqa: S105  the one that TeaStore generates
GENERATED = {f"user{number}": PASSWORD for number in range(100)}
TEAS = ("Assam", "Ceylon", "Darjeeling", "Earl Grey", "Gunpowder", "Keemun", "Oolong", "Sencha")

Query = Mapping[str, str]


@dataclass
class ShopSession:
    """What one visitor's cookie stands for; the cart maps a product to its quantity."""

    user: str | None = None
    cart: dict[int, int] = field(default_factory=dict)


def index(_query: Query, session: ShopSession) -> Response:
    """Return the landing page."""
    return _page("TeaStore", session, "<p>Welcome to the TeaStore.</p>")


def login(_query: Query, session: ShopSession) -> Response:
    """Return the login form."""
    form = (
        f'<form action="{PREFIX}/loginAction" method="POST"><input name="username">'
        '<input name="password" type="password"><button name="signin">Sign in</button></form>'
    )
    return _page("TeaStore Login", session, form)


@cache
def passwords() -> Mapping[str, str]:
    """Return each user's password."""
    return GENERATED | accounts.load()


def login_action(query: Query, session: ShopSession) -> Response:
    """Log in or out. Wrong credentials lead back to the form, with 302 like a success."""
    if "logout" in query:
        session.user = None
        session.cart.clear()
        return _redirect("/")
    username = query.get("username", "")
    if username not in passwords() or query.get("password") != passwords()[username]:
        return _redirect("/login")
    session.user = username
    return _redirect("/")


def category(query: Query, session: ShopSession) -> Response:
    """List one page of a category's products; 400 when a number is no number or out of range."""
    try:
        number = int(query["category"])
        page, size = int(query.get("page", "1")), int(query.get("number", "20"))
    except (KeyError, ValueError):
        number, page, size = 0, 0, 0
    if number not in CATEGORIES or page < 1 or size < 1:
        return PlainTextResponse("category 2 to 6, page from 1, number from 1\n", 400)
    first = (number - CATEGORIES.start) * PRODUCTS_IN_CATEGORY
    products = PRODUCTS[first : first + PRODUCTS_IN_CATEGORY][(page - 1) * size : page * size]
    links = "".join(
        f'<a href="{PREFIX}/product?id={product}" ><img src="" alt="{_name(product)}"></a>\n'
        for product in products
    )
    return _page(f"TeaStore Category {number}", session, links)


def product(query: Query, session: ShopSession) -> Response:
    """Show one product; 404 when there is none of that id."""
    number = _product(query.get("id", ""))
    if number is None:
        return PlainTextResponse("no such product\n", 404)
    form = (
        f'<h2>{_name(number)}</h2><form action="{PREFIX}/cartAction" method="POST">'
        f'<input type="hidden" name="productid" value="{number}">'
        '<button name="addToCart">Add to Cart</button></form>'
    )
    return _page("TeaStore Product", session, form)


def cart_action(query: Query, session: ShopSession) -> Response:
    """Put a product into the cart or take it out, then lead to the cart."""
    removed = [name.partition("_")[2] for name in query if name.startswith("removeProduct_")]
    if removed:
        session.cart.pop(_product(removed[0]) or 0, None)
        return _redirect("/cart")
    number = _product(query.get("productid", ""))
    if "addToCart" not in query or number is None:
        return PlainTextResponse("addToCart with a productid, or removeProduct_ID\n", 400)
    session.cart[number] = session.cart.get(number, 0) + 1
    return _redirect("/cart")


def cart(_query: Query, session: ShopSession) -> Response:
    """Show what is in the cart."""
    rows = "".join(
        f'<tr><td>{_name(number)}<td>{quantity}<td><button name="removeProduct_{number}">'
        "Remove</button>\n"
        for number, quantity in sorted(session.cart.items())
    )
    return _page("TeaStore Cart", session, f"<table>{rows}</table>")


def profile(_query: Query, session: ShopSession) -> Response:
    """Show who is logged in; lead to the landing page when nobody is."""
    if session.user is None:
        return _redirect("/")
    return _page("TeaStore Profile", session, f"<p>Orders of {session.user}: none.</p>")


PAGES: dict[str, Callable[[Query, ShopSession], Response]] = {
    "Index": index,
    "Login": login,
    "LoginAction": login_action,
    "Category": category,
    "Product": product,
    "CartAction": cart_action,
    "Cart": cart,
    "Profile": profile,
}


def _product(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and int(text) in PRODUCTS else None


def _name(product_number: int) -> str:
    return f"{TEAS[product_number % len(TEAS)]}, v{product_number}"


def _page(title: str, session: ShopSession, body: str) -> Response:
    visitor = f"Logout {session.user}" if session.user else "Sign in"
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
    categories = "".join(
        f'<li><a href="{PREFIX}/category?page=1&amp;category={number}">Category {number}</a></li>'
        for number in CATEGORIES
    )
    return HTMLResponse(f"{head}<header>{visitor}</header><ul>{categories}</ul>{body}</html>\n")


def _redirect(path: str) -> Response:
    return RedirectResponse(f"{PREFIX}{path}", 302)
