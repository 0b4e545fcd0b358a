"""What OctoApp's plugin for Moonraker imports of its requirements, and nothing else: a peer for the benchmarks."""

import sys

import certifi  # noqa: F401
import configparser  # noqa: F401
import dns.resolver  # noqa: F401
import httpx  # noqa: F401
import octoflatbuffers  # noqa: F401
import octowebsocket  # noqa: F401
import requests  # noqa: F401
import rsa  # noqa: F401
import urllib3  # noqa: F401
from PIL import Image  # noqa: F401

print("imported", flush=True)
# Until it is looked at.
sys.stdin.read()
