"""The console: `sqswarm ui`, a web page of one stage's swarm, made with NiceGUI.

Only `sqswarm ui` imports it: NiceGUI comes with the extra `sqswarm[ui]`. One file a page; pages.py
lists them.
"""
