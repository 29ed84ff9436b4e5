// A suite as a child process: its output passed on and kept, its whole process group ended when its time is up.
import { spawn } from 'node:child_process';
import { root, searchPath } from './paths.mjs';

const GRACE_MILLIS = 5_000;

/** Signals the whole group; a group that is already gone is fine. */
function signalGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Resolves to `{ code, output, timedOut }`. Ends early, with all it started, on SIGINT and SIGTERM. */
export function runWithin(millis, command, args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root, detached: true, env: { ...process.env, PATH: searchPath, ...env }, stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let timedOut = false;
    const end = () => {
      signalGroup(child, 'SIGTERM');
      setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE_MILLIS).unref();
    };
    const interrupted = () => { end(); process.exitCode = 130; };
    const timer = setTimeout(() => { timedOut = true; end(); }, millis);
    process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
    for (const name of ['stdout', 'stderr']) {
      child[name].setEncoding('utf8').on('data', (chunk) => {
        process[name].write(chunk);
        output += chunk;
      });
    }
    child.on('error', reject);
    // 'exit', not 'close': a process left behind must not hold the pipe, and with it the whole run, open.
    child.on('exit', (code) => {
      clearTimeout(timer);
      process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
      setImmediate(() => {
        signalGroup(child, 'SIGKILL');
        resolve({ code: code ?? 128, output, timedOut });
      });
    });
  });
}
