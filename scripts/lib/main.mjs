// The outer edge of every script: Node's version, one sentence for what the user can fix, a stack for what is our bug.
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A failure the user can act on. Its message is one sentence; no stack is printed. */
export class Refusal extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

const OLDEST_NODE = [20, 19];

export function nodeIsTooOld(version) {
  const [major, minor] = version.split('.').map(Number);
  return major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1]);
}

/** Runs `body` if the module at `url` is what node was started with; imported modules only lend their functions. */
export async function main(url, body) {
  if (!process.argv[1] || realpathSync(process.argv[1]) !== fileURLToPath(url)) return;
  try {
    if (nodeIsTooOld(process.versions.node)) {
      throw new Refusal(`peersync needs Node ${OLDEST_NODE.join('.')} or newer, this is ${process.versions.node}.`);
    }
    await body(process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof Refusal ? `\npeersync: ${error.message}` : error);
    process.exitCode = error instanceof Refusal ? error.exitCode : 1;
  }
}
