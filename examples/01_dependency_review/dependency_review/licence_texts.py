# ruff: noqa: E501, ISC004 - licences are quoted in long lines
"""What licences look like: wording to compare with, phrases that tell them apart.

Short licences are held whole (without their copyright line) and compared by word triples;
long ones are recognised by their title together with sentences only they contain.
Source of ids and texts: https://spdx.org/licenses/.
"""

from __future__ import annotations

from types import MappingProxyType

_MIT_GRANT = (
    "Permission is hereby granted, free of charge, to any person obtaining a copy of this software "
    "and associated documentation files (the Software), to deal in the Software without restriction, "
    "including without limitation the rights to use, copy, modify, merge, publish, distribute, "
    "sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is "
    "furnished to do so"
)
_MIT_WARRANTY = (
    "THE SOFTWARE IS PROVIDED AS IS, WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT "
    "NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND "
    "NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, "
    "DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, "
    "OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."
)
_BSD_TWO = (
    "Redistribution and use in source and binary forms, with or without modification, are permitted "
    "provided that the following conditions are met: Redistributions of source code must retain the "
    "above copyright notice, this list of conditions and the following disclaimer. Redistributions in "
    "binary form must reproduce the above copyright notice, this list of conditions and the following "
    "disclaimer in the documentation and/or other materials provided with the distribution."
)
_BSD_WARRANTY = (
    "ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF "
    "MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL BE LIABLE "
    "FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT "
    "NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR "
    "BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT "
    "LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS "
    "SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE."
)
_ISC_WARRANTY = (
    "THE SOFTWARE IS PROVIDED AS IS AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE "
    "INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE "
    "LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER "
    "RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER "
    "TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE."
)

# The wording compared by word triples.
SHORT_TEXTS = MappingProxyType(
    {
        "MIT": f"{_MIT_GRANT}, subject to the following conditions: The above copyright notice and this "
        f"permission notice shall be included in all copies or substantial portions of the Software. {_MIT_WARRANTY}",
        "MIT-0": f"{_MIT_GRANT}. {_MIT_WARRANTY}",
        "BSD-2-Clause": f"{_BSD_TWO} {_BSD_WARRANTY}",
        "BSD-3-Clause": f"{_BSD_TWO} may be used to endorse or promote products derived from this software "
        f"without specific prior written permission. {_BSD_WARRANTY}",
        "ISC": "Permission to use, copy, modify, and/or distribute this software for any purpose with or without "
        "fee is hereby granted, provided that the above copyright notice and this permission notice appear in all "
        f"copies. {_ISC_WARRANTY}",
        "0BSD": "Permission to use, copy, modify, and/or distribute this software for any purpose with or without "
        f"fee is hereby granted. {_ISC_WARRANTY}",
        "Zlib": "This software is provided as-is, without any express or implied warranty. In no event will the "
        "authors be held liable for any damages arising from the use of this software. Permission is granted to "
        "anyone to use this software for any purpose, including commercial applications, and to alter it and "
        "redistribute it freely, subject to the following restrictions: The origin of this software must not be "
        "misrepresented; you must not claim that you wrote the original software. Altered source versions must be "
        "plainly marked as such, and must not be misrepresented as being the original software. This notice may "
        "not be removed or altered from any source distribution.",
        "HPND": "Permission to use, copy, modify and distribute this software and its documentation for any purpose "
        "and without fee is hereby granted, provided that the above copyright notice appear in all copies, and that "
        "both that the copyright notice and this permission notice appear in supporting documentation",
        "Unlicense": "This is free and unencumbered software released into the public domain. Anyone is free to "
        "copy, modify, publish, use, compile, sell, or distribute this software, either in source code form or as a "
        "compiled binary, for any purpose, commercial or non-commercial, and by any means.",
        "BSL-1.0": "Permission is hereby granted, free of charge, to any person or organization obtaining a copy of "
        "the software and accompanying documentation covered by this license (the Software) to use, reproduce, "
        "display, distribute, execute, and transmit the Software, and to prepare derivative works of the Software",
        "PSF-2.0": "Subject to the terms and conditions of this License Agreement, PSF hereby grants Licensee a "
        "nonexclusive, royalty-free, world-wide license to reproduce, analyze, test, perform and/or display "
        "publicly, prepare derivative works, distribute, and otherwise use Python alone or in any derivative version",
        "CNRI-Python": "Subject to the terms and conditions of this License Agreement, CNRI hereby grants Licensee a "
        "nonexclusive, royalty-free, world-wide license to reproduce, analyze, test, perform and/or display "
        "publicly, prepare derivative works, distribute, and otherwise use Python 1.6b1 alone or in any derivative "
        "version",
    }
)

# Python's licences share their wording; only the grantor tells them apart.
GRANTORS = MappingProxyType({"PSF-2.0": "psf hereby grants", "CNRI-Python": "cnri hereby grants"})

# A longer relative that contains the shorter text: where the first phrase is there, it is the first id.
MORE_SPECIFIC = MappingProxyType(
    {
        "MIT-0": ("MIT", "permission notice shall be included in all copies"),
        "0BSD": ("ISC", "permission notice appear in all copies"),
        "BSD-2-Clause": ("BSD-3-Clause", "endorse or promote products derived from this software"),
    }
)
# Extra clauses that turn a known text into another licence.
ADDED_CLAUSES = MappingProxyType(
    {
        "MIT": (
            ("JSON", "shall be used for good not evil"),
            ("X11", "shall not be used in advertising or otherwise to promote the sale"),
        ),
        "BSD-3-Clause": (("BSD-4-Clause", "all advertising materials mentioning features or use"),),
        "BSD-2-Clause": (("BSD-4-Clause", "all advertising materials mentioning features or use"),),
    }
)

# Every phrase of a tuple has to be there (lower case, punctuation removed).
LONG_TEXTS = MappingProxyType(
    {
        "Apache-2.0": (
            "apache license version 2.0 january 2004",
            "grant of copyright license",
            "grant of patent license",
        ),
        "Apache-1.1": ("apache software license version 1.1",),
        "MPL-2.0": (
            "mozilla public license version 2.0",
            "incompatible with secondary licenses",
            "covered software",
        ),
        "MPL-1.1": ("mozilla public license version 1.1",),
        "AGPL-3.0": (
            "gnu affero general public license version 3 19 november 2007",
            "remote network interaction",
        ),
        "GPL-3.0": (
            "gnu general public license version 3 29 june 2007",
            "terms and conditions 0. definitions",
        ),
        "GPL-2.0": (
            "gnu general public license version 2 june 1991",
            "terms and conditions for copying",
        ),
        "LGPL-3.0": ("gnu lesser general public license version 3 29 june 2007",),
        "LGPL-2.1": (
            "gnu lesser general public license version 2.1 february 1999",
            "terms and conditions for copying",
        ),
        "LGPL-2.0": ("gnu library general public license version 2 june 1991",),
        "EPL-2.0": ("eclipse public license v 2.0", "contributor"),
        "CC0-1.0": ("cc0 1.0 universal", "statement of purpose"),
        "AFL-2.1": ("academic free license", "version 2.1"),
        "Artistic-2.0": ("the artistic license 2.0", "standard version"),
        "ZPL-2.1": ("zope public license zpl version 2.1",),
        "WTFPL": ("do what the fuck you want to public license",),
        "BUSL-1.1": ("business source license 1.1", "additional use grant"),
        "SSPL-1.0": ("server side public license", "version 1 october 16 2018"),
        "Elastic-2.0": ("elastic license 2.0", "hosted or managed service"),
        "LicenseRef-Commons-Clause": ("commons clause", "license condition"),
    }
)

# Short notices that stand in for the full text.
NOTICES = (
    ("Apache-2.0", "licensed under the apache license version 2.0"),
    ("MPL-2.0", "subject to the terms of the mozilla public license v. 2.0"),
    (
        "AGPL-3.0-or-later",
        "gnu affero general public license as published by the free software foundation either "
        "version 3 of the license or at your option any later version",
    ),
    (
        "GPL-3.0-or-later",
        "gnu general public license as published by the free software foundation either version 3 "
        "of the license or at your option any later version",
    ),
    (
        "GPL-2.0-or-later",
        "gnu general public license as published by the free software foundation either version 2 "
        "of the license or at your option any later version",
    ),
    (
        "LGPL-3.0-or-later",
        "gnu lesser general public license as published by the free software foundation either "
        "version 3 of the license or at your option any later version",
    ),
    (
        "LGPL-2.1-or-later",
        "gnu lesser general public license as published by the free software foundation either "
        "version 2.1 of the license or at your option any later version",
    ),
)
