// Pages of real Chromium processes that run bench/page/page.mjs.
import { openPage } from '../../tests/browser/lib/browsers.mjs';

/** A page in browser process `name` with storage and cache of its own. `page.bench(what, …)` calls `window.bench`. */
export async function openBenchPage(context, name, site) {
  const page = await openPage(context, name, site.url);
  await page.waitForFunction(() => window.bench);
  page.bench = (what, ...args) => page.evaluate(([what, args]) => window.bench[what](...args), [what, args]);
  return page;
}
