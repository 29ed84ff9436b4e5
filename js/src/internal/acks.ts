/** Which sent messages wait for which durability. */

import type { PeersyncError } from '../errors.js';
import type { Ack, AckEvent, Durability } from '../types.js';

/** A higher rank includes the lower ones. */
const RANK: Record<Durability, number> = { local: 1, peer: 2, backend: 3 };

interface Waiter {
  readonly until: Durability;
  readonly resolve: (ack: Ack) => void;
  readonly reject: (error: PeersyncError) => void;
}

interface Sent {
  readonly seq: number;
  readonly id: string;
  rank: number;
  waiter: Waiter | undefined;
}

/** Messages on their way, oldest first. Bounded by the native side, which refuses more pending operations. */
export class Acks {
  #sent: Sent[] = [];

  /** Remembers a message. Returns a function that ends the waiting; the id is still reported when acked. */
  add(seq: number, id: string, waiter: Waiter): () => void {
    const sent: Sent = { seq, id, rank: 0, waiter };
    this.#sent.push(sent);
    return () => {
      sent.waiter = undefined;
    };
  }

  /** Settles what `ack` covers: a writer's log is kept in order, so an ack stands for all before it. */
  ack({ seq, durability, by }: Omit<AckEvent, 'ids'>): string[] {
    const rank = RANK[durability];
    const ids: string[] = [];
    for (const sent of this.#sent) {
      if (sent.seq > seq || sent.rank >= rank) continue;
      sent.rank = rank;
      ids.push(sent.id);
      if (sent.waiter && RANK[sent.waiter.until] <= rank) {
        sent.waiter.resolve({ id: sent.id, durability, by });
        sent.waiter = undefined;
      }
    }
    this.#sent = this.#sent.filter((sent) => sent.rank < RANK.backend);
    return ids;
  }

  /** Rejects who waits for operation `seq`. Whether anyone did. */
  refuse(seq: number, error: PeersyncError): boolean {
    const refused = this.#sent.filter((sent) => sent.seq === seq);
    this.#sent = this.#sent.filter((sent) => sent.seq !== seq);
    return rejectAll(refused, error);
  }

  /** Rejects everyone. */
  fail(error: PeersyncError): void {
    const sent = this.#sent;
    this.#sent = [];
    rejectAll(sent, error);
  }
}

function rejectAll(sent: readonly Sent[], error: PeersyncError): boolean {
  const waiters = sent.flatMap(({ waiter }) => waiter ?? []);
  for (const waiter of waiters) waiter.reject(error);
  return waiters.length > 0;
}
