// Edits made with Yjs 13, for tests/vectors/generate.mjs. `show` says what a reader must see: `texts` as deltas, `maps` and
// `lists` as plain JSON with nested shared types in it. `refused`: the reason under which the last update is void here.
const FAMILY = '👩‍👩‍👧‍👦';
const FLAG = '🇩🇪';
const COMBINED = 'e\u0301';

/** Adjacent pieces with the same marks as one: where marks end and begin again, Yjs starts a new piece. */
export function merged(delta) {
  const pieces = [];
  for (const { insert, attributes = {} } of delta) {
    const last = pieces.at(-1);
    const marks = JSON.stringify(Object.entries(attributes).sort());
    if (last && typeof insert === 'string' && typeof last.insert === 'string' && last.marks === marks) last.insert += insert;
    else pieces.push({ insert, attributes, marks });
  }
  return pieces.map(({ insert, attributes }) => (Object.keys(attributes).length ? { insert, attributes } : { insert }));
}

const show = ({ texts = [], maps = [], lists = [] }) => (doc) => ({
  texts: Object.fromEntries(texts.map((name) => [name, merged(doc.getText(name).toDelta())])),
  maps: Object.fromEntries(maps.map((name) => [name, doc.getMap(name).toJSON()])),
  lists: Object.fromEntries(lists.map((name) => [name, doc.getArray(name).toJSON()])),
});

export const cases13 = {
  text: {
    what: 'characters outside the BMP, combining ones and joined ones; insertions and deletions beside and between them',
    edit: ([doc]) => {
      const text = doc.getText('notes');
      text.insert(0, `a😀b${COMBINED}c${FAMILY}d${FLAG}`);
      text.insert(1, '<');
      text.insert(4, '>');
      text.delete(0, 1);
      // Half of a flag is a letter of its own, and half of a combined character an e.
      text.delete(text.length - 2, 2);
      text.delete(text.toString().indexOf('\u0301'), 1);
      text.insert(text.length, '\u202eright to left\u202c\u0000\n\r\n\u2028');
      text.delete(text.toString().indexOf('😀'), 2);
    },
    show: show({ texts: ['notes'] }),
  },
  marks: {
    what: 'marks with simple values and objects, taken away again, over deleted text; embeds; a delta',
    edit: ([doc]) => {
      const text = doc.getText('notes');
      text.insert(0, 'The quick brown fox 🦊');
      text.format(4, 5, { bold: true });
      text.format(6, 9, { link: { href: 'https://example.org/?a=1&b=2', title: 'ä"' }, size: 1.5 });
      text.format(4, 2, { bold: null });
      text.insert(6, 'inherits');
      text.insert(6, 'plain', {});
      text.insertEmbed(0, { image: 'a.png', size: [1, 2] }, { width: 100 });
      text.applyDelta([{ retain: 3 }, { insert: 'x', attributes: { italic: true, bold: 'very' } }, { delete: 4 }, { retain: 2, attributes: { code: true } }]);
      text.delete(5, 6);
    },
    show: show({ texts: ['notes'] }),
  },
  'text-together': {
    what: 'three writers type, delete and mark at the same places at the same time',
    writers: 3,
    edit: ([a, b, c], sync) => {
      a.getText('notes').insert(0, 'Hello world');
      sync();
      a.getText('notes').insert(5, ' wide');
      b.getText('notes').insert(5, ' 🌍');
      c.getText('notes').delete(3, 6);
      sync();
      a.getText('notes').format(0, 6, { bold: true });
      b.getText('notes').format(2, 6, { bold: null, italic: true });
      c.getText('notes').format(4, 5, { bold: true, color: 'red' });
      sync();
      a.getText('notes').delete(1, 4);
      b.getText('notes').insert(3, '⟨b⟩');
      c.getText('notes').insert(3, '⟨c⟩', { bold: true });
      sync();
      c.getText('notes').delete(0, 5);
    },
    show: show({ texts: ['notes'] }),
  },
  map: {
    what: 'every kind of value that JSON has, overwritten and deleted; keys of any characters',
    edit: ([doc]) => {
      const map = doc.getMap('settings');
      const numbers = [0, 1, -1, 63, 64, -64, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 53 - 1, 1 - 2 ** 53, 2 ** 53, 0.5, -0.1, 1e21];
      for (const [place, number] of numbers.entries()) map.set(`n${place}`, number);
      map.set('null', null);
      map.set('yes', true);
      map.set('no', false);
      map.set('', 'empty key');
      map.set('ключ 🔑', `${COMBINED}${FLAG}`);
      map.set('nested', { a: [1, [2, { b: null, c: [] }], {}], 'ü': { '': -1.5 } });
      map.set('gone', 'soon');
      map.set('twice', 1);
      map.set('twice', { now: 2 });
      map.delete('gone');
    },
    show: show({ maps: ['settings'] }),
  },
  'map-together': {
    what: 'three writers write and delete the same keys at the same time',
    writers: 3,
    edit: ([a, b, c], sync) => {
      for (const [place, doc] of [a, b, c].entries()) doc.getMap('m').set('k', place);
      sync();
      a.getMap('m').delete('k');
      b.getMap('m').set('k', { by: 'b' });
      c.getMap('m').set('other', [true]);
      sync();
      c.getMap('m').delete('other');
      a.getMap('m').set('other', 'a');
    },
    show: show({ maps: ['m'] }),
  },
  list: {
    what: 'items of every kind, inserted, deleted and pushed; three writers at one place',
    writers: 3,
    edit: ([a, b, c], sync) => {
      a.getArray('todo').insert(0, ['one', 2, { three: [3] }, null, false]);
      sync();
      a.getArray('todo').insert(2, ['a1', 'a2']);
      b.getArray('todo').insert(2, [['b']]);
      c.getArray('todo').delete(1, 3);
      sync();
      b.getArray('todo').push([{ '😀': '👩‍🚀' }]);
      b.getArray('todo').delete(0, 1);
    },
    show: show({ lists: ['todo'] }),
  },
  nested: {
    what: 'shared types in shared types: maps in maps, texts in lists, edited by two, overwritten, deleted',
    writers: 2,
    edit: ([a, b], sync, Y) => {
      const board = a.getMap('board');
      const column = new Y.Map([['title', 'To do'], ['cards', Y.Array.from(['plain'])]]);
      board.set('column', column);
      const card = new Y.Text('Buy mílk 🥛');
      column.get('cards').push([card, new Y.Map([['done', false]])]);
      board.set('old', new Y.Map([['x', 1]]));
      const note = new Y.Text();
      board.set('note', note);
      note.insert(0, 'marked', { bold: true });
      note.insertEmbed(6, { image: 'not a character' });
      a.getArray('pages').push([new Y.Text('one'), new Y.Text('two'), Y.Array.from([1, Y.Array.from([2])])]);
      sync();
      b.getArray('pages').get(0).insert(3, '!');
      b.getArray('pages').get(1).format(0, 2, { bold: true });
      b.getArray('pages').get(2).get(1).push([3]);
      b.getMap('board').get('column').get('cards').get(1).delete(0, 4);
      a.getMap('board').get('column').set('title', 'Done');
      a.getMap('board').set('old', 'no map any more');
      sync();
      b.getArray('pages').delete(1, 1);
    },
    show: show({ maps: ['board'], lists: ['pages'] }),
  },
  transactions: {
    what: 'what is made and unmade in one transaction, so that the update holds runs of collected structs',
    edit: ([doc], _, Y) => {
      doc.transact(() => {
        const map = doc.getMap('m');
        const inner = new Y.Map();
        map.set('gone', inner);
        inner.set('x', new Y.Array());
        inner.get('x').push([1, 2, new Y.Text('never seen')]);
        map.delete('gone');
        map.set('stays', 1);
        doc.getText('t').insert(0, 'abcdef');
        doc.getText('t').delete(1, 3);
        doc.getArray('l').push([1, 2, 3, 4]);
        doc.getArray('l').delete(1, 2);
      });
      doc.transact(() => {
        doc.getText('t').insert(1, 'x');
        doc.getText('t').delete(1, 1);
      });
    },
    show: show({ texts: ['t'], maps: ['m'], lists: ['l'] }),
  },
  undo: {
    what: "Yjs's own undo and redo, over what another has written since",
    writers: 2,
    edit: ([a, b], sync, Y) => {
      const text = a.getText('notes');
      const undo = new Y.UndoManager([text, a.getMap('m')], { captureTimeout: 0 });
      text.insert(0, 'Hello');
      a.getMap('m').set('k', 1);
      a.getMap('m').set('k', { two: 2 });
      text.format(0, 5, { bold: true });
      sync();
      b.getText('notes').insert(5, ' there');
      sync();
      text.delete(0, 2);
      for (let steps = 4; steps > 0; steps -= 1) undo.undo();
      sync();
      for (let steps = 2; steps > 0; steps -= 1) undo.redo();
    },
    show: show({ texts: ['notes'], maps: ['m'] }),
  },
  binary: {
    what: 'bytes, and values that JSON does not have: they read as what JSON would make of them',
    edit: ([doc]) => {
      doc.getMap('m').set('bytes', new Uint8Array([0, 1, 255]));
      doc.getMap('m').set('inside', { bytes: new Uint8Array([7]) });
      doc.getMap('m').set('undefined', [undefined]);
      doc.getMap('m').set('not a number', NaN);
      doc.getMap('m').set('infinite', -Infinity);
      doc.getMap('m').set('minus zero', -0);
      doc.getMap('m').set('big', 2n ** 40n);
      doc.getArray('l').push([new Uint8Array([9]), 'x']);
    },
    show: () => ({
      texts: {},
      maps: { m: { bytes: [0, 1, 255], inside: { bytes: [7] }, undefined: [null], 'not a number': null, infinite: null, 'minus zero': 0, big: 2 ** 40 } },
      lists: { l: [[9], 'x'] },
    }),
  },
  xml: {
    what: 'XML is no text, map or list: it is taken and kept, not shown; inside a map it is',
    edit: ([doc], _, Y) => {
      const root = doc.getXmlFragment('page');
      const paragraph = new Y.XmlElement('p');
      paragraph.setAttribute('class', 'x');
      root.insert(0, [paragraph, new Y.XmlText('tail')]);
      paragraph.insert(0, [new Y.XmlText('héllo')]);
      const kept = new Y.XmlElement('b');
      doc.getMap('m').set('element', kept);
      kept.setAttribute('id', '1');
      kept.insert(0, [new Y.XmlText('inside')]);
    },
    show: () => ({ texts: {}, maps: { m: { element: { tag: 'b', attributes: { id: '1' }, children: ['inside'] } } }, lists: {} }),
  },
  'whole-state': {
    what: 'a document with a history, taken over as one update: its deleted parts are collected structs',
    edit: ([doc], _, Y) => {
      const old = new Y.Doc();
      old.clientID = doc.clientID;
      // Not the writer's: Yjs complains of somebody else who uses its id.
      doc.clientID = 1;
      for (let round = 0; round < 40; round += 1) {
        old.getText('notes').insert(round % 7, `word ${round} 🧵 `);
        old.getText('notes').delete(round % 5, 3);
        old.getMap('m').set(`k${round % 3}`, { round });
        old.getArray('l').insert(0, [round, new Y.Map([['round', round]])]);
        if (round % 4 === 3) old.getArray('l').delete(0, 3);
      }
      Y.applyUpdate(doc, Y.encodeStateAsUpdate(old));
    },
    show: show({ texts: ['notes'], maps: ['m'], lists: ['l'] }),
  },
  'split-surrogates': {
    what: 'an insertion into the middle of a surrogate pair is void: Yjs and yrs do not agree on what becomes of the halves',
    edit: ([doc]) => {
      doc.getText('notes').insert(0, 'a😀b');
      doc.getText('notes').insert(2, 'x');
    },
    show: () => ({}),
    refused: 'BadUpdate',
  },
  subdocument: {
    what: 'documents in documents are void',
    edit: ([doc], _, Y) => {
      doc.getMap('m').set('sub', new Y.Doc({ guid: 'fixed' }));
    },
    show: () => ({}),
    refused: 'BadUpdate',
  },
  hook: {
    what: 'an XML hook is void: Yjs and yrs read it differently',
    edit: ([doc], _, Y) => {
      doc.getXmlFragment('page').insert(0, [new Y.XmlHook('x')]);
    },
    show: () => ({}),
    refused: 'BadUpdate',
  },
  'reserved-key': {
    what: 'keys that reach a prototype are void',
    edit: ([doc]) => {
      doc.getMap('m').set('__proto__', 1);
    },
    show: () => ({}),
    refused: 'BadUpdate',
  },
};
