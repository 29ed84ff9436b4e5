/** A live text. Positions and lengths are UTF-16 code units, as in JavaScript strings. */

import type { ListenOptions, Listener, Unsubscribe } from './events.js';
import { checkIndex, checkObject, checkString, checkText, invalid } from './internal/check.js';
import type { LiveDocument } from './internal/document.js';
import { plain } from './internal/plain.js';
import type { DeltaOp, TextAttributes, TextEvent, TextRun } from './types.js';

/**
 * A text that everyone in the room edits at the same time. Get one from `client.text(name)`.
 *
 * Edits apply at once, also offline, and return the sequence number that the client's `ack` event names. Before
 * `open()` or `connect()` has loaded the module the text reads as empty and edits throw `NOT_CONNECTED`; after `close()` every
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
  readonly #document: LiveDocument<TextEvent>;

  /** @internal Applications call `client.text(name)`. */
  constructor(document: LiveDocument<TextEvent>) {
    this.name = document.name;
    this.#document = document;
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
    checkIndex('index', index);
    checkText('text', text);
    if (attributes !== undefined) checkObject('attributes', attributes);
    const marks = plain('attributes', attributes);
    return this.#document.edit((native) => native.textInsert(this.name, index, text, marks));
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
    checkIndex('index', index);
    checkIndex('length', length);
    return this.#document.edit((native) => native.textDelete(this.name, index, length));
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
    checkIndex('index', index);
    checkIndex('length', length);
    checkObject('attributes', attributes);
    const marks = plain('attributes', attributes);
    return this.#document.edit((native) => native.textFormat(this.name, index, length, marks));
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
    // What another Yjs application wrote must not keep anyone from editing around it.
    if (text.includes('\0') && !this.toString().includes('\0')) checkText('text', text);
    return this.#document.edit((native) => native.textReplace(this.name, text));
  }

  /**
   * Moves `length` code units from position `from` to position `to`, which counts in the text before the move and does
   * not lie inside the range. It is a deletion and an insertion in one: if two clients move the same text at the same
   * time, it may end up in both places. Throws as `delete` does.
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
   * notes.insert(0, 'world Hello ');
   * notes.move(0, 12, 6);
   * console.assert(notes.toString() === 'Hello world ');
   * ```
   */
  move(from: number, to: number, length = 1): number {
    checkIndex('from', from);
    checkIndex('to', to);
    checkIndex('length', length);
    if (to > from && to < from + length) throw invalid(`to must not lie inside the range that moves, not ${to}`);
    return this.#document.edit((native) => native.textMove(this.name, from, to, length));
  }

  /**
   * A cursor that stays where it is in the text while others edit around it: an opaque ASCII string that any client of
   * the room can turn back into a position with `index`, for example after it came as presence. Throws
   * `INVALID_ARGUMENT` (also for an `index` past the end), `TYPE_MISMATCH`, `NOT_CONNECTED`, `CLOSED`.
   *
   * @param assoc - What the cursor sticks to: `1` the character behind it, `-1` the one before it. Text that is
   *   inserted exactly there then comes before, or after, the cursor.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * const notes = client.text('notes');
   * notes.insert(0, 'Hello');
   * const cursor = notes.cursor(5, -1);
   * notes.insert(0, 'Oh! ');
   * console.assert(notes.index(cursor) === 9);
   * ```
   */
  cursor(index: number, assoc: -1 | 1 = 1): string {
    checkIndex('index', index);
    if (assoc !== 1 && assoc !== -1) throw invalid('assoc must be 1 or -1');
    return this.#document.edit((native) => native.textCursor(this.name, index, assoc));
  }

  /**
   * Where a cursor stands now; `undefined` if it is none of this text, or refers to text that has not arrived. Throws
   * `INVALID_ARGUMENT` (if it is no string), `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * const notes = client.text('notes');
   * client.presence.observe(({ peerId, state }) => {
   *   if (typeof state?.cursor === 'string') console.log(peerId, 'is at', notes.index(state.cursor));
   * });
   * ```
   */
  index(cursor: string): number | undefined {
    checkString('cursor', cursor);
    return this.#document.read(undefined, (native) => native.textIndex(this.name, cursor));
  }

  /**
   * Who wrote what: runs that cover the text from its start to its end. Throws `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * const notes = client.text('notes');
   * let at = 0;
   * for (const { length, author } of notes.authors()) {
   *   console.log(author, notes.toString().slice(at, (at += length)));
   * }
   * ```
   */
  authors(): TextRun[] {
    return this.#document.read<TextRun[]>([], (native) => native.textAuthors(this.name));
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
    return this.#document.read('', (native) => native.textString(this.name));
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
    return this.#document.read<DeltaOp[]>([], (native) => native.textDelta(this.name));
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
    return this.#document.read(0, (native) => native.textLength(this.name));
  }

  /**
   * Calls `listener` after each change, local ones too: never during the call that made one, but soon after it has
   * returned, when the text may have changed further. May be called before `connect()`; then the room's state arrives as
   * the first changes. A listener that throws is reported and stops nobody.
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
    return this.#document.observe(listener, options);
  }
}
