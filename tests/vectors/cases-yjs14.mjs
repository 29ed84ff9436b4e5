// Edits made with @y/y 14, for tests/vectors/generate.mjs. Its one shared type has a sequence and attributes at once: what
// we call a text or a list is its sequence, a map its attributes.
import { merged } from './cases-yjs13.mjs';

const pieces = (type) => {
  const children = type.toDelta().toJSON().children ?? [];
  return merged(children.flatMap(({ insert, format }) => (typeof insert === 'string' ? [insert] : insert).map((part) => ({ insert: part, attributes: format }))));
};

const show = ({ texts = [], maps = [], lists = [] }) => (doc) => ({
  texts: Object.fromEntries(texts.map((name) => [name, pieces(doc.get(name))])),
  maps: Object.fromEntries(maps.map((name) => [name, doc.get(name).getAttrs()])),
  lists: Object.fromEntries(lists.map((name) => [name, doc.get(name).toArray()])),
});

export const cases14 = {
  text: {
    what: 'characters outside the BMP, combining ones and joined ones, with marks',
    edit: ([doc]) => {
      const text = doc.get('notes');
      text.insert(0, 'a😀be\u0301c👩‍👩‍👧‍👦d🇩🇪');
      text.insert(1, '<');
      text.insert(4, '>');
      text.delete(0, 1);
      text.format(0, 4, { bold: true, link: { href: 'x' } });
      text.format(1, 2, { bold: null });
      text.delete(text.toString().indexOf('😀'), 2);
    },
    show: show({ texts: ['notes'] }),
  },
  'text-together': {
    what: 'three writers type, delete and mark at the same places at the same time',
    writers: 3,
    edit: ([a, b, c], sync) => {
      a.get('notes').insert(0, 'Hello world');
      sync();
      a.get('notes').insert(5, ' wide');
      b.get('notes').insert(5, ' 🌍');
      c.get('notes').delete(3, 6);
      sync();
      a.get('notes').format(0, 6, { bold: true });
      b.get('notes').format(2, 6, { italic: true });
      c.get('notes').format(4, 5, { bold: true, color: 'red' });
      sync();
      a.get('notes').delete(1, 4);
      b.get('notes').insert(3, '⟨b⟩');
      sync();
      c.get('notes').delete(0, 5);
    },
    show: show({ texts: ['notes'] }),
  },
  'map-and-list': {
    what: 'attributes and items of every kind of value; two writers at the same keys and places',
    writers: 2,
    edit: ([a, b], sync) => {
      const map = a.get('settings');
      for (const [place, number] of [0, -1, 2 ** 31, 2 ** 53 - 1, 0.5, 1e21].entries()) map.setAttr(`n${place}`, number);
      map.setAttr('nested', { a: [1, [2, { b: null }], {}] });
      map.setAttr('gone', true);
      map.deleteAttr('gone');
      a.get('todo').insert(0, ['one', 2, { three: [3] }, null, false]);
      sync();
      a.get('settings').setAttr('n0', 'a');
      b.get('settings').setAttr('n0', 'b');
      a.get('todo').insert(2, [['a']]);
      b.get('todo').insert(2, [['b']]);
      b.get('todo').delete(0, 1);
    },
    show: show({ maps: ['settings'], lists: ['todo'] }),
  },
  'text-with-attributes': {
    what: 'one root with characters and attributes: to us a text and a map of the same name',
    edit: ([doc]) => {
      doc.get('page').insert(0, 'Title 📄');
      doc.get('page').setAttr('level', 1);
      doc.get('page').format(0, 5, { bold: true });
    },
    show: show({ texts: ['page'], maps: ['page'] }),
  },
  nested: {
    what: 'shared types in shared types, without saying what they are used as: shown by what they hold',
    edit: ([doc], _, Y) => {
      const map = new Y.Type();
      doc.get('m').setAttr('map', map);
      map.setAttr('a', 1);
      const list = new Y.Type();
      doc.get('m').setAttr('list', list);
      list.insert(0, [1, { two: 2 }]);
      const text = new Y.Type();
      doc.get('m').setAttr('text', text);
      text.insert(0, 'tëxt');
      doc.get('m').setAttr('empty', new Y.Type());
    },
    show: () => ({ texts: {}, maps: { m: { map: { a: 1 }, list: [1, { two: 2 }], text: 'tëxt', empty: [] } }, lists: {} }),
  },
};
