/** Who waits for something that comes once. */

import type { PeersyncError } from '../errors.js';

/** One who waits, such as a `connect()`. */
export interface Arrival {
  readonly resolve: () => void;
  readonly reject: (error: PeersyncError) => void;
}

/** Settles everyone at once. */
export class Arrivals {
  readonly #waiting = new Set<Arrival>();
  #arrived = false;

  /** Adds one who waits. Returns a function that ends the waiting. */
  add(arrival: Arrival): () => void {
    if (this.#arrived) arrival.resolve();
    else this.#waiting.add(arrival);
    return () => this.#waiting.delete(arrival);
  }

  /** It is here, for those who wait and those who come. */
  arrived(): void {
    this.#arrived = true;
    for (const { resolve } of [...this.#waiting]) resolve();
  }

  /** Rejects those who wait now. Whether anyone did. */
  fail(error: PeersyncError): boolean {
    const waiting = [...this.#waiting];
    for (const { reject } of waiting) reject(error);
    return waiting.length > 0;
  }
}
