"""The blob store's contract."""

import uuid

import pytest


async def test_what_was_put_is_got_back(blobs):
    address = await blobs.put("payloads/test/a.json", b'{"a":1}')
    assert address == blobs.address("payloads/test/a.json")
    assert await blobs.get(address) == b'{"a":1}'


async def test_a_second_put_replaces_the_first(blobs):
    await blobs.put("payloads/test/b", b"1")
    address = await blobs.put("payloads/test/b", b"2")
    assert await blobs.get(address) == b"2"


async def test_what_is_put_once_stays(blobs):
    await blobs.put("payloads/test/once", b"1", once=True)
    address = await blobs.put("payloads/test/once", b"2", once=True)
    assert address == blobs.address("payloads/test/once")
    assert await blobs.get(address) == b"1"


async def test_what_is_not_there_is_none(blobs):
    assert await blobs.get(blobs.address("payloads/test/nothing")) is None


async def test_another_bucket_is_refused(blobs):
    with pytest.raises(ValueError, match="not in this stage's bucket"):
        await blobs.get("s3://somebody-else/secret")


async def test_a_part_is_read_of_what_lies_anywhere(blobs):
    address = await blobs.put("payloads/test/parts", b"0123456789")
    assert await blobs.read_part(address, start=2, limit=3) == b"234"
    assert await blobs.read_part(address, start=8, limit=5) == b"89"
    assert await blobs.read_part(address, start=10, limit=5) == b""
    assert await blobs.read_part(f"{address}-not", start=0, limit=5) is None
    assert await blobs.read_part("s3://nobody-has-this-one/key", start=0, limit=5) is None


async def test_large_blobs_survive(blobs):
    data = bytes(range(256)) * 4096 * 8
    assert await blobs.get(await blobs.put("payloads/test/large", data)) == data


async def test_what_changed_since_it_was_read_is_not_overwritten(blobs):
    key = f"swapped-{uuid.uuid4().hex}.json"
    data, tag = await blobs.read(key)
    assert data is None
    assert await blobs.swap(key, b"1", tag=tag)
    assert not await blobs.swap(key, b"2", tag=tag)
    data, tag = await blobs.read(key)
    assert data == b"1"
    assert await blobs.swap(key, b"3", tag=tag)
    assert not await blobs.swap(key, b"4", tag=tag)
    assert (await blobs.read(key))[0] == b"3"
