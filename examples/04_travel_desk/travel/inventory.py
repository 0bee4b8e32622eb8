"""The inventory as an MCP server over stdio: what can be had, and reservations of it."""

from __future__ import annotations

from hashlib import sha256

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

OFFERS = {
    "flight": {
        "F1": {"route": "BER-OSL", "departs": "08:10", "usd": 180},
        "F2": {"route": "BER-OSL", "departs": "17:40", "usd": 620},
    },
    "hotel": {
        "H1": {"city": "Oslo", "name": "Harbour Rooms", "usd": 140},
        "H2": {"city": "Oslo", "name": "Grand Fjord", "usd": 310},
    },
    "car": {"C1": {"city": "Oslo", "name": "Small electric", "usd": 60}},
}

server = MCPServer("inventory")


@server.tool()
def search(kind: str, place: str) -> list[dict[str, object]]:
    """Search flights, hotels or cars (`kind`) for a place or route."""
    offers = OFFERS.get(kind.rstrip("s"))
    if offers is None:
        raise ToolError(f"there are {', '.join(OFFERS)}, no {kind}")
    wanted = place.casefold()
    return [{"offer": key, **o} for key, o in offers.items() if wanted in str(o).casefold()]


@server.tool()
def price(offer: str) -> int:
    """Tell what an offer costs, in dollars."""
    for offers in OFFERS.values():
        if offer in offers:
            return int(str(offers[offer]["usd"]))
    raise ToolError(f"there is no offer {offer}")


@server.tool()
def reserve(offer: str, idempotency_key: str) -> str:
    """Reserve an offer; the same key is the same reservation, however often it is asked for."""
    price(offer)
    return "TD-" + sha256(f"{offer}/{idempotency_key}".encode()).hexdigest()[:8].upper()


if __name__ == "__main__":
    server.run("stdio")
