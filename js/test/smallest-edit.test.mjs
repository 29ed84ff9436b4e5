// The notepad's difference between what a textarea showed and what it shows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { smallestEdit } from '../../www/notepad/textarea.js';

/** Small, seeded, good enough to vary strings. */
function randomizer(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const ALPHABET = ['a', 'a', 'b', '\n', '😀', '😁', '\u{1fa01}'];
const splits = (text, at) => /[\uD800-\uDBFF]/.test(text[at - 1] ?? '') && /[\uDC00-\uDFFF]/.test(text[at] ?? '');

test('applying the smallest edit gives the new text and splits no surrogate pair', () => {
  const seed = Date.now() % 1_000_000;
  const random = randomizer(seed);
  const word = (length) => Array.from({ length }, () => ALPHABET[random(ALPHABET.length)]).join('');
  for (let round = 0; round < 20_000; round += 1) {
    const [start, gone, end, added] = [word(random(4)), word(random(3)), word(random(4)), word(random(3))];
    const before = start + gone + end;
    const after = start + added + end;
    const caret = random(5) === 0 ? random(after.length + 1) : (start + added).length;
    const { index, remove, insert } = smallestEdit(before, after, caret);
    const label = `seed ${seed}, round ${round}: ${JSON.stringify([before, after, caret])}`;
    assert.equal(before.slice(0, index) + insert + before.slice(index + remove), after, label);
    assert.ok(!splits(before, index) && !splits(before, index + remove), label);
    assert.ok(!splits(after, index) && !splits(after, index + insert.length), label);
    assert.ok(remove <= gone.length && insert.length <= added.length || caret !== (start + added).length, label);
  }
});

test('of equal edits the one at the caret is taken', () => {
  assert.deepEqual(smallestEdit('aaa', 'aaaa', 2), { index: 1, remove: 0, insert: 'a' });
  assert.deepEqual(smallestEdit('aaaa', 'aaa', 1), { index: 1, remove: 1, insert: '' });
  assert.deepEqual(smallestEdit('same', 'same', 4), { index: 4, remove: 0, insert: '' });
});
