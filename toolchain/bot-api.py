#!/usr/bin/env python3
"""Makes the table of the Telegram Bot API that the tests' stand-in goes by: toolchain/bot-api.py

Run it by hand after raising the version in bot-api-requirements.txt, and read the difference it makes. It fetches that
package with pip, checked against its hash, and reads it without running it: its classes are themselves generated from
Telegram's page. Writes tests/support/telegram/bot_api.json, which has a line for each method, object and union:

    "sendPhoto": {"returns": "Message", "fields": {"photo": "String|InputFile", "caption?": "String 0-1024 parsed characters"}}

A `?` marks what may be left out, `[]` an array, quotes a fixed word; a limit stands after the type, and is `parsed`
where it counts what is left of a text without its markup.
"""
import ast
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
TABLE = HERE.parent / "tests/support/telegram/bot_api.json"
PLAIN = {"int": "Integer", "str": "String", "bool": "Boolean", "float": "Float", "DateTime": "Integer"}
# Words that the page lists in its text; the package has them as enumerations of their own.
WORDS = {"parse_mode": "ParseMode", "action": "ChatAction", "allowed_updates": "UpdateType", "style": "ButtonStyle"}
LIMIT = re.compile(r"(?<!\d)(\d+)-(\d+) (characters|bytes)( after entit)?|Values between (\d+)-(\d+) are accepted")


class Package:
    """The modules of the package, as syntax."""

    def __init__(self, wheel):
        self.classes, self.unions, self.words = {}, {}, {}
        with zipfile.ZipFile(wheel) as archive:
            for name in sorted(archive.namelist()):
                if re.fullmatch(r"aiogram/(types|methods|enums)/\w+\.py", name):
                    self.take(ast.parse(archive.read(name)), name.split("/")[1])
            meta = archive.read("aiogram/__meta__.py").decode()
            licence = next(name for name in archive.namelist() if name.endswith("/LICENSE"))
            self.copyright = re.search(r"Copyright.*", archive.read(licence).decode()).group()
        self.version, self.api = re.findall(r'"(.*?)"', meta)

    def take(self, module, folder):
        for node in module.body:
            # A union that refers to itself is written twice; type checkers see the first.
            if isinstance(node, ast.If):
                node = node.body[-1]
            if isinstance(node, ast.AnnAssign) and getattr(node.annotation, "id", "") == "TypeAlias":
                self.unions[node.target.id] = node.value
            if isinstance(node, ast.ClassDef):
                if folder == "enums":
                    values = [item for item in node.body if isinstance(item, ast.Assign)]
                    self.words[node.name] = {item.targets[0].id: item.value for item in values}
                elif f"/bots/api#{node.name.lower()}\n" in (ast.get_docstring(node) or "") + "\n":
                    # Others are the package's own.
                    self.classes[node.name] = node

    def method(self, node):
        """The name and the result of a method; none for an object."""
        given = {item.targets[0].id: item.value for item in node.body if isinstance(item, ast.Assign)}
        if "__api_method__" in given:
            return given["__api_method__"].value, self.kind(given["__returning__"])
        return None

    def kind(self, node):
        """A type as the table writes it."""
        if isinstance(node, ast.Constant):
            return "" if node.value is None else self.kind(ast.parse(node.value, mode="eval").body)
        if isinstance(node, ast.BinOp):
            sides = [self.kind(node.left), self.kind(node.right)]
            return "|".join(dict.fromkeys(side for side in sides if side))
        if isinstance(node, ast.Attribute):
            # What the package takes besides: its own ways to write a time.
            return {"datetime": "Integer", "timedelta": "Integer"}[node.attr]
        if isinstance(node, ast.Subscript) and node.value.id == "Annotated":
            return self.kind(node.slice.elts[0])
        if isinstance(node, ast.Subscript) and node.value.id == "list":
            inner = self.kind(node.slice)
            assert "|" not in inner, inner
            return inner + "[]"
        if isinstance(node, ast.Subscript) and node.value.id == "Literal":
            return self.literal(node.slice)
        name = node.id
        if name == "Default":
            return ""
        if name in self.unions and set(re.split(r"\W+", ast.unparse(self.unions[name]))) <= {
            "int", "str", "InputFile", "datetime", "timedelta"
        }:
            return "|".join(dict.fromkeys(self.kind(self.unions[name]).split("|")))
        return PLAIN.get(name, name)

    def literal(self, node):
        if isinstance(node, ast.Attribute):
            return f"'{self.words[node.value.id][node.attr].value}'"
        return "True" if node.value is True else f"'{node.value}'"

    def fields(self, node):
        """The fields of a class, those of its bases first."""
        found = {}
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in self.classes:
                found |= self.fields(self.classes[base.id])
        for item, text in zip(node.body, node.body[1:] + [None]):
            if not isinstance(item, ast.AnnAssign) or "ClassVar" in ast.unparse(item.annotation):
                continue
            about = text.value.value if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) else ""
            name, optional = item.target.id, "None" in ast.unparse(item.annotation) or "*Optional*" in about
            if isinstance(item.value, ast.Call):
                name = next((word.value.value for word in item.value.keywords if word.arg == "alias"), name)
            kind = self.kind(item.annotation)
            if name in WORDS and kind in ("String", "String[]"):
                words = "|".join(f"'{word.value}'" for word in self.words[WORDS[name]].values())
                kind = words if kind == "String" else WORDS[name] + "[]"
            limit = LIMIT.search(about)
            if limit and kind in ("String", "Integer") and (kind == "String") == bool(limit[3]):
                low, high = (limit[1], limit[2]) if limit[3] else (limit[5], limit[6])
                kind += f" {low}-{high}" + " parsed" * bool(limit[4]) + (f" {limit[3]}" if limit[3] else "")
            found.pop(name, None)
            found.pop(name + "?", None)
            found[name + "?" * optional] = kind
        return found


def table(package, digest):
    methods, objects = {}, {}
    for name, node in sorted(package.classes.items()):
        if method := package.method(node):
            methods[method[0]] = {"returns": method[1], "fields": package.fields(node)}
        else:
            objects[name] = package.fields(node)
    # The file itself, which the package makes an abstract class with several ways to read it.
    objects.pop("InputFile")
    unions = {name: package.kind(node) for name, node in package.unions.items()}
    unions["UpdateType"] = "|".join(f"'{word.value}'" for word in package.words["UpdateType"].values())
    entries = [*objects.values(), *(method["fields"] for method in methods.values())]
    kinds = [kind for entry in entries for kind in entry.values()]
    kinds += [*unions.values(), *(method["returns"] for method in methods.values())]
    used = set(re.findall(r"\w+", " ".join(kinds)))
    unions = {name: kind for name, kind in sorted(unions.items()) if name in used}
    source = {
        "package": "aiogram", "version": package.version, "sha256": digest, "bot_api": package.api,
        "licence": "MIT", "copyright": package.copyright, "made_by": "toolchain/bot-api.py",
    }
    return {"source": source, "methods": methods, "objects": objects, "unions": unions}


def written(content):
    """JSON with a line for each entry, so that differences can be read."""
    lines = ["{", f' "source": {json.dumps(content["source"])},']
    for part in ("methods", "objects", "unions"):
        entries = [f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in content[part].items()]
        lines += [f' "{part}": {{', ",\n".join(entries), " }" + "," * (part != "unions")]
    return "\n".join(lines + ["}", ""])


def main():
    wanted = HERE / "bot-api-requirements.txt"
    with tempfile.TemporaryDirectory() as folder:
        fetch = ["pip", "download", "--quiet", "--no-deps", "--require-hashes", "--dest", folder, "-r", str(wanted)]
        subprocess.run([sys.executable, "-m", *fetch], check=True)
        package = Package(next(pathlib.Path(folder).glob("*.whl")))
    digest = re.search(r"sha256:(\w+)", wanted.read_text()).group(1)
    TABLE.write_text(written(table(package, digest)))
    print(f"{TABLE}: Bot API {package.api}")


if __name__ == "__main__":
    main()
