/** Who waits for the room's state. */

import type { PeersyncError } from '../errors.js';

/** One waiting `connect()`. */
export interface Arrival {
  readonly resolve: () => void;
  readonly reject: (error: PeersyncError) => void;
}

/** Settles every waiting `connect()` at once. */
export class Arrivals {
  readonly #waiting = new Set<Arrival>();
  #arrived = false;

  /** Adds one who waits. Returns a function that ends the waiting. */
  add(arrival: Arrival): () => void {
    if (this.#arrived) arrival.resolve();
    else this.#waiting.add(arrival);
    return () => this.#waiting.delete(arrival);
  }

  /** The state is here, for those who wait and those who come. */
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
