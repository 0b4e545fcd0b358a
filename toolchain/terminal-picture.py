#!/usr/bin/env python3
"""Turns what a command printed into a picture of a terminal: make boot 2>&1 | toolchain/terminal-picture.py 'make boot'

Writes SVG to standard output. Text stays text: it is nobody's drawing but what was printed.
"""
import sys
import textwrap
from xml.sax.saxutils import escape

COLUMNS, CHARACTER, LINE, MARGIN, BAR = 104, 8.4, 19, 18, 34


def main():
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    lines = ["$ " + command] if command else []
    for line in sys.stdin.read().rstrip("\n").split("\n"):
        lines += textwrap.wrap(line, COLUMNS, drop_whitespace=False, subsequent_indent="  ") or [""]
    width = round(COLUMNS * CHARACTER + 2 * MARGIN)
    height = BAR + len(lines) * LINE + MARGIN
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
          ' role="img" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace"'
          ' font-size="14">')
    print(f'<rect width="{width}" height="{height}" rx="8" fill="#16181d"/>')
    for place, colour in enumerate(("#ec6a5e", "#f4bf4f", "#61c554")):
        print(f'<circle cx="{20 + 20 * place}" cy="17" r="6" fill="{colour}"/>')
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        colour = "#9ece6a" if line.startswith(("$ ", "# ")) else "#d5d8e0"
        y = BAR + (number + 1) * LINE - 5
        print(f'<text x="{MARGIN}" y="{y}" fill="{colour}" xml:space="preserve" textLength="{len(line) * CHARACTER:.1f}"'
              f' lengthAdjust="spacingAndGlyphs">{escape(line)}</text>')
    print("</svg>")


if __name__ == "__main__":
    main()
