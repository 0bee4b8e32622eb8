"""Which request is which, by what it writes."""


def settles(call):
    return "completed" in call.text


def takes_a_lease(call):
    return "lease_until" in call.text and "completed" not in call.text


def plans(call):
    return "SET" in call.text and "#pending" in call.text and "children_done" not in call.text


def counts(call):
    return "DELETE #pending" in call.text


def fires(call):
    return "children_done" in call.text
