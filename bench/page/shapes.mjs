// What a page can be asked to do with a board of shapes, the same for both systems: draw, load, drag, watch drags.
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { shapeOf } from './shape.mjs';

const now = () => performance.timeOrigin + performance.now();
const until = (time) => new Promise((resolve) => setTimeout(resolve, Math.max(0, time - now())));

const systems = {
  async peersync({ backend, sdk, http, room }) {
    // The module comes first, so that `join` below is without loading it.
    await board.loadModule(http);
    const { BrowserSyncClient } = await import(sdk);
    const client = new BrowserSyncClient(backend, { room });
    const shapes = client.records('shapes');
    return {
      join: () => client.connect(),
      size: () => shapes.size,
      set: (id, fields) => shapes.set(id, fields),
      drag: (value) => client.presence.set({ drag: value }),
      watch: (listener) => client.presence.observe(({ state }) => state?.drag && listener(state.drag)),
      operations: () => client.stats().operationsMade,
      settled: () => client.pending === 0,
      close: () => client.close(),
    };
  },
  async yjs({ backend, room }) {
    const doc = new Y.Doc();
    const shapes = doc.getMap('shapes');
    let provider;
    let operations = 0;
    doc.on('update', (update, origin, _, { local }) => (operations += local ? 1 : 0));
    return {
      join() {
        provider = new WebsocketProvider(backend, room, doc, { disableBc: true });
        return new Promise((resolve) => provider.once('sync', resolve));
      },
      size: () => shapes.size,
      set(id, fields) {
        doc.transact(() => {
          if (shapes.has(id)) for (const [name, value] of Object.entries(fields)) shapes.get(id).set(name, value);
          else shapes.set(id, new Y.Map(Object.entries(fields)));
        });
      },
      drag: (value) => provider.awareness.setLocalStateField('drag', value),
      watch: (listener) => provider.awareness.on('change', ({ added, updated }) => {
        for (const client of [...added, ...updated]) {
          const { drag } = provider.awareness.getStates().get(client) ?? {};
          if (client !== doc.clientID && drag) listener(drag);
        }
      }),
      operations: () => operations,
      settled: () => true,
      close: () => provider.destroy(),
    };
  },
};

const boards = new Map();

let module;

export const board = {
  /** Fetches, compiles and instantiates the module that the package will use. Milliseconds; 0 if it has been done. */
  async loadModule(http) {
    if (module) return 0;
    const begun = performance.now();
    const glue = await import(`${http}/pkg/peersync.js`);
    module = await glue.default({ module_or_path: `${http}/pkg/peersync_bg.wasm` });
    return performance.now() - begun;
  },
  wasmBytes: () => module.memory.buffer.byteLength,

  /** Joins. Answers how long that took, without loading the module, in ms; with `count`, until so many shapes are there. */
  async openBoard(name, system, options, count = 0) {
    const session = await systems[system](options);
    boards.set(name, { ...session, seen: [] });
    const begun = performance.now();
    await session.join();
    while (session.size() < count) {
      if (performance.now() - begun > 30_000) throw new Error(`${system}: ${session.size()} of ${count} shapes after 30 s`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const took = performance.now() - begun;
    session.watch(({ number }) => boards.get(name).seen.push({ number, at: now() }));
    return { took, size: session.size() };
  },

  /** Draws shapes, one every `everyMs`; 0: all at once. */
  async draw(name, count, everyMs) {
    const begin = now();
    for (let number = 0; number < count; number += 1) {
      if (everyMs) await until(begin + number * everyMs);
      boards.get(name).set(`shape-${number}`, shapeOf(number));
    }
  },

  /** Drags for so long, with a pointer that moves 60 times a second. Answers when each position was set. */
  async drag(name, seconds) {
    const moves = [];
    const begin = now();
    for (let number = 0; number < seconds * 60; number += 1) {
      await until(begin + (number * 1_000) / 60);
      moves.push({ number, at: now() });
      boards.get(name).drag({ id: 'shape-1', number, x: 100 + number * 1.5, y: 200 + (number % 50) });
    }
    boards.get(name).drag(null);
    return moves;
  },

  /** What was seen of drags since the last call. */
  seenDrags: (name) => boards.get(name).seen.splice(0),
  boardSize: (name) => boards.get(name).size(),
  boardOperations: (name) => boards.get(name).operations(),
  boardSettled: (name) => boards.get(name).settled(),
  async closeBoard(name) {
    await boards.get(name).close();
    boards.delete(name);
  },
};
