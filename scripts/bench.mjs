// npm run bench: builds what ships, then measures it. The measurements themselves are in bench/run.mjs.
//   npm run bench [-- any argument of bench/run.mjs]
import { existsSync } from 'node:fs';
import { buildBench } from './build-bench.mjs';
import { buildAll } from './build.mjs';
import { ensureChrome } from './lib/chrome.mjs';
import { Refusal, main } from './lib/main.mjs';
import { at } from './lib/paths.mjs';
import { cargo, run } from './lib/run.mjs';
import { step } from './lib/step.mjs';

await main(import.meta.url, async (args) => {
  const bench = at('bench', 'run.mjs');
  if (!existsSync(bench)) throw new Refusal('bench/run.mjs is missing: there is nothing to measure with.');
  const PEERSYNC_BIN = await buildAll();
  // With the server's features, so that the library is not compiled a second time for it.
  await step('load generator: compile', () =>
    cargo(['build', '--locked', '--release', '--features', 'server', '--example', 'bench_load', '--example', 'bench_offline']));
  await buildBench();
  const CHROME = await ensureChrome();
  await run(process.execPath, [bench, ...args], { env: { PEERSYNC_BIN, CHROME } });
});
