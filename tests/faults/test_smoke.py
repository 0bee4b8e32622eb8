import pytest
pytestmark = pytest.mark.localstack

def test_each(swarm, proxy):
    from benchmarks.soak.agents import value
    ts = [swarm.submit(a, n=5) for a in ("lean","standard","kept","plain","fragile","stepper","sleeper")]
    ts.append(swarm.submit("fan", n=5, width=3))
    ts.append(swarm.submit_many("inorder", [__import__("dispatcher").Request(arguments={"n":5,"key":"a"}, ordering_key="a")])[0])
    assert [t.result(timeout=60) for t in ts] == [value(5)]*len(ts)
    print(proxy.calls, proxy.witness)
    for t in ts:
        assert proxy.witness.endings[t.id] == ["completed"]
