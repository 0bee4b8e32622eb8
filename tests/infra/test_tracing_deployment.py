"""What a project says of traces reaches its functions: OpenTelemetry's packages, and OTEL_*."""

import json

import pytest
from infra_specs import spec

from sqswarm.infra import requirements
from sqswarm.infra.options import ServerOptions, TracingOptions
from sqswarm.infra.project import find_project
from sqswarm.infra.requirements import Requirements
from sqswarm.infra.template import render, template_names
from sqswarm.infra.topology import topology
from sqswarm.schemas.errors import DeployFailed, UsageError

LAYER = "arn:aws:lambda:eu-west-1:901920570463:layer:aws-otel-collector-arm64:1"
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


def project(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(f'[tool.sqswarm]\nagents = ["mine"]\n{text}\n')
    return find_project(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", None, id="nothing-said"),
        pytest.param("tracing = false", None, id="off"),
        pytest.param("tracing = true", TracingOptions(), id="packed-only"),
        pytest.param(
            '[tool.sqswarm.tracing]\nOTEL_EXPORTER_OTLP_ENDPOINT = "http://collector:4318"',
            TracingOptions(env=ENDPOINT),
            id="with-variables",
        ),
        pytest.param(f'tracing.layer = "{LAYER}"', TracingOptions(layer=LAYER), id="with-a-layer"),
    ],
)
def test_a_project_says_whether_it_traces(tmp_path, text, expected):
    assert project(tmp_path, text).tracing == expected


@pytest.mark.parametrize(
    "text", ['tracing = "yes"', "tracing.OTEL_BSP_SCHEDULE_DELAY = 5", 'tracing.PATH = "/"']
)
def test_what_cannot_work_is_refused(tmp_path, text):
    with pytest.raises(UsageError, match="tracing") as refused:
        project(tmp_path, text)
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in refused.value.hint


def test_every_function_gets_the_variables_and_an_agents_own_win():
    mine = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://mine:4318"}
    built = topology(
        [spec("plain"), spec("own", env=mine)],
        names=template_names("dev"),
        modules=["m"],
        runtime="python3.12",
        architecture="arm64",
        server=ServerOptions(),
        tracing=TracingOptions(env=ENDPOINT, layer=LAYER),
    )
    functions = [consumer.function for consumer in (*built.agents, built.unrouted)]
    functions.append(built.server.function)
    told = {f.name: f.env.get("OTEL_EXPORTER_OTLP_ENDPOINT") for f in functions}
    own = {name for name in told if name.endswith("own")}
    assert {told[name] for name in own} == {"http://mine:4318"}
    assert {told[name] for name in told.keys() - own} == {"http://collector:4318"}
    resources = json.loads(render(built).template)["Resources"].values()
    made = [r["Properties"] for r in resources if r["Type"] == "AWS::Lambda::Function"]
    assert [one.get("Layers") for one in made] == [[LAYER]] * 4


def test_opentelemetry_is_packed_where_it_is_asked_for_and_nowhere_else():
    with_it = {line.partition("==")[0] for line in Requirements((), "arm64", tracing=True).lines}
    assert with_it >= {
        "opentelemetry-sdk",
        "opentelemetry-exporter-otlp-proto-http",
        "opentelemetry-propagator-aws-xray",
        "opentelemetry-proto",
    }
    assert not any("opentelemetry" in line for line in Requirements((), "arm64").lines)


def test_a_project_that_traces_needs_opentelemetry_here_too(monkeypatch):
    real = requirements.pinned
    monkeypatch.setattr(
        requirements,
        "pinned",
        lambda names: () if "opentelemetry-sdk" in names else real(names),
    )
    with pytest.raises(DeployFailed, match="not installed") as refused:
        _ = Requirements((), "arm64", tracing=True).lines
    assert "sqswarm[otel]" in refused.value.hint


@pytest.mark.proof
def test_the_packages_are_lambdas_wheels_with_what_they_are_found_by(tmp_path, monkeypatch):
    monkeypatch.setenv("SQSWARM_HOME", str(tmp_path))
    folder = Requirements((), "x86_64", tracing=True).installed()
    assert (folder / "opentelemetry" / "sdk" / "trace" / "__init__.py").is_file()
    [found] = folder.glob("opentelemetry_exporter_otlp_proto_http-*.dist-info/entry_points.txt")
    assert "otlp_proto_http" in found.read_text()
