// What a browser downloads, and whether that is within size-budget.json.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { checks, expectNone } from '../lib/checks.mjs';
import { report } from '../lib/counts.mjs';
import { Refusal, main } from '../lib/main.mjs';
import { at } from '../lib/paths.mjs';
import { files } from '../lib/stamp.mjs';

/** Sums over files, each compressed alone, as a server sends them. */
export function measure(paths) {
  const sizes = { raw: 0, gzip: 0, brotli: 0 };
  for (const content of paths.map((file) => readFileSync(file))) {
    const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
    sizes.raw += content.length;
    sizes.gzip += gzipSync(content, { level: 9 }).length;
    sizes.brotli += brotliCompressSync(content, { params }).length;
  }
  return sizes;
}

/** A sentence if `bytes` exceed `budget`, else null. */
export const overBudget = (what, bytes, budget) =>
  bytes > budget ? `${what} has ${bytes} bytes after brotli, ${bytes - budget} over its budget of ${budget}.` : null;

await main(import.meta.url, async () => {
  const budget = JSON.parse(readFileSync(at('size-budget.json'), 'utf8'));
  const glue = readdirSync(at('pkg')).filter((name) => name.endsWith('.js')).map((name) => at('pkg', name));
  const wrapper = files(at('js', 'dist')).filter((file) => file.endsWith('.js'));
  const ofCodeMirror = (file) => path.basename(file).startsWith('codemirror');
  const artefacts = {
    wasm: [at('pkg', 'peersync_bg.wasm')],
    js: [...glue, ...wrapper.filter((file) => !ofCodeMirror(file))],
    // An entry of its own: whoever does not import it does not load it.
    codemirror: wrapper.filter(ofCodeMirror),
  };
  const { check, counts } = checks();
  const column = (value) => String(value).padStart(10);
  console.log(`bytes      ${['raw', 'gzip -9', 'brotli -11', 'budget'].map(column).join(' ')}`);
  for (const [what, paths] of Object.entries(artefacts)) {
    await check(`size of ${what} within its budget`, () => {
      const { raw, gzip, brotli } = measure(paths);
      console.log(`${what.padEnd(10)} ${[raw, gzip, brotli, budget[what]].map(column).join(' ')}`);
      const problem = overBudget(what, brotli, budget[what]);
      if (problem) throw new Refusal(problem);
    });
  }
  await check('the wasm has nothing that only benchmarks need', () => {
    const exported = WebAssembly.Module.exports(new WebAssembly.Module(readFileSync(at('pkg', 'peersync_bg.wasm'))));
    expectNone(exported.filter(({ name }) => /bench/i.test(name)).map(({ name }) => `the wasm exports ${name}`));
  });
  report(counts);
});
