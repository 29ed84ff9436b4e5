// The parts of the CodeMirror binding that need no browser: what becomes of edits and events, and of hostile presence.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ChangeSet, EditorState, Text } from '@codemirror/state';
import { difference, ownSplices, reads, toChanges, toSplices } from '../dist/internal/codemirror-changes.js';
import { TextLink } from '../dist/internal/codemirror-link.js';
import { colorOf, inkOn, toPerson, toSelection } from '../dist/internal/codemirror-people.js';

/** Small, seeded, good enough to vary strings. */
function randomizer(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const ALPHABET = ['a', 'a', 'b', '\n', '\r\n', 'e\u0301', '😀', '😁', '\u{1fa01}'];
const splits = (text, at) => /[\uD800-\uDBFF]/.test(text[at - 1] ?? '') && /[\uDC00-\uDFFF]/.test(text[at] ?? '');
const docOf = (text) => Text.of(text.split('\n'));
const deltaOf = (index, remove, insert) => [{ retain: index }, { delete: remove }, { insert }];

/** A text as the client has it: calls and changes of others apply at once, their events wait until `deliver`. */
class FakeText {
  constructor(content) {
    this.content = content;
    this.queue = [];
    this.calls = [];
  }

  get length() {
    return this.content.length;
  }

  toString() {
    return this.content;
  }

  change(origin, index, remove, insert) {
    assert.ok(index + remove <= this.content.length, 'a change past the end');
    assert.ok(!splits(this.content, index) && !splits(this.content, index + remove), 'a change within a character');
    this.content = this.content.slice(0, index) + insert + this.content.slice(index + remove);
    this.queue.push({ origin, delta: deltaOf(index, remove, insert), author: origin, id: '1' });
  }

  insert(index, text) {
    if (this.refuse === true || this.refuse === text) throw new Error('refused');
    assert.ok(!text.includes('\0'), 'text with NUL');
    this.calls.push(['insert', index, text]);
    this.change('local', index, 0, text);
    return 1;
  }

  delete(index, length) {
    this.calls.push(['delete', index, length]);
    this.change('local', index, length, '');
    return 1;
  }

  /** The next events reach `link`; whether it wants to be asked for changes. */
  deliver(link, count = this.queue.length) {
    return this.queue.splice(0, count).map((event) => link.heard(event)).includes(true);
  }
}

/** A bound document without a view. */
function bound(content) {
  const text = new FakeText(content);
  const editor = { text, link: new TextLink(text), doc: docOf(content) };
  editor.edit = (from, to, insert) => {
    const changes = ChangeSet.of({ from, to, insert }, editor.doc.length, '\n');
    const before = editor.doc;
    editor.doc = changes.apply(before);
    return editor.link.push(changes, before);
  };
  editor.pull = (hold) => {
    const pulled = editor.link.pull(editor.doc, hold);
    if (pulled) editor.doc = pulled.changes.apply(editor.doc);
    return pulled;
  };
  return editor;
}

test('a delta becomes splices in positions of the text before it', () => {
  assert.deepEqual(toSplices([{ retain: 2 }, { insert: 'x' }, { delete: 3 }, { retain: 1 }, { delete: 1 }]), [
    { index: 2, remove: 3, insert: 'x' },
    { index: 6, remove: 1, insert: '' },
  ]);
  assert.deepEqual(toSplices([{ retain: 4, attributes: { bold: true } }]), []);
  assert.equal(toChanges([{ index: 3, remove: 2, insert: '' }], 4), undefined);
});

test('line breaks other than \\n count as the characters they are', () => {
  const changes = toChanges([{ index: 1, remove: 0, insert: 'x\r\ny' }], 2);
  assert.equal(changes.newLength, 6);
  assert.ok(reads(changes.apply(docOf('ab')), 'ax\r\nyb'));
});

test('own edits become the smallest calls, last first, and split no surrogate pair', () => {
  const seed = Date.now() % 1_000_000;
  const random = randomizer(seed);
  const word = (length) => Array.from({ length }, () => ALPHABET[random(ALPHABET.length)]).join('');
  for (let round = 0; round < 5_000; round += 1) {
    const before = word(1 + random(8));
    const cuts = Array.from({ length: 4 }, () => random(before.length + 1)).sort((one, other) => one - other);
    const specs = [{ from: cuts[0], to: cuts[1], insert: word(random(3)) }, { from: cuts[2], to: cuts[3], insert: word(random(3)) }];
    const changes = ChangeSet.of(specs, before.length, '\n');
    const after = changes.apply(docOf(before)).toString();
    const label = `seed ${seed}, round ${round}: ${JSON.stringify([before, specs])}`;
    let text = before;
    for (const { index, remove, insert } of ownSplices(changes, docOf(before))) {
      assert.ok(!splits(text, index) && !splits(text, index + remove), label);
      text = text.slice(0, index) + insert + text.slice(index + remove);
    }
    assert.equal(text, after, label);
  }
});

test('the difference of two strings is one replacement between whole characters', () => {
  const seed = Date.now() % 1_000_000;
  const random = randomizer(seed);
  const word = (length) => Array.from({ length }, () => ALPHABET[random(ALPHABET.length)]).join('');
  for (let round = 0; round < 5_000; round += 1) {
    const [start, gone, end, added] = [word(random(4)), word(random(3)), word(random(4)), word(random(3))];
    const before = start + gone + end;
    const after = start + added + end;
    const { index, remove, insert } = difference(before, after);
    const label = `seed ${seed}, round ${round}: ${JSON.stringify([before, after])}`;
    assert.equal(before.slice(0, index) + insert + before.slice(index + remove), after, label);
    assert.ok(!splits(before, index) && !splits(before, index + remove), label);
  }
});

test('typing goes through call by call, and its own events ask for nothing', () => {
  const { text, link, edit } = bound('aaaa');
  assert.ok(edit(2, 2, 'a'));
  assert.ok(edit(1, 3, '😀'));
  assert.deepEqual(text.calls, [['insert', 2, 'a'], ['insert', 1, '😀'], ['delete', 3, 2]]);
  assert.equal(text.deliver(link), false);
});

test('changes of others come by their deltas: two places at once stay two', () => {
  const editor = bound('one two three');
  editor.text.change('remote', 0, 3, '1');
  editor.text.change('remote', 6, 5, '3');
  assert.ok(editor.text.deliver(editor.link));
  const { changes, local } = editor.pull();
  assert.equal(local, false);
  assert.equal(editor.doc.toString(), '1 two 3');
  assert.equal(changes.mapPos(5), 3, 'what is between them is untouched');
  assert.equal(editor.pull(), undefined);
});

test('undo and other calls on this client are told apart from typing', () => {
  const editor = bound('abc');
  editor.edit(3, 3, 'd');
  editor.text.change('local', 0, 1, '');
  assert.ok(editor.text.deliver(editor.link));
  assert.equal(editor.pull().local, true);
  assert.equal(editor.doc.toString(), 'bcd');
});

test('an edit made before the events of others have come lands where it was meant', () => {
  const editor = bound('left right');
  editor.text.change('remote', 0, 0, '>> ');
  assert.equal(editor.edit(4, 4, '!'), false);
  assert.equal(editor.text.content, '>> left! right');
  editor.pull();
  assert.equal(editor.doc.toString(), '>> left! right');
  editor.text.deliver(editor.link);
  assert.equal(editor.pull(), undefined, 'the late events are known already');
  assert.equal(editor.text.content, '>> left! right');
});

test('what must wait for the input method comes after it, around what was composed', () => {
  const editor = bound('left right');
  editor.edit(4, 4, 'k');
  editor.text.change('remote', 0, 0, '>> ');
  editor.text.change('remote', 14, 0, ' <<');
  editor.text.deliver(editor.link);
  assert.equal(editor.pull(() => true), undefined);
  assert.ok(editor.link.holds);
  assert.deepEqual([editor.link.toText(5, 1), editor.link.toDoc(8, 11)], [8, 5]);
  editor.edit(4, 5, 'か');
  assert.equal(editor.text.content, '>> leftか right <<');
  editor.text.deliver(editor.link);
  editor.pull();
  assert.equal(editor.doc.toString(), '>> leftか right <<');
  assert.equal(editor.link.holds, false);
});

test('an edit that is refused is taken back', () => {
  const editor = bound('kept');
  editor.text.refuse = true;
  assert.throws(() => editor.edit(0, 4, 'x'), /refused/);
  editor.text.deliver(editor.link);
  editor.pull();
  assert.equal(editor.doc.toString(), editor.text.content);
});

test('an insertion that is refused leaves what it was to replace, in every place of the change', () => {
  const editor = bound('one two three four');
  const changes = ChangeSet.of([
    { from: 0, to: 3, insert: '1' },
    { from: 8, to: 13, insert: 'refuse me' },
    { from: 14, to: 18, insert: '4' },
  ], editor.doc.length, '\n');
  const before = editor.doc;
  editor.doc = changes.apply(before);
  editor.text.refuse = 'refuse me';
  assert.throws(() => editor.link.push(changes, before), /refused/);
  assert.equal(editor.text.content, 'one two three four');
  editor.text.deliver(editor.link);
  editor.pull();
  assert.equal(editor.doc.toString(), 'one two three four');
  editor.text.refuse = false;
  editor.doc = changes.apply(before);
  assert.ok(editor.link.push(changes, before));
  assert.equal(editor.text.content, '1 two refuse me 4');
  assert.equal(editor.text.deliver(editor.link), false);
});

test('NUL that is pasted over a selection is written as what everyone will read', () => {
  const editor = bound('keep gone keep');
  assert.equal(editor.edit(5, 9, 'a\0b'), false);
  assert.equal(editor.text.content, 'keep a\ufffdb keep');
  editor.pull();
  assert.equal(editor.doc.toString(), 'keep a\ufffdb keep');
});

test('half a character is written as what everyone will read', () => {
  const editor = bound('x😀y');
  assert.equal(editor.edit(2, 3, ''), false);
  assert.equal(editor.text.content, 'x\ufffdy');
  editor.pull();
  assert.equal(editor.doc.toString(), 'x\ufffdy');
});

test('whatever order edits, changes of others, events and waiting come in, editor and text end equal, and nothing typed is lost', () => {
  const seed = Date.now() % 1_000_000;
  for (let round = 0; round < 2_000; round += 1) {
    const random = randomizer(seed + round);
    const editor = bound('start');
    const whole = (text, at) => (splits(text, at) ? at - 1 : at);
    const typed = [];
    let waits = false;
    for (let step = 0; step < 30; step += 1) {
      const token = String.fromCodePoint(0x4e00 + step);
      const own = editor.doc.toString();
      switch (random(5)) {
        case 0: {
          const at = whole(own, random(own.length + 1));
          editor.edit(at, at, token + ALPHABET[random(ALPHABET.length)]);
          typed.push(token);
          break;
        }
        case 1: {
          const at = whole(editor.text.content, random(editor.text.length + 1));
          editor.text.change(random(4) === 0 ? 'local' : 'remote', at, 0, '😀\r\n'.repeat(random(2)));
          break;
        }
        case 2:
          editor.text.deliver(editor.link, random(3));
          break;
        case 3:
          waits = random(2) === 0;
          break;
        default:
          editor.pull(() => waits);
      }
    }
    editor.text.deliver(editor.link);
    editor.pull();
    const label = `seed ${seed + round}`;
    assert.equal(editor.doc.toString(), editor.text.content, label);
    for (const token of typed) assert.equal(editor.text.content.split(token).length, 2, `${label}: ${token}`);
  }
});

test('presence that is not what it should be is not shown, or made harmless', () => {
  const selection = { doc: 'notes', anchor: 'a', head: 'b' };
  assert.deepEqual(toSelection({ ...selection, more: 1 }), selection);
  for (const wrong of [undefined, null, 7, 'x', [], {}, { ...selection, doc: 1 }, { ...selection, head: null },
                       { ...selection, anchor: '' }, { ...selection, anchor: 'x'.repeat(513) }]) {
    assert.equal(toSelection(wrong), undefined);
  }
  assert.deepEqual(toPerson({ name: 'Ada', color: '#0B6b62' }, 'key'), { name: 'Ada', color: '#0B6b62' });
  for (const color of [undefined, 7, 'red', '#fff', '#12345g', 'url(x)', '#0b6b62;background:url(//x)']) {
    assert.equal(toPerson({ color }, 'key').color, colorOf('key'));
  }
  assert.equal(toPerson(undefined, 'key').name, 'Guest');
  assert.equal(toPerson({ name: { toString: () => 'x' } }, 'key').name, 'Guest');
  assert.equal(toPerson({ name: ' \u202e\u0000\n ' }, 'key').name, 'Guest');
  assert.equal(toPerson({ name: '\u202eAda\ud83d' }, 'key').name, 'Ada');
  assert.equal(toPerson({ name: '😀'.repeat(100) }, 'key').name, '😀'.repeat(40));
  assert.deepEqual([inkOn('#000000'), inkOn('#ffffff'), inkOn('#0f766e')], ['#ffffff', '#000000', '#ffffff']);
});

test('importing the binding makes an extension without a browser', async () => {
  const { peersyncText, authorsShown, writers } = await import('../dist/codemirror.js');
  const text = Object.assign(new FakeText('a\r\nb'), { name: 'n', observe: () => () => {} });
  const extensions = [peersyncText(text, { authors: true })];
  const state = EditorState.create({ doc: text.toString(), extensions });
  assert.equal(state.doc.length, 4, 'positions are those of the text');
  assert.equal(authorsShown(state), true);
  assert.deepEqual(writers(state), []);
  assert.equal(authorsShown(EditorState.create()), false);
  const edited = state.update({ changes: { from: 1, insert: 'x\r\ny\r\n' } }).state;
  assert.equal(edited.doc.toString(), 'ax\ny\n\nb', 'an edited line keeps no carriage return');
  const elsewhere = state.update({ changes: { from: 4, insert: 'c' } }).state;
  assert.equal(elsewhere.doc.toString(), 'a\r\nbc', 'others stay as they are');
  for (const options of [{ client: {} }, { field: '' }, { offline: 'no' }, { onError: 1 }]) {
    assert.throws(() => peersyncText(text, options), { code: 'INVALID_ARGUMENT' });
  }
  assert.throws(() => peersyncText('notes'), { code: 'INVALID_ARGUMENT' });
});

test('every public function has one example, and the examples compile as a user\'s files', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const text = readFileSync(path.join(root, 'js', 'src', 'codemirror.ts'), 'utf8');
  const comments = [...text.matchAll(/\/\*\*((?:(?!\*\/)[^])*)\*\/\nexport function (\w+)/g)];
  assert.equal(comments.length, [...text.matchAll(/^export function/gm)].length);
  const folder = mkdtempSync(path.join(tmpdir(), 'peersync-codemirror-'));
  try {
    const files = comments.map(([, comment, name]) => {
      const examples = [...comment.matchAll(/```ts\n([^]*?)```/g)];
      assert.equal(examples.length, 1, name);
      writeFileSync(path.join(folder, `${name}.ts`), `${examples[0][1].replace(/^ *\* ?/gm, '')}\nexport {};\n`);
      return `${name}.ts`;
    });
    writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');
    const dist = (file) => [path.join(root, 'js', 'dist', file)];
    const paths = {
      peersync: dist('index.d.ts'),
      'peersync/codemirror': dist('codemirror.d.ts'),
      '@codemirror/*': [path.join(root, 'node_modules', '@codemirror', '*')],
    };
    const compilerOptions = {
      target: 'es2022', module: 'esnext', moduleResolution: 'bundler', lib: ['es2022', 'dom', 'esnext.disposable'],
      types: [], strict: true, noEmit: true, paths,
    };
    writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    execFileSync(process.execPath, [path.join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', folder], { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    assert.fail(`${error.message}${error.stdout ?? ''}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
