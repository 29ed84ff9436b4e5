/** What peersync logs to the console of a page. */

import { invalid } from './internal/check.js';
import { choose } from './internal/debug.js';

/**
 * Chooses what of peersync logs to the console (`console.debug`), for every client of the page, from now on.
 *
 * `true` for everything, `false` for nothing, or names separated by commas: `engine`, `gossip`, `node`, `sdk`; `*` stands
 * for any text, and a `-` in front takes a name out again. Without this, and without the client's option `debug`,
 * `localStorage.debug` decides when the module loads, with names in full (`peersync:engine`).
 *
 * @example
 * ```ts
 * configureDebug('*,-sdk');
 * ```
 */
export function configureDebug(filter: boolean | string): void {
  if (typeof filter !== 'boolean' && typeof filter !== 'string') throw invalid('filter must be a boolean or a string');
  choose(filter);
}
