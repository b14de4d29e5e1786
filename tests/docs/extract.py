#!/usr/bin/env python3
"""Writes the files that a page shows: each ``` block that follows a line holding nothing but `a/path`, under the output folder.

    extract.py PAGE OUTPUT_FOLDER EXPECTED_PATH...
"""
import pathlib
import re
import sys

page, folder, expected = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
blocks = dict(re.findall(r"^`([\w./-]+)`\n```\w*\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL))
if sorted(blocks) != sorted(expected):
    sys.exit(f"{page} shows {sorted(blocks)}, expected {sorted(expected)}")
for path, text in blocks.items():
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
