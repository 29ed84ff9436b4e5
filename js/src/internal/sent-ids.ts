/** The ids that messages of this client were given, so that none is done twice. */

import { invalid, shown } from './check.js';

/** What an application still retries is among its last messages. Full: the oldest is forgotten. */
const MAX_IDS = 1_024;

/** The last ids, oldest first. */
export class SentIds {
  readonly #ids = new Set<string>();

  /** Throws `INVALID_ARGUMENT` if a message of this id has been done. */
  check(id: unknown): void {
    if (typeof id !== 'string' || !this.#ids.has(id)) return;
    throw invalid(`id must be new: a message of id ${shown(id)} has been applied, and is on its way if it was not acknowledged`);
  }

  /** Remembers the id of a message that was applied; does nothing without one. */
  add(id: unknown): void {
    if (typeof id !== 'string') return;
    const [oldest] = this.#ids;
    if (oldest !== undefined && this.#ids.size >= MAX_IDS) this.#ids.delete(oldest);
    this.#ids.add(id);
  }
}
