// tests/wasm* and src/wasm/tests.rs in a headless Chrome, through wasm-pack, with tests/wasm/echo-server.mjs for the
// transport to talk to.
//   npm run test:wasm [-- any argument of cargo test]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { findChrome, findDriver } from '../lib/chrome.mjs';
import { readLibtest, report, withExit } from '../lib/counts.mjs';
import { Refusal, main } from '../lib/main.mjs';
import { at, searchPath, targetDir, tool, toolsDir } from '../lib/paths.mjs';
import { cargo, start } from '../lib/run.mjs';
import { step } from '../lib/step.mjs';
import { WASM_TARGET } from '../lib/tools.mjs';

// The bindings' own tests are in the library. Of the test targets every one named so; the others are native, but
// wasm-pack builds them first (`cargo build --tests`): each needs `#![cfg(not(wasm_browser))]` or a feature that is off.
// Cargo takes the pattern, no shell is involved.
const ONLY = ['--locked', '--lib', '--test', 'wasm*'];
const STARTUP_SECONDS = '60';
const TEST_SECONDS = '200';

export function compileWasmTests() {
  return step('wasm tests: compile', async () => {
    if (!existsSync(at('tests', 'wasm', 'main.rs'))) throw new Refusal('tests/wasm/main.rs is missing.');
    await cargo(['test', ...ONLY, '--target', WASM_TARGET, '--no-run']);
  });
}

/** webdriver.json with the browser's path filled in: chromedriver looks in the usual places only. */
function capabilities() {
  const wanted = JSON.parse(readFileSync(at('webdriver.json'), 'utf8'));
  wanted['goog:chromeOptions'].binary = findChrome();
  const file = path.join(targetDir, 'webdriver.json');
  mkdirSync(targetDir, { recursive: true });
  writeFileSync(file, JSON.stringify(wanted));
  return file;
}

/** Starts the server the tests dial. It serves on a free port until its input ends, so it cannot outlive us. */
async function echoServer() {
  const script = at('tests', 'wasm', 'echo-server.mjs');
  const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const failed = once(child, 'exit').then(() => { throw new Refusal('tests/wasm/echo-server.mjs did not start.'); });
  const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), failed]);
  failed.catch(() => {});
  return { url: JSON.parse(line).url, stop: () => child.stdin.end() };
}

/** The folder of our tools under a name without spaces: wasm-pack names the runner to Cargo, which splits at them. */
function toolsWithoutSpaces() {
  const bin = path.join(toolsDir, 'bin');
  if (!/\s/.test(bin)) return { bin, forget: () => {} };
  const folder = mkdtempSync(path.join(tmpdir(), 'peersync-tools-'));
  const link = path.join(folder, 'bin');
  symlinkSync(bin, link, 'junction');
  return { bin: link, forget: () => rmSync(folder, { recursive: true }) };
}

await main(import.meta.url, async (args) => {
  const tools = toolsWithoutSpaces();
  const server = await echoServer();
  // `no-install`: wasm-pack takes our wasm-bindgen from the search path and downloads nothing into the user's home.
  const flags = ['test', '--mode', 'no-install', '--headless', '--chrome', '--chromedriver', findDriver()];
  const result = await start(tool('wasm-pack'), [...flags, at(), ...ONLY, ...args], {
    keep: true,
    env: {
      PATH: tools.bin + path.delimiter + searchPath,
      // A page has no environment: the tests read this while they are compiled.
      PEERSYNC_TEST_WS: server.url,
      WASM_PACK_CACHE: path.join(toolsDir, 'cache'),
      WASM_BINDGEN_TEST_WEBDRIVER_JSON: capabilities(),
      WASM_BINDGEN_TEST_DRIVER_TIMEOUT: STARTUP_SECONDS,
      WASM_BINDGEN_TEST_TIMEOUT: TEST_SECONDS,
    },
  });
  server.stop();
  tools.forget();
  report(withExit(readLibtest(result.output), result.code));
});
