import assert from 'node:assert/strict';
import test from 'node:test';
import { readLibtest, readNodeTest, readSummary, summary, withExit } from './counts.mjs';

test('libtest results add up over binaries', () => {
  const output = `test a ... ok
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.30s
test result: ok. 1 passed; 0 failed; 0 ignored; 0 filtered out; finished in 0.00s
`;
  assert.deepEqual(readLibtest(output), { passed: 8, failed: 2, ignored: 1 });
});

test('the last summary line counts, and only a whole line', () => {
  assert.deepEqual(readSummary('1 passed, 0 failed\nx 9 passed, 9 failed\n12 passed, 3 failed\n'), { passed: 12, failed: 3 });
  assert.equal(readSummary('all fine'), null);
  assert.deepEqual(readSummary(summary({ passed: 5, failed: 0 })), { passed: 5, failed: 0 });
});

test('Node counts cancelled tests apart; they are failed', () => {
  assert.deepEqual(readNodeTest('# tests 5\n# pass 3\n# fail 1\n# cancelled 1\n'), { passed: 3, failed: 2 });
  assert.deepEqual(readNodeTest('ℹ tests 5\nℹ pass 5\nℹ fail 0\nℹ cancelled 0\n'), { passed: 5, failed: 0 });
});

test('a failure without a failed test is still one', () => {
  assert.deepEqual(withExit({ passed: 4, failed: 0 }, 101), { passed: 4, failed: 1 });
  assert.deepEqual(withExit({ passed: 4, failed: 2 }, 101), { passed: 4, failed: 2 });
  assert.deepEqual(withExit({ passed: 4, failed: 0 }, 0), { passed: 4, failed: 0 });
});
