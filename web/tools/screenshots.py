"""Every page of the running demo in light and dark, as files.

make screenshots        all into artefacts/screenshots, a few into docs/images
"""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Literal

from playwright.async_api import Page

from web.tools.stack import browser, find_site, first_links, settled, sign_in

_ALL = Path("artefacts/screenshots")
_DOCS = Path("docs/images")
# What README and docs show; the others are artefacts.
_KEPT = ("overview", "framework", "alert", "rule", "analytics", "predictions")
_QUALITY = 0.86
_WIDTH, _HEIGHT = 1440, 900

_PAGES = {
    "overview": "/",
    "alerts": "/alerts",
    "history": "/history",
    "framework": "{framework}",
    "framework-health": "{framework}?tab=health",
    "framework-predictions": "{framework}?tab=predictions",
    "framework-insights": "{framework}?tab=insights",
    "framework-strategy": "{framework}?tab=strategy",
    "alert": "{alert}",
    "rules": "/rules",
    "rules-code": "/rules?tab=code",
    "rule": "{rule}",
    "analytics": "/analytics?days=90",
    "analytics-distribution": "/analytics?tab=distribution&days=90",
    "analytics-patterns": "/analytics?tab=patterns",
    "analytics-performance": "/analytics?tab=performance&days=90",
    "patterns": "/patterns",
    "pattern": "{pattern}",
    "predictions": "/predictions",
    "insights": "/insights",
    "recommendations": "/insights?tab=recommendations",
    "silences": "/silences",
    "inbox": "/inbox",
    "notifications": "/notifications",
    "channels": "/notifications?tab=channels",
    "data": "/data",
    "data-sources": "/data?tab=sources",
    "system": "/system",
    "workspace": "/workspace",
    "workspace-keys": "/workspace?tab=keys",
    "workspace-audit": "/workspace?tab=audit",
    "workspace-data": "/workspace?tab=data",
}


_ENCODE = """async ([png, quality]) => {
  const image = new Image();
  image.src = `data:image/png;base64,${png}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL("image/webp", quality).split(",")[1];
}"""


async def _encoded(encoder: Page, picture: bytes) -> bytes:
    """As WebP, which the browser itself writes: a repository keeps every version of a picture."""
    png = base64.b64encode(picture).decode()
    return base64.b64decode(await encoder.evaluate(_ENCODE, [png, _QUALITY]))


async def main() -> None:
    """A fresh browser profile for each theme."""
    site = find_site()
    themes: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
    for folder in (_ALL, _DOCS):
        folder.mkdir(parents=True, exist_ok=True)
    async with browser() as chromium:
        for theme in themes:
            context = await chromium.new_context(
                viewport={"width": _WIDTH, "height": _HEIGHT},
                color_scheme=theme,
                reduced_motion="reduce",
            )
            page, encoder = await context.new_page(), await context.new_page()
            await sign_in(page, site)
            links = await first_links(context, site)
            for name, template in _PAGES.items():
                if "{" in template and template[1 : template.index("}")] not in links:
                    print(f"left out: {name}, there is none")
                    continue
                await page.goto(site.url + template.format(**links))
                await settled(page)
                picture = await _encoded(encoder, await page.screenshot(full_page=True))
                (_ALL / f"{name}-{theme}.webp").write_bytes(picture)
                if name in _KEPT:
                    picture = await _encoded(encoder, await page.screenshot())
                    (_DOCS / f"{name}-{theme}.webp").write_bytes(picture)
                print(f"{name}-{theme}.webp")
            await context.close()


if __name__ == "__main__":
    asyncio.run(main())
