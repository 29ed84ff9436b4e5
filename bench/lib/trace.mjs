// What somebody typed: edits of one character each, `[position, deleted, inserted]`, and the text that they leave.
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { at } from '../../scripts/lib/paths.mjs';

const EDITS = 259_778;

/** The trace of a paper written in Automerge's editor, if it is beside this folder or named by PEERSYNC_TRACE; else one like it. */
export function editingTrace(most = Infinity) {
  const file = process.env.PEERSYNC_TRACE || at('..', 'shared', 'data', 'editing-traces', 'automerge-paper.json.gz');
  const real = existsSync(file);
  const edits = (real ? recorded(file) : invented()).slice(0, most);
  return { name: real ? 'the automerge-paper trace' : 'an invented trace', edits, text: replay(edits) };
}

/** Edits as lines of text: position, how many are deleted, what is inserted as JSON. */
export const traceLines = (edits) => edits.map(([position, deleted, inserted]) => `${position} ${deleted} ${JSON.stringify(inserted)}\n`).join('');

function recorded(file) {
  const { startContent, txns } = JSON.parse(gunzipSync(readFileSync(file)));
  if (startContent) throw new Error('the trace does not begin with an empty text');
  return txns.flatMap(({ patches }) => patches);
}

/** Runs of typing at the cursor, corrections behind it, and now and then a jump: about 70 of 100 edits insert. */
function invented() {
  let state = 1;
  const below = (end) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * end);
  };
  const edits = [];
  let [length, cursor] = [0, 0];
  while (edits.length < EDITS) {
    if (below(4) === 0) cursor = below(length + 1);
    for (let run = 5 + below(60); run > 0; run -= 1) {
      edits.push([cursor, 0, String.fromCharCode(97 + below(26))]);
      [length, cursor] = [length + 1, cursor + 1];
    }
    for (let run = below(30); run > 0 && cursor > 0; run -= 1) {
      edits.push([cursor - 1, 1, '']);
      [length, cursor] = [length - 1, cursor - 1];
    }
  }
  return edits.slice(0, EDITS);
}

/** Pieces keep this from taking minutes. */
function replay(edits) {
  const PIECE = 1_000;
  const pieces = [[]];
  for (const [position, deleted, inserted] of edits) {
    let place = 0;
    let offset = position;
    while (offset > pieces[place].length && place < pieces.length - 1) offset -= pieces[place++].length;
    if (deleted && offset === pieces[place].length) [place, offset] = [place + 1, 0];
    pieces[place].splice(offset, deleted, ...inserted);
    if (pieces[place].length > 2 * PIECE) pieces.splice(place, 1, pieces[place].slice(0, PIECE), pieces[place].slice(PIECE));
    if (pieces[place].length === 0 && pieces.length > 1) pieces.splice(place, 1);
  }
  return pieces.flat().join('');
}
