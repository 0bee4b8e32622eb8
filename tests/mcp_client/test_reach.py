"""Addresses that may, and may not, be called on a task's word."""

import pytest

from sqswarm.dispatcher.mcp_client import AddressRefused, UrlPolicy, connect, submit

PUBLIC = "https://8.8.8.8/mcp"


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "https://10.0.0.1/mcp",
        "https://192.168.1.1/mcp",
        "https://127.0.0.1/mcp",
        "https://[::1]/mcp",
        "https://[::ffff:10.0.0.1]/mcp",
        "https://0.0.0.0/mcp",
        "https://localhost/mcp",
        "https://100.64.0.1/mcp",
        "http://8.8.8.8/mcp",
        "https://user:secret@8.8.8.8/mcp",
        "file:///etc/passwd",
        "https:///mcp",
        "https://8.8.8.8:99999/mcp",
        "https://2130706433/mcp",
        "https://0x7f.1/mcp",
        "https://[64:ff9b::7f00:1]/mcp",
        "https://[2002:7f00:1::]/mcp",
        "https://192.0.0.192/opc/v2/instance/",
        "https://192.0.0.9/mcp",
        "https://[::ffff:192.0.0.192]/mcp",
        "https://[64:ff9b::c000:c0]/mcp",
        "https://[64:ff9b:1::7f00:1]/mcp",
        "https://[::127.0.0.1]/mcp",
        "https://[::8.8.8.8]/mcp",
        "https://[::ffff:0:10.0.0.1]/mcp",
        "https://[::]/mcp",
        "https://[fec0::1]/mcp",
        "https://[fe80::1]/mcp",
        "https://[fc00::1]/mcp",
        "https://[ff02::1]/mcp",
        "https://[100::1]/mcp",
        "https://[2001::1]/mcp",
        "https://[2001:db8::1]/mcp",
        "https://[3fff::1]/mcp",
        "https://[5f00::1]/mcp",
        "https://0.1.2.3/mcp",
        "https://169.254.1.1/mcp",
        "https://172.16.0.1/mcp",
        "https://192.88.99.1/mcp",
        "https://198.18.0.1/mcp",
        "https://198.51.100.1/mcp",
        "https://224.0.0.1/mcp",
        "https://240.0.0.1/mcp",
        "https://255.255.255.255/mcp",
    ],
)
async def test_what_is_not_public_https_is_refused(url):
    with pytest.raises(AddressRefused):
        await UrlPolicy().resolve(url)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (PUBLIC, "8.8.8.8"),
        ("https://[2606:4700::1111]/mcp", "2606:4700::1111"),
        ("https://[64:ff9b::808:808]/mcp", "64:ff9b::808:808"),  # IPv4 from an IPv6 network
    ],
)
async def test_public_https_is_called(url, address):
    assert await UrlPolicy().resolve(url) == address


@pytest.mark.parametrize(
    ("allowed", "url", "named"),
    [
        ("127.0.0.1:9000", "http://127.0.0.1:9000/mcp", True),
        ("localhost", "http://localhost:1/mcp", True),
        ("10.1.0.0/16", "http://10.1.2.3/mcp", False),
        (" *.8.8.8 ,x", "https://8.8.8.8/mcp", True),
    ],
)
async def test_what_is_allowed_by_name_or_network_is_called(allowed, url, named):
    url_policy = UrlPolicy.from_env({"SQSWARM_MCP_ALLOW": allowed})
    assert await url_policy.resolve(url)
    assert url_policy.names(url) is named


async def test_an_allowed_port_allows_no_other():
    with pytest.raises(AddressRefused):
        await UrlPolicy(allowed=frozenset({"127.0.0.1:9000"})).resolve("http://127.0.0.1:9001/")


async def test_loopback_is_called_only_beside_an_emulator():
    local = UrlPolicy.from_env({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"})
    assert await local.resolve("http://127.0.0.1:1/") == "127.0.0.1"
    with pytest.raises(AddressRefused):
        await local.resolve("http://10.0.0.1/")


def test_secrets_go_only_where_the_setting_says_or_beside_an_emulator():
    url_policy = UrlPolicy(allowed=frozenset({"crm.example.com", "10.0.0.0/8"}), loopback=True)
    assert url_policy.trusts("https://crm.example.com/mcp")
    assert url_policy.trusts("http://localhost:9000/mcp")
    assert not url_policy.trusts("https://other.example.com/mcp")
    assert not url_policy.trusts("https://10.0.0.1/mcp")
    assert not UrlPolicy().trusts("http://localhost:9000/mcp")


async def test_the_client_connects_to_the_address_that_was_checked(remote, monkeypatch):
    """A name that leads elsewhere on a second look is not looked up a second time."""
    url = remote.url.replace("127.0.0.1", "localhost")
    async with connect(url, url_policy=UrlPolicy(loopback=True)) as client:
        task = await submit(client, "greet", {"name": "Ada"})
        assert not (await task.result()).is_error
    with pytest.raises(AddressRefused):
        async with connect(url, url_policy=UrlPolicy()):
            pytest.fail("it connected")
