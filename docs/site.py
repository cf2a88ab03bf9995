"""What MkDocs must know to build the site from the pages as the repository shows them.

Pages outside docs/ become part of the site. Links that lead outside it become plain text. Mermaid's
script is part of the site, for pages that have a diagram; without it diagrams are shown as text.

See docs/decisions/documents.md#the-site-loads-nothing-from-outside.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

from docs import links

ROOT = Path(__file__).parents[1]
PAGES = (
    "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md",
    "examples/dvc/README.md", "infra/COSTS.md", "infra/README.md", "infra/kubernetes/README.md",
    "infra/monitoring/README.md", "stepfunctions/README.md",
)  # fmt: skip
"""The pages outside docs/ that the site has, under the paths that they have in the repository."""

SCRIPT = "mermaid.min.js"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside docs/, and Mermaid's script where `make docs` has found it."""
    for path in PAGES:
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    if script := os.environ.get("MERMAID"):
        files.append(File.generated(config, SCRIPT, abs_src_path=str(Path(script).resolve())))
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: object) -> str:
    """Let links lead to pages of the site."""
    uri = page.file.src_uri
    here = ROOT / uri if uri in PAGES else ROOT / "docs" / uri

    def leads(text: str, target: str) -> str:
        path, _, anchor = target.partition("#")
        if not path:
            return f"[{text}]({target})"
        found = (here.parent / path).resolve()
        for name in (found.relative_to(ROOT), found.relative_to(ROOT) / "README.md"):
            there = str(name).removeprefix("docs/")
            if there in files.src_uris:
                place = os.path.relpath(there, Path(uri).parent)
                return f"[{text}]({place}{'#' if anchor else ''}{anchor})"
        return text

    if SCRIPT not in files.src_uris:
        markdown = markdown.replace("```mermaid", "```text")
    return links.replaced(markdown, leads)


def on_post_page(output: str, page: Page, **_: object) -> str:
    """Load Mermaid's script, before the theme's own, on a page that has a diagram."""
    if 'class="mermaid"' in output:
        script = get_relative_url(SCRIPT, page.url)
        output = output.replace("</head>", f'<script src="{script}"></script></head>')
    if foreign := re.search(r'<(?:script|img|link)[^>]+"https?:[^>]+>', output):
        raise PluginError(f"{page.file.src_uri} loads something from outside: {foreign[0]}")
    return output
