// What an operation costs in wasm: making one (a local edit, signed), and taking one (verified, applied, kept).
// Compares builds of the package; Ed25519 is most of either.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { eventually } from '../../tests/browser/lib/runner.mjs';
import { median, short, spread } from '../lib/figures.mjs';
import { openBenchPage } from '../lib/pages.mjs';

// Longer than the coalescing window, so that each edit is signed inside the call that makes it.
const EVERY_MS = 15;

export async function signatures({ context, site, peersync, packages, quick }) {
  const [count, joins] = quick ? [200, 3] : [1_000, 7];
  const rooms = [];
  for (const build of Object.keys(packages)) {
    const sdk = `${site.url}build/${build}/js/dist/index.js`;
    const page = await openBenchPage(context, 'A', site);
    const room = `signatures-${build}`;
    await page.bench('open', build, 'peersync', { backend: peersync.ws, sdk, room });
    const typed = await page.bench('type', build, count, EVERY_MS);
    await eventually(20_000, 'everything is acknowledged', () => page.bench('settled', build));
    const operations = await page.bench('operations', build);
    if (operations !== count) throw new Error(`${count} characters became ${operations} operations`);
    await page.forget();
    rooms.push({ build, sdk, room, made: median(typed.map(({ took }) => took)), empty: [], full: [] });
  }
  // Builds take turns, so that a busy moment of the machine meets all of them.
  for (let run = 0; run < joins; run += 1) {
    for (const { build, sdk, room, empty, full } of rooms) {
      const page = await openBenchPage(context, 'B', site);
      await page.bench('open', 'first', 'peersync', { backend: peersync.ws, sdk, room: `${room}-warm-${run}` });
      empty.push(await page.bench('open', 'empty', 'peersync', { backend: peersync.ws, sdk, room: `${room}-empty-${run}` }));
      full.push(await page.bench('open', 'full', 'peersync', { backend: peersync.ws, sdk, room }));
      if ((await page.bench('length', 'full')) !== count) throw new Error('the late joiner has not got everything');
      await page.forget();
    }
  }
  return {
    title: 'The cost of an operation in wasm',
    how: `Chromium. Local edit: the synchronous call that inserts, signs and sends one character, median of ${count}. Late join: a `
      + `room with ${count} operations, every one verified and applied, module already loaded; median of ${joins}. Milliseconds.`,
    head: ['build', 'local edit', `join with ${short(count)} operations`, 'join empty', 'per operation taken', 'wasm bytes', 'brotli'],
    rows: rooms.map(({ build, made, empty, full }) => {
      const wasm = readFileSync(path.join(packages[build], 'peersync_bg.wasm'));
      const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: wasm.length };
      const each = (median(full) - median(empty)) / count;
      return [build, made.toFixed(3), spread(full), spread(empty), each.toFixed(3), wasm.length.toLocaleString('en-US'),
        brotliCompressSync(wasm, { params }).length.toLocaleString('en-US')];
    }),
  };
}
