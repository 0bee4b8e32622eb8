# ruff: noqa: E501 - a row of a table stays one row
"""Licences: wording, metadata, expressions and what they add up to."""

import pytest
from dependency_review.licence import category_of, licence
from dependency_review.licence_texts import licences_of, meant_by

MIT_GRANT = (
    "Permission is hereby granted, free of charge, to any person obtaining a copy of this software "
    'and associated documentation files (the "Software"), to deal in the Software'
)
MIT = (
    f"Copyright (c) 2020 Jane\n\n{MIT_GRANT}, subject to the following conditions: The above copyright notice "
    "and this permission notice shall be included in all copies or substantial portions of the Software."
)
BSD2 = (
    "Redistribution and use in source and binary forms, with or without modification, are permitted provided "
    "that the following conditions are met: Redistributions of source code must retain the above copyright notice."
)
BSD3 = f"{BSD2} Neither the name of Jane may be used to endorse or promote products derived from this software."
ZERO_BSD = (
    "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is "
    "hereby granted"
)
ISC = f"{ZERO_BSD}, provided that the above copyright notice and this permission notice appear in all copies."
HPND = (
    "Permission to use, copy, modify and distribute this software and its documentation for any purpose and "
    "without fee is hereby granted, provided that this permission notice appear in supporting documentation"
)
PSF = "Subject to the terms and conditions of this License Agreement, PSF hereby grants Licensee a nonexclusive license"
APACHE = "Apache License\nVersion 2.0, January 2004\n2. Grant of Copyright License. 3. Grant of Patent License."
GPL3 = "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\nTERMS AND CONDITIONS\n0. Definitions."
GPL_NOTICE = (
    "redistribute it under the terms of the GNU General Public License as published by the Free Software "
    "Foundation; either version 2 of the License, or (at your option) any later version."
)
LGPL3_NAMES_GPL = (
    "GNU LESSER GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\nthe GNU General Public License"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(APACHE, {"Apache-2.0"}, id="apache-title"),
        pytest.param("Licensed under the Apache License, Version 2.0 (the 'License')", {"Apache-2.0"}, id="notice"),
        pytest.param(GPL3, {"GPL-3.0-only", "GPL-3.0-or-later"}, id="gpl-3"),
        pytest.param(LGPL3_NAMES_GPL, {"LGPL-3.0-only", "LGPL-3.0-or-later"}, id="lgpl-that-names-the-gpl"),
        pytest.param(GPL_NOTICE, {"GPL-2.0-or-later"}, id="gpl-notice"),
        pytest.param(GPL3 + GPL_NOTICE, {"GPL-3.0-only", "GPL-3.0-or-later"}, id="notice-as-advice-in-the-full-text"),
        pytest.param(MIT_GRANT, {"MIT-0"}, id="mit-0"),
        pytest.param(BSD2, {"BSD-2-Clause"}, id="bsd-2"),
        pytest.param(BSD3, {"BSD-3-Clause"}, id="bsd-3"),
        pytest.param(ISC, {"ISC"}, id="isc"),
        pytest.param(ZERO_BSD, {"0BSD"}, id="0bsd"),
        pytest.param(HPND, {"HPND"}, id="hpnd"),
        pytest.param(PSF + ZERO_BSD, {"PSF-2.0"}, id="python-stack"),
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
    assert frozenset().union(*licences_of(text)) == expected


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
def test_an_expression_has_a_normal_spelling_and_a_kind(package, text, normal, category):
    found = licence(package(headers={"license-expression": [text]}))
    assert (found.spdx, found.category) == (normal, category)


@pytest.mark.parametrize(
    "text", ["MIT OR", "(MIT", "MIT Apache-2.0", "AND MIT", "MIT)", "M!T", "Dual License"]
)
def test_what_is_no_expression_is_not_taken_for_one(package, text):
    assert licence(package(headers={"license-expression": [text]})).spdx is None


@pytest.mark.parametrize(
    ("field", "exact"),
    [
        ("MIT", "MIT"), ("The MIT License (MIT)", "MIT"), ("MIT license", "MIT"), ("Apache 2.0", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"), ("Apache2", "Apache-2.0"), ("BSD 3-Clause License", "BSD-3-Clause"),
        ("new BSD", "BSD-3-Clause"), ("Simplified BSD", "BSD-2-Clause"), ("GPLv3+", "GPL-3.0-or-later"),
        ("MIT OR Apache-2.0", "MIT OR Apache-2.0"), ("BSD-3-Clause and Apache-2.0", "BSD-3-Clause AND Apache-2.0"),
        ("MPL 2.0", "MPL-2.0"), ("ISC license", "ISC"), ("BSD", None), ("GPL", None), ("Apache", None),
        ("Public Domain", None), ("MIT/BSD", None), ("MIT/ISC", None), ("Dual License", None), ("see LICENSE", None),
        ("Copyright 2020", None), ("UNKNOWN?", None),
    ],
)  # fmt: skip
def test_the_licence_field_is_made_exact_only_where_it_is(package, field, exact):
    assert licence(package(headers={"license": [field]})).spdx == exact


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        pytest.param("GNU General Public License v3 or later (GPLv3+)", {"GPL-3.0-or-later"}, id="gpl-3-plus"),
        pytest.param("GNU Lesser General Public License v3 (LGPLv3)", {"LGPL-3.0-only", "LGPL-3.0-or-later"}, id="lgpl-3"),
        pytest.param("GNU Affero General Public License v3", {"AGPL-3.0-only", "AGPL-3.0-or-later"}, id="agpl"),
        pytest.param("Apache Software License", {"Apache-1.1", "Apache-2.0"}, id="apache-of-any-version"),
        pytest.param("zlib/libpng License", {"Zlib"}, id="zlib"),
    ],
)  # fmt: skip
def test_the_names_of_classifiers_are_understood(spelling, expected):
    assert meant_by(spelling) == expected


@pytest.mark.parametrize(
    ("classifier", "spdx"),
    [("Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0"), ("Boost Software License 1.0 (BSL-1.0)", "BSL-1.0"),
     ("CC0 1.0 Universal (CC0 1.0) Public Domain Dedication", "CC0-1.0"), ("The Unlicense (Unlicense)", "Unlicense"),
     ("MIT No Attribution License (MIT-0)", "MIT-0")],
)  # fmt: skip
def test_an_id_in_a_classifier_is_read(package, classifier, spdx):
    assert (
        licence(package(headers={"classifier": [f"License :: OSI Approved :: {classifier}"]})).spdx
        == spdx
    )


@pytest.mark.parametrize(
    ("spdx", "category"),
    [("MIT", "permissive"), ("Unlicense", "permissive"), ("LGPL-3.0-only", "weak copyleft"), ("MPL-2.0", "weak copyleft"),
     ("AGPL-3.0-only", "strong copyleft"), ("BUSL-1.1", "proprietary"), ("JSON", "proprietary"), ("Nonsense", "unknown")],
)  # fmt: skip
def test_a_licence_is_of_its_kind(spdx, category):
    assert category_of(spdx) == category


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
        pytest.param(headers(classifier=["License :: Other/Proprietary License"]), {}, "LicenseRef-Proprietary", "proprietary", False,
                     id="proprietary"),
        pytest.param(headers(license="MIT"), {FILE: MIT, "demo/_vendor/x/LICENSE": GPL3}, "MIT", "permissive", False,
                     id="bundled-licence-is-no-conflict"),
        pytest.param(headers(license="PSF-2.0"), {FILE: PSF + ZERO_BSD}, "PSF-2.0",
                     "permissive", False, id="python-stack"),
    ],
)  # fmt: skip
def test_the_sources_add_up(package, given, licences, spdx, category, has_conflict):
    found = licence(package(headers=given, licences=licences))
    assert (found.spdx, found.category, bool(found.conflicts)) == (spdx, category, has_conflict)


def test_a_text_that_asks_for_more_than_declared_is_pointed_out(package):
    found = licence(package(headers=headers(license="MIT"), licences={FILE: MIT + GPL3}))
    assert [a.title for a in found.attention] == [
        "The licence file goes beyond what is declared: GPL-3.0-only or GPL-3.0-or-later"
    ]


def test_the_gpl_that_comes_with_the_lgpl_3_is_no_stricter_licence(package):
    licences = {FILE: GPL3, FILE + ".LESSER": LGPL3_NAMES_GPL}
    found = licence(package(headers=headers(license="LGPLv3+"), licences=licences))
    assert (found.spdx, [a.severity for a in found.attention]) == ("LGPL-3.0-or-later", ["low"])


def test_an_exact_licence_that_is_not_known_is_said_to_be_unknown(package):
    assert "the exact licence" in licence(package(headers=headers(license="BSD"))).unknowns


def test_an_empty_licence_file_is_no_licence_text(package):
    found = licence(package(headers=headers(license="MIT"), licences={FILE: " "}))
    assert [a.title for a in found.attention] == ["No licence text is shipped"]


@pytest.mark.parametrize(
    ("name", "spdx"),
    [("pytest", "MIT"), ("boto3", "Apache-2.0"), ("starlette", "BSD-3-Clause"), ("cfn-lint", "MIT-0"),
     ("hypothesis", "MPL-2.0"), ("packaging", "Apache-2.0 OR BSD-2-Clause")],
)  # fmt: skip
def test_the_licence_of_a_real_distribution(installed, name, spdx):
    found = licence(installed[name])
    assert (found.spdx, found.conflicts) == (spdx, [])
