/** A live text document. Positions and lengths are UTF-16 code units, as in JavaScript strings. */

import { PeersyncError } from './errors.js';
import { Emitter, type ListenOptions, type Listener, type Unsubscribe } from './events.js';
import type { Bridge } from './internal/bridge.js';
import { plain } from './internal/plain.js';
import type { DeltaOp, TextAttributes, TextEvent } from './types.js';

/** The largest number that reaches the module unchanged. */
const MAX_INDEX = 0xffff_ffff;

/**
 * A text that everyone in the room edits at the same time. Get one from `client.text(name)`.
 *
 * Edits apply at once, also offline, and return the sequence number that the client's `ack` event names. Before
 * `connect()` has loaded the module the text reads as empty and edits throw `NOT_CONNECTED`; after `close()` every
 * call throws `CLOSED`.
 *
 * @example
 * ```ts
 * import { BrowserSyncClient } from 'peersync';
 *
 * const client = new BrowserSyncClient('ws://localhost:8000/ws', { room: 'garden' });
 * const notes = client.text('notes');
 * notes.observe(({ origin }) => console.log(origin, notes.toString()));
 * await client.connect();
 * notes.insert(0, 'Water the tomatoes');
 * ```
 */
export class SharedText {
  /** The document's name within the room. */
  readonly name: string;
  readonly #bridge: Bridge;
  readonly #emitter = new Emitter<{ change: TextEvent }>(['change']);

  /** @internal Applications call `client.text(name)`. */
  constructor(name: string, bridge: Bridge, subscribe: (deliver: (event: TextEvent) => void) => void) {
    this.name = name;
    this.#bridge = bridge;
    subscribe((event) => this.#emitter.emit('change', event));
  }

  /**
   * Inserts `text` before position `index`. Throws `INVALID_ARGUMENT` (also for an `index` past the end),
   * `TYPE_MISMATCH`, `TOO_LARGE`, `NOT_CONNECTED`, `CLOSED`.
   *
   * @param attributes - Formatting of the inserted text. Default: none.
   * @returns the sequence number of the operation that carries the edit.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * client.text('notes').insert(0, 'Hello', { bold: true });
   * ```
   */
  insert(index: number, text: string, attributes?: TextAttributes): number {
    checkNumber('index', index);
    checkString('text', text);
    if (attributes !== undefined) checkAttributes(attributes);
    const marks = plain('attributes', attributes);
    return this.#edit((native) => native.textInsert(this.name, index, text, marks));
  }

  /**
   * Deletes `length` code units from position `index`. Throws `INVALID_ARGUMENT` (also for a range past the end),
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
   * const notes = client.text('notes');
   * notes.insert(0, 'Hello world');
   * notes.delete(5, 6);
   * console.assert(notes.toString() === 'Hello');
   * ```
   */
  delete(index: number, length: number): number {
    checkNumber('index', index);
    checkNumber('length', length);
    return this.#edit((native) => native.textDelete(this.name, index, length));
  }

  /**
   * Sets the formatting of `length` code units from position `index`; `null` removes one. Throws as `delete` does.
   *
   * @returns the sequence number of the operation that carries the edit.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * const notes = client.text('notes');
   * notes.insert(0, 'Hello world');
   * notes.format(0, 5, { bold: true });
   * ```
   */
  format(index: number, length: number, attributes: TextAttributes): number {
    checkNumber('index', index);
    checkNumber('length', length);
    checkAttributes(attributes);
    const marks = plain('attributes', attributes);
    return this.#edit((native) => native.textFormat(this.name, index, length, marks));
  }

  /**
   * Makes the text equal to `text` by the smallest difference, so that what others change at the same time survives.
   * Throws as `insert` does.
   *
   * @returns the sequence number of the operation that carries the edit.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * client.text('notes').replace('A whole new text');
   * ```
   */
  replace(text: string): number {
    checkString('text', text);
    return this.#edit((native) => native.textReplace(this.name, text));
  }

  /**
   * The text as this client sees it now. Throws `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * console.log(client.text('notes').toString());
   * ```
   */
  toString(): string {
    return this.#read('', (native) => native.textString(this.name));
  }

  /**
   * The text with its formatting: pieces of the form `{ insert, attributes? }`. Throws `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * for (const piece of client.text('notes').toDelta()) console.log(piece.insert, piece.attributes);
   * ```
   */
  toDelta(): DeltaOp[] {
    return this.#read<DeltaOp[]>([], (native) => native.textDelta(this.name));
  }

  /**
   * Length of the text, in UTF-16 code units. Throws `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * const notes = client.text('notes');
   * notes.insert(notes.length, '\nOne more line');
   * ```
   */
  get length(): number {
    return this.#read(0, (native) => native.textLength(this.name));
  }

  /**
   * Calls `listener` after each change, local ones too, soon after the call that made them has returned. May be called
   * before `connect()`; then the room's state arrives as the first changes. A listener that throws is reported and
   * stops nobody.
   *
   * @returns a function that ends the observation, as aborting `options.signal` does.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * const stop = client.text('notes').observe(({ delta, origin, author }) => {
   *   if (origin === 'remote') console.log(author, delta);
   * });
   * await client.connect();
   * stop();
   * ```
   */
  observe(listener: Listener<TextEvent>, options?: ListenOptions): Unsubscribe {
    return this.#emitter.on('change', listener, options);
  }

  #edit(use: Parameters<typeof Bridge.prototype.call<number>>[1]): number {
    return this.#bridge.call('editing', use);
  }

  #read<T>(empty: T, use: Parameters<typeof Bridge.prototype.call<T>>[1]): T {
    const { failure } = this.#bridge;
    if (failure) throw failure;
    return this.#bridge.peek(empty, use);
  }
}

function checkNumber(what: string, value: unknown): void {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_INDEX) return;
  throw new PeersyncError('INVALID_ARGUMENT', `${what} must be an integer of 0 or more, not ${String(value)}`);
}

function checkString(what: string, value: unknown): void {
  if (typeof value === 'string') return;
  throw new PeersyncError('INVALID_ARGUMENT', `${what} must be a string, not ${typeof value}`);
}

function checkAttributes(value: unknown): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  throw new PeersyncError('INVALID_ARGUMENT', 'attributes must be an object such as { bold: true }');
}
