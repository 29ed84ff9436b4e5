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

/** Messages on their way, oldest first. */
export class Acks {
  #sent: Sent[] = [];
  /** Up to where everything is safe, by the latest word of each kind. */
  readonly #reached = new Map<Durability, Omit<AckEvent, 'ids'>>();

  /** Remembers a message. Returns a function that ends the waiting; the id is still reported when acked. */
  add(seq: number, id: string, waiter: Waiter): () => void {
    const sent: Sent = { seq, id, rank: 0, waiter };
    this.#sent.push(sent);
    // A message that changed nothing travels in an operation that may have been acknowledged long ago.
    for (const reached of this.#reached.values()) if (reached.seq >= seq) this.#settle(sent, reached);
    return () => {
      sent.waiter = undefined;
    };
  }

  /** Settles what `ack` covers: a writer's log is kept in order, so an ack stands for all before it. */
  ack(ack: Omit<AckEvent, 'ids'>): string[] {
    const { seq, durability, by } = ack;
    this.#reached.set(durability, { seq, durability, by });
    const safer = this.#sent.filter((sent) => sent.seq <= seq && sent.rank < RANK[durability]);
    for (const sent of safer) this.#settle(sent, ack);
    this.#sent = this.#sent.filter((sent) => sent.rank < RANK.backend);
    return safer.map(({ id }) => id);
  }

  #settle(sent: Sent, { durability, by }: Omit<AckEvent, 'ids'>): void {
    sent.rank = Math.max(sent.rank, RANK[durability]);
    if (!sent.waiter || RANK[sent.waiter.until] > sent.rank) return;
    sent.waiter.resolve({ id: sent.id, durability, by });
    sent.waiter = undefined;
  }

  /** This device keeps nothing any more: who waits for just that hears how things are. */
  keepNothing(by: string): void {
    for (const sent of this.#sent) {
      if (sent.waiter?.until !== 'local') continue;
      sent.waiter.resolve({ id: sent.id, durability: 'none', by });
      sent.waiter = undefined;
    }
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
