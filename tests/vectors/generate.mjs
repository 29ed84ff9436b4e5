// Writes tests/vectors/yjs/from-yjs13-*.json and from-yjs14-*.json: what Yjs itself makes of edits, update by update, under
// the client ids that our writers have (SPEC D6), and what Yjs then shows. tests/vectors/theirs.rs reads them.
//   node tests/vectors/generate.mjs
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as Y14 from '@y/y';
import * as Y13 from 'yjs';
import { cases13 } from './cases-yjs13.mjs';
import { cases14 } from './cases-yjs14.mjs';

const ROOM = 'vectors';
const folder = fileURLToPath(new URL('./yjs/', import.meta.url));

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
const u64 = (number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
};
const hashParts = (...parts) => sha256(...parts.flatMap((part) => [u64(part.length), part]));

/** SPEC D6. Writer n is author n's, whose secret is the byte n, 32 times. */
function clientOf(writer) {
  const seed = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, writer)]);
  const key = createPublicKey(createPrivateKey({ key: seed, format: 'der', type: 'pkcs8' }));
  const author = Buffer.from(key.export({ format: 'jwk' }).x, 'base64url');
  const room = sha256(u64('peersync/room/open/v1'.length), 'peersync/room/open/v1', u64(ROOM.length), ROOM);
  const digest = hashParts(Buffer.from('peersync/yjs-client/v1'), room, author, u64(writer));
  return Number(digest.readBigUInt64BE(0) >> 11n);
}

/** Writers whose documents exchange updates only when told to, and every update that any of them made. */
class Party {
  constructor(Y, count) {
    this.steps = [];
    this.seen = [];
    this.docs = Array.from({ length: count }, (_, place) => {
      const doc = new Y.Doc();
      doc.clientID = clientOf(place + 1);
      this.seen.push(new Array(count).fill(0));
      doc.on('update', (update, origin) => {
        if (origin === this) return;
        const seen = this.seen[place];
        seen[place] += 1;
        const deps = Object.fromEntries(seen.map((seq, other) => [other + 1, seq]).filter(([, seq]) => seq > 0));
        delete deps[place + 1];
        this.steps.push({ writer: place + 1, seq: seen[place], seen: deps, update, bytes: Buffer.from(update).toString('hex') });
      });
      return doc;
    });
    this.apply = Y.applyUpdate;
  }

  /** Everyone gets everything. */
  sync() {
    for (let before = -1; before !== this.steps.length;) {
      before = this.steps.length;
      for (const [place, doc] of this.docs.entries()) {
        for (const { writer, seq, update } of [...this.steps]) {
          if (this.seen[place][writer - 1] >= seq) continue;
          this.seen[place][writer - 1] = seq;
          this.apply(doc, update, this);
        }
      }
    }
  }
}

/** JSON as JavaScript prints it has no -0. */
const json = (value) => JSON.stringify(value, (_, inner) => (Object.is(inner, -0) ? '\0-0' : inner), 1).replaceAll('"\\u0000-0"', '-0.0');

function write(name, by, { what, writers = 1, edit, show, refused }, Y) {
  const party = new Party(Y, writers);
  edit(party.docs, () => party.sync(), Y);
  party.sync();
  const shown = party.docs.map((doc) => json(show(doc, Y)));
  if (new Set(shown).size !== 1) throw new Error(`${name}: Yjs itself did not converge: ${shown.join('\n')}`);
  const steps = party.steps.map(({ writer, seen, bytes }) => ({ writer, seen, update: bytes }));
  const clients = party.docs.map((_, place) => String(clientOf(place + 1)));
  writeFileSync(`${folder}${name}.json`, `${json({ what, by, room: ROOM, clients, steps, ...(refused ? { refused } : show(party.docs[0], Y)) })}\n`);
}

mkdirSync(folder, { recursive: true });
for (const [name, vector] of Object.entries(cases13)) write(`from-yjs13-${name}`, 'yjs 13.6.33', vector, Y13);
for (const [name, vector] of Object.entries(cases14)) write(`from-yjs14-${name}`, '@y/y 14.0.0-rc.6', vector, Y14);
