// Real browsers against the real server. The tests themselves are in tests/browser/run.mjs, which prints
// `N passed, N failed` last.
import { existsSync } from 'node:fs';
import { ensureChrome } from '../lib/chrome.mjs';
import { readSummary, report, withExit } from '../lib/counts.mjs';
import { Refusal, main } from '../lib/main.mjs';
import { at, serverBinary } from '../lib/paths.mjs';
import { start } from '../lib/run.mjs';

await main(import.meta.url, async (args) => {
  const tests = at('tests', 'browser', 'run.mjs');
  if (!existsSync(tests)) throw new Refusal('tests/browser/run.mjs is missing: there are no browser tests to run.');
  const env = { CHROME: await ensureChrome(), PEERSYNC_BIN: serverBinary('release') };
  const result = await start(process.execPath, [tests, ...args], { keep: true, env });
  const counts = readSummary(result.output);
  if (!counts) throw new Refusal('tests/browser/run.mjs ended without saying how many tests passed.');
  report(withExit(counts, result.code));
});
