// Format, lints, documents, and what may be in the dependency graph and in the built wasm.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { checks, expectNone } from '../lib/checks.mjs';
import { report } from '../lib/counts.mjs';
import { deadLinks } from '../lib/links.mjs';
import { bans, lockedPackages, violations } from '../lib/lockfile.mjs';
import { Refusal, main } from '../lib/main.mjs';
import { at } from '../lib/paths.mjs';
import { cargo, cargoDoc, start } from '../lib/run.mjs';
import { WASM_TARGET } from '../lib/tools.mjs';

// Threads, sockets and servers: what a browser has no use for and would pay for in bytes.
const NATIVE_ONLY = ['axum', 'hyper', 'mio', 'redb', 'socket2', 'tokio'];
const wasm = ['--target', WASM_TARGET];
const cores = ['--no-default-features'];

const clippy = (...args) => cargo(['clippy', '--quiet', '--locked', ...args, '--', '-D', 'warnings']);
const text = (...file) => readFileSync(at(...file), 'utf8');

/** `cargo tree -i` exits 0 also for a package that is locked for other targets only: its tree must be empty. */
async function expectAbsent(name) {
  const args = ['tree', '--locked', ...wasm, '-e', 'normal', '--all-features', '-i', name];
  const tree = await start('cargo', args, { show: false });
  if (tree.code !== 0 && !tree.output.includes('did not match any packages')) throw new Refusal(tree.output.trim());
  if (tree.stdout.trim()) throw new Refusal(`${name} is in the graph of ${WASM_TARGET}:\n${tree.stdout}`);
}

function expectNoEnvImports() {
  const file = at('pkg', 'peersync_bg.wasm');
  if (!existsSync(file)) throw new Refusal('pkg/peersync_bg.wasm is missing: run `npm run build` first.');
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(readFileSync(file)));
  const foreign = imports.filter((entry) => entry.module === 'env');
  expectNone(foreign.map((entry) => `the wasm imports ${entry.name} from "env"`));
}

function expectLiveLinks() {
  const documents = readdirSync(at()).filter((name) => name.endsWith('.md'));
  expectNone(deadLinks(documents.map((name) => at(name))));
}

await main(import.meta.url, async () => {
  const { check, counts } = checks();
  await check('format: cargo fmt', () => cargo(['fmt', '--check']));
  await check('lock files: crates.io only, version floors of deny.toml', () =>
    expectNone(violations(lockedPackages(text('Cargo.lock')), bans(text('deny.toml')))));
  await check('lock files: package-lock.json names no host', () =>
    expectNone(text('package-lock.json').match(/"resolved": "[^"]*"/g) ?? []));
  for (const name of NATIVE_ONLY) await check(`graph: no ${name} in the browser`, () => expectAbsent(name));
  await check('clippy: cores', () => clippy('--lib', ...cores));
  await check('clippy: cores, wasm32', () => clippy('--lib', ...cores, ...wasm));
  await check('clippy: default', () => clippy('--lib'));
  await check('clippy: default, wasm32', () => clippy('--lib', '--test', 'wasm*', ...wasm));
  await check('clippy: server, all targets', () => clippy('--all-targets', '--features', 'server'));
  await check('docs: cargo doc', () => cargoDoc('--quiet'));
  await check('docs: links', expectLiveLinks);
  await check('wasm: imports nothing from "env"', expectNoEnvImports);
  report(counts);
});
