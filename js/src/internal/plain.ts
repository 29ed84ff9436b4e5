/** Values that are safe to hand to the module. */

import { PeersyncError } from '../errors.js';
import { checkKey, checkString, invalid, shown } from './check.js';

/** Deeper nesting of arrays and objects is refused. */
const MAX_DEPTH = 16;

/** Bytes of one operation; a value that takes more cannot travel. */
const MAX_BYTES = 64 << 10;

/** Options of {@link plain}. */
export interface PlainOptions {
  /** Levels around the value that do not count as nesting. @default 0 */
  around?: number;
  /** Where strings may be long, because they are text that travels in pieces. @default nowhere */
  texts?: readonly string[];
}

/**
 * A copy that is JSON without getters, proxies or functions: if one of those threw while the module reads it, the
 * exception would run through the module and leave it broken. How deep and how large the value is, is found out before
 * anything is copied. Throws `INVALID_ARGUMENT` or `TOO_LARGE`, naming the field.
 */
export function plain<T>(what: string, value: T, { around = 0, texts = [] }: PlainOptions = {}): T {
  try {
    new Measure(texts).value(what, value, -around);
    return structuredClone(value);
  } catch (cause) {
    if (cause instanceof PeersyncError) throw cause;
    throw invalid(`${what} must be plain data: no functions, getters that throw, or proxies`, cause);
  }
}

/** Walks a value as far as its limits go. */
class Measure {
  readonly #texts: readonly string[];
  #bytes = 0;

  constructor(texts: readonly string[]) {
    this.#texts = texts;
  }

  value(what: string, value: unknown, depth: number): void {
    this.#count(what, 1);
    switch (typeof value) {
      case 'undefined':
      case 'boolean':
        return;
      case 'number':
        if (Number.isFinite(value)) return;
        throw invalid(`${what} must be a finite number, not ${value}`);
      case 'string':
        if (!this.#texts.includes(what)) this.#count(what, value.length);
        checkString(what, value);
        return;
      case 'object':
        return value === null ? undefined : this.#object(what, value, depth);
      default:
        throw invalid(`${what} must be plain data, not ${shown(value)}`);
    }
  }

  #object(what: string, value: object, depth: number): void {
    if (depth >= MAX_DEPTH) throw invalid(`${what} must be nested at most ${MAX_DEPTH} levels deep`);
    if (Array.isArray(value)) {
      this.#count(what, value.length);
      for (let index = 0; index < value.length; index += 1) this.value(`${what}[${index}]`, value[index], depth + 1);
      return;
    }
    const kind = Object.prototype.toString.call(value);
    if (kind !== '[object Object]') throw invalid(`${what} must be plain data, not ${kind.slice(8, -1)}`);
    const keys = Object.keys(value);
    this.#count(what, keys.length);
    for (const key of keys) {
      this.#count(`a key of ${what}`, key.length);
      checkKey(`a key of ${what}`, key);
      this.value(`${what}.${key}`, (value as Record<string, unknown>)[key], depth + 1);
    }
  }

  #count(what: string, bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > MAX_BYTES) throw new PeersyncError('TOO_LARGE', `${what} makes the value larger than ${MAX_BYTES} bytes`);
  }
}
