"""Write the generated parts of every page anew: python -m docs.generate."""

from __future__ import annotations

from docs.generate import ROOT, pages, regenerate


def main() -> None:
    """Name the pages that have changed."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (new := regenerate(text)) != text:
            page.write_text(new, encoding="utf-8")
            print(f"{page.relative_to(ROOT)} is up to date again")


if __name__ == "__main__":
    main()
