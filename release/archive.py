"""The release archive: the tree of a commit, with its bills of materials and notes."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import subprocess
import tarfile
from pathlib import Path

from convex import __version__
from release.sbom import ROOT, write_boms

# Of no use without the repository. Tests stay: `make test` is one of the two commands.
LEFT_OUT = (".ci", ".gitignore", ".gitattributes", "renovate.json")


def make_archive(folder: Path, commit: str = "HEAD") -> Path:
    """convex-<version>.tar.gz and its .sha256 in `folder`; the archive's path.

    The same commit gives the same bytes: names are sorted, and the time is the commit's.
    """
    name = f"convex-{__version__}"
    time = int(_git("log", "-1", "--format=%ct", commit))
    tree = _git("archive", "--format=tar", commit)
    added = {f"release/{path.name}": path.read_bytes() for path in write_boms(folder)}
    added["RELEASE.md"] = _notes(commit).encode()
    made = folder / f"{name}.tar.gz"
    with (
        made.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=time) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as target,
        tarfile.open(fileobj=io.BytesIO(tree)) as source,
    ):
        members = {member.name: member for member in source.getmembers() if not member.isdir()}
        for path in sorted([*members, *added]):
            if path.split("/", 1)[0] in LEFT_OUT:
                continue
            member = members.get(path) or tarfile.TarInfo(path)
            content = added.get(path)
            if content is None and member.isreg():
                read = source.extractfile(member)
                content = b"" if read is None else read.read()
            member.name, member.mtime = f"{name}/{path}", time
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.pax_headers = {}
            member.size = len(content or b"")
            target.addfile(member, io.BytesIO(content or b""))
    checksum = hashlib.sha256(made.read_bytes()).hexdigest()
    made.with_name(f"{made.name}.sha256").write_text(f"{checksum}  {made.name}\n")
    return made


def changes(text: str, version: str) -> str:
    """The part of a changelog about this version; what is unreleased when it has none yet."""
    for title in (re.escape(f"[{version}]"), re.escape("[Unreleased]")):
        found = re.search(rf"^## {title}.*?\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        if found:
            return found[1].strip()
    raise ValueError(f"CHANGELOG.md says nothing of {version}.")


def _notes(commit: str) -> str:
    changelog = _git("show", f"{commit}:CHANGELOG.md").decode()
    identity = _git("rev-parse", commit).decode().strip()
    return (
        f"# Convex {__version__}\n\nCommit {identity}.\n\n"
        "Run `make demo` or `make test` here; no network but a Python package index is needed"
        " (`make test` also builds the page: npm's registry).\n"
        "The image: `docker build -f deploy/Dockerfile -t convex:"
        f"{__version__} .`\n\n## Changes\n\n{changes(changelog, __version__)}\n"
    )


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
