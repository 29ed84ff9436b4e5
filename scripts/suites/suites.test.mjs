import assert from 'node:assert/strict';
import test from 'node:test';
import { exportedFiles } from './packaging.mjs';
import { overBudget } from './size.mjs';

test('every file of an exports map is found', () => {
  const map = { '.': { types: './a.d.ts', default: './a.js' }, './wasm': './b.wasm' };
  assert.deepEqual(exportedFiles(map), ['./a.d.ts', './a.js', './b.wasm']);
});

test('one byte over the budget is over', () => {
  assert.equal(overBudget('wasm', 100, 100), null);
  assert.match(overBudget('wasm', 101, 100), /1 over its budget of 100/);
});
