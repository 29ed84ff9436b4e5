import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { checks } from './checks.mjs';
import { runWithin } from './children.mjs';
import { majorVersion } from './chrome.mjs';
import { deadLinks, relativeLinks } from './links.mjs';
import { nodeIsTooOld } from './main.mjs';
import { run, start } from './run.mjs';
import { digest, unlessFresh } from './stamp.mjs';
import { duration } from './step.mjs';
import { nodeModulesMatch } from './tools.mjs';

/** A folder, with a space in its name, that is gone after the test. */
function folder(t) {
  const made = mkdtempSync(path.join(tmpdir(), 'peer sync '));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

test('Node 20.19 is new enough, 20.18 is not', () => {
  assert.deepEqual(['18.20.0', '20.18.3', '20.19.0', '22.1.0'].map(nodeIsTooOld), [true, true, false, false]);
});

test('work is done again when an input, a word or an output changed, and only then', async (t) => {
  const base = folder(t);
  const [input, output, stamp] = ['in put', 'output', 'stamp'].map((name) => path.join(base, name));
  writeFileSync(input, 'one');
  let done = 0;
  const make = (word) => unlessFresh({ stamp, made: digest([input], [word]), outputs: [output] }, () => {
    done += 1;
    writeFileSync(output, '');
  });
  await make('a');
  assert.equal(await make('a'), 'unchanged');
  assert.equal(done, 1);
  await make('b');
  writeFileSync(input, 'two');
  await make('b');
  rmSync(output);
  await make('b');
  assert.equal(done, 4);
});

test('work that fails leaves no stamp', async (t) => {
  const base = folder(t);
  const paths = { stamp: path.join(base, 'stamp'), outputs: [] };
  await assert.rejects(unlessFresh({ ...paths, made: 'x' }, () => { throw new Error('no'); }));
  assert.equal(await unlessFresh({ ...paths, made: 'x' }, () => {}), undefined);
});

test('a program that fails is one sentence', async () => {
  await assert.rejects(run(process.execPath, ['-e', 'process.exit(3)'], { show: false }), /^Error: `node -e process.exit\(3\)` failed \(exit 3\)\.$/);
  const { code, stdout } = await start(process.execPath, ['-e', "console.log('a b')"], { show: false });
  assert.deepEqual([code, stdout], [0, 'a b\n']);
});

test('a suite that hangs is ended with everything it started', async () => {
  const hang = 'setInterval(() => {}, 1000)';
  const script = `require('node:child_process').spawn(process.execPath, ['-e', '${hang}'], { stdio: 'inherit' }); ${hang}`;
  const result = await runWithin(500, process.execPath, ['-e', script]);
  assert.equal(result.timedOut, true);
  assert.notEqual(result.code, 0);
});

test('a check that throws does not stop the next', async (t) => {
  t.mock.method(console, 'log', () => {});
  const { check, counts } = checks();
  await check('one', () => { throw new Error('no'); });
  await check('two', () => {});
  assert.deepEqual(counts, { passed: 1, failed: 1 });
});

test('dead links are found, code and addresses are not looked at', (t) => {
  const base = folder(t);
  const text = '[a](there.md#x) [b](gone.md) [c](https://example.org) [d](#here) `[e](no.md)`\n```\n[f](no.md)\n```\n';
  assert.deepEqual(relativeLinks(text), ['there.md', 'gone.md']);
  writeFileSync(path.join(base, 'there.md'), text);
  assert.deepEqual(deadLinks([path.join(base, 'there.md')]), ['there.md links to gone.md, which does not exist']);
});

test('node_modules match a lock file by content; another platform\'s packages may be absent', () => {
  const wanted = { packages: { '': {}, a: { integrity: '1' }, b: { integrity: '2', optional: true } } };
  assert.equal(nodeModulesMatch(wanted, { packages: { a: { integrity: '1' } } }), true);
  assert.equal(nodeModulesMatch(wanted, { packages: { a: { integrity: '9' } } }), false);
  assert.equal(nodeModulesMatch(wanted, { packages: {} }), false);
});

test('versions and durations read as people write them', () => {
  assert.equal(majorVersion('Chromium 156.0.8078.79 built on Debian'), 156);
  assert.equal(majorVersion(null), Number.NaN);
  assert.deepEqual([1234, 59_940, 125_000].map(duration), ['1.2 s', '59.9 s', '2 min 5 s']);
});
