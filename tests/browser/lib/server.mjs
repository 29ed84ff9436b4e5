// Starts the real server, kills it the hard way, starts it again on the same port.
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { artifacts, eventually, within } from './runner.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const targetDir = path.resolve(root, process.env.CARGO_TARGET_DIR || 'target');
const binary = process.env.PEERSYNC_BIN || path.join(targetDir, 'release', 'peersync');
const START_MS = 15_000;
const STOP_MS = 15_000;
let servers = 0;

/** Fails with one sentence when there is no server to test. */
export function checkServer() {
  if (!existsSync(binary)) throw new Error(`${binary} is missing: run \`npm run build\` first`);
}

/** One server with a data folder of its own. `context.defer` removes both. */
export async function startServer(context) {
  const folder = mkdtempSync(path.join(tmpdir(), 'peersync-browser-'));
  servers += 1;
  const log = path.join(artifacts, `server-${servers}.log`);
  const server = new Server(folder, log);
  context.defer(async () => {
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  await server.start();
  return server;
}

class Server {
  #folder;
  #log;
  #child;
  #exited;
  /** What the ready file says: peerId, http, addresses, bootstrapPeers. */
  ready;
  port = 0;

  constructor(folder, log) {
    this.#folder = folder;
    this.#log = log;
  }

  get http() {
    return `http://127.0.0.1:${this.port}`;
  }

  get ws() {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  /** Starts it; after the first time on the same port. */
  async start() {
    const readyFile = path.join(this.#folder, 'ready.json');
    // A killed server leaves it behind.
    rmSync(readyFile, { force: true });
    const args = ['serve', '--host', '127.0.0.1', '--port', `${this.port}`, '--ready-file', readyFile];
    args.push('--data-dir', path.join(this.#folder, 'data'));
    const child = spawn(binary, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const log = createWriteStream(this.#log, { flags: 'a' });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    let gone;
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => resolve((gone = error.message)));
      child.once('exit', (code, signal) => resolve((gone = `exit code ${code ?? signal}`)));
    });
    this.ready = await eventually(START_MS, 'the server is ready', () => {
      if (gone) throw new Error(`the server ended with ${gone}; see ${this.#log}`);
      return existsSync(readyFile) && JSON.parse(readFileSync(readyFile, 'utf8'));
    });
    this.port = Number(new URL(this.ready.http).port);
  }

  /** `kill -9`. */
  async kill() {
    this.#child.kill('SIGKILL');
    await within(STOP_MS, 'the killed server is gone', this.#exited);
  }

  /** A polite end, as an operator would. Returns how it exited. */
  async stop() {
    this.#child.kill('SIGTERM');
    return within(STOP_MS, 'the server exits after SIGTERM', this.#exited);
  }
}
