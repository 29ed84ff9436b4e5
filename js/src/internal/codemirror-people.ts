/** Who is meant by a peer or an author, from presence. Whatever a peer sends may be wrong: nothing is taken as it comes. */

import type { PresenceState } from '../types.js';
import type { BoundClient } from './codemirror-binding.js';

/** Characters of a name that are shown. */
const MAX_NAME = 40;
/** Units of a cursor that are looked at; real ones are far shorter. */
const MAX_CURSOR = 512;
/** People who left and whose names are kept. Full: the one seen first is forgotten. */
const MAX_REMEMBERED = 500;
/** For whoever says no colour: legible as a line on light and on dark. */
const COLORS = ['#c2410c', '#a16207', '#4d7c0f', '#0f766e', '#0369a1', '#4f46e5', '#9333ea', '#be185d'];

/** Name and colour, safe to show. */
export interface Person {
  name: string;
  /** `#rrggbb`. */
  color: string;
}

/** A selection that a peer claims to have. */
export interface ClaimedSelection {
  doc: string;
  anchor: string;
  head: string;
}

/** What `state` says about its sender; `key` chooses a colour where it says none. */
export function toPerson(state: PresenceState | undefined, key: string): Person {
  const { name, color } = state ?? {};
  const known = typeof color === 'string' && /^#[0-9a-f]{6}$/i.test(color);
  return { name: toName(name) || 'Guest', color: known ? color : colorOf(key) };
}

/** The selection in a presence field, or `undefined` if it is anything else. */
export function toSelection(value: unknown): ClaimedSelection | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { doc, anchor, head } = value as Record<string, unknown>;
  if (typeof doc !== 'string' || !isCursor(anchor) || !isCursor(head)) return undefined;
  return { doc, anchor, head };
}

/** One of eight colours, always the same for `key`. */
export function colorOf(key: string): string {
  let sum = 0;
  for (let at = 0; at < key.length; at += 1) sum = (Math.imul(sum, 31) + key.charCodeAt(at)) >>> 0;
  return COLORS[sum % COLORS.length] ?? '#4f46e5';
}

/** Black or white, whichever is easier to read on `color` (`#rrggbb`). */
export function inkOn(color: string): string {
  const channel = (at: number) => (Number.parseInt(color.slice(at, at + 2), 16) / 255) ** 2.2;
  const luminance = 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
  return luminance > 0.36 ? '#000000' : '#ffffff';
}

function toName(value: unknown): string {
  if (typeof value !== 'string') return '';
  // No controls, no marks that turn the direction of what stands beside it.
  const plain = value.slice(0, MAX_NAME * 4).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}]/gu, ' ').trim();
  return [...plain].slice(0, MAX_NAME).join('');
}

function isCursor(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_CURSOR;
}

/** The states of others; none once the client is closed or has crashed. */
export function statesOf(client: BoundClient): Map<string, PresenceState> {
  try {
    return client.presence.others();
  } catch {
    return new Map();
  }
}

function ownState(client: BoundClient): PresenceState | undefined {
  try {
    return client.presence.get();
  } catch {
    return undefined;
  }
}

/** Names of authors: of those who are here, and of those who were while this editor was open. */
export class Directory {
  readonly #client: BoundClient | undefined;
  readonly #seen = new Map<string, Person>();

  constructor(client: BoundClient | undefined) {
    this.#client = client;
  }

  /** Whether `author` is this user. */
  isSelf(author: string): boolean {
    return author !== '' && author === this.#client?.author;
  }

  /** Looks again at who is here. */
  refresh(): void {
    const client = this.#client;
    if (!client) return;
    const states = statesOf(client);
    for (const { peerId, author } of client.peers) {
      const state = states.get(peerId);
      if (!state) continue;
      this.#seen.delete(author);
      this.#seen.set(author, toPerson(state, author));
    }
    for (const author of this.#seen.keys()) {
      if (this.#seen.size <= MAX_REMEMBERED) break;
      this.#seen.delete(author);
    }
  }

  /** Name and colour of an author. */
  person(author: string): Person {
    if (this.isSelf(author)) {
      const own = toPerson(this.#client && ownState(this.#client), author);
      return { name: own.name === 'Guest' ? 'You' : own.name, color: own.color };
    }
    return this.#seen.get(author) ?? { name: 'Someone who left', color: colorOf(author) };
  }
}
