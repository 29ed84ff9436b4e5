/** Checks of what applications pass in. Each names what is wrong; the module checks again what it is handed. */

import { PeersyncError } from '../errors.js';

/** The largest number that reaches the module unchanged. */
const MAX_INDEX = 0xffff_ffff;

/** Bytes of a name, an id or a key, in UTF-8. */
const MAX_NAME_BYTES = 256;

/** UTF-16 units of one edit's text. */
const MAX_TEXT_UNITS = 16 << 20;

/** Half of a surrogate pair: it has no UTF-8, and would arrive as another character. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Keys that mean something else to JavaScript than a key. */
const FORBIDDEN: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** What every failed check throws. */
export function invalid(message: string, cause?: unknown): PeersyncError {
  return new PeersyncError('INVALID_ARGUMENT', message, cause === undefined ? undefined : { cause });
}

/** A value for a message: short, whatever it is. Never calls code of the value. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return value.length > 40 ? `'${value.slice(0, 40)}…'` : `'${value}'`;
  return typeof value === 'number' || value === null ? String(value) : typeof value;
}

/** A position, a length: an integer of 0 or more. */
export function checkIndex(what: string, value: unknown): void {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_INDEX) return;
  throw invalid(`${what} must be an integer of 0 or more, not ${shown(value)}`);
}

/** A string that has a UTF-8 form. */
export function checkString(what: string, value: unknown): string {
  if (typeof value !== 'string') throw invalid(`${what} must be a string, not ${typeof value}`);
  if (value.length > MAX_TEXT_UNITS) throw new PeersyncError('TOO_LARGE', `${what} is over its limit of ${MAX_TEXT_UNITS}`);
  if (LONE_SURROGATE.test(value)) throw invalid(`${what} must not have half a surrogate pair`);
  return value;
}

/** A string for a text document. */
export function checkText(what: string, value: unknown): string {
  const text = checkString(what, value);
  if (text.includes('\0')) throw invalid(`${what} must not have NUL characters`);
  return text;
}

/** The name of a document, an id, a key. */
export function checkName(what: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return checkKey(what, value);
  throw invalid(`${what} must be a non-empty string, not ${shown(value)}`);
}

/** A key within a value: as in JSON, it may be empty. */
export function checkKey(what: string, key: string): string {
  if (key.length > MAX_NAME_BYTES / 3 && (key.length > MAX_NAME_BYTES || new TextEncoder().encode(key).length > MAX_NAME_BYTES)) {
    throw invalid(`${what} must have at most ${MAX_NAME_BYTES} bytes of UTF-8`);
  }
  checkText(what, key);
  if (FORBIDDEN.has(key)) throw invalid(`${what} must not be '${key}'`);
  return key;
}

/** An object with fields. */
export function checkObject(what: string, value: unknown): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  throw invalid(`${what} must be an object, not ${shown(value)}`);
}
