"""Tools and plain agents are functions: a test calls them."""

import asyncio

from agents.desk import order_status
from agents.label import label


def test_a_mail_may_be_about_several_things():
    assert asyncio.run(label("My parcel is late, I want a refund")) == ["delivery", "money"]


def test_an_unknown_order_is_said_to_be_unknown():
    assert order_status("o-9") == "There is no such order."
