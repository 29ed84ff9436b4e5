// tests/wasm in a headless Chrome, through wasm-pack.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ensureChrome, ensureDriver } from '../lib/chrome.mjs';
import { readLibtest, report, withExit } from '../lib/counts.mjs';
import { Refusal, main } from '../lib/main.mjs';
import { at, targetDir, tool } from '../lib/paths.mjs';
import { start } from '../lib/run.mjs';
import { ensureWasmPack } from '../lib/tools.mjs';

const STARTUP_SECONDS = '60';
const TEST_SECONDS = '240';

/** webdriver.json with the browser's path filled in: chromedriver looks in the usual places only. */
function capabilities(chrome) {
  const wanted = JSON.parse(readFileSync(at('webdriver.json'), 'utf8'));
  wanted['goog:chromeOptions'].binary = chrome;
  const file = path.join(targetDir, 'webdriver.json');
  mkdirSync(targetDir, { recursive: true });
  writeFileSync(file, JSON.stringify(wanted));
  return file;
}

await main(import.meta.url, async (args) => {
  if (!existsSync(at('tests', 'wasm', 'main.rs'))) throw new Refusal('tests/wasm/main.rs is missing: there are no wasm tests to run.');
  await ensureWasmPack();
  const chrome = await ensureChrome();
  const driver = await ensureDriver(chrome);
  // `no-install`: wasm-pack takes our wasm-bindgen from the search path and downloads nothing into the user's home.
  // Only the test target `wasm` is built: the others are native.
  const result = await start(
    tool('wasm-pack'),
    ['test', '--mode', 'no-install', '--headless', '--chrome', '--chromedriver', driver, at(), '--locked', '--test', 'wasm', ...args],
    {
      keep: true,
      env: {
        WASM_BINDGEN_TEST_WEBDRIVER_JSON: capabilities(chrome),
        WASM_BINDGEN_TEST_DRIVER_TIMEOUT: STARTUP_SECONDS,
        WASM_BINDGEN_TEST_TIMEOUT: TEST_SECONDS,
      },
    },
  );
  report(withExit(readLibtest(result.output), result.code));
});
