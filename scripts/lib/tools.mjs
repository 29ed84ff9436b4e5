// Installs what is missing: packages, toolchain, pinned tools. Asks the network for nothing that is already here.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { lockedVersion } from './lockfile.mjs';
import { Refusal } from './main.mjs';
import { at, tool, toolsDir } from './paths.mjs';
import { answer, cargo, npm, run, which } from './run.mjs';
import { step } from './step.mjs';

export const WASM_TARGET = 'wasm32-unknown-unknown';
const WASM_PACK_VERSION = '0.15.1';

/** Whether node_modules holds exactly what the lock file names for this platform. */
export function nodeModulesMatch(wanted, installed) {
  return Object.entries(wanted.packages).every(([where, { integrity, optional }]) => {
    const found = installed.packages[where];
    return where === '' || (optional && !found) || found?.integrity === integrity;
  });
}

async function nodeModules() {
  const installed = at('node_modules', '.package-lock.json');
  const parse = (file) => JSON.parse(readFileSync(file, 'utf8'));
  if (existsSync(installed) && nodeModulesMatch(parse(at('package-lock.json')), parse(installed))) return 'present';
  // No dependency of ours needs an install script, so none gets to run one.
  await npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
  return 'installed';
}

async function rustToolchain() {
  if (!which('rustup')) {
    if (!which('cargo')) throw new Refusal('Rust is missing: install it from https://rustup.rs, then run this again.');
    const libraries = await answer('rustc', ['--print', 'target-libdir', '--target', WASM_TARGET]);
    if (libraries && existsSync(libraries)) return 'present, without rustup';
    throw new Refusal(`this Rust is not from rustup and lacks ${WASM_TARGET}: install rustup from https://rustup.rs.`);
  }
  const pinned = readFileSync(at('rust-toolchain.toml'), 'utf8').match(/^channel = "(.+)"$/m)[1];
  const name = process.env.RUSTUP_TOOLCHAIN || pinned;
  const has = async (what, wanted) => {
    const installed = await answer('rustup', [what, 'list', '--installed', '--toolchain', name]);
    return (installed ?? '').split('\n').some((line) => line.startsWith(wanted));
  };
  let did = 'present';
  if (!(await has('component', 'rustc'))) {
    await run('rustup', ['toolchain', 'install', name, '--profile', 'minimal', '--no-self-update']);
    did = 'installed';
  }
  for (const component of ['clippy', 'rustfmt']) {
    if (await has('component', component)) continue;
    await run('rustup', ['component', 'add', component, '--toolchain', name]);
    did = 'completed';
  }
  if (!(await has('target', WASM_TARGET))) {
    await run('rustup', ['target', 'add', WASM_TARGET, '--toolchain', name]);
    did = 'completed';
  }
  return `${name} ${did}`;
}

/** `binary` of `crate` at exactly `version`, in .tools. */
async function cargoTool(crate, binary, version) {
  if ((await answer(tool(binary), ['--version']))?.includes(version)) return `${version} present`;
  mkdirSync(toolsDir, { recursive: true });
  await cargo(['install', '--locked', '--root', toolsDir, `${crate}@${version}`]);
  return `${version} installed`;
}

/** What every build needs. */
export async function ensureBuildTools() {
  await step('npm packages', nodeModules);
  await step('Rust toolchain', rustToolchain);
  // The tool must be of the very version the crate was locked to; it refuses the wasm file otherwise.
  const version = lockedVersion(readFileSync(at('Cargo.lock'), 'utf8'), 'wasm-bindgen');
  await step('wasm-bindgen', () => cargoTool('wasm-bindgen-cli', 'wasm-bindgen', version));
}

/** What `wasm-pack test` needs on top. */
export const ensureWasmPack = () => step('wasm-pack', () => cargoTool('wasm-pack', 'wasm-pack', WASM_PACK_VERSION));
