// What a page can be asked to do with a text that it keeps: write it without a server, open it again, say how large it is.
import { IndexeddbPersistence, storeState } from 'y-indexeddb';
import * as Y from 'yjs';
import { board } from './shapes.mjs';

// Longer than the coalescing window.
const STEP_MS = 11;
const soon = () => new Promise((resolve) => setTimeout(resolve));

const systems = {
  async peersync({ sdk, http, backend, room }) {
    await board.loadModule(http);
    const { BrowserSyncClient } = await import(sdk);
    return {
      open() {
        const client = new BrowserSyncClient(backend, { room });
        const text = client.text('notes');
        let steps;
        return {
          load: () => client.open(),
          content: () => text.toString(),
          batch(edits) {
            // So many edits are one operation, however long they take: time stands still meanwhile.
            steps ??= steppedClock();
            for (const edit of edits) apply(text, edit);
            steps();
          },
          close: () => client.close(),
          connect: () => client.connect(),
        };
      },
    };
  },
  async yjs({ room }) {
    return {
      open() {
        const doc = new Y.Doc();
        const text = doc.getText('notes');
        const persistence = new IndexeddbPersistence(room, doc);
        return {
          load: () => persistence.whenSynced,
          content: () => text.toString(),
          batch: (edits) => doc.transact(() => edits.forEach((edit) => apply(text, edit))),
          fold: () => storeState(persistence, true),
          // Waits for what is being written.
          close: () => persistence.destroy(),
        };
      },
    };
  },
};

function apply(text, [position, deleted, inserted]) {
  if (deleted) text.delete(position, deleted);
  if (inserted) text.insert(position, inserted);
}

/** From now on the page's clock moves only when it is told to, or when real time has overtaken it. */
function steppedClock() {
  const real = performance.now.bind(performance);
  let at = real();
  performance.now = () => at;
  return () => (at = Math.max(at + STEP_MS, real()));
}

export const stored = {
  /** Writes a text, `perOperation` edits at a time, without a server. `edits`: lines of position, deleted, inserted as JSON. */
  async writeStored(system, options, edits, perOperation) {
    const list = edits.trimEnd().split('\n').map((line) => {
      const [, position, deleted, inserted] = line.match(/^(\d+) (\d+) (.*)$/);
      return [Number(position), Number(deleted), JSON.parse(inserted)];
    });
    const session = (await systems[system](options)).open();
    await session.load();
    for (let place = 0; place < list.length; place += perOperation) {
      session.batch(list.slice(place, place + perOperation));
      if ((place / perOperation) % 8 === 0) await soon();
    }
    // Ours waits until everything is stored, for a bounded time.
    await session.close();
    return stored.storedSize();
  },

  /** Opens what is stored and reads all of it. Answers how long that took, and its length. */
  async reopenStored(system, options) {
    const { open } = await systems[system](options);
    const begun = performance.now();
    const session = open();
    await session.load();
    const { length } = session.content();
    const took = performance.now() - begun;
    await session.close();
    return { took, length };
  },

  /** Has what is stored made smaller: ours is once the backend has it, theirs when it is told to. */
  async foldStored(system, options, rows) {
    const FOLDING_MS = 60_000;
    const begun = performance.now();
    const session = (await systems[system](options)).open();
    await session.load();
    await (system === 'yjs' ? session.fold() : session.connect());
    for (let size = await stored.storedSize(); size.rows > rows; size = await stored.storedSize()) {
      if (performance.now() - begun > FOLDING_MS) throw new Error(`${system}: not folded after a minute: ${JSON.stringify(size)}`);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    await session.close();
    return stored.storedSize();
  },

  /** Rows of this origin's databases, bytes of keys and values, and what the browser says it uses. */
  async storedSize() {
    let [rows, bytes] = [0, 0];
    for (const { name } of await indexedDB.databases()) {
      const database = await answer(indexedDB.open(name));
      for (const store of database.objectStoreNames) {
        const all = database.transaction(store).objectStore(store);
        const [keys, values] = await Promise.all([answer(all.getAllKeys()), answer(all.getAll())]);
        rows += keys.length;
        bytes += [...keys, ...values].reduce((sum, value) => sum + sizeOf(value), 0);
      }
      database.close();
    }
    const { usage } = await navigator.storage.estimate();
    return { rows, bytes, usage };
  },
};

const answer = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});
const sizeOf = (value) => value?.byteLength ?? (typeof value === 'string' ? value.length : 8);
