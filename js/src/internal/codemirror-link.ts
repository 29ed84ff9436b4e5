/** Keeps a CodeMirror document and a shared text equal. Knows no view: it is told of changes and asked for them. */

import { ChangeSet, type ChangeDesc, type Text } from '@codemirror/state';
import type { TextEvent } from '../types.js';
import { difference, ownSplices, reads, toChanges, toSplices, type Splice } from './codemirror-changes.js';

/** Own edits whose event has not come. Full: the oldest is forgotten, and its event costs one comparison. */
const MAX_AWAITED = 1_000;

/** What the link needs of a shared text. */
export interface LinkedText {
  readonly length: number;
  insert(index: number, text: string): number;
  delete(index: number, length: number): number;
  toString(): string;
}

/** What the editor has to do to show the text. */
export interface Pulled {
  changes: ChangeSet;
  /** Whether only calls on this client are behind it, such as `undo()`. */
  local: boolean;
}

/**
 * The text is always the truth. Own edits go into it at once; what else happens to it is told by events, which come
 * later, so that the text may be *ahead* of the editor. `ahead` is by what: the change that makes the text of the
 * editor's document.
 */
export class TextLink {
  readonly #text: LinkedText;
  #ahead: ChangeSet | undefined;
  #heard: TextEvent[] = [];
  #awaited: Splice[] = [];

  constructor(text: LinkedText) {
    this.#text = text;
  }

  /** Whether the editor knows of a change and does not show it yet. */
  get holds(): boolean {
    return this.#ahead !== undefined;
  }

  /** Where a position of the editor's document is in the text. */
  toText(position: number, assoc: -1 | 1): number {
    return this.#ahead ? this.#ahead.mapPos(position, assoc) : position;
  }

  /** Where a position of the text is in the editor's document, at most `length`. */
  toDoc(position: number, length: number): number {
    const inverse: ChangeDesc | undefined = this.#ahead?.invertedDesc;
    const mapped = inverse ? inverse.mapPos(Math.min(position, inverse.length)) : position;
    return Math.min(mapped, length);
  }

  /** Remembers an event. `false`: it was one of the own edits, and the editor need not do anything. */
  heard(event: TextEvent): boolean {
    if (event.origin === 'local' && this.#isAwaited(event)) return false;
    this.#heard.push(event);
    return true;
  }

  /**
   * Brings an edit of the editor into the text. `before`: the document that `changes` was made in. `false`: the text is
   * not what the editor shows, which has to `pull`. Throws what the text throws; then nothing that was there is gone,
   * and `pull` tells how the editor gets back to it.
   */
  push(changes: ChangeSet, before: Text): boolean {
    const ahead = this.#measure(before);
    this.#ahead = ahead?.map(changes, true);
    const there = ahead ? changes.map(ahead) : changes;
    const base = ahead ? ahead.apply(before) : before;
    const own = ownSplices(there, base);
    const splices = own.map((splice) => ({ ...splice, insert: writable(splice.insert) }));
    // Everything that may be refused comes first: what was selected goes only once what takes its place is there.
    this.#insert(splices);
    this.#remove(splices);
    const whole = splices.every(({ insert }, at) => insert === own[at]?.insert);
    return whole && !ahead;
  }

  /**
   * What makes `doc` equal to the text; `undefined`: nothing, or nothing now. `hold` is asked whether a change must
   * wait; what waits is kept and comes with a later call. Throws what reading the text throws.
   */
  pull(doc: Text, hold: (changes: ChangeSet) => boolean = () => false): Pulled | undefined {
    const events = this.#heard;
    this.#heard = [];
    const wanted = this.#text.toString();
    const changes = this.#follow(events, doc, wanted);
    this.#ahead = undefined;
    if (changes.empty) return undefined;
    if (hold(changes)) {
      this.#ahead = changes;
      return undefined;
    }
    return { changes, local: events.length > 0 && events.every(({ origin }) => origin === 'local') };
  }

  /** All or none of it; `splices` last first. */
  #insert(splices: readonly Splice[]): void {
    const done: Splice[] = [];
    try {
      for (const { index, insert } of splices) {
        if (insert === '') continue;
        this.#text.insert(index, insert);
        this.#await({ index, remove: 0, insert });
        done.unshift({ index, remove: insert.length, insert: '' });
      }
    } catch (error) {
      // Should that fail as well, some of what was typed is there, and nothing is lost.
      for (const splice of done) this.#cut(splice);
      throw error;
    }
  }

  /** What is to go, each now behind what has been inserted in its place. */
  #remove(splices: readonly Splice[]): void {
    let inserted = splices.reduce((sum, { insert }) => sum + insert.length, 0);
    for (const { index, remove, insert } of splices) {
      if (remove > 0) this.#cut({ index: index + inserted, remove, insert: '' });
      inserted -= insert.length;
    }
  }

  #cut(splice: Splice): void {
    this.#text.delete(splice.index, splice.remove);
    this.#await(splice);
  }

  /** By events if they explain the difference, so that positions between two changes stay; else by comparing. */
  #follow(events: readonly TextEvent[], doc: Text, wanted: string): ChangeSet {
    const nothing = ChangeSet.empty(doc.length);
    let changes: ChangeSet | undefined = this.#ahead ?? nothing;
    if (changes.newLength === wanted.length && reads(changes.apply(doc), wanted)) return changes;
    for (const { delta } of events) {
      const next: ChangeSet | undefined = changes && toChanges(toSplices(delta), changes.newLength);
      changes = next && changes?.compose(next);
    }
    if (changes && changes.newLength === wanted.length && reads(changes.apply(doc), wanted)) return changes;
    return toChanges([difference(doc.toString(), wanted)], doc.length) ?? nothing;
  }

  /** By what the text is ahead of `doc`. Compares lengths only: whatever that misses, the next `pull` puts right. */
  #measure(doc: Text): ChangeSet | undefined {
    const known = this.#ahead?.newLength ?? doc.length;
    if (this.#text.length === known) return this.#ahead;
    return toChanges([difference(doc.toString(), this.#text.toString())], doc.length);
  }

  #await(splice: Splice): void {
    if (this.#awaited.length >= MAX_AWAITED) this.#awaited.shift();
    this.#awaited.push(splice);
  }

  #isAwaited(event: TextEvent): boolean {
    const [splice, ...others] = toSplices(event.delta);
    if (!splice || others.length > 0) return false;
    const { index, remove, insert } = splice;
    const found = this.#awaited.findIndex((own) => own.index === index && own.remove === remove && own.insert === insert);
    if (found === -1) return false;
    // Events keep the order of the edits: those before it will not come any more.
    this.#awaited.splice(0, found + 1);
    return true;
  }
}

/**
 * What everybody will read, which the editor shall show too: neither half a character, which cannot be written as UTF-8,
 * nor NUL, which texts do not take. As long as before.
 */
function writable(text: string): string {
  return text.replace(/[\p{Surrogate}\0]/gu, '\ufffd');
}
