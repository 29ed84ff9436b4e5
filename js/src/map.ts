/** A live map: JSON values by key. */

import type { ListenOptions, Listener, Unsubscribe } from './events.js';
import { checkName, invalid } from './internal/check.js';
import { Container } from './internal/container.js';
import { plain } from './internal/plain.js';
import type { JsonValue, MapEvent } from './types.js';

/**
 * A map that everyone in the room edits at the same time. Get one from `client.map(name)`. Each key is decided by
 * itself: of two writes at the same time one counts everywhere. A value is replaced as a whole.
 *
 * Edits apply at once, also offline, and return the sequence number that the client's `ack` event names. Before
 * `open()` or `connect()` has loaded the module the map reads as empty and edits throw `NOT_CONNECTED`; after `close()` every call
 * throws `CLOSED`.
 *
 * @example
 * ```ts
 * import { BrowserSyncClient } from 'peersync';
 *
 * const client = new BrowserSyncClient('ws://localhost:8000/ws', { room: 'garden' });
 * const settings = client.map('settings');
 * settings.observe(({ changes }) => console.log(changes));
 * await client.connect();
 * settings.set('theme', { dark: true });
 * ```
 */
export class SharedMap extends Container<MapEvent> {
  /**
   * The value of `key`, a copy; `undefined` if there is none. Throws `INVALID_ARGUMENT`, `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * console.log(client.map('settings').get('theme') ?? 'none yet');
   * ```
   */
  get(key: string): JsonValue | undefined {
    checkName('key', key);
    return this.value((native) => native.mapGet(this.name, key));
  }

  /**
   * Whether `key` has a value; `null` is one. Throws `INVALID_ARGUMENT`, `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * if (!client.map('settings').has('theme')) client.map('settings').set('theme', 'light');
   * ```
   */
  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /**
   * Sets `key` to `value`: JSON, at most 16 levels deep. Throws `INVALID_ARGUMENT`, `TYPE_MISMATCH`, `TOO_LARGE`,
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
   * client.map('settings').set('grid', { size: 20, visible: true });
   * ```
   */
  set(key: string, value: JsonValue): number {
    checkName('key', key);
    if (value === undefined) throw invalid('value must be JSON; to remove a key, delete it');
    const copy = plain('value', value);
    return this.document.edit((native) => native.mapSet(this.name, key, copy));
  }

  /**
   * Removes `key`; nothing changes if it has no value. Throws `INVALID_ARGUMENT`, `TYPE_MISMATCH`, `ROOM_FULL`,
   * `NOT_CONNECTED`, `CLOSED`.
   *
   * @returns the sequence number of the operation that carries the edit.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * client.map('settings').delete('grid');
   * console.assert(!client.map('settings').has('grid'));
   * ```
   */
  delete(key: string): number {
    checkName('key', key);
    return this.document.edit((native) => native.mapDelete(this.name, key));
  }

  /**
   * The keys that have a value, in ascending order. Throws `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * for (const key of client.map('settings').keys()) console.log(key);
   * ```
   */
  keys(): string[] {
    return this.entries().map(([key]) => key);
  }

  /**
   * Keys and copies of their values, in ascending order of the keys. Throws `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * for (const [key, value] of client.map('settings').entries()) console.log(key, value);
   * ```
   */
  entries(): [string, JsonValue][] {
    return this.document.read<[string, JsonValue][]>([], (native) => native.mapEntries(this.name));
  }

  /**
   * How many keys have a value. Throws `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * console.log(`${client.map('settings').size} settings`);
   * ```
   */
  get size(): number {
    return this.entries().length;
  }

  /**
   * The map as an object, a copy. Throws `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * console.log(JSON.stringify(client.map('settings')));
   * ```
   */
  toJSON(): Record<string, JsonValue> {
    return Object.fromEntries(this.entries());
  }

  /**
   * Calls `listener` after each change, local ones too: never during the call that made one, but soon after it has
   * returned, when the map may have changed further. May be called before `connect()`; then the room's state arrives as
   * the first changes. A listener that throws is reported and stops nobody.
   *
   * @returns a function that ends the observation, as aborting `options.signal` does.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * const stop = client.map('settings').observe(({ changes, origin }) => {
   *   for (const { key, action, value } of changes) console.log(origin, action, key, value);
   * });
   * await client.connect();
   * stop();
   * ```
   */
  observe(listener: Listener<MapEvent>, options?: ListenOptions): Unsubscribe {
    return this.document.observe(listener, options);
  }
}
