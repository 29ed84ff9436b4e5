// npm test: installs what is missing, builds, runs every suite, prints the sum last.
//   node scripts/test.mjs [suite] [arguments of that suite]
import { buildAll } from './build.mjs';
import { ensureChrome, ensureDriver } from './lib/chrome.mjs';
import { runWithin } from './lib/children.mjs';
import { readSummary, summary, withExit } from './lib/counts.mjs';
import { Refusal, main } from './lib/main.mjs';
import { at } from './lib/paths.mjs';
import { duration } from './lib/step.mjs';
import { ensureBuildTools, ensureWasmPack } from './lib/tools.mjs';

const MINUTE = 60_000;
// A suite that exceeds its minutes is ended and fails: a hang must not eat the whole run. They sum up, with building,
// to 45 minutes on two cores from nothing; PEERSYNC_PATIENCE=3 triples them for a slow or busy machine.
const SUITES = {
  node: { minutes: 1, needs: 'nothing' },
  lint: { minutes: 8, needs: 'wasm' },
  rust: { minutes: 12, needs: 'tools' },
  wasm: { minutes: 7, needs: 'tools' },
  browser: { minutes: 6, needs: 'build' },
  size: { minutes: 1, needs: 'build' },
  packaging: { minutes: 1, needs: 'build' },
};
const patience = Number(process.env.PEERSYNC_PATIENCE ?? 1);

/** The arguments are passed on only to a suite run alone. */
async function runSuite(name, args) {
  const allowed = SUITES[name].minutes * MINUTE * patience;
  console.log(`\n═══ ${name}: at most ${duration(allowed)}`);
  const begun = performance.now();
  const { code, output, timedOut } = await runWithin(allowed, process.execPath, [at('scripts', 'suites', `${name}.mjs`), ...args]);
  if (timedOut) console.log(`\n${name} was ended after ${duration(allowed)}`);
  const counts = withExit(readSummary(output) ?? { passed: 0, failed: 0 }, code);
  return { ...counts, millis: performance.now() - begun };
}

/** Installs and builds what `names` need; fails with the first thing that cannot be had. */
async function prepare(names) {
  const needs = new Set(names.map((name) => SUITES[name].needs));
  console.log('═══ prepare');
  const begun = performance.now();
  if (needs.has('build') || needs.has('wasm')) await buildAll();
  else if (needs.has('tools')) await ensureBuildTools();
  if (names.includes('wasm')) await ensureWasmPack();
  if (names.includes('wasm') || names.includes('browser')) {
    const chrome = await ensureChrome();
    if (names.includes('wasm')) await ensureDriver(chrome);
  }
  console.log(`prepared in ${duration(performance.now() - begun)}`);
}

await main(import.meta.url, async ([only, ...args]) => {
  if (only && !SUITES[only]) throw new Refusal(`there is no suite ${only}; there are ${Object.keys(SUITES).join(', ')}.`);
  const names = only ? [only] : Object.keys(SUITES);
  const begun = performance.now();
  await prepare(names);
  const results = [];
  for (const name of names) {
    results.push([name, await runSuite(name, args)]);
    if (process.exitCode === 130) break;
  }
  console.log('\n═══ result');
  for (const [name, counts] of results) console.log(`${name.padEnd(10)} ${summary(counts).padEnd(24)} ${duration(counts.millis)}`);
  console.log(`in ${duration(performance.now() - begun)}`);
  const total = results.reduce((sum, [, { passed, failed }]) => ({ passed: sum.passed + passed, failed: sum.failed + failed }), { passed: 0, failed: 0 });
  console.log(summary(total));
  if (total.failed > 0) process.exitCode ||= 1;
});
