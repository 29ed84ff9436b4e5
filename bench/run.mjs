// Measures what ships and prints it as Markdown, with the machine it was measured on. `npm run bench` builds first.
//   npm run bench [-- [--quick] [--only CASE,…] [--pkg NAME=FOLDER]… [--engine NAME=FOLDER]…]
//   --quick   minutes become seconds; the figures are then for a first look, not for BENCHMARKS.md
//   --pkg     another build of pkg/ to compare under `signatures`
//   --engine  another build of scripts/build-bench.mjs to compare under `editing`
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { findChrome } from '../scripts/lib/chrome.mjs';
import { Refusal, main } from '../scripts/lib/main.mjs';
import { at, targetDir } from '../scripts/lib/paths.mjs';
import { npm } from '../scripts/lib/run.mjs';
import { nodeModulesMatch } from '../scripts/lib/tools.mjs';
import { table } from './lib/figures.mjs';
import { describeMachine, load } from './lib/machine.mjs';

const CASES = ['latency', 'bytes', 'throughput', 'loading', 'signatures', 'editing', 'shapes', 'offline'];
// Those that need neither browsers nor servers of ours beside them.
const ALONE = ['throughput', 'editing'];

await main(import.meta.url, async (args) => {
  const { values } = parse(args);
  const chosen = values.only ? values.only.split(',') : CASES;
  const unknown = chosen.find((name) => !CASES.includes(name));
  if (unknown) throw new Refusal(`--only ${unknown}: there are ${CASES.join(', ')}.`);
  await installRivals();
  const chrome = findChrome();
  if (!chrome) throw new Refusal('Chrome or Chromium is missing: `npm run bench` installs it.');
  process.env.CHROME = chrome;

  // On the disk of this folder: the system's temporary folder may live in memory, where durable costs nothing.
  const folder = path.join(targetDir, 'bench');
  mkdirSync(folder, { recursive: true });
  console.log(table(['machine', ''], describeMachine(chrome, folder)));

  const { startPeersync, startYWebsocket } = await import('./lib/backends.mjs');
  const { startSite } = await import('./lib/site.mjs');
  const { closeBrowsers } = await import('../tests/browser/lib/browsers.mjs');
  const packages = { shipped: at('pkg'), ...pairs(values.pkg) };
  const engines = { shipped: path.join(folder, 'shipped'), ...pairs(values.engine) };
  let failed = false;
  for (const name of chosen) {
    const cleanups = [];
    const context = { name, defer: (cleanup) => cleanups.push(cleanup) };
    const before = load();
    try {
      const { [name]: measure } = await import(`./cases/${name}.mjs`);
      const browser = !ALONE.includes(name);
      const setting = { context, folder, packages, engines, quick: values.quick };
      if (browser) {
        setting.site = await startSite(context, packages);
        setting.peersync = await startPeersync(context, folder);
        setting.yjs = await startYWebsocket(context);
      }
      const { title, how, head, rows } = await measure(setting);
      console.log(`\n## ${title}\n\n${how} Load average ${before} before, ${load()} after.\n\n${table(head, rows)}`);
    } catch (error) {
      failed = true;
      console.error(`\n${name} could not be measured:`, error);
    }
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
  await closeBrowsers();
  if (failed) process.exitCode = 1;
});

function parse(args) {
  const options = { quick: { type: 'boolean' }, only: { type: 'string' }, pkg: { type: 'string', multiple: true }, engine: { type: 'string', multiple: true } };
  try {
    return parseArgs({ args, options });
  } catch (error) {
    throw new Refusal(error.message);
  }
}

/** `NAME=FOLDER` as properties. */
function pairs(list = []) {
  return Object.fromEntries(list.map((pair) => pair.split('=')).map(([name, folder]) => [name, path.resolve(folder)]));
}

/** What we are measured against lives in a folder of its own, pinned; nothing else needs it. */
async function installRivals() {
  const installed = at('bench', 'node_modules', '.package-lock.json');
  const parse = (file) => JSON.parse(readFileSync(file, 'utf8'));
  if (existsSync(installed) && nodeModulesMatch(parse(at('bench', 'package-lock.json')), parse(installed))) return;
  await npm(['ci', '--prefix', at('bench'), '--ignore-scripts', '--no-audit', '--no-fund']);
}
