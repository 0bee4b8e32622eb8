# ruff: noqa: E501 - a row of a table stays one row
"""Licences: wording, metadata, expressions and what they add up to."""

import pytest
from dependency_review.licence import licence
from dependency_review.licence_claims import claim_of_field
from dependency_review.licence_match import match_text
from dependency_review.licence_texts import SHORT_TEXTS
from dependency_review.spdx import NotSpdxError, parse_expression

MIT = "Copyright (c) 2020 Jane\n\n" + SHORT_TEXTS["MIT"]
BSD2, BSD3, ISC = (SHORT_TEXTS[i] for i in ("BSD-2-Clause", "BSD-3-Clause", "ISC"))
APACHE = "Apache License\nVersion 2.0, January 2004\n2. Grant of Copyright License. 3. Grant of Patent License."
GPL3 = "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\nTERMS AND CONDITIONS\n0. Definitions."
LGPL3_NAMES_GPL = (
    "GNU LESSER GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\nthe GNU General Public License"
)


@pytest.mark.parametrize(
    ("spdx", "text"), [pytest.param(i, t, id=i) for i, t in SHORT_TEXTS.items()]
)
def test_a_licence_is_recognised_by_its_own_wording_and_no_other(spdx, text):
    assert [m.spdx for m in match_text(text)] == [spdx]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(APACHE, {"Apache-2.0"}, id="apache-title"),
        pytest.param("Licensed under the Apache License, Version 2.0 (the 'License')", {"Apache-2.0"}, id="notice"),
        pytest.param(GPL3, {"GPL-3.0"}, id="gpl-3"),
        pytest.param(LGPL3_NAMES_GPL, {"LGPL-3.0"}, id="lgpl-that-names-the-gpl"),
        pytest.param(MIT.replace(" ", "\n# "), {"MIT"}, id="mit-in-comments"),
        pytest.param(MIT.upper(), {"MIT"}, id="mit-shouted"),
        pytest.param(MIT + "\n\n" + BSD3, {"MIT", "BSD-3-Clause"}, id="two-in-one-file"),
        pytest.param(BSD2 + " All advertising materials mentioning features or use", {"BSD-4-Clause"}, id="bsd-4"),
        pytest.param(MIT + " The Software shall be used for Good, not Evil.", {"JSON"}, id="json-is-not-mit"),
        pytest.param("This Source Code Form is subject to the terms of the Mozilla Public License, v. 2.0.",
                     {"MPL-2.0"}, id="mpl-notice"),
        pytest.param("All rights reserved. Do not copy.", set(), id="no-licence"),
        pytest.param("We like the MIT License.", set(), id="only-named"),
        pytest.param("", set(), id="empty"),
    ],
)  # fmt: skip
def test_licence_texts_are_told_apart(text, expected):
    assert {m.spdx for m in match_text(text)} == expected


@pytest.mark.parametrize(
    ("text", "normal", "category"),
    [
        pytest.param("mit", "MIT", "permissive", id="case"),
        pytest.param("MIT OR GPL-3.0-only", "MIT OR GPL-3.0-only", "permissive", id="or-lets-you-choose"),
        pytest.param("MIT AND GPL-3.0-only", "MIT AND GPL-3.0-only", "strong copyleft", id="and-binds-to-all"),
        pytest.param("(MIT OR Apache-2.0) AND MPL-2.0", "(MIT OR Apache-2.0) AND MPL-2.0", "weak copyleft", id="nested"),
        pytest.param("GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0-only WITH Classpath-exception-2.0",
                     "weak copyleft", id="exception"),
        pytest.param("LicenseRef-Ours", "LicenseRef-Ours", "unknown", id="unknown-id"),
    ],
)  # fmt: skip
def test_an_expression_has_a_normal_spelling_and_a_kind(text, normal, category):
    parsed = parse_expression(text)
    assert (parsed.text, parsed.category) == (normal, category)


@pytest.mark.parametrize("text", ["", "MIT OR", "(MIT", "MIT Apache-2.0", "AND MIT", "MIT)", "M!T"])
def test_what_is_no_expression_is_refused(text):
    with pytest.raises(NotSpdxError):
        parse_expression(text)


@pytest.mark.parametrize(
    ("field", "exact"),
    [
        ("MIT", "MIT"), ("The MIT License (MIT)", "MIT"), ("MIT license", "MIT"), ("Apache 2.0", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"), ("Apache2", "Apache-2.0"), ("BSD 3-Clause License", "BSD-3-Clause"),
        ("new BSD", "BSD-3-Clause"), ("Simplified BSD", "BSD-2-Clause"), ("GPLv3+", "GPL-3.0-or-later"),
        ("MIT OR Apache-2.0", "MIT OR Apache-2.0"), ("BSD-3-Clause and Apache-2.0", "BSD-3-Clause AND Apache-2.0"),
        ("MPL 2.0", "MPL-2.0"), ("ISC license", "ISC"),
    ],
)  # fmt: skip
def test_usual_spellings_of_the_licence_field_are_understood(field, exact):
    assert claim_of_field(field).exact == exact


@pytest.mark.parametrize("field", ["BSD", "GPL", "Apache", "Public Domain", "MIT/BSD"])
def test_a_vague_licence_field_is_not_made_exact(field):
    assert claim_of_field(field).exact is None


@pytest.mark.parametrize("field", ["Dual License", "see LICENSE", "Copyright 2020", "UNKNOWN?"])
def test_a_licence_field_that_names_none_is_no_claim(field):
    assert claim_of_field(field) is None


def headers(**given):
    return {
        key.replace("_", "-"): value if isinstance(value, list) else [value]
        for key, value in given.items()
    }


BSD_CLASSIFIER = "License :: OSI Approved :: BSD License"
MIT_CLASSIFIER = "License :: OSI Approved :: MIT License"
FILE = "demo-1.0.dist-info/licenses/LICENSE"


@pytest.mark.parametrize(
    ("given", "licences", "spdx", "category", "has_conflict"),
    [
        pytest.param(headers(classifier=[BSD_CLASSIFIER]), {FILE: BSD3}, "BSD-3-Clause", "permissive", False,
                     id="vague-classifier-and-exact-text"),
        pytest.param(headers(classifier=[MIT_CLASSIFIER]), {FILE: GPL3}, "MIT", "permissive", True,
                     id="classifier-against-text"),
        pytest.param(headers(license="MIT", classifier=[BSD_CLASSIFIER]), {}, "MIT", "permissive", True,
                     id="field-against-classifier"),
        pytest.param(headers(license_expression="MIT OR Apache-2.0"), {FILE: MIT}, "MIT OR Apache-2.0", "permissive",
                     False, id="text-of-one-alternative"),
        pytest.param(headers(license_expression="MIT AND("), {FILE: MIT}, "MIT", "permissive", False,
                     id="broken-expression-falls-back"),
        pytest.param(headers(license="GPLv3+"), {FILE: GPL3}, "GPL-3.0-or-later", "strong copyleft", False,
                     id="gpl-text-cannot-tell-or-later"),
        pytest.param(headers(license=MIT), {}, "MIT", "permissive", False, id="whole-text-in-the-field"),
        pytest.param(headers(), {FILE: ISC}, "ISC", "permissive", False, id="only-text"),
        pytest.param(headers(), {}, None, "unknown", False, id="nothing"),
        pytest.param(headers(license="UNKNOWN"), {}, None, "unknown", False, id="old-setuptools"),
        pytest.param(headers(license="BSD"), {}, None, "permissive", False, id="vague-but-kind-is-known"),
        pytest.param(headers(license="Dual License", classifier=[BSD_CLASSIFIER, MIT_CLASSIFIER]),
                     {FILE: MIT + BSD3}, None, "permissive", False, id="and-or-or-not-said"),
        pytest.param(headers(license="public domain, BSD, GPL 3"), {}, None, "unknown", False, id="several-kinds"),
        pytest.param(headers(classifier=["License :: Other/Proprietary License"]), {}, None, "proprietary", False,
                     id="proprietary"),
        pytest.param(headers(license="MIT"), {FILE: MIT, "demo/_vendor/x/LICENSE": GPL3}, "MIT", "permissive", False,
                     id="bundled-licence-is-no-conflict"),
        pytest.param(headers(license="PSF-2.0"), {FILE: SHORT_TEXTS["PSF-2.0"] + SHORT_TEXTS["0BSD"]}, "PSF-2.0",
                     "permissive", False, id="python-stack"),
    ],
)  # fmt: skip
def test_the_sources_add_up(package, given, licences, spdx, category, has_conflict):
    found = licence(package(headers=given, licences=licences))
    assert (found.spdx, found.category, bool(found.conflicts)) == (spdx, category, has_conflict)


def test_a_text_that_asks_for_more_than_declared_is_noted(package):
    found = licence(package(headers=headers(license="MIT"), licences={FILE: MIT + GPL3}))
    assert any("GPL-3.0, which asks for more" in note for note in found.notes)


def test_an_exact_licence_that_is_not_known_is_said_to_be_unknown(package):
    assert "the exact licence" in licence(package(headers=headers(license="BSD"))).unknowns


def test_an_empty_licence_file_is_no_licence_text(package):
    found = licence(package(headers=headers(license="MIT"), licences={FILE: " "}))
    assert found.notes == ["the licence file is empty"]
    assert not found.has_licence_text
