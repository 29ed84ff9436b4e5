/** A live collection of records: fields by id, in an order. */

import type { ListenOptions, Listener, Unsubscribe } from './events.js';
import { checkIndex, checkName, checkObject, invalid } from './internal/check.js';
import type { LiveDocument } from './internal/document.js';
import { plain } from './internal/plain.js';
import type { JsonValue, RecordFields, RecordPlace, RecordsEvent, RecordsOptions, RecordValue } from './types.js';

/**
 * A collection of records that everyone in the room edits at the same time: the shapes of a drawing, the cards of a
 * board. Get one from `client.records(name)`. Each field is decided by itself: the later write counts, everywhere. The
 * records have an order, and one that is moved by two at the same time is in one place afterwards.
 *
 * Edits apply at once, also offline, and return the sequence number that the client's `ack` event names. Before
 * `open()` or `connect()` has loaded the module the collection reads as empty and edits throw `NOT_CONNECTED`; after `close()`
 * every call throws `CLOSED`.
 *
 * @example
 * ```ts
 * import { BrowserSyncClient } from 'peersync';
 *
 * interface Shape {
 *   kind: 'circle' | 'square';
 *   x: number;
 *   y: number;
 * }
 * const client = new BrowserSyncClient('ws://localhost:8000/ws', { room: 'garden' });
 * const shapes = client.records<Shape>('shapes');
 * shapes.observe(({ changes }) => console.log(changes));
 * await client.connect();
 * shapes.set(crypto.randomUUID(), { kind: 'circle', x: 10, y: 20 });
 * ```
 */
export class SharedRecords<T extends object = Record<string, JsonValue>> {
  /** The collection's name within the room. */
  readonly name: string;
  readonly #document: LiveDocument<RecordsEvent>;
  readonly #updateWins: boolean;

  /** @internal Applications call `client.records(name)`. */
  constructor(document: LiveDocument<RecordsEvent>, policy: RecordsOptions['deletePolicy']) {
    this.name = document.name;
    this.#document = document;
    this.#updateWins = policy === 'update-wins';
  }

  /**
   * What wins when this client deletes a record that another updates at the same time.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * console.assert(client.records('shapes').deletePolicy === 'delete-wins');
   * ```
   */
  get deletePolicy(): 'delete-wins' | 'update-wins' {
    return this.#updateWins ? 'update-wins' : 'delete-wins';
  }

  /**
   * The record of this id, a copy; `undefined` if there is none. Throws `INVALID_ARGUMENT`, `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * console.log(client.records('shapes').get('sun')?.color);
   * ```
   */
  get(id: string): RecordValue<T> | undefined {
    checkName('id', id);
    return this.#document.read(undefined, (native) => native.recordGet(this.name, id)) as RecordValue<T> | undefined;
  }

  /**
   * Whether there is a record of this id. Throws `INVALID_ARGUMENT`, `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * if (!client.records('shapes').has('sun')) console.log('still dark');
   * ```
   */
  has(id: string): boolean {
    return this.get(id) !== undefined;
  }

  /**
   * How many records there are. Throws `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * console.log(`${client.records('shapes').size} shapes`);
   * ```
   */
  get size(): number {
    return this.ids().length;
  }

  /**
   * The ids, in the records' order. Throws `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * const [first] = client.records('shapes').ids();
   * console.log(first ?? 'no shapes');
   * ```
   */
  ids(): string[] {
    return this.#document.read<string[]>([], (native) => native.recordIds(this.name));
  }

  /**
   * Copies of the records, in their order. Throws `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * for (const { id, ...fields } of client.records('shapes').values()) console.log(id, fields);
   * ```
   */
  values(): RecordValue<T>[] {
    return this.#document.read<RecordValue[]>([], (native) => native.recordValues(this.name)) as RecordValue<T>[];
  }

  /**
   * Sets the named fields of a record and leaves its others; one that is `undefined` is removed. A record that does not
   * exist is created, at the end. Values are JSON, at most 16 levels deep. Throws `INVALID_ARGUMENT`, `TOO_LARGE`,
   * `ROOM_FULL`, `NOT_CONNECTED`, `CLOSED`.
   *
   * @returns the sequence number of the operation that carries the edit.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * const shapes = client.records('shapes');
   * shapes.set('sun', { kind: 'circle', x: 10, y: 20, label: 'sun' });
   * shapes.set('sun', { x: 30, label: undefined });
   * console.assert(shapes.get('sun')?.kind === 'circle');
   * ```
   */
  set(id: string, fields: RecordFields<T>): number {
    checkName('id', id);
    checkObject('fields', fields);
    const copy: { id?: unknown } = plain('fields', fields, { around: 1 });
    if (copy.id !== undefined && copy.id !== id) throw invalid('fields.id must be the id of the record');
    delete copy.id;
    return this.#document.edit((native) => native.recordSet(this.name, id, copy));
  }

  /**
   * Deletes a record. Throws `INVALID_ARGUMENT` (also for an id that is not there), `ROOM_FULL`, `NOT_CONNECTED`,
   * `CLOSED`.
   *
   * With `delete-wins`, an edit that another makes at the same time and by an earlier clock is gone for good: `undo()`
   * brings the record back as this client had it when it deleted it, without that edit.
   *
   * @returns the sequence number of the operation that carries the edit.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * const shapes = client.records('shapes');
   * shapes.set('cloud', { kind: 'circle' });
   * shapes.delete('cloud');
   * console.assert(!shapes.has('cloud'));
   * ```
   */
  delete(id: string): number {
    checkName('id', id);
    return this.#document.edit((native) => native.recordDelete(this.name, id, this.#updateWins));
  }

  /**
   * Moves a record before or after another, or to position `index` among the others. `{ before: null }` is the end, as
   * in the events. Throws `INVALID_ARGUMENT` (also for ids that are not there, and for a place beside itself),
   * `ROOM_FULL`, `NOT_CONNECTED`, `CLOSED`.
   *
   * @returns the sequence number of the operation that carries the edit.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * const shapes = client.records('shapes');
   * for (const id of ['front', 'middle', 'back']) shapes.set(id, { kind: 'square' });
   * shapes.move('back', { before: 'front' });
   * shapes.move('front', { before: null });
   * console.assert(shapes.ids().join() === 'back,middle,front');
   * ```
   */
  move(id: string, place: RecordPlace): number {
    checkName('id', id);
    const checked = checkPlace(id, place);
    return this.#document.edit((native) => native.recordMove(this.name, id, checked));
  }

  /** The same as `values()`. */
  toJSON(): RecordValue<T>[] {
    return this.values();
  }

  /**
   * Calls `listener` after each change, local ones too: never during the call that made one, but soon after it has
   * returned, when the collection may have changed further. May be called before `connect()`; then the room's state arrives as
   * the first changes. A listener that throws is reported and stops nobody.
   *
   * @returns a function that ends the observation, as aborting `options.signal` does.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * const stop = client.records('shapes').observe(({ changes, author }) => {
   *   for (const change of changes) console.log(author, change.type, change.id);
   * });
   * await client.connect();
   * stop();
   * ```
   */
  observe(listener: Listener<RecordsEvent<T>>, options?: ListenOptions): Unsubscribe {
    return this.#document.observe(listener as unknown as Listener<RecordsEvent>, options);
  }
}

function checkPlace(id: string, place: RecordPlace): RecordPlace {
  checkObject('place', place);
  const { before, after, index } = plain('place', place, { texts: ['place.before', 'place.after'] }) as { before?: unknown; after?: unknown; index?: unknown };
  if ([before, after, index].filter((given) => given !== undefined).length !== 1) {
    throw invalid('place must have exactly one of before, after and index');
  }
  if (index !== undefined) {
    checkIndex('index', index);
    return { index: index as number };
  }
  if (before === null) return { before };
  const [what, other] = before !== undefined ? ['before', before] : ['after', after];
  const checked = checkName(what as string, other);
  if (checked === id) throw invalid(`${what as string} must be the id of another record`);
  return before !== undefined ? { before: checked } : { after: checked };
}
