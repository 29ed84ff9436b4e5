// Builds www/vendor/codemirror.js: CodeMirror for the demo pages, in one file, so that page and package share one copy.
// Pages name it in their import map, for every package it stands for.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { main } from './lib/main.mjs';
import { at } from './lib/paths.mjs';
import { digest, unlessFresh } from './lib/stamp.mjs';
import { step } from './lib/step.mjs';

const vendor = (...parts) => at('www', 'vendor', ...parts);

// Of the commands only the keymap for plain text: the rest stays out of the file.
const ENTRY = `
  export * from '@codemirror/state';
  export * from '@codemirror/view';
  export { standardKeymap } from '@codemirror/commands';
`;

export async function buildVendor() {
  await step('pages: bundle CodeMirror', () => {
    const made = digest([at('package-lock.json'), at('scripts', 'build-vendor.mjs')]);
    return unlessFresh({ stamp: vendor('.stamp'), made, outputs: ['', '.br', '.gz'].map((end) => vendor(`codemirror.js${end}`)) }, bundle);
  });
}

async function bundle() {
  // Here and not above: the scripts are loaded before they install packages.
  const { build } = await import('esbuild');
  const { version } = JSON.parse(readFileSync(at('node_modules', '@codemirror', 'view', 'package.json'), 'utf8'));
  mkdirSync(vendor(), { recursive: true });
  await build({
    stdin: { contents: ENTRY, resolveDir: at(), sourcefile: 'codemirror-entry.js' },
    outfile: vendor('codemirror.js'),
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    logLevel: 'warning',
    banner: { js: `/* CodeMirror 6 (@codemirror/view ${version}), MIT licence, https://codemirror.net */` },
  });
  // The server sends these to browsers that take them.
  const bundled = readFileSync(vendor('codemirror.js'));
  writeFileSync(vendor('codemirror.js.br'), brotliCompressSync(bundled));
  writeFileSync(vendor('codemirror.js.gz'), gzipSync(bundled, { level: 9 }));
}

await main(import.meta.url, buildVendor);
