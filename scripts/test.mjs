// npm test: installs what is missing, builds, runs every suite, prints the sum last.
//   node scripts/test.mjs [suite] [arguments of that suite]
import { buildJs } from './build-js.mjs';
import { buildVendor } from './build-vendor.mjs';
import { buildWasm } from './build-wasm.mjs';
import { buildServer } from './build.mjs';
import { runWithin } from './lib/children.mjs';
import { ensureChrome, ensureDriver } from './lib/chrome.mjs';
import { readSummary, summary, withExit } from './lib/counts.mjs';
import { Refusal, main } from './lib/main.mjs';
import { at } from './lib/paths.mjs';
import { duration } from './lib/step.mjs';
import { ensureBuildTools, ensureWasmPack } from './lib/tools.mjs';
import { compileRustTests } from './suites/rust.mjs';
import { compileWasmTests } from './suites/wasm.mjs';

const MINUTE = 60_000;
// A suite that exceeds its minutes is ended and fails: a hang must not eat the whole run. With installing and building
// before them, all suites take at most 45 minutes on two cores. PEERSYNC_PATIENCE=3 triples the minutes for a slow or
// busy machine.
const SUITES = {
  node: { minutes: 2, needs: ['tools', 'wasm', 'wrapper'] },
  lint: { minutes: 12, needs: ['tools', 'wasm'] },
  rust: { minutes: 10, needs: ['tools', 'rust tests'] },
  wasm: { minutes: 4, needs: ['tools', 'wasm-pack', 'chromedriver', 'wasm tests'] },
  browser: { minutes: 10, needs: ['tools', 'chrome', 'wasm', 'wrapper', 'pages', 'server'] },
  size: { minutes: 1, needs: ['tools', 'wasm', 'wrapper'] },
  packaging: { minutes: 1, needs: ['tools', 'wasm', 'wrapper'] },
};
// Done in this order.
const PREPARATIONS = {
  tools: ensureBuildTools,
  'wasm-pack': ensureWasmPack,
  chrome: ensureChrome,
  chromedriver: async () => ensureDriver(await ensureChrome()),
  wasm: buildWasm,
  wrapper: buildJs,
  pages: buildVendor,
  server: buildServer,
  'rust tests': compileRustTests,
  'wasm tests': compileWasmTests,
};
const patience = Number(process.env.PEERSYNC_PATIENCE ?? 1);

/** Installs and builds what `names` need. Resolves to what could not be had, with its sentence. */
async function prepare(names) {
  const needs = new Set(names.flatMap((name) => SUITES[name].needs));
  const unmet = new Map();
  console.log('═══ prepare');
  const begun = performance.now();
  for (const [need, meet] of Object.entries(PREPARATIONS)) {
    if (!needs.has(need) || unmet.has('tools')) continue;
    try {
      await meet();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      console.log(error.message);
      unmet.set(need, error.message);
    }
  }
  console.log(`prepared in ${duration(performance.now() - begun)}`);
  return unmet;
}

/** The arguments reach a suite only when it runs alone. */
async function runSuite(name, args) {
  const allowed = SUITES[name].minutes * MINUTE * patience;
  console.log(`\n═══ ${name}: at most ${duration(allowed)}`);
  const begun = performance.now();
  const script = at('scripts', 'suites', `${name}.mjs`);
  const { code, output, timedOut } = await runWithin(allowed, process.execPath, [script, ...args]);
  if (timedOut) console.log(`\n${name} was ended after ${duration(allowed)}`);
  const counts = withExit(readSummary(output) ?? { passed: 0, failed: 0 }, code);
  if (counts.passed + counts.failed === 0) {
    console.log(`\n${name} ran no test`);
    counts.failed = 1;
  }
  return { ...counts, remark: duration(performance.now() - begun) };
}

await main(import.meta.url, async ([only, ...args]) => {
  const all = Object.keys(SUITES);
  if (only && !all.includes(only)) throw new Refusal(`there is no suite ${only}; there are ${all.join(', ')}.`);
  const names = only ? [only] : all;
  const begun = performance.now();
  const unmet = await prepare(names);
  const results = [];
  for (const name of names) {
    const lacking = SUITES[name].needs.find((need) => unmet.has(need));
    const notRun = { passed: 0, failed: 1, remark: `not run: ${unmet.get(lacking)}` };
    results.push({ name, ...(lacking ? notRun : await runSuite(name, args)) });
    if (process.exitCode === 130) break;
  }
  console.log('\n═══ result');
  const total = { passed: 0, failed: 0 };
  for (const { name, passed, failed, remark } of results) {
    total.passed += passed;
    total.failed += failed;
    console.log(`${name.padEnd(10)} ${summary({ passed, failed }).padEnd(24)} ${remark}`);
  }
  console.log(`in ${duration(performance.now() - begun)}`);
  console.log(summary(total));
  if (total.failed > 0) process.exitCode ||= 1;
});
