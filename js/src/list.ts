/** A live list of JSON values. */

import type { ListenOptions, Listener, Unsubscribe } from './events.js';
import { checkIndex, invalid } from './internal/check.js';
import { Container } from './internal/container.js';
import { plain } from './internal/plain.js';
import type { JsonValue, ListEvent } from './types.js';

/**
 * A list that everyone in the room edits at the same time. Get one from `client.list(name)`. Items are inserted and
 * deleted; each is replaced as a whole. For items that are moved or changed by field, use `client.records(name)`.
 *
 * Edits apply at once, also offline, and return the sequence number that the client's `ack` event names. Before
 * `open()` or `connect()` has loaded the module the list reads as empty and edits throw `NOT_CONNECTED`; after `close()` every call
 * throws `CLOSED`.
 *
 * @example
 * ```ts
 * import { BrowserSyncClient } from 'peersync';
 *
 * const client = new BrowserSyncClient('ws://localhost:8000/ws', { room: 'garden' });
 * const jobs = client.list('jobs');
 * jobs.observe(() => console.log(jobs.toArray()));
 * await client.connect();
 * jobs.push('weed', 'water', { what: 'harvest', when: 'July' });
 * ```
 */
export class SharedList extends Container<ListEvent> {
  /**
   * The item at position `index`, a copy; `undefined` past the end. Throws `INVALID_ARGUMENT`, `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * console.log(client.list('jobs').get(0) ?? 'nothing to do');
   * ```
   */
  get(index: number): JsonValue | undefined {
    checkIndex('index', index);
    return this.value((native) => native.listGet(this.name, index));
  }

  /**
   * Inserts items before position `index`: JSON, at most 16 levels deep. Throws `INVALID_ARGUMENT` (also for an `index`
   * past the end), `TYPE_MISMATCH`, `TOO_LARGE`, `ROOM_FULL`, `NOT_CONNECTED`, `CLOSED`.
   *
   * @returns the sequence number of the operation that carries the edit.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * client.list('jobs').insert(0, ['first of all', 'then']);
   * ```
   */
  insert(index: number, values: readonly JsonValue[]): number {
    checkIndex('index', index);
    if (!Array.isArray(values)) throw invalid('values must be an array');
    const copy = plain('values', values, { around: 1 }) as JsonValue[];
    if (copy.includes(undefined as never)) throw invalid('values must be JSON, not undefined');
    return this.document.edit((native) => native.listInsert(this.name, index, copy));
  }

  /**
   * Adds items at the end. Throws as `insert` does.
   *
   * @returns the sequence number of the operation that carries the edit.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * client.list('jobs').push('go home');
   * ```
   */
  push(...values: JsonValue[]): number {
    return this.insert(this.length, values);
  }

  /**
   * Deletes `length` items from position `index`. Throws `INVALID_ARGUMENT` (also for a range past the end),
   * `TYPE_MISMATCH`, `ROOM_FULL`, `NOT_CONNECTED`, `CLOSED`.
   *
   * @returns the sequence number of the operation that carries the edit.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * const jobs = client.list('jobs');
   * jobs.push('done');
   * jobs.delete(jobs.length - 1);
   * ```
   */
  delete(index: number, length = 1): number {
    checkIndex('index', index);
    checkIndex('length', length);
    return this.document.edit((native) => native.listDelete(this.name, index, length));
  }

  /**
   * How many items there are. Throws `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * console.log(`${client.list('jobs').length} jobs`);
   * ```
   */
  get length(): number {
    return this.document.read(0, (native) => native.listLength(this.name));
  }

  /**
   * The items, as copies. Throws `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * for (const job of client.list('jobs').toArray()) console.log(job);
   * ```
   */
  toArray(): JsonValue[] {
    return this.document.read<JsonValue[]>([], (native) => native.listValues(this.name));
  }

  /** The same as `toArray()`. */
  toJSON(): JsonValue[] {
    return this.toArray();
  }

  /**
   * Calls `listener` after each change, local ones too: never during the call that made one, but soon after it has
   * returned, when the list may have changed further. May be called before `connect()`; then the room's state arrives as
   * the first changes. A listener that throws is reported and stops nobody.
   *
   * @returns a function that ends the observation, as aborting `options.signal` does.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * const stop = client.list('jobs').observe(({ delta, origin }) => console.log(origin, delta));
   * await client.connect();
   * stop();
   * ```
   */
  observe(listener: Listener<ListEvent>, options?: ListenOptions): Unsubscribe {
    return this.document.observe(listener, options);
  }
}
