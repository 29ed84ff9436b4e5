// Stands in for pkg/peersync.js: one replica in memory, and a backend that answers when `fake.auto` is set.

export const fake = {
  /** Every client ever made, oldest first. */
  clients: [],
  /** Connects, syncs and acknowledges by itself. */
  auto: true,
  /** So many loads fail before one works. */
  failLoads: 0,
  /** Set: what `open` waits for. */
  opening: undefined,
  /** The next clients have the room from an earlier visit. */
  restored: false,
  /** What they have: by kind and name. */
  had: {},
  loads: [],
  trap: undefined,
};

export default async function init(input) {
  fake.loads.push(input);
  if (fake.failLoads > 0) {
    fake.failLoads -= 1;
    throw new TypeError('Failed to fetch');
  }
}

export function setDebug(wants, log) {
  fake.debug = wants && { wants, log };
}

export function onTrap(callback) {
  fake.trap = callback;
}

export class NativeClient {
  calls = [];
  docs = new Map();
  maps = new Map();
  lists = new Map();
  collections = new Map();
  presence = {};
  presences = [];
  /** Functions that undo, and functions that redo; each answers its opposite. */
  steps = [];
  undone = [];
  seq = 0;
  acked = 0;
  saved = 0;
  mode = 'indexeddb';
  oldestPendingMs = 0;
  isSynced = false;
  freed = false;
  peerList = [];
  /** Set: every call throws it. */
  broken = undefined;
  /** Replaces what `close()` waits for. */
  closing = Promise.resolve();

  static async open(options, onEvent) {
    if (options.url.startsWith('/bad')) throw { code: 'INVALID_ADDRESS', message: `'${options.url}' is no multiaddr` };
    const client = new NativeClient(options, onEvent);
    fake.clients.push(client);
    await fake.opening;
    return client;
  }

  constructor(options, onEvent) {
    this.options = options;
    this.onEvent = onEvent;
    this.mode = options.persistence;
    this.restored = fake.restored;
    const { docs = {}, maps = {}, lists = {}, collections = {} } = fake.had;
    for (const [name, text] of Object.entries(docs)) this.docs.set(name, text);
    for (const [name, map] of Object.entries(maps)) this.maps.set(name, new Map(Object.entries(map)));
    for (const [name, list] of Object.entries(lists)) this.lists.set(name, list);
    for (const [name, records] of Object.entries(collections)) this.collections.set(name, records);
  }

  emit(...events) {
    queueMicrotask(() => {
      for (const event of events) if (!this.freed) this.onEvent(event);
    });
  }

  connect() {
    this.record('connect');
    if (fake.auto && !this.isSynced) this.arrive();
  }

  /** What a backend that can be reached brings about. */
  arrive(...messages) {
    this.isSynced = true;
    this.emit(
      { type: 'status', status: 'connected' },
      { type: 'connected', peerId: 'backend-peer' },
      { type: 'data', envelope: { type: 'snapshot', id: 's', data: {} } },
      ...messages.map((envelope) => ({ type: 'data', envelope })),
      { type: 'synced', synced: true },
    );
  }

  ack(seq = this.seq, durability = 'backend') {
    if (durability === 'backend') this.acked = seq;
    this.emit({ type: 'ack', seq, durability, by: 'backend-peer' }, { type: 'pending', pending: this.seq - this.acked });
  }

  /** What the store answers: everything up to `seq` is in it. */
  store(seq = this.seq) {
    this.saved = seq;
    this.emit({ type: 'saved', unsaved: this.seq - seq }, { type: 'stored', seq });
  }

  /** The store is gone, or back. */
  setMode(mode, reason) {
    this.mode = mode;
    this.emit({ type: 'storage', mode, reason });
  }

  wake() {
    this.record('wake');
  }

  pagehide(persisted) {
    this.record('pagehide', persisted);
  }

  close() {
    this.record('close');
    return this.closing;
  }

  free() {
    this.record('free');
    this.freed = true;
  }

  textInsert(doc, index, text, attributes) {
    this.record('textInsert', doc, index, text, attributes);
    const before = this.docs.get(doc) ?? '';
    if (index > before.length) throw { code: 'INVALID_ARGUMENT', message: `index ${index} is past the end` };
    return this.edit(doc, before.slice(0, index) + text + before.slice(index), [{ retain: index }, { insert: text }]);
  }

  textDelete(doc, index, length) {
    this.record('textDelete', doc, index, length);
    const before = this.docs.get(doc) ?? '';
    return this.edit(doc, before.slice(0, index) + before.slice(index + length), [{ retain: index }, { delete: length }]);
  }

  textFormat(doc, index, length, attributes) {
    this.record('textFormat', doc, index, length, attributes);
    return this.edit(doc, this.docs.get(doc) ?? '', [{ retain: index }, { retain: length, attributes }]);
  }

  textReplace(doc, text) {
    this.record('textReplace', doc, text);
    return this.edit(doc, text, [{ insert: text }]);
  }

  textString(doc) {
    this.record('textString', doc);
    return this.docs.get(doc) ?? '';
  }

  textLength(doc) {
    return this.textString(doc).length;
  }

  textDelta(doc) {
    const insert = this.textString(doc);
    return insert === '' ? [] : [{ insert }];
  }

  textMove(doc, from, to, length) {
    this.record('textMove', doc, from, to, length);
    const before = this.docs.get(doc) ?? '';
    const piece = before.slice(from, from + length);
    const after = to <= from
      ? before.slice(0, to) + piece + before.slice(to, from) + before.slice(from + length)
      : before.slice(0, from) + before.slice(from + length, to) + piece + before.slice(to);
    return this.edit(doc, after, []);
  }

  // A cursor is what follows it, which is stable enough for examples.
  textCursor(doc, index, assoc) {
    this.record('textCursor', doc, index, assoc);
    return `end-${(this.docs.get(doc) ?? '').length - index}`;
  }

  textIndex(doc, cursor) {
    this.record('textIndex', doc, cursor);
    return /^end-\d+$/.test(cursor) ? (this.docs.get(doc) ?? '').length - Number(cursor.slice(4)) : undefined;
  }

  textAuthors(doc) {
    return [{ length: this.textLength(doc), author: 'me' }];
  }

  mapSet(name, key, value) {
    this.record('mapSet', name, key, value);
    this.map(name).set(key, value);
    return this.change({ type: 'map', map: name, changes: [{ key, action: 'set', value }] });
  }

  mapDelete(name, key) {
    this.record('mapDelete', name, key);
    this.map(name).delete(key);
    return this.change({ type: 'map', map: name, changes: [{ key, action: 'delete' }] });
  }

  mapGet(name, key) {
    return this.map(name).get(key);
  }

  mapEntries(name) {
    return [...this.map(name)].sort();
  }

  map(name) {
    this.maps.set(name, this.maps.get(name) ?? new Map());
    return this.maps.get(name);
  }

  listInsert(name, index, values) {
    this.record('listInsert', name, index, values);
    const items = this.listValues(name);
    if (index > items.length) throw { code: 'INVALID_ARGUMENT', message: `index ${index} is past the end` };
    this.lists.set(name, items.toSpliced(index, 0, ...values));
    return this.change({ type: 'list', list: name, delta: [{ retain: index }, { insert: values }] });
  }

  listDelete(name, index, length) {
    this.record('listDelete', name, index, length);
    this.lists.set(name, this.listValues(name).toSpliced(index, length));
    return this.change({ type: 'list', list: name, delta: [{ retain: index }, { delete: length }] });
  }

  listGet(name, index) {
    return this.listValues(name)[index];
  }

  listLength(name) {
    return this.listValues(name).length;
  }

  listValues(name) {
    return this.lists.get(name) ?? [];
  }

  recordSet(collection, id, fields) {
    this.record('recordSet', collection, id, fields);
    const known = this.recordGet(collection, id);
    const value = Object.fromEntries(Object.entries({ id, ...known, ...fields }).filter(([, field]) => field !== undefined));
    const rest = this.recordValues(collection);
    this.collections.set(collection, known ? rest.map((other) => (other.id === id ? value : other)) : [...rest, value]);
    const change = known
      ? { type: 'update', id, fields, removed: [] }
      : { type: 'insert', id, value, before: null };
    return this.change({ type: 'records', collection, changes: [change] });
  }

  recordDelete(collection, id, updateWins) {
    this.record('recordDelete', collection, id, updateWins);
    if (!this.recordGet(collection, id)) throw { code: 'INVALID_ARGUMENT', message: `id: there is no '${id}'` };
    this.collections.set(collection, this.recordValues(collection).filter((other) => other.id !== id));
    return this.change({ type: 'records', collection, changes: [{ type: 'delete', id }] });
  }

  recordMove(collection, id, place) {
    this.record('recordMove', collection, id, place);
    const moved = this.recordGet(collection, id);
    const rest = this.recordValues(collection).filter((other) => other.id !== id);
    const beside = rest.findIndex((other) => other.id === (place.before ?? place.after));
    if (!moved || (beside < 0 && place.index === undefined && place.before !== null)) {
      throw { code: 'INVALID_ARGUMENT', message: 'id: there is none' };
    }
    const at = place.index ?? (place.before === null ? rest.length : beside + (place.after === undefined ? 0 : 1));
    this.collections.set(collection, rest.toSpliced(at, 0, moved));
    return this.change({ type: 'records', collection, changes: [{ type: 'move', id, before: rest[at]?.id ?? null }] });
  }

  recordGet(collection, id) {
    return this.recordValues(collection).find((other) => other.id === id);
  }

  recordIds(collection) {
    return this.recordValues(collection).map(({ id }) => id);
  }

  recordValues(collection) {
    return this.collections.get(collection) ?? [];
  }

  presenceSet(fields) {
    this.record('presenceSet', fields);
    const merged = Object.entries(fields === null ? {} : { ...this.presence, ...fields });
    this.presence = Object.fromEntries(merged.filter(([, value]) => value !== null && value !== undefined));
  }

  presenceGet() {
    return this.presence;
  }

  presenceOthers() {
    return this.presences;
  }

  undo() {
    this.record('undo');
    const undo = this.steps.pop();
    if (!undo) return false;
    this.undone.push(undo());
    this.tellHistory();
    return true;
  }

  redo() {
    this.record('redo');
    const redo = this.undone.pop();
    if (!redo) return false;
    this.steps.push(redo());
    this.tellHistory();
    return true;
  }

  canUndo() {
    return this.steps.length > 0;
  }

  canRedo() {
    return this.undone.length > 0;
  }

  checkpoint() {
    this.record('checkpoint');
  }

  tellHistory() {
    this.emit({ type: 'history', canUndo: this.canUndo(), canRedo: this.canRedo() });
  }

  content() {
    const maps = [...this.maps].map(([name, map]) => [name, Object.fromEntries(map)]);
    return {
      texts: Object.fromEntries(this.docs),
      maps: Object.fromEntries(maps),
      lists: Object.fromEntries(this.lists),
      records: Object.fromEntries(this.collections),
    };
  }

  send(envelope) {
    this.record('send', envelope);
    if (!envelope.data) throw { code: 'INVALID_ARGUMENT', message: 'data: missing' };
    if (envelope.data.cursor_position !== undefined) {
      this.presenceSet(envelope.data);
      return { id: envelope.id ?? 'presence' };
    }
    const nothing = envelope.data.document === '' || envelope.data.content === '';
    if (!nothing) this.seq += 1;
    if (!nothing) this.made();
    return { id: envelope.id ?? `id-${this.seq}`, seq: this.seq };
  }

  /** A text becomes another; undoing it brings the one before back. */
  edit(doc, text, delta) {
    const splice = (next) => {
      const before = this.docs.get(doc) ?? '';
      this.docs.set(doc, next);
      return () => splice(before);
    };
    return this.change({ type: 'text', doc, delta }, splice(text));
  }

  /** Tells a change; `undo` takes it back, if given. */
  change(event, undo) {
    this.seq += 1;
    this.emit({ ...event, origin: 'local', author: 'me', id: `op-${this.seq}` });
    if (undo) {
      this.steps.push(undo);
      this.undone = [];
      this.tellHistory();
    }
    this.made();
    return this.seq;
  }

  /** An operation is there: stored and acknowledged when things go by themselves. */
  made() {
    if (!fake.auto) return;
    if (this.mode === 'indexeddb') this.store();
    this.ack();
  }

  status() {
    return this.isSynced ? 'connected' : 'connecting';
  }

  synced() {
    this.record('synced');
    return this.isSynced;
  }

  pending() {
    this.record('pending');
    return this.seq - this.acked;
  }

  syncStatus() {
    const pending = this.seq - this.acked;
    const unsaved = this.mode === 'memory' ? 0 : this.seq - this.saved;
    return { mode: this.mode, unsaved, pending, oldestPendingMs: pending === 0 ? null : this.oldestPendingMs };
  }

  arrived() {
    return this.restored || this.isSynced;
  }

  peers() {
    return this.peerList;
  }

  stats() {
    this.record('stats');
    return { ops_sent: this.seq };
  }

  peerId() {
    return 'own-peer';
  }

  author() {
    return 'me';
  }

  record(name, ...args) {
    if (this.freed) throw new TypeError('null pointer passed to rust');
    if (this.broken) throw this.broken;
    this.calls.push([name, ...args]);
  }

  called(name) {
    return this.calls.filter(([called]) => called === name);
  }
}

export { NativeClient as FakeNativeClient };
