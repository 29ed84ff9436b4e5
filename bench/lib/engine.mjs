// Our cores as wasm in this process: builds of examples/bench_wasm.rs, each instance with a memory of its own.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

let instances = 0;

/** Classes `BenchReplica` and `BenchDocument` of a fresh instance, and `bytes()`, what its memory takes. */
export async function engine(folder) {
  instances += 1;
  // Another address is another module, and so another instance.
  const glue = await import(`${pathToFileURL(path.join(folder, 'peersync.js'))}?instance=${instances}`);
  const { memory } = glue.initSync({ module: readFileSync(path.join(folder, 'peersync_bg.wasm')) });
  return { ...glue, bytes: () => memory.buffer.byteLength };
}

/** The payload of an operation in its full form behind a store's tag (SPEC §3). */
export function payloadOf(record) {
  let [at, length, shift] = [1, 0, 0];
  for (;;) {
    const byte = record[at];
    length |= (byte & 0x7f) << shift;
    [at, shift] = [at + 1, shift + 7];
    if (byte < 0x80) break;
  }
  return record.subarray(at + length + 64 + 1);
}
