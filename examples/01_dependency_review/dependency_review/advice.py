# ruff: noqa: E501 - a row of a table stays one row
"""Everything the review can say: how bad it is, what it is, why it matters, what to do.

The rows whose key is a rule of `risk.py` come last; braces are filled by the agent.
"""

from types import MappingProxyType
from typing import Literal

_RISK = "Found in the source; whether dangerous input reaches it is for you to judge."

# fmt: off
ADVICE: MappingProxyType[str, tuple[Literal["high", "medium", "low"], str, str, str]] = MappingProxyType({
    "proprietary": ("high", "Restrictive licence: {}", "Its use is limited beyond open source terms.", "Read the terms with whoever answers for licences before you use it."),
    "strong copyleft": ("high", "Strong copyleft: {}", "Software you distribute with it may have to come under the same licence.", "Check how you distribute, or find an alternative."),
    "weak copyleft": ("low", "Weak copyleft: {}", "Changes to its own files must be published when you distribute them.", "Fine as it is; keep your changes apart."),
    "several licences": ("medium", "Licence not clear: {}", "The sources name several kinds and do not say which holds.", "Find out which part comes under which licence."),
    "no licence": ("medium", "Unknown licence {}", "Without a licence you have no right to use it.", "Ask the authors or look into the repository."),
    "licence not exact": ("low", "Licence not exact: {}", "The sources do not say whether all or any of them apply.", "Any of them is permissive; name all in your notices."),
    "licence conflict": ("medium", "Licence sources contradict one another", "Only one of them can be right.", "Ask the authors which one holds."),
    "stricter text": ("medium", "The licence file goes beyond what is declared: {}", "A part of it asks for more.", "Find out which part of the package it covers."),
    "no licence text": ("low", "No licence text is shipped", "Most licences ask for their text to be passed on.", "Take the text from the repository for your notices."),
    "start-up hook": ("medium", "Runs code at every start of Python", "A .pth file is executed even when nothing imports the package.", "Read the line and what it imports."),
    "editable hook": ("low", "Runs code at every start of Python", "An editable installation works by a .pth file that is executed.", "Nothing, if the installation is yours."),
    "system command": ("high", "Replaces system commands: {}", "In an activated environment its commands come before the system's.", "Call the system's by full path, or do without it."),
    "common name": ("medium", "Installs common top-level names: {}", "It may hide or overwrite something else of that name.", "Check `python -c 'import NAME; print(NAME.__file__)'`."),
    "missing files": ("low", "Recorded files are not there: {}", "The installation was changed after it was made.", "Install it again."),
    "direct url": ("low", "Not installed from an index", "Index checks such as yanked releases and advisories do not cover it.", "Know who can change that address."),
    "abandoned": ("medium", "Shows signs of being abandoned", "Nobody may mend a security problem.", "Look for a successor."),
    "wrong python": ("high", "Does not support the Python it is installed in", "Its Requires-Python shuts this one out.", "Install a version that fits."),
    "no version": ("medium", "Its metadata names no version", "Tools that look for updates and advisories need it.", "Install it again; if that does not help, tell the authors."),
    "no summary": ("low", "Its metadata is incomplete", "Tools that look for updates and advisories need it.", "Install it again; if that does not help, tell the authors."),
    "no link": ("low", "No link to its repository or homepage", "You cannot see who changes it, nor report a problem.", "Find its source before you rely on it."),
    "missing requirement": ("medium", "Needs what is not installed: {}", "It may fail when that part is used.", "Install them, or run `pip check`."),
    "direct requirement": ("medium", "Requires distributions by direct address", "What is behind an address can change, and no index checks it.", "Pin to a commit, or ask for a release."),
    "malformed requirement": ("low", "Has requirements that cannot be read", "Installers may ignore or refuse them.", "Tell the authors."),
    "pinned": ("low", "Pins exact versions of {}", "You get security releases of these only after a new release of this one.", "Usual between parts of one project; otherwise watch them yourself."),
    "cycle": ("low", "Is part of a dependency cycle", "None of them can be updated or removed alone.", "Update them together."),
    "no readme": ("low", "No README", "A new colleague cannot learn from it how to use the package.", "Look for documentation elsewhere."),
    "poor readme": ("low", "README is of little help", "A new colleague cannot learn from it how to use the package.", "Look for documentation elsewhere."),
    "copies": ("low", "Carries copies of {} other projects", "Scanners do not see them, and their security releases reach you late.", "Watch advisories for them too."),
    "python 2": ("medium", "Some source files do not parse (Python 2?)", "Importing them fails.", "Check that you do not need those modules."),
    "unparsed": ("low", "Some source files do not parse", "Importing them fails.", "Check that you do not need those modules."),
    "absent": ("medium", "{} is named, but not installed here", "Nothing about it could be read.", "Install it, then review again."),

    "decode-then-execute": ("high", "executes code that it decodes first{}", _RISK, "Read it: hidden code is the usual way to smuggle malware."),
    "network-at-import": ("high", "opens a network connection when imported{}", _RISK, "Read what it sends and whether you can switch it off."),
    "hidden-text": ("high", "holds invisible characters that reorder the source as shown{}", _RISK, "Look at the raw bytes: the code may do something else than it shows."),
    "tls-off": ("high", "switches off the check of TLS certificates{}", _RISK, "Make sure that your calls do not go this way."),
    "process-at-import": ("medium", "starts a process when imported{}", _RISK, "Read the command and why it needs one."),
    "shell-command": ("medium", "runs a shell command put together at run time{}", _RISK, "Check that no text from outside reaches the command."),
    "yaml-load": ("medium", "loads YAML with a loader that can build any object{}", _RISK, "Give it only files you trust."),
    "tar-extract": ("medium", "unpacks a tar archive without a filter{}", _RISK, "Do not let it unpack archives from others on Python below 3.14."),
    "temp-race": ("medium", "uses tempfile.mktemp, whose name another process can take{}", _RISK, "Matters on machines shared with others."),
    "execute-computed": ("low", "runs computed text as code (eval, exec){}", _RISK, "Check that no text from outside reaches it."),
    "unpickle": ("low", "loads pickled or marshalled objects, which can run code{}", _RISK, "Give it only data that you wrote yourself."),
    "fixed-temp-path": ("low", "opens a fixed path in a shared temporary folder{}", _RISK, "Matters on machines shared with others."),
    "weak-hash": ("low", "uses MD5 or SHA-1 without saying that it is not for security{}", _RISK, "Check what it protects; on FIPS systems it fails."),
    "native-load": ("low", "loads a native library with ctypes{}", _RISK, "Know which library, and from where."),
})
# fmt: on
