"""Compares crates/arroba-lexicons/schemas with the published lexicons, or writes it from them.

    schemas.py check PUBLISHED    fails on any difference, field by field
    schemas.py write PUBLISHED    writes the files anew

PUBLISHED is the directory that holds the JSON documents of the published package (see run.sh).

Our files hold facts alone: names, types, limits, references. Texts for readers are left out, and so is every
definition that neither a root (roots.txt) nor anything it refers to needs. A published document that a pattern among the
roots takes in and that we lack is a difference.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
OURS = HERE.parents[1] / "crates" / "arroba-lexicons" / "schemas"
TEXTS = {"description", "title", "title:lang", "detail", "detail:lang"}


def facts(node, names=False):
    """A node without its texts. In a map from names to nodes, a key such as `description` is a name."""
    if isinstance(node, list):
        return [facts(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: facts(value, names=not names and key in ("properties", "defs"))
        for key, value in node.items()
        if names or key not in TEXTS
    }


def references(node):
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    elif isinstance(node, dict):
        if node.get("type") == "ref":
            yield node["ref"]
        elif node.get("type") == "union":
            yield from node["refs"]
        for value in node.values():
            yield from references(value)


def published(folder):
    documents = {}
    for path in pathlib.Path(folder).rglob("*.json"):
        document = json.loads(path.read_text())
        if "defs" in document:
            documents[document["id"]] = facts(document)
    return documents


def roots(documents):
    """Names of documents and definitions."""
    for line in (HERE / "roots.txt").read_text().splitlines():
        pattern, _, kind = line.partition(" ")
        if not pattern or pattern.startswith("#"):
            continue
        if not pattern.endswith(".*"):
            yield pattern, "main"
            continue
        found = [
            (nsid, name)
            for nsid, document in documents.items()
            for name, definition in document["defs"].items()
            if nsid.startswith(pattern[:-1]) and (not kind or (name == "main" and definition["type"] == kind))
        ]
        if not found:
            sys.exit(f"nothing that is published matches {line!r}")
        yield from found


def needed(documents):
    """The documents with the definitions that the roots reach."""
    todo = list(roots(documents))
    found = set()
    while todo:
        nsid, name = todo.pop()
        if (nsid, name) in found:
            continue
        if name not in documents.get(nsid, {"defs": {}})["defs"]:
            sys.exit(f"the published lexicons have no {nsid}#{name}")
        found.add((nsid, name))
        for reference in references(documents[nsid]["defs"][name]):
            target, _, part = reference.partition("#")
            todo.append((target or nsid, part or "main"))
    result = {}
    for nsid, name in sorted(found):
        document = result.setdefault(nsid, {"lexicon": documents[nsid]["lexicon"], "id": nsid, "defs": {}})
        document["defs"][name] = documents[nsid]["defs"][name]
    return result


def differences(ours, theirs, path):
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            if key not in ours:
                yield f"{path}/{key}: missing"
            elif key not in theirs:
                yield f"{path}/{key}: not published"
            else:
                yield from differences(ours[key], theirs[key], f"{path}/{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (mine, other) in enumerate(zip(ours, theirs)):
            yield from differences(mine, other, f"{path}/{index}")
    elif type(ours) is not type(theirs) or ours != theirs:
        yield f"{path}: {ours!r} instead of {theirs!r}"


def count(node):
    if isinstance(node, dict):
        return sum(count(value) for value in node.values())
    if isinstance(node, list):
        return sum(count(item) for item in node)
    return 1


def check(documents):
    ours = {}
    for path in sorted(OURS.glob("*.json")):
        ours[path.stem] = json.loads(path.read_text())
    found = list(differences(ours, documents, ""))
    for difference in found:
        print(difference)
    if found:
        sys.exit(f"{len(found)} differences")
    print(f"schemas: {len(ours)} documents, {count(ours)} facts, no difference")


def write(documents):
    OURS.mkdir(exist_ok=True)
    for path in OURS.glob("*.json"):
        path.unlink()
    for nsid, document in documents.items():
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, sort_keys=False)
        (OURS / f"{nsid}.json").write_text(text + "\n")


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("check", "write"):
        sys.exit(__doc__)
    documents = needed(published(sys.argv[2]))
    check(documents) if sys.argv[1] == "check" else write(documents)


main()
