/** How large a presence state is: what the module will find too large is refused before the module is there. */

import { PeersyncError } from '../errors.js';
import type { PresenceState } from '../types.js';
import { checkName, invalid } from './check.js';

/** Bytes of an encoded state: `MAX_PRESENCE_BYTES` of the module. */
const MAX_BYTES = 4_096;

/** A tag and the eight bytes of a number that is not a whole one. */
const FLOAT_BYTES = 9;

const utf8 = new TextEncoder();

/**
 * Checks a whole state of plain data, as the module will. Throws `INVALID_ARGUMENT` for a field without a name and
 * `undefined` in an array, `TOO_LARGE` for more than 4,096 bytes in the encoding of SPEC 3.2.
 */
export function checkState(state: PresenceState): void {
  for (const name of Object.keys(state)) checkName('a key of fields', name);
  if (size(state) > MAX_BYTES) throw new PeersyncError('TOO_LARGE', `presence is over its limit of ${MAX_BYTES} bytes`);
}

/** Bytes of a value: a tag, then what belongs to it. */
function size(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return 1 + stringSize(value);
    case 'number':
      if (!Number.isSafeInteger(value) || Object.is(value, -0)) return FLOAT_BYTES;
      // Zigzag: small numbers of either sign stay short.
      return 1 + lengthSize(value < 0 ? -2 * value - 1 : 2 * value);
    case 'object':
      return value === null ? 1 : 1 + contentSize(value);
    default:
      return 1;
  }
}

function contentSize(value: object): number {
  if (Array.isArray(value)) {
    if (value.includes(undefined)) throw invalid('fields must not have undefined in an array');
    return value.reduce<number>((sum, item) => sum + size(item), lengthSize(value.length));
  }
  // As in JSON, a field that is `undefined` is none.
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return fields.reduce((sum, [key, field]) => sum + stringSize(key) + size(field), lengthSize(fields.length));
}

function stringSize(text: string): number {
  const { length } = utf8.encode(text);
  return lengthSize(length) + length;
}

/** Bytes of a number in seven bits each. */
function lengthSize(value: number): number {
  let bytes = 1;
  for (let left = value; left >= 0x80; left = Math.floor(left / 0x80)) bytes += 1;
  return bytes;
}
