// The npm package as a user gets it: packed, installed in an empty folder without network, loaded.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { checks, expectNone } from '../lib/checks.mjs';
import { report } from '../lib/counts.mjs';
import { Refusal, main } from '../lib/main.mjs';
import { at } from '../lib/paths.mjs';
import { npm, run, start } from '../lib/run.mjs';
import { files } from '../lib/stamp.mjs';

const ALLOWED = [
  /^(package\.json|README\.md|CHANGELOG\.md|LICENSE(-MIT|-APACHE)?)$/,
  /^js\/dist\/.+\.(js|d\.ts)$/,
  /^pkg\/[^/]+\.(js|d\.ts|wasm)$/,
];

/** Every file path in an `exports` map. */
export function exportedFiles(entry) {
  return typeof entry === 'string' ? [entry] : Object.values(entry).flatMap(exportedFiles);
}

// Loaded in a process of its own: whatever import starts, keeps alive, prints or leaves behind shows.
const IMPORT_DOES_NOTHING = `
  const before = new Set(Object.getOwnPropertyNames(globalThis));
  const touched = [];
  for (const [owner, names] of [
    [globalThis, ['fetch', 'setTimeout', 'setInterval', 'queueMicrotask']],
    [WebAssembly, ['compile', 'instantiate', 'compileStreaming', 'instantiateStreaming', 'Module', 'Memory']],
  ]) {
    for (const name of names) {
      const original = owner[name];
      owner[name] = new Proxy(original, {
        apply(target, self, args) { touched.push(name); return Reflect.apply(target, self, args); },
        construct(target, args) { touched.push(name); return Reflect.construct(target, args); },
      });
    }
  }
  const exports = Object.keys(await import('peersync'));
  const added = Object.getOwnPropertyNames(globalThis).filter((name) => !before.has(name));
  const problems = [...touched.map((name) => 'calls ' + name), ...added.map((name) => 'defines the global ' + name),
                    ...(exports.length ? [] : ['exports nothing'])];
  if (problems.length) { console.error('import ' + problems.join(', ')); process.exit(1); }
`;

const USER_CODE = `
  import * as peersync from 'peersync';
  export const names: string[] = Object.keys(peersync);
`;

const BINDING_CODE = `
  import { EditorState } from '@codemirror/state';
  import { BrowserSyncClient } from 'peersync';
  import { peersyncText } from 'peersync/codemirror';
  const client = new BrowserSyncClient('ws://localhost:8000/ws');
  EditorState.create({ extensions: peersyncText(client.text('notes'), { client }) });
`;

/** What a user of the binding has installed, from what is installed here. */
function addCodeMirror(consumer) {
  const packages = ['@codemirror/state', '@codemirror/view', '@marijn/find-cluster-break', 'crelt', 'style-mod', 'w3c-keyname'];
  for (const name of packages) {
    cpSync(at('node_modules', ...name.split('/')), path.join(consumer, 'node_modules', name), { recursive: true });
  }
}

async function install(folder) {
  await npm(['pack', '--silent', '--pack-destination', folder], { show: false });
  const { name, version } = JSON.parse(readFileSync(at('package.json'), 'utf8'));
  const consumer = path.join(folder, 'a consumer');
  mkdirSync(consumer);
  writeFileSync(path.join(consumer, 'package.json'), '{ "type": "module", "private": true }');
  const tarball = path.join(folder, `${name}-${version}.tgz`);
  await npm(['install', '--offline', '--no-audit', '--no-fund', tarball], { cwd: consumer, show: false });
  return { consumer, installed: path.join(consumer, 'node_modules', name) };
}

await main(import.meta.url, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'peersync pack '));
  const { check, counts } = checks();
  const node = (cwd, ...args) => run(process.execPath, args, { cwd, show: false });
  try {
    let consumer;
    let installed;
    await check('the tarball installs without network', async () => ({ consumer, installed } = await install(folder)));
    if (installed) {
      const manifest = JSON.parse(readFileSync(path.join(installed, 'package.json'), 'utf8'));
      await check('the tarball holds nothing but what is published', () => {
        const names = files(installed).map((file) => path.relative(installed, file).split(path.sep).join('/'));
        const stray = names.filter((name) => !ALLOWED.some((pattern) => pattern.test(name)));
        expectNone(stray.map((name) => `${name} is packed`));
      });
      await check('no dependencies, no install scripts', () => {
        const hooks = ['preinstall', 'install', 'postinstall', 'prepare'].filter((name) => manifest.scripts?.[name]);
        expectNone([...Object.keys(manifest.dependencies ?? {}), ...hooks]);
      });
      await check('every export names a packed file', () =>
        expectNone(exportedFiles(manifest.exports).filter((file) => !existsSync(path.join(installed, file)))));
      await check('import does nothing but import', () =>
        node(consumer, '--input-type=module', '--eval', IMPORT_DOES_NOTHING));
      await check('require() works', () => node(consumer, '--input-type=commonjs', '--eval', "require('peersync')"));
      const expectTypes = async (code, resolution) => {
        writeFileSync(path.join(consumer, 'index.ts'), code);
        const module = resolution === 'bundler' ? 'esnext' : resolution;
        const language = ['--target', 'es2022', '--lib', 'es2022,dom,esnext.disposable'];
        const flags = ['--noEmit', '--strict', ...language, '--module', module, '--moduleResolution', resolution];
        await node(consumer, at('node_modules', 'typescript', 'bin', 'tsc'), ...flags, 'index.ts');
      };
      for (const resolution of ['nodenext', 'bundler']) {
        await check(`types resolve (${resolution})`, () => expectTypes(USER_CODE, resolution));
      }
      await check('CodeMirror is not installed along, and only its binding needs it', async () => {
        expectNone(['@codemirror'].filter((name) => existsSync(path.join(consumer, 'node_modules', name))));
        const binding = await start(process.execPath, ['--input-type=module', '--eval', BINDING_CODE], { cwd: consumer, show: false });
        if (!/Cannot find package '@codemirror/.test(binding.output)) throw new Refusal(`the binding said: ${binding.output}`);
      });
      await check('the CodeMirror binding loads beside CodeMirror, and its types resolve', async () => {
        addCodeMirror(consumer);
        await node(consumer, '--input-type=module', '--eval', BINDING_CODE);
        for (const resolution of ['nodenext', 'bundler']) await expectTypes(BINDING_CODE, resolution);
      });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  report(counts);
});
