/** Between deltas of a shared text and change sets of CodeMirror. Pure; both count UTF-16 code units. */

import { ChangeSet, type Text } from '@codemirror/state';
import type { DeltaOp } from '../types.js';

/** One replacement: at `index`, `remove` code units give way to `insert`. */
export interface Splice {
  index: number;
  remove: number;
  insert: string;
}

/**
 * The only line break that the binding knows. CodeMirror would take `\r\n` for one position, and every position behind
 * it would not be the text's.
 */
export const LINE_BREAK = '\n';

/** `splices` as a change of a document of `length`, or `undefined` if they do not fit into it. In old positions. */
export function toChanges(splices: readonly Splice[], length: number): ChangeSet | undefined {
  const specs = splices.map(({ index, remove, insert }) => ({ from: index, to: index + remove, insert }));
  try {
    return ChangeSet.of(specs, length, LINE_BREAK);
  } catch {
    return undefined;
  }
}

/** What a delta does to the characters, in positions of the text before it. Formatting is left out. */
export function toSplices(delta: readonly DeltaOp[]): Splice[] {
  const splices: Splice[] = [];
  let at = 0;
  // Whether the next step continues the last splice: nothing was retained between them.
  let joined = false;
  for (const { retain = 0, insert = '', delete: remove = 0 } of delta) {
    at += retain;
    if (retain > 0) joined = false;
    if (insert === '' && remove === 0) continue;
    const last = splices.at(-1);
    if (joined && last) {
      last.remove += remove;
      last.insert += insert;
    } else {
      splices.push({ index: at, remove, insert });
      joined = true;
    }
    at += remove;
  }
  return splices;
}

/** The replacements that `changes` makes in `before`, last first, so that each leaves the positions of the next alone. */
export function ownSplices(changes: ChangeSet, before: Text): Splice[] {
  const after = changes.apply(before);
  const splices: Splice[] = [];
  changes.iterChanges((fromA, toA, fromB, toB) => {
    // Between the two halves of a character nothing may be cut: both sides give up the half that they share.
    const start = splitsPair(before, fromA) || splitsPair(after, fromB) ? 1 : 0;
    const end = splitsPair(before, toA) || splitsPair(after, toB) ? 1 : 0;
    const index = fromA - start;
    const insert = after.sliceString(fromB - start, toB + end, LINE_BREAK);
    splices.unshift({ index, remove: toA + end - index, insert });
  });
  return splices;
}

/** The one replacement that makes `after` of `before`; splits no surrogate pair. */
export function difference(before: string, after: string): Splice {
  const shorter = Math.min(before.length, after.length);
  let prefix = 0;
  while (prefix < shorter && before[prefix] === after[prefix]) prefix += 1;
  if (isHigh(before.charCodeAt(prefix - 1))) prefix -= 1;
  let suffix = 0;
  while (suffix < shorter - prefix && before.at(-1 - suffix) === after.at(-1 - suffix)) suffix += 1;
  if (suffix > 0 && isLow(before.charCodeAt(before.length - suffix))) suffix -= 1;
  return { index: prefix, remove: before.length - prefix - suffix, insert: after.slice(prefix, after.length - suffix) };
}

/** Whether `doc` reads as `text`. */
export function reads(doc: Text, text: string): boolean {
  return doc.length === text.length && doc.sliceString(0, doc.length, LINE_BREAK) === text;
}

function splitsPair(doc: Text, at: number): boolean {
  if (at <= 0 || at >= doc.length) return false;
  const pair = doc.sliceString(at - 1, at + 1, LINE_BREAK);
  return isHigh(pair.charCodeAt(0)) && isLow(pair.charCodeAt(1));
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}
