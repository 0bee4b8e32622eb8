# ruff: noqa: E501 - a row of a table stays one row
"""Reading site-packages: well-formed, broken and absent distributions."""

import base64
import io
import json
import zipfile

import pytest
from collect import collect, wanted, zip_sources
from dependency_review.source import modules


@pytest.fixture
def site(tmp_path):
    """A site-packages folder to which distributions are added."""

    def add(name, version="1.0", metadata="", files=(), *, record=True):
        info = tmp_path / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}"
        (info / "METADATA").write_bytes(head.encode() if isinstance(head, str) else head)
        paths = [f"{info.name}/METADATA"]
        for path, content in dict(files).items():
            target = tmp_path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
            paths.append(path)
        if record:
            (info / "RECORD").write_text("".join(f"{p},,\n" for p in paths))
        return info

    add.path = tmp_path
    return add


def test_a_distribution_is_read_whole(site):
    site("demo", metadata="Summary: A demo\nRequires-Dist: gone\n\nThe README.",
         files={"demo/__init__.py": "x = 1", "demo-1.0.dist-info/licenses/LICENSE": "MIT", "demo.pth": "import demo"})  # fmt: skip
    (found,) = collect(site_packages=site.path)
    assert (found.name, found.version, found.readme) == ("demo", "1.0", "The README.")
    assert [m.path for m in modules(found)] == ["demo/__init__.py"]
    assert list(found.licence_files.values()) == ["MIT"]
    assert list(found.start_up_files.values()) == ["import demo"]
    assert found.missing == ["gone"]
    assert found.header_all("requires-dist") == ["gone"]


def test_a_header_that_repeats_is_read_once_per_value(site):
    site("demo", metadata="Classifier: A\nClassifier: B\n")
    assert collect(site_packages=site.path)[0].headers["classifier"] == ["A", "B"]


def test_an_event_is_json_and_comes_back_the_same(site):
    site("demo", metadata="\n\nText \u00fc", files={"demo.py": b"\xff\xfe broken"})
    (found,) = collect(site_packages=site.path)
    assert type(found).model_validate(json.loads(found.model_dump_json())) == found


def test_bytes_that_are_not_utf_8_do_not_stop_the_reading(site):
    info = site("demo", files={"demo-1.0.dist-info/LICENSE": b"caf\xe9"})
    (info / "METADATA").write_bytes(
        b"Metadata-Version: 2.1\nName: demo\nVersion: 1\nAuthor: Andr\xe9\n\nCaf\xe9"
    )
    (found,) = collect(site_packages=site.path)
    found.model_dump_json().encode()
    assert list(found.licence_files.values()) == ["caf\ufffd"]


def test_without_a_record_the_files_are_unknown(site):
    site("demo", record=False)
    assert collect(site_packages=site.path)[0].file_sizes is None


def test_metadata_without_version_or_name_is_read(site):
    info = site("demo")
    (info / "METADATA").write_text("Summary: nothing else\n")
    (found,) = collect(site_packages=site.path)
    assert (found.name, found.version) == ("demo", None)


def test_a_recorded_file_that_is_gone_has_no_size(site):
    info = site("demo")
    (info / "RECORD").write_text("demo/gone.py,,\n")
    (found,) = collect(site_packages=site.path)
    assert found.file_sizes == {"demo/gone.py": None}
    assert found.source_files_total == 1


def test_requirements_bring_what_they_need_and_what_is_missing(site, tmp_path):
    site("app", metadata="Requires-Dist: lib[fast]>=1\nRequires-Dist: old ; python_version < '3'\n")
    site("lib", metadata="Provides-Extra: fast\nRequires-Dist: speed ; extra == 'fast'\n")
    site("speed")
    site("unrelated")
    file = tmp_path / "requirements.txt"
    file.write_text(
        "App  # the one\nnot-there==2\n--index-url https://x.org\n-e git+https://x.org/r#egg=edit\n"
    )
    found = {p.name: p.installed for p in collect(site_packages=site.path, requirements=file)}
    assert found == {"app": True, "lib": True, "speed": True, "not-there": False, "edit": False}


def test_requirement_files_include_one_another_once(tmp_path):
    (tmp_path / "a.txt").write_text("-r b.txt\none[x]>=1 --hash=sha256:00\n")
    (tmp_path / "b.txt").write_text("-r a.txt\ntwo; python_version > '3'\n")
    assert wanted(tmp_path / "a.txt") == {"one": {"x"}, "two": set()}


def test_a_dependency_cycle_is_found(site):
    site("a", metadata="Requires-Dist: b\n")
    site("b", metadata="Requires-Dist: a\n")
    cycles = {p.name: p.cycle for p in collect(site_packages=site.path)}
    assert cycles == {"a": ["a", "b", "a"], "b": ["b", "a", "b"]}


def test_a_path_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        collect(site_packages=tmp_path / "gone")


def test_the_largest_files_are_left_out_of_an_archive_that_would_grow_too_large(tmp_path):
    import random

    for number, size in enumerate((100, 200_000, 50)):
        (tmp_path / f"{number}.py").write_bytes(random.Random(number).randbytes(size))
    places = {p.name: p for p in tmp_path.iterdir()}
    zipped, included = zip_sources(places, max_bytes=10_000)
    assert included == 2
    archive = zipfile.ZipFile(io.BytesIO(base64.b64decode(zipped)))
    assert archive.namelist() == ["2.py", "0.py"]


def test_a_declared_encoding_is_honoured(package):
    source = "# coding: latin-1\nx = '\u00e9'\n".encode("latin-1")
    (module,) = modules(package(sources={"demo.py": source}))
    assert module.tree.body
