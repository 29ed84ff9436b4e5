// Not doing again what was done: outputs carry a hash of all they were made from.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Every file below `folder`, sorted. A file stands for itself; what does not exist is empty. */
export function files(folder) {
  if (!existsSync(folder)) return [];
  if (!statSync(folder).isDirectory()) return [folder];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** A hash over names and contents of `paths`, and over `extra` words (versions, flags). */
export function digest(paths, extra = []) {
  const hash = createHash('sha256');
  for (const word of extra) hash.update(`${word.length}:${word}`);
  for (const file of paths.flatMap(files)) {
    const content = readFileSync(file);
    hash.update(`${file}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

/** Does `work` unless `outputs` exist and `stamp` says that they were made from this very `digest`. */
export async function unlessFresh({ stamp, made, outputs }, work) {
  if (outputs.every((file) => existsSync(file)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === made) {
    return 'unchanged';
  }
  await work();
  writeFileSync(stamp, made);
  return undefined;
}
