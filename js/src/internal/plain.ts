/** Values that are safe to hand to the module. */

import { PeersyncError } from '../errors.js';

/**
 * A copy without getters, proxies or functions: if one of those threw while the module reads it, the exception would
 * run through the module and leave it broken. Throws `INVALID_ARGUMENT`.
 */
export function plain<T>(what: string, value: T): T {
  try {
    return structuredClone(value);
  } catch (cause) {
    throw new PeersyncError('INVALID_ARGUMENT', `${what} must be plain data: no functions, getters that throw, or proxies`, { cause });
  }
}
