"""One version, one licence and one list of dependencies, wherever they are written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import interlace

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RECIPE = (ROOT / "packaging" / "conda" / "recipe.yaml").read_text(encoding="utf-8")
CITATION = (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def field(text: str, name: str) -> str:
    """A field of a file in YAML that stands once."""
    (value,) = re.findall(rf'^ *{name}: "?([^"\n]+)"?$', text, re.MULTILINE)
    return value


def listed(section: str) -> list[str]:
    """A list of requirements of the recipe, without the compilers."""
    (block,) = re.findall(rf"^  {section}:\n((?:    - .*\n)+)", RECIPE, re.MULTILINE)
    return [line.strip("- ") for line in block.splitlines() if "${{" not in line]


def requirements(texts: list[str]) -> dict[str, str]:
    """Name -> bounds, of requirements as pip or conda writes them."""
    pairs = (re.fullmatch(r"([\w-]+) ?(.*)", text) for text in texts)
    return {pair[1].lower(): pair[2] for pair in pairs if pair is not None}


def test_there_is_one_version() -> None:
    build = (ROOT / "meson.build").read_text(encoding="utf-8")
    (version,) = re.findall(r"^  version: '([^']+)'", build, re.MULTILINE)
    (first,) = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)[:1]
    written = re.findall(r'^  version: "([^"]+)"$', RECIPE, re.MULTILINE)
    assert {version, first, field(CITATION, "version"), *written} == {interlace.__version__}


def test_the_recipe_needs_what_the_project_needs() -> None:
    project = PROJECT["project"]
    run = requirements(listed("run"))
    assert run.pop("python") == ""
    assert run == requirements(project["dependencies"])
    host = requirements(listed("host"))
    built_with = requirements(PROJECT["build-system"]["requires"])
    assert host == {"python": "", "pip": "", **built_with}


#: Fields of recipes of version 1, as rattler-build's reference documents them.
FIELDS = {
    "": "schema_version context package source build requirements tests about extra",
    "package": "name version",
    "source": "url sha256 md5 path git rev tag branch depth lfs patches target_dir file_name "
    "use_gitignore",
    "build": "number string skip noarch script merge_build_and_host_envs always_include_files "
    "always_copy_files variant python prefix_detection dynamic_linking post_process files",
    "build python": "entry_points skip_pyc_compilation use_python_app_entrypoint "
    "version_independent site_packages_path",
    "requirements": "build host run run_constraints run_exports ignore_run_exports",
    "tests": "script files requirements python perl r ruby package_contents downstream",
    "tests python": "imports pip_check python_version",
    "about": "homepage repository documentation license license_file license_family summary "
    "description",
    "extra": "recipe-maintainers",  # free in the format, required by conda-forge
}
NEEDED = {
    *("schema_version", "package name", "package version", "source", "build number", "about"),
    *("about summary", "about description", "extra recipe-maintainers"),
}


def places(text: str) -> set[str]:
    """The fields of a file in YAML, each with those that it stands in: ``"build number"``."""
    found, above = set(), []
    for line in text.splitlines():
        item = re.match(r"( *(?:- )?)([a-z_-]+):(?: |$)", line)
        if item is None:
            continue
        depth = len(item[1])
        above = [(d, name) for d, name in above if d < depth] + [(depth, item[2])]
        found.add(" ".join(name for _, name in above))
    return found


def test_the_recipe_has_the_fields_that_are_documented_and_no_others() -> None:
    found = places(RECIPE)
    known = {
        f"{within} {name}".strip() for within, names in FIELDS.items() for name in names.split()
    }
    values = {place for place in found if place.startswith("context ")}
    assert found - values <= known
    assert found >= NEEDED
    # a field of another name is seen
    assert not places(RECIPE.replace("license_file", "licence_file")) - values <= known


def test_licence_and_summary_are_the_same() -> None:
    project = PROJECT["project"]
    assert field(RECIPE, "license") == field(CITATION, "license") == project["license"]
    assert field(RECIPE, "summary") == project["description"]
    assert [field(RECIPE, "license_file")] == project["license-files"]
    script = f"interlace = {project['scripts']['interlace']}"
    assert f"- {script}\n" in RECIPE
    (author,) = project["authors"]
    assert author["name"] in CITATION


def test_maintainers_and_homepage_are_those_of_the_project() -> None:
    project = PROJECT["project"]
    (author,) = project["authors"]
    account = author["name"].removeprefix("The ").replace(" ", "-")
    assert RECIPE.endswith(f"extra:\n  recipe-maintainers:\n    - {account}\n")
    (description,) = re.findall(r"^  description: >-\n    (.*)$", RECIPE, re.MULTILINE)
    assert description == field(CITATION, "abstract")
    # addresses stand in pyproject.toml, and elsewhere only if they stand there
    urls = {name.lower(): url for name, url in project.get("urls", {}).items()}
    for name in ("homepage", "repository", "documentation"):
        found = re.findall(rf"^  {name}: (\S+)$", RECIPE, re.MULTILINE)
        assert found == [url for key, url in urls.items() if key == name]


def test_wheels_are_built_for_the_pythons_that_are_named() -> None:
    versions = {
        text.rpartition(" ")[2]
        for text in PROJECT["project"]["classifiers"]
        if re.search(r":: 3\.\d+$", text)
    }
    built = {
        re.sub(r"cp(\d)(\d+)-\*", r"\1.\2", b) for b in PROJECT["tool"]["cibuildwheel"]["build"]
    }
    assert built == versions
    oldest = min(versions, key=lambda text: int(text.partition(".")[2]))
    assert PROJECT["project"]["requires-python"] == f">={oldest}"


def test_kernels_are_translated_in_one_run_and_only_where_something_is_newer(tmp_path) -> None:
    """A program in place of Cython notes its arguments, and makes what it is asked for."""
    kernels = tmp_path / "interlace" / "linalg" / "kernels"
    kernels.mkdir(parents=True)
    a, b = kernels / "_a.pyx", kernels / "_b.pyx"
    included = kernels / "shared.pxi"
    program, made = tmp_path / "cython", tmp_path / "made"
    program.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, sys\n"
        f"notes = pathlib.Path({str(tmp_path / 'notes')!r})\n"
        "notes.write_text(notes.read_text() + ' '.join(sys.argv[1:]) + '\\n')\n"
        "for text in sys.argv[1:]:\n"
        "    if text.endswith('.pyx'):\n"
        f"        pathlib.Path({str(made)!r}, pathlib.Path(text).stem + '.c').write_text('')\n"
    )
    program.chmod(0o755)
    made.mkdir()
    (tmp_path / "notes").write_text("")

    def runs() -> list[list[str]]:
        (tmp_path / "notes").write_text("")
        tool = str(ROOT / "tools" / "translate.py")
        call = [sys.executable, tool, str(program), str(made), "-3", str(a), str(b)]
        subprocess.run(call, check=True)
        lines = (tmp_path / "notes").read_text().splitlines()
        return [[t for t in line.split() if t.endswith(".pyx")] for line in lines]

    for path in (a, b, included):
        path.write_text("")
        os.utime(path, (1000.0, 1000.0))
    assert runs() == [[str(a), str(b)]]
    assert runs() == []
    os.utime(b, (4e9, 4e9))
    assert runs() == [[str(b)]]
    os.utime(b, (1000.0, 1000.0))
    os.utime(included, (4e9, 4e9))
    assert runs() == [[str(a), str(b)]]
