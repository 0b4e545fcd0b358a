#!/usr/bin/env python3
"""Stands in for the v1.0 generation of the printer's extended-config.py: FILE SECTION KEY DEFAULT, read only."""

import configparser
import sys

path, section, key, default = sys.argv[1:5]
settings = configparser.ConfigParser()
settings.read(path)
print(settings.get(section, key, fallback=default).strip() or default)
